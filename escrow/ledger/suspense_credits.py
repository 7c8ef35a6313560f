"""What a channel collected and waits in suspense: for which member, as the booking of the payment says."""

from dataclasses import dataclass
from datetime import date

from escrow.domain.collections.methods import payment_booking_no
from escrow.domain.time.calendars import SHANGHAI
from escrow.domain.transfers.suspense import COLLECTED_FOR, CREDIT
from escrow.ledger.engine import Reader
from escrow.ledger.objects import recorded_steps


@dataclass(frozen=True, slots=True)
class Collected:
    """A payment in suspense: its member, empty where none is known, and the day it was booked, in Shanghai."""

    member_no: str
    booked_on: date


async def collected(reader: Reader, platform_no: str, credit_no: str) -> Collected | None:
    """For whom a channel collected what waits in suspense, as its own booking says; None where that says nothing.

    What is said of the credit under any other number is not believed: a workflow may have said it.
    """
    steps = await recorded_steps(reader, platform_no, CREDIT, credit_no, facts=(COLLECTED_FOR,))
    booked_as = payment_booking_no(credit_no)
    return next(
        (
            Collected(step.facts[COLLECTED_FOR] or "", step.recorded_at.astimezone(SHANGHAI).date())
            for step in steps
            if step.request_no == booked_as and step.moved_money
        ),
        None,
    )


async def collected_for(reader: Reader, platform_no: str, credit_no: str) -> str:
    """Member that a payment in suspense was collected for; empty where nobody is known."""
    found = await collected(reader, platform_no, credit_no)
    return "" if found is None else found.member_no
