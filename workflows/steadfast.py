"""Calls that a cancellation from outside does not interrupt: money on its way is brought to a certain end first."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio import exceptions, workflow
from temporalio.exceptions import ActivityError, FailureError

Answer = TypeVar("Answer")


async def steadfast(call: Awaitable[Answer], *, on_cancel: Callable[[], None]) -> Answer:
    """Await `call` to its end, whoever cancels the workflow meanwhile.

    Args:
        on_cancel: told of each request to cancel, so that it can be shown to the operator.
    """
    task = asyncio.ensure_future(call)
    while True:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
            on_cancel()


async def wait_until(
    condition: Callable[[], bool], *, at_most: timedelta | None, summary: str, on_cancel: Callable[[], None]
) -> bool:
    """Wait for `condition`; False when `at_most` passes first. A cancellation is noted and the wait goes on.

    Args:
        summary: shown on the timer in the Temporal UI.
    """
    end = None if at_most is None else workflow.now() + at_most
    while True:
        left = None if end is None else end - workflow.now()
        if left is not None and left <= timedelta(0):
            return condition()
        try:
            await workflow.wait_condition(condition, timeout=left, timeout_summary=summary)
        except TimeoutError:
            return condition()
        except asyncio.CancelledError:
            on_cancel()
            continue
        return True


def why_unfinished(error: FailureError) -> str:
    """One sentence for an operator on why an activity, local or not, ended without a result."""
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, exceptions.TimeoutError):
        return f"no answer in time ({cause.type.name.lower().replace('_', ' ') if cause.type else 'time-out'})"
    if exceptions.is_cancelled_exception(error):
        return "cancelled"
    return str(cause) if cause is not None else str(error)
