"""The activity by which a workflow learns what time it is by the books."""

from pydantic import AwareDatetime
from temporalio import activity

from escrow.ledger.books_time import books_now
from escrow.ledger.engine import Reader


class BooksTimeActivities:
    """What the books say of time; every worker has it, on each of its queues."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    @activity.defn
    async def books_time(self, platform_no: str) -> AwareDatetime:
        """The books' present moment for a platform."""
        return await books_now(self._reader, platform_no)
