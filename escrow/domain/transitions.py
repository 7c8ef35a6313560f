"""Tables of states: which status an object has after an event, and what is said where an event is not possible."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from escrow.domain.errors import Refused

Status = TypeVar("Status", bound=StrEnum)
Event = TypeVar("Event", bound=StrEnum)


def moved(table: Mapping[tuple[Status, Event], Status], status: Status, event: Event, *, code: str) -> Status:
    """Status after an event, by one of the tables.

    Args:
        code: of the refusal, e.g. `pay_in_state`.

    Raises:
        Refused: with this code, naming the status and what could happen in it.
    """
    if (status, event) in table:
        return table[status, event]
    possible = [known.value for at, known in table if at is status]
    raise Refused(
        code,
        f"It is {status}, so {event} is not possible; possible now: {', '.join(possible) or 'nothing'}.",
        {"status": status.value, "event": event.value, "possible": possible},
    )
