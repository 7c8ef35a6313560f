"""What a run of the bank can be told at start; everything else is steered while it runs."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Start-up options of the bank.

    Args:
        data: folder of the bank's books; made when missing.
        key: shared secret of the connection to the one client of this bank; signs requests, answers and notices.
        notice_url: where signed notices go; empty keeps what the books remember.
        start_at: the bank's time in new books (aware), where accounts begin that name no first moment; None for the
            machine's time. Later starts go on from where the clocks stood.
        delay_factor: multiplies every channel's processing time; 0 makes every payout final at once.
        closing_grace_seconds: account's time between the first query of an unknown number and its closing for good.
        lost_seconds: account's time before which the number of what the bank was made not to take in is not closed,
            beside the grace; whatever never arrived without that is closed after the grace alone.
        silence_seconds: real time for which a request that gets no answer is held open.
        late_seconds: real time after which a request that "arrives late" is processed.
        slow_seconds: real time by which a slow answer is delayed.
        reorder_seconds: real time by which an overtaken notice is delayed.
        stuck_seconds: account's time that a stuck payout takes.
        return_days: account's days between a payout and its return.
        late_payment_seconds: account's time between the closing of a collection and a payment that comes too late.
        public_url: where payers' browsers and wallets reach this bank, without a path; in QR codes and links.
    """

    data: Path
    key: bytes
    notice_url: str = ""
    start_at: datetime | None = None
    delay_factor: float = 1.0
    closing_grace_seconds: float = 10.0
    lost_seconds: float = 0.0
    silence_seconds: float = 30.0
    late_seconds: float = 2.0
    slow_seconds: float = 3.0
    reorder_seconds: float = 1.5
    stuck_seconds: float = 600.0
    return_days: float = 2.0
    late_payment_seconds: float = 1.0
    public_url: str = ""
