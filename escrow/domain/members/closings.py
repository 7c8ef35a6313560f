"""Closing a member: what stands in its way, and the two steps in which it is done.

First the member is `closing`, so that nothing new begins; only later, when every posting that was under way has
ended and its last payout can no longer come back, is it looked at again and closed. What began in between, in the
moment before the first step was visible to all, breaks the closing off.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from escrow.domain.decisions import Fact, GivenConsent
from escrow.domain.errors import Refused
from escrow.domain.members.commands import Consented, Heard
from escrow.domain.requests import derived
from escrow.domain.time.calendars import SHANGHAI, WorkingCalendar, end_of_working_days

#: A closing is a part of its member; its deadline, from when on it can be completed, is found under both numbers.
CLOSING, CLOSE = "member_closing", "close"
#: How long a remittance can be returned after it was paid, in working days.
RETURN_HORIZON_WORKING_DAYS = 7
#: Longer than any posting that was begun before the member was seen to be closing.
SETTLE_PAUSE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginClosing(Consented):
    """The member is to be closed.

    Args:
        calendar: working days, by which the return horizon is counted.
    """

    name = "begin_closing"
    needs = frozenset({Fact.OBSTACLES, Fact.LAST_PAYOUT, Fact.CONFIG})

    request_no: str
    calendar: WorkingCalendar

    @property
    def consent_no(self) -> str | None:
        """Number of the consent."""
        return self.consent.reference

    def is_said_in(self, consent: GivenConsent, object_no: str) -> bool:
        """Whether a consent is the member's to be closed."""
        said = (consent.object_kind, consent.object_no, consent.operation, consent.given_by)
        return said == ("member", object_no, CLOSE, object_no)

    def content(self) -> Mapping[str, Any]:
        """Which closing."""
        return {"request_no": self.request_no}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteClosing(Heard):
    """The closing that `request_no` began can be completed, or has to be broken off."""

    name = "complete_closing"
    needs = frozenset({Fact.OBSTACLES})

    request_no: str

    def own_no(self, object_no: str) -> str | None:
        """A closing is completed once."""
        return derived("", "member", object_no, "closed", self.request_no)

    def content(self) -> Mapping[str, Any]:
        """Which closing."""
        return {"request_no": self.request_no}


def closing_no(member_no: str, request_no: str) -> str:
    """Number of a closing: the member's with that of the request that began it."""
    return f"{member_no}/{request_no}"


def closes_at(at: datetime, last_payout_at: datetime | None, calendar: WorkingCalendar) -> datetime:
    """When a closing that begins now can be completed: its member's last payout can no longer come back.

    Raises:
        Refused: `calendar_unknown`.
    """
    soonest = at + SETTLE_PAUSE
    if last_payout_at is None:
        return soonest
    last_day = last_payout_at.astimezone(SHANGHAI).date()
    return max(soonest, end_of_working_days(last_day, RETURN_HORIZON_WORKING_DAYS, calendar))


def require_closable(member_no: str, obstacles: Sequence[Mapping[str, Any]]) -> None:
    """Refuse to begin while something stands in the way.

    Raises:
        Refused: `member_not_closable`, with what it is.
    """
    if obstacles:
        reasons = ", ".join(" ".join(str(part) for part in list(item.values())[:2]) for item in obstacles)
        raise Refused(
            "member_not_closable",
            f"Member {member_no} cannot be closed while it has: {reasons}.",
            {"member_no": member_no, "obstacles": list(obstacles)},
        )
