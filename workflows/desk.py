"""What every long-lived money process has: steps brought to a certain end, an operator to turn to, notes kept."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from temporalio import workflow
from temporalio.exceptions import FailureError
from temporalio.workflow import HandlerUnfinishedPolicy

with workflow.unsafe.imports_passed_through():
    from activities.failures import from_temporal
    from escrow.domain.errors import Refused
    from workflows.books_clock import BooksClock
    from workflows.messages import NotedMessage
    from workflows.timeouts import OPERATOR_MAY_TAKE
    from workflows.uncancelled import uncancelled, why_unfinished

Answer = TypeVar("Answer")

#: How many messages that were not carried out are kept for the operator; older ones are in the history.
_NOTED_AT_MOST = 20


class Attended(Protocol):
    """The part of a process's state that operators look at."""

    attention: str
    noted: list[NotedMessage]


class Desk:
    """Base of the processes that hold money."""

    def __init__(self, platform_no: str, continue_after_events: int) -> None:
        self.clock = BooksClock(platform_no)
        self._continue_after_events = continue_after_events
        self.operator_calls = 0

    @property
    def attended(self) -> Attended:
        """The state that operators look at."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Bring everything that an operator sees up to date."""
        raise NotImplementedError

    async def certain(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """Run a ledger activity until its outcome is certain; when retries are exhausted, with an operator.

        Raises:
            Refused: the ledger said no, and nothing was written.
        """
        while True:
            try:
                return await uncancelled(call(), on_cancel=self.note_cancel)
            except FailureError as error:  # a local activity's own error comes without an ActivityError around it
                known = from_temporal(error)
                if isinstance(known, Refused):
                    raise known from error
                await self.wait_for_operator(f"the ledger did not answer: {why_unfinished(error)}")

    async def wait_for_operator(self, reason: str) -> None:
        """Show `reason` and wait until an operator resumes, at most `OPERATOR_MAY_TAKE`; then all goes on."""
        calls_before = self.operator_calls
        self.attended.attention = reason
        self.refresh()
        await self.clock.pause(
            OPERATOR_MAY_TAKE,
            unless=lambda: self.operator_calls > calls_before,
            summary="wait for an operator",
            on_cancel=self.note_cancel,
        )
        self.attended.attention = ""
        self.refresh()

    def note(self, name: str, reason: str) -> None:
        """Keep a message that was not carried out where the operator sees it."""
        noted = self.attended.noted
        noted.append(NotedMessage(at=self.clock.now(), name=name, reason=reason))
        del noted[:-_NOTED_AT_MOST]
        workflow.logger.warning("message not carried out", extra={"message_name": name, "reason": reason})
        self.refresh()

    def note_cancel(self) -> None:
        """Somebody asked Temporal to cancel: a process with money inside goes on to its proper end."""
        self.note("temporal cancel", "ignored: money is inside, the process goes on to its proper end")

    @workflow.signal(unfinished_policy=HandlerUnfinishedPolicy.ABANDON)
    async def look(self) -> None:
        """The books' time was moved: whatever is waited for, what is left of it is counted anew."""
        await self.clock.look()

    def history_is_long(self) -> bool:
        """Whether a new run should begin; only when nobody awaits an answer from this one."""
        info = workflow.info()
        long = info.is_continue_as_new_suggested() or (info.get_current_history_length() > self._continue_after_events)
        return long and workflow.all_handlers_finished()
