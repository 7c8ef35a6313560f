"""Steps that are tried until they succeed: after growing pauses, and with an operator once they have grown long.

A part that a process holds beside its supervision, which it shares. A cancellation ends neither a try nor a pause.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from activities.failures import from_temporal
    from workflows.supervision import Supervision
    from workflows.uncancelled import why_unfinished

Answer = TypeVar("Answer")


class Backoff:
    """Tries the steps of one process.

    Args:
        first: pause after the first try in vain; each is twice as long as the one before.
        at_most: the longest; from then on an operator is shown why.
    """

    def __init__(
        self,
        supervision: Supervision,
        *,
        first: timedelta,
        at_most: timedelta,
    ) -> None:
        self._supervision = supervision
        self._first = first
        self._at_most = at_most

    async def until_it_succeeds(self, step: Callable[[], Awaitable[Answer]], *, summary: str) -> Answer:
        """What a step answers in the end, however often it has to be tried.

        Args:
            step: begins one try, with whatever retries of its own; a repeat does nothing twice.
            summary: of the pauses, in the Temporal UI.
        """
        pause = self._first
        while True:
            self._supervision.begin_anew_if_long()
            try:
                return await self._supervision.uncancelled(step())
            except FailureError as error:
                known = from_temporal(error)
                why = why_unfinished(error) if known is None else known.message
            await self.after(why, pause=pause, summary=summary)
            pause = min(pause * 2, self._at_most)

    async def after(self, why: str, *, pause: timedelta, summary: str) -> None:
        """Let a pause pass after a try in vain; a long one is also an operator's to end."""
        if pause >= self._at_most:
            await self._supervision.operator(f"{summary}: {why}", at_most=pause)
            return
        workflow.set_current_details(f"**No answer yet:** {why}. Tried again in {pause}.")
        await self._supervision.pause(pause, summary=summary)
