"""Rules of account verification: how often something may be sent, how often it may be guessed, how long it waits."""

from datetime import datetime, timedelta
from enum import StrEnum

from escrow.domain.errors import Refused
from escrow.domain.time.calendars import SHANGHAI

#: A new micro-deposit or code is sent this long after the last one at the earliest.
PAUSE_BETWEEN_SENDINGS = timedelta(minutes=2)

#: So many are sent about one bank account on one day (Asia/Shanghai), in all its verifications together.
SENDINGS_PER_DAY = 5

#: So many amounts or codes may be tried in one verification, however often it is sent again.
TRIES = 3

#: A verification for which nothing could be sent within this time has failed.
SENT_WITHIN = timedelta(minutes=10)

#: The bank chooses the amount of a micro-deposit, at most this, in fen.
MICRO_DEPOSIT_MAX_FEN = 50


class VerificationMethod(StrEnum):
    """How an account is verified; also what the account's `verification` says afterwards."""

    MICRO_DEPOSIT = "micro_deposit"
    UNIONPAY = "unionpay"


#: How long the newest micro-deposit can be confirmed; a code is good for 120 s, but a new one can be sent.
VALID_FOR = {
    VerificationMethod.MICRO_DEPOSIT: timedelta(hours=48),
    VerificationMethod.UNIONPAY: timedelta(minutes=30),
}


class VerificationStatus(StrEnum):
    """Where a verification stands.

    - `asked`: nothing has been sent yet.
    - `sent`: the account's holder is to type what was sent.
    - `verified`: the account is its holder's.
    - `refused`: a rule of ours said no before anything was sent.
    - `failed`: the bank said no, or too many tries were wrong.
    - `expired`: nobody confirmed in time.
    - `returned`: the payee's bank gave the micro-deposit back.
    """

    ASKED = "asked"
    SENT = "sent"
    VERIFIED = "verified"
    REFUSED = "refused"
    FAILED = "failed"
    EXPIRED = "expired"
    RETURNED = "returned"


def require_sending_allowed(sent_at: list[datetime], *, now: datetime) -> None:
    """Refuse to send again too soon or too often.

    Args:
        sent_at: when something was sent about the bank account before, timezone-aware.

    Raises:
        Refused: `verification_too_soon` with `not_before`, or `verification_day_limit`.
    """
    if sent_at and now < max(sent_at) + PAUSE_BETWEEN_SENDINGS:
        raise Refused(
            "verification_too_soon",
            "Something was sent about this account less than two minutes ago.",
            {"not_before": (max(sent_at) + PAUSE_BETWEEN_SENDINGS).isoformat()},
        )
    today = now.astimezone(SHANGHAI).date()
    if sum(moment.astimezone(SHANGHAI).date() == today for moment in sent_at) >= SENDINGS_PER_DAY:
        raise Refused(
            "verification_day_limit", "No more is sent about this account today.", {"per_day": SENDINGS_PER_DAY}
        )


def require_waiting(status: VerificationStatus) -> None:
    """Refuse a try or another sending when the verification does not wait for one.

    Raises:
        Refused: `verification_state`.
    """
    if status is not VerificationStatus.SENT:
        raise Refused(
            "verification_state",
            f"The verification is {status}: nothing is waited for; begin another one if the account is not verified.",
            {"status": status.value},
        )
