"""What the bank says of a check that a bank account belongs to somebody: micro-deposit or UnionPay check."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from escrow.domain.members.code_checks import CodeCheck


class MicroDepositStatus(StrEnum):
    """Where a micro-deposit stands at the bank."""

    SENT = "sent"
    VERIFIED = "verified"
    FAILED = "failed"
    EXPIRED = "expired"
    RETURNED = "returned"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class MicroDepositAnswer:
    """State of a micro-deposit. Its amount is not told: the payee must type it.

    Args:
        final: with NOT_FOUND only: the bank promises that this number can no longer arrive.
        reference: five characters, also sent to the payee by SMS, by which one deposit is told from another.
        returned: whether the payee's bank gave the deposit back, possibly after it was verified.
        reason: why it failed; else None.
        code_check: after `confirm` only: how the typed amount compared, with `tries_left` more tries.
    """

    request_no: str
    status: MicroDepositStatus
    final: bool = False
    reference: str | None = None
    expires_at: datetime | None = None
    returned: bool = False
    reason: str | None = None
    code_check: CodeCheck | None = None
    tries_left: int = 0


class CardCheckStatus(StrEnum):
    """Where a UnionPay check of a card stands."""

    CODE_SENT = "code_sent"
    VERIFIED = "verified"
    FAILED = "failed"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardCheckAnswer:
    """State of a UnionPay check.

    Args:
        final: with NOT_FOUND only: the bank promises that this number can no longer arrive.
        bank: short name of the card's bank, e.g. `ICBC`.
        code_expires_at: until when the SMS code is good.
        reason: why it failed; else None.
        code_check: after `confirm` only: how the typed code compared, with `tries_left` more tries.
    """

    request_no: str
    status: CardCheckStatus
    final: bool = False
    bank: str | None = None
    code_expires_at: datetime | None = None
    reason: str | None = None
    code_check: CodeCheck | None = None
    tries_left: int = 0
