"""Messages of the sandbox bank, read strictly: what does not fit is no answer."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

from escrow.channels.protocols import BankLine, NoticeKind, PayoutOrder
from escrow.domain.money.amounts import format_fen, yuan
from escrow.domain.withdrawals.payouts import PayoutAnswer, PayoutStatus
from escrow.domain.withdrawals.rails import Rail


def wire_amount(amount_fen: int) -> str:
    """Wire form of an amount: yuan with two decimals and no separators, `wire_amount(1234)` is `"12.34"`."""
    return format_fen(amount_fen).replace(",", "")


WireAmount = Annotated[str, StringConstraints(pattern=r"^-?\d{1,17}\.\d{2}$")]


class Message(BaseModel):
    """A message in the bank's spelling; fields we do not know are passed over."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)


class Envelope(Message):
    """What every JSON answer of the bank is wrapped in; `ret_code` 0000 is the only yes."""

    ret_code: str
    ret_msg: str
    data: Any


class Empty(Message):
    """An answer that only says yes."""


class Balance(Message):
    """Balance of the custody account."""

    bal: WireAmount


class Line(Message):
    """A line of the custody account."""

    line_no: int
    serial_no: str
    kind: Literal[
        "CREDIT", "PAYOUT", "CHARGE", "RETURN", "ADJUSTMENT", "SETTLEMENT", "MICRO_DEPOSIT", "MICRO_DEPOSIT_RETURN"
    ]
    amt: WireAmount
    bal: WireAmount
    booked_at: AwareDatetime
    value_date: date
    req_seq: str
    party_acct: str
    party_name: str
    remark: str

    def as_bank_line(self) -> BankLine:
        """In our terms."""
        return BankLine(
            line_no=self.line_no,
            bank_serial_no=self.serial_no,
            kind="inbound" if self.kind == "CREDIT" else self.kind.lower(),
            amount_fen=yuan(self.amt),
            booked_at=self.booked_at,
            value_date=self.value_date,
            balance_after_fen=yuan(self.bal),
            request_no=self.req_seq,
            counterparty_account_no=self.party_acct,
            counterparty_name=self.party_name,
            remark=self.remark,
        )


class PayoutState(Message):
    """State of a payout at the bank."""

    req_seq: str
    state: Literal["PROCESSING", "SUCCESS", "FAIL", "NONE"]
    closed: bool
    serial_no: str = ""
    reason_code: str = ""
    reason_text: str = ""
    finished_at: AwareDatetime | None = None

    def as_answer(self) -> PayoutAnswer:
        """In our terms."""
        return PayoutAnswer(
            request_no=self.req_seq,
            status=_STATUS[self.state],
            final=self.closed,
            bank_serial_no=self.serial_no or None,
            reason=reason_of(self.reason_code),
            booked_at=self.finished_at if self.state == "SUCCESS" else None,
        )


class Notice(Message):
    """A notice of the bank; amount and state are not read, since the truth is asked for."""

    kind: Literal["LINE", "PAYOUT", "COLLECTION", "REFUND"]
    acct_no: str
    req_seq: str


#: The bank's names of what its notices tell of.
NOTICE_KINDS: Mapping[str, NoticeKind] = {
    "LINE": "custody_line",
    "PAYOUT": "payout",
    "COLLECTION": "collection",
    "REFUND": "collection_refund",
}

_STATUS = {
    "PROCESSING": PayoutStatus.PROCESSING,
    "SUCCESS": PayoutStatus.SUCCEEDED,
    "FAIL": PayoutStatus.FAILED,
    "NONE": PayoutStatus.NOT_FOUND,
}

#: The bank's names of its channels.
CHANNEL_OF_RAIL: Mapping[Rail, str] = {
    Rail.IN_BANK: "INTERNAL",
    Rail.UNIONPAY: "CARD_NETWORK",
    Rail.IBPS: "SUPER_ONLINE",
    Rail.HVPS: "LARGE_VALUE",
    Rail.BEPS: "SMALL_VALUE",
    Rail.SHENZHEN_LOCAL: "SZ_LOCAL",
}

#: The bank's return codes in our words.
REASONS: Mapping[str, str] = {
    "E1001": "bank_signature_refused",
    "E1002": "bank_request_malformed",
    "E2001": "custody_account_unknown",
    "E2002": "request_no_reused",
    "E2003": "request_no_closed",
    "E3001": "rail_closed",
    "E3002": "rail_unavailable",
    "E3003": "rail_cap_exceeded",
    "E3004": "payee_not_on_rail",
    "E3005": "calendar_unknown",
    "E4001": "account_no_invalid",
    "E4002": "cnaps_code_invalid",
    "E4003": "account_name_missing",
    "E4004": "payee_account_refused",
    "E5001": "custody_funds_insufficient",
    "E6001": "statement_day_not_begun",
    "E7001": "collection_unknown",
    "E7002": "collection_paid",
    "E7003": "collection_under_way",
    "E7004": "collection_ended",
    "E7005": "collection_expired",
    "E7006": "refund_exceeds_payment",
    "E7007": "refund_period_over",
    "E7008": "refund_declined",
    "E7009": "payer_declined",
    "E7010": "payer_data_mismatch",
    "E7011": "mandate_not_in_force",
    "E7012": "debit_channel_unsuitable",
    "E7013": "settlement_unknown",
    "E7014": "mandate_cap_exceeded",
    "E8001": "no_code_expected",
    "E8002": "tries_exhausted",
    "E8003": "codes_exhausted",
    "E8004": "card_bank_not_supported",
    "E8005": "card_data_mismatch",
    "E8006": "verification_unknown",
    "E9001": "identity_number_invalid",
    "E9002": "service_unavailable",
}


def reason_of(code: str) -> str | None:
    """A return code of the bank in our words; None for an empty one."""
    return REASONS.get(code, code) or None


def payout_message(order: PayoutOrder) -> dict[str, str]:
    """Wire form of a payout order."""
    return {
        "reqSeq": order.request_no,
        "acctNo": order.custody_account_no,
        "channel": CHANNEL_OF_RAIL[order.rail],
        "amt": wire_amount(order.amount_fen),
        "payeeAcct": order.account_no,
        "payeeName": order.account_name,
        "payeeType": "COMPANY" if order.is_corporate else "PERSON",
        "payeeBankCode": order.cnaps_code,
        "summary": order.purpose_text,
    }
