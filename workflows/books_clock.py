"""The part of a workflow that knows what time it is: the books' time, and every wait by it.

The books are asked once, when the workflow begins, and their time is carried along with Temporal's. Whoever moves the
books' time (a sandbox's skip, nobody where money is real) sends the signal `look`: the books are asked anew, and
every wait is for what is left by them. A pause before something is tried again ends there, so that nobody who skips
time waits for one in real time.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.books_time import BooksTimeActivities
    from escrow.domain.time.waits import PAUSE
    from workflows.timeouts import BOOKS_TIME, BOOKS_TIME_AWAITED
    from workflows.uncancelled import uncancelled


#: Marks workflows that have asked the books from their beginning.
_SINCE = "books-time"


#: Two clocks may differ by less without anybody having moved one; whoever moves the books moves them further.
_MOVED = timedelta(milliseconds=500)


class BooksClock:
    """The books' time for one platform.

    Before it was first read it shows Temporal's, by which nothing but a note about an early message is dated.
    """

    def __init__(self, platform_no: str) -> None:
        self._platform_no = platform_no
        self._ahead = timedelta(0)
        self._looks = 0

    def now(self) -> datetime:
        """The present moment by the books, in UTC."""
        return workflow.now() + self._ahead

    async def begin(self, *, on_cancel: Callable[[], None] | None = None) -> None:
        """Read the books' time, before anything in a workflow needs it; a cancellation ends this only without a hand.

        Args:
            on_cancel: as for `until`.
        """
        if not self.was_asked():
            return
        await (self._read() if on_cancel is None else uncancelled(self._read(), on_cancel=on_cancel))

    def was_asked(self) -> bool:
        """Whether this run asked the books when it began; what the first release began goes by Temporal's time."""
        return workflow.patched(_SINCE)

    async def look(self) -> None:
        """The books' time may have been moved: read it anew; if it was, every wait is counted anew.

        Where nobody can move it this changes nothing, whoever sends the signal: no pause ends early by it.
        """
        before = self._ahead
        await self._read()
        if abs(self._ahead - before) > _MOVED:
            self._looks += 1

    async def until(
        self,
        condition: Callable[[], bool],
        moment: datetime | None,
        *,
        summary: str,
        on_cancel: Callable[[], None] | None = None,
    ) -> bool:
        """Wait for `condition`; False when it is `moment` by the books first, None for never.

        Args:
            summary: shown on the timer in the Temporal UI.
            on_cancel: told of each cancellation from outside, and the wait goes on; without it such a one ends it.
        """
        while not condition():
            left = None if moment is None else moment - self.now()
            if left is not None and left <= timedelta(0):
                return False
            try:
                await workflow.wait_condition(self._or_looked(condition), timeout=left, timeout_summary=summary)
            except TimeoutError:
                continue
            except asyncio.CancelledError:
                if on_cancel is None:
                    raise
                on_cancel()
        return True

    async def pause(
        self,
        at_most: timedelta,
        *,
        summary: str,
        unless: Callable[[], bool] = lambda: False,
        on_cancel: Callable[[], None] | None = None,
    ) -> None:
        """Let some time pass before something is tried again; a look ends it, and so does `unless`.

        Args:
            on_cancel: as for `until`.
        """
        await self.until(
            self._or_looked(unless), self.now() + at_most, summary=f"{PAUSE}{summary}", on_cancel=on_cancel
        )

    def _or_looked(self, condition: Callable[[], bool]) -> Callable[[], bool]:
        looks = self._looks
        return lambda: condition() or self._looks > looks

    async def _read(self) -> None:
        """Ask the books, however long they are away: in the workflow task at first, outside of it from then on."""
        while True:
            try:
                moment = await workflow.execute_local_activity_method(
                    BooksTimeActivities.books_time,
                    self._platform_no,
                    summary="ask the books what time it is",
                    **BOOKS_TIME,
                )
            except FailureError as error:
                if is_cancelled_exception(error):
                    raise
                # Only waited for: when this answer is taken it may be hours old, the local activity's is fresh.
                await workflow.execute_activity_method(
                    BooksTimeActivities.books_time,
                    self._platform_no,
                    summary="wait until the books are there",
                    **BOOKS_TIME_AWAITED,
                )
            else:
                self._ahead = moment - workflow.now()
                return
