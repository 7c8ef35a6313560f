"""What a bank says of a payout."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class PayoutStatus(StrEnum):
    """Where a payout stands at the bank."""

    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutAnswer:
    """State of a payout at the bank.

    `final` is meaningful with NOT_FOUND only: the bank promises that this number can no longer arrive.
    `bank_serial_no` names the custody line, present once SUCCEEDED.
    """

    request_no: str
    status: PayoutStatus
    final: bool = False
    bank_serial_no: str | None = None
    reason: str | None = None
    booked_at: datetime | None = None
