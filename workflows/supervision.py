"""What every process has that holds money: calls brought to a certain end, an operator to turn to, notes kept.

A part that a process holds. It knows nothing of what the process is about.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError

with workflow.unsafe.imports_passed_through():
    from activities.failures import from_temporal, to_temporal
    from escrow.domain.errors import Refused
    from escrow.domain.time.waits import PAUSE
    from workflows.elapsed import Elapsed
    from workflows.messages import LongLived, NotedMessage
    from workflows.timeouts import (
        ASKED_AGAIN_AFTER,
        ASKED_AT_MOST_EVERY,
        ASKED_DAILY_AT_MOST_EVERY,
        LEDGER_POSTING,
        OPERATOR_MAY_TAKE,
        TAKE,
    )
    from workflows.uncancelled import uncancelled, why_unfinished

Holder = TypeVar("Holder")
Request = TypeVar("Request")
Answer = TypeVar("Answer")

#: Once an operator looks on, pauses are this part of how long something was asked in vain.
_BACKOFF_DIVISOR = 12

#: How many messages that were not carried out are kept for the operator; older ones are in the history.
_NOTED_AT_MOST = 20


class Supervision:
    """One process's calls, waits, operator and notes.

    Args:
        refresh: brings everything that an operator sees up to date.
        begun_with: input of this run, and of the next; None where the process begins anew by itself.
        now: the present moment by the books, for dating notes; the process's own where it has seen none.
    """

    def __init__(
        self,
        *,
        refresh: Callable[[], None],
        begun_with: LongLived | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._refresh = refresh
        self._begun_with = begun_with
        self._now = now or (lambda: Elapsed().now(None))
        #: Whether somebody is just being told of something.
        self._is_telling = False
        self.noted = [] if begun_with is None else list(begun_with.noted)
        #: Why this run waits for an operator; None while it does not.
        self.attention: str | None = None
        self._operator_calls = 0
        self._looks = 0

    async def certain(
        self,
        activity: Callable[[Holder, Request], Coroutine[Any, Any, Answer]],
        request: Request,
        *,
        summary: str,
    ) -> Answer:
        """Ask the books until their answer is certain: inside the workflow task, then outside of it, then an operator.

        While the ledger is away the call is a pending activity that operators see, and no storm of workflow tasks. When
        the history grows long by that, a new run asks.
        """
        while True:
            try:
                return await self.uncancelled(
                    workflow.execute_local_activity_method(activity, request, summary=summary, **TAKE)
                )
            except FailureError:
                pass  # what it said is in the history
            try:
                return await self.uncancelled(
                    workflow.execute_activity_method(activity, request, summary=summary, **LEDGER_POSTING)
                )
            except FailureError as error:
                known = from_temporal(error)
                why = why_unfinished(error) if known is None else known.message
                await self.operator(f"the ledger did not answer: {why}")
            self.begin_anew_if_long()

    def begin_anew_if_long(self) -> None:
        """Begin a new run when the history of this one has grown long; it finds all but the notes in the books."""
        if self._begun_with is not None and self._is_long():
            workflow.continue_as_new(self._begun_with.model_copy(update={"noted": tuple(self.noted)}))

    def _is_long(self) -> bool:
        anew = self._begun_with
        return anew is not None and not self._is_telling and history_is_long(anew.continue_after_events)

    async def uncancelled(self, call: Awaitable[Answer]) -> Answer:
        """Await a call to its end, whoever asks Temporal to cancel meanwhile."""
        return await uncancelled(call, on_cancel=self.note_cancel)

    async def until(self, condition: Callable[[], bool], *, at_most: timedelta | None, summary: str) -> bool:
        """Wait for `condition`; False when `at_most` has passed first, None for ever. A cancellation ends nothing.

        Args:
            summary: shown on the timer in the Temporal UI.
        """
        waited = Elapsed()
        while not condition():
            left = None if at_most is None else at_most - waited.passed
            if left is not None and left <= timedelta(0):
                return False
            try:
                await workflow.wait_condition(condition, timeout=left, timeout_summary=summary)
            except TimeoutError:
                continue
            except asyncio.CancelledError:
                self.note_cancel()
        return True

    async def finished(self, task: asyncio.Task[None]) -> None:
        """Wait for the end of what is done beside; when the history grows long by it, a new run does it."""
        await self.until(lambda: task.done() or self._is_long(), at_most=None, summary="what is done beside")
        if not task.done():
            self.begin_anew_if_long()
        await self.uncancelled(task)

    async def last_answers(self) -> None:
        """Wait until whoever has asked something is answered, before the process ends."""
        await self.until(workflow.all_handlers_finished, at_most=None, summary="the last answers")

    async def pause(self, at_most: timedelta, *, summary: str, unless: Callable[[], bool] = lambda: False) -> None:
        """Let some time pass before something is tried again; a look ends it, and so does `unless`."""
        looks = self._looks
        await self.until(lambda: unless() or self._looks > looks, at_most=at_most, summary=f"{PAUSE}{summary}")

    async def told(
        self,
        telling: Callable[[], Awaitable[None]],
        *,
        is_due: Callable[[], bool],
        failure: Callable[[], str | None],
        what: str,
        wakes: Callable[[], Callable[[], bool]] = lambda: lambda: False,
    ) -> None:
        """Have somebody told of something that is due, as long as the books say that it is; nothing waits for that.

        Args:
            telling: one try; what cannot be told now is tried again, at growing intervals.
            failure: why it is due no more although nobody was told, as the books say it.
            what: went wrong then, for operators.
            wakes: what ends a pause, made at its beginning.
        """
        in_vain, is_noted = Elapsed(), False
        while True:
            self._is_telling = True
            try:
                await telling()
                why = "it is still due"
            except ActivityError as error:
                known = from_temporal(error)
                why = why_unfinished(error) if known is None else known.message
            finally:
                self._is_telling = False
            if not is_due():
                break
            if not is_noted:
                self.note("sms", f"{what}, and it is tried again: {why}")
                is_noted = True
            in_vain_for = max(in_vain.passed, ASKED_AGAIN_AFTER)
            pause = backoff(in_vain_for, needs_attention=in_vain_for > OPERATOR_MAY_TAKE)
            await self.pause(pause, summary="try the text again", unless=wakes())
        given_up_because = failure()
        if given_up_because is not None:
            self.note("sms", f"{what}: {given_up_because}")

    async def operator(
        self,
        reason: str,
        *,
        unless: Callable[[], bool] = lambda: False,
        at_most: timedelta = OPERATOR_MAY_TAKE,
    ) -> None:
        """Show `reason` and wait until an operator resumes, or until that took too long; then all goes on."""
        calls = self._operator_calls
        self.attention = reason
        self._refresh()
        await self.pause(
            at_most, summary="wait for an operator", unless=lambda: self._operator_calls > calls or unless()
        )
        self.attention = None
        self._refresh()

    def resume(self) -> None:
        """An operator has mended the cause."""
        self._operator_calls += 1

    def look(self) -> None:
        """Whatever is paused is tried again now."""
        self._looks += 1

    def note(self, name: str, reason: str) -> None:
        """Keep a message that was not carried out where the operator sees it."""
        self.noted.append(NotedMessage(at=self._now(), name=name, reason=reason))
        del self.noted[:-_NOTED_AT_MOST]
        workflow.logger.warning("message not carried out", extra={"message_name": name, "reason": reason})
        self._refresh()

    def note_cancel(self) -> None:
        """Somebody asked Temporal to cancel: a process with money inside goes on to its proper end."""
        self.note("temporal cancel", "ignored: money is inside, the process goes on to its proper end")


def backoff(in_vain_for: timedelta, *, needs_attention: bool) -> timedelta:
    """How long to wait before something is asked again that was asked in vain for so long."""
    if needs_attention:
        return min(max(in_vain_for / _BACKOFF_DIVISOR, ASKED_AT_MOST_EVERY), ASKED_DAILY_AT_MOST_EVERY)
    return min(in_vain_for, ASKED_AT_MOST_EVERY)


def require_attention(reason: str | None, *, code: str, what: str) -> None:
    """Refuse an operator's resume where nothing waits for one.

    Raises:
        ApplicationError: type `Refused`.
    """
    if not reason:
        raise to_temporal(Refused(code, f"The {what} needs no attention; there is nothing to resume."))


def history_is_long(continue_after_events: int) -> bool:
    """Whether a new run should begin; only when nobody awaits an answer from this one."""
    info = workflow.info()
    long = info.is_continue_as_new_suggested() or info.get_current_history_length() > continue_after_events
    return long and workflow.all_handlers_finished()
