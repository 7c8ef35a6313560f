"""Messages of the sandbox bank's collection channels, read strictly: what does not fit is no answer."""

from collections.abc import Mapping
from datetime import date
from typing import Literal

from pydantic import AwareDatetime

from escrow.channels.collections import CollectionOrder, CollectionRefundOrder, MandateOrder
from escrow.channels.sandbox_bank.messages import Message, WireAmount, reason_of, wire_amount
from escrow.domain.collections.methods import (
    ChannelPayment,
    CollectionAnswer,
    CollectionMethod,
    Interaction,
    MandateAnswer,
    RefundAnswer,
    RefundStatus,
    Settlement,
    SettlementItem,
    StatusAtChannel,
)
from escrow.domain.members.code_checks import CodeCheck
from escrow.domain.money.amounts import yuan

#: The bank's names of its methods are ours in capitals.
METHOD_OF_WIRE = {method.value.upper(): method for method in CollectionMethod}

_STATUS = {
    "WAITING": StatusAtChannel.AWAITING_PAYER,
    "PROCESSING": StatusAtChannel.PROCESSING,
    "PAID": StatusAtChannel.PAID,
    "CLOSED": StatusAtChannel.CLOSED,
    "FAIL": StatusAtChannel.FAILED,
    "NONE": StatusAtChannel.NOT_FOUND,
}
_REFUND_STATUS = {
    "PROCESSING": RefundStatus.PROCESSING,
    "SUCCESS": RefundStatus.SUCCEEDED,
    "FAIL": RefundStatus.FAILED,
    "NONE": RefundStatus.NOT_FOUND,
}
_MANDATE_STATUS: Mapping[str, Literal["active", "revoked", "refused", "not_found"]] = {
    "ACTIVE": "active",
    "REVOKED": "revoked",
    "FAIL": "refused",
    "NONE": "not_found",
}


class Payment(Message):
    """One payment that came for a collection."""

    payment_no: str
    amt: WireAmount
    fee: WireAmount
    paid_at: AwareDatetime
    settles_on: date
    settlement_no: str

    def as_payment(self) -> ChannelPayment:
        """In our terms."""
        return ChannelPayment(
            payment_no=self.payment_no,
            amount_fen=yuan(self.amt),
            fee_fen=yuan(self.fee),
            paid_at=self.paid_at,
            settles_on=self.settles_on,
            settlement_no=self.settlement_no or None,
        )


class CollectionState(Message):
    """State of a collection at the bank."""

    req_seq: str
    state: Literal["WAITING", "PROCESSING", "PAID", "CLOSED", "FAIL", "NONE"]
    closed: bool
    method: str = ""
    amt: WireAmount = "0.00"
    reason_code: str = ""
    expires_at: AwareDatetime | None = None
    payments: tuple[Payment, ...] = ()
    refunded: WireAmount = "0.00"
    pay_url: str = ""
    qr_content: str = ""
    app_params: dict[str, str] | None = None
    code_sent_to: str = ""
    code_expires_at: AwareDatetime | None = None
    code_check: Literal["ACCEPTED", "WRONG", "EXPIRED", "EXHAUSTED"] | None = None
    tries_left: int = 0

    def as_answer(self) -> CollectionAnswer:
        """In our terms."""
        return CollectionAnswer(
            request_no=self.req_seq,
            status=_STATUS[self.state],
            final=self.closed,
            method=METHOD_OF_WIRE.get(self.method),
            amount_fen=yuan(self.amt),
            payments=tuple(payment.as_payment() for payment in self.payments),
            refunded_fen=yuan(self.refunded),
            interaction=self._interaction() if self.state == "WAITING" else None,
            expires_at=self.expires_at,
            reason=reason_of(self.reason_code),
            code_check=None if self.code_check is None else CodeCheck(self.code_check.lower()),
            tries_left=self.tries_left,
        )

    def _interaction(self) -> Interaction:
        if self.qr_content:
            return Interaction(kind="qr", qr_content=self.qr_content)
        if self.app_params is not None:
            return Interaction(kind="app", app_parameters=self.app_params)
        if self.pay_url:
            return Interaction(kind="redirect", url=self.pay_url)
        if self.code_sent_to:
            return Interaction(kind="sms_code", code_sent_to=self.code_sent_to, code_expires_at=self.code_expires_at)
        return Interaction(kind="none")


class RefundState(Message):
    """State of a refund at the bank."""

    req_seq: str
    state: Literal["PROCESSING", "SUCCESS", "FAIL", "NONE"]
    closed: bool
    amt: WireAmount = "0.00"
    reason_code: str = ""
    refunded_at: AwareDatetime | None = None
    settles_on: date | None = None
    settlement_no: str = ""

    def as_answer(self) -> RefundAnswer:
        """In our terms."""
        return RefundAnswer(
            request_no=self.req_seq,
            status=_REFUND_STATUS[self.state],
            final=self.closed,
            amount_fen=yuan(self.amt),
            reason=reason_of(self.reason_code),
            refunded_at=self.refunded_at,
            settles_on=self.settles_on,
            settlement_no=self.settlement_no or None,
        )


class SettledItem(Message):
    """One payment or refund inside a settlement."""

    kind: Literal["PAYMENT", "REFUND"]
    req_seq: str
    payment_no: str
    amt: WireAmount
    fee: WireAmount


class SettlementContent(Message):
    """What a settlement consists of."""

    settlement_no: str
    method: str
    day: date
    paid: WireAmount
    refunded: WireAmount
    fee: WireAmount
    net: bool
    serial_no: str
    items: tuple[SettledItem, ...]

    def as_settlement(self) -> Settlement:
        """In our terms."""
        return Settlement(
            settlement_no=self.settlement_no,
            method=METHOD_OF_WIRE[self.method],
            day=self.day,
            paid_fen=yuan(self.paid),
            refunded_fen=yuan(self.refunded),
            fee_fen=yuan(self.fee),
            net_of_fees=self.net,
            bank_serial_no=self.serial_no,
            items=tuple(
                SettlementItem(
                    kind="payment" if item.kind == "PAYMENT" else "refund",
                    request_no=item.req_seq,
                    amount_fen=yuan(item.amt),
                    fee_fen=yuan(item.fee),
                    payment_no=item.payment_no,
                )
                for item in self.items
            ),
        )


class MandateState(Message):
    """State of a mandate at the bank."""

    req_seq: str
    state: Literal["ACTIVE", "REVOKED", "FAIL", "NONE"]
    mandate_no: str = ""
    payer_bank: str = ""
    reason_code: str = ""

    def as_answer(self) -> MandateAnswer:
        """In our terms."""
        return MandateAnswer(
            request_no=self.req_seq,
            status=_MANDATE_STATUS[self.state],
            mandate_no=self.mandate_no or None,
            payer_bank=self.payer_bank or None,
            reason=reason_of(self.reason_code),
        )


def mandate_message(order: MandateOrder) -> dict[str, str]:
    """Wire form of a mandate."""
    return {
        "reqSeq": order.request_no,
        "acctNo": order.custody_account_no,
        "payerAcct": order.payer.account_no,
        "payerName": order.payer.account_name,
        "payerIdNo": order.payer.citizen_id,
        "payerMobile": order.payer.mobile,
        "maxAmt": wire_amount(order.per_debit_fen),
        "dayMaxAmt": wire_amount(order.per_day_fen),
        "lastDay": order.last_day.isoformat(),
    }


def collection_message(order: CollectionOrder) -> dict[str, str]:
    """Wire form of a collection."""
    content = {
        "reqSeq": order.request_no,
        "acctNo": order.custody_account_no,
        "method": order.method.upper(),
        "amt": wire_amount(order.amount_fen),
        "subject": order.subject,
        "expiresAt": order.expires_at.isoformat(),
        "returnUrl": order.return_url or "",
        "mandateNo": order.mandate_no or "",
        "debitChannel": order.debit_channel or "",
    }
    if order.payer is not None:
        content |= {
            "payerAcct": order.payer.account_no,
            "payerName": order.payer.account_name,
            "payerIdNo": order.payer.citizen_id,
            "payerMobile": order.payer.mobile,
        }
    return content


def refund_message(order: CollectionRefundOrder) -> dict[str, str]:
    """Wire form of a refund."""
    return {
        "reqSeq": order.request_no,
        "originalReqSeq": order.collection_request_no,
        "amt": wire_amount(order.amount_fen),
        "reason": order.reason_text or "",
    }
