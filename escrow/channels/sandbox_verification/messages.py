"""Messages of the sandbox bank's account checks, read strictly: what does not fit is no answer."""

from typing import Literal

from pydantic import AwareDatetime

from escrow.channels.sandbox_bank.messages import REASONS, Message
from escrow.channels.verification import CardCheckOrder, MicroDepositOrder
from escrow.domain.members.account_verification import (
    CardCheckAnswer,
    CardCheckStatus,
    MicroDepositAnswer,
    MicroDepositStatus,
)
from escrow.domain.members.code_checks import CodeCheck

_Check = Literal["ACCEPTED", "WRONG", "EXPIRED", "EXHAUSTED"]
_DEPOSIT_STATUS = {
    "SENT": MicroDepositStatus.SENT,
    "VERIFIED": MicroDepositStatus.VERIFIED,
    "EXPIRED": MicroDepositStatus.EXPIRED,
    "RETURNED": MicroDepositStatus.RETURNED,
    "FAIL": MicroDepositStatus.FAILED,
    "NONE": MicroDepositStatus.NOT_FOUND,
}
_CARD_STATUS = {
    "CODE_SENT": CardCheckStatus.CODE_SENT,
    "VERIFIED": CardCheckStatus.VERIFIED,
    "FAIL": CardCheckStatus.FAILED,
    "NONE": CardCheckStatus.NOT_FOUND,
}


class DepositState(Message):
    """State of a micro-deposit at the bank."""

    req_seq: str
    state: Literal["SENT", "VERIFIED", "EXPIRED", "RETURNED", "FAIL", "NONE"]
    closed: bool
    reference: str = ""
    expires_at: AwareDatetime | None = None
    returned: bool = False
    reason_code: str = ""
    code_check: _Check | None = None
    tries_left: int = 0

    def as_answer(self) -> MicroDepositAnswer:
        """In our terms."""
        return MicroDepositAnswer(
            request_no=self.req_seq,
            status=_DEPOSIT_STATUS[self.state],
            final=self.closed,
            reference=self.reference or None,
            expires_at=self.expires_at,
            returned=self.returned,
            reason=REASONS.get(self.reason_code, self.reason_code) or None,
            code_check=None if self.code_check is None else CodeCheck(self.code_check.lower()),
            tries_left=self.tries_left,
        )


class CardCheckState(Message):
    """State of a UnionPay check at the bank."""

    req_seq: str
    state: Literal["CODE_SENT", "VERIFIED", "FAIL", "NONE"]
    closed: bool
    bank: str = ""
    reason_code: str = ""
    code_expires_at: AwareDatetime | None = None
    code_check: _Check | None = None
    tries_left: int = 0

    def as_answer(self) -> CardCheckAnswer:
        """In our terms."""
        return CardCheckAnswer(
            request_no=self.req_seq,
            status=_CARD_STATUS[self.state],
            final=self.closed,
            bank=self.bank or None,
            code_expires_at=self.code_expires_at,
            reason=REASONS.get(self.reason_code, self.reason_code) or None,
            code_check=None if self.code_check is None else CodeCheck(self.code_check.lower()),
            tries_left=self.tries_left,
        )


def deposit_message(order: MicroDepositOrder) -> dict[str, str]:
    """Wire form of a micro-deposit."""
    return {
        "reqSeq": order.request_no,
        "acctNo": order.custody_account_no,
        "payeeAcct": order.account_no,
        "payeeName": order.account_name,
        "payeeType": "COMPANY" if order.is_corporate else "PERSON",
        "payeeBankCode": order.cnaps_code,
        "mobile": order.mobile,
    }


def card_message(order: CardCheckOrder) -> dict[str, str]:
    """Wire form of a UnionPay check."""
    return {
        "reqSeq": order.request_no,
        "acctNo": order.custody_account_no,
        "name": order.name,
        "idNo": order.citizen_id,
        "cardNo": order.card_no,
        "mobile": order.mobile,
    }
