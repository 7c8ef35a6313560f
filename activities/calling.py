"""A person is called to what a counterpart has left unanswered for long; who is answered takes the call back."""

from datetime import datetime, timedelta

from escrow.ledger.attention import call_person
from escrow.ledger.books_time import books_now
from escrow.ledger.engine import Recorder
from escrow.ledger.progress import ObjectKey

#: So long something may go unanswered before a person is called.
CALLED_AFTER = timedelta(hours=1)


async def call_if_long(recorder: Recorder, key: ObjectKey, reason: str, *, asked_at: datetime) -> None:
    """Put what was asked for long ago, by the books' time, on the list of those who wait for a person.

    Raises:
        LedgerUnavailable: no answer.
    """
    if await books_now(recorder, key.platform_no) - asked_at >= CALLED_AFTER:
        await call_person(recorder, key, reason)
