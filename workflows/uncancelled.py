"""Calls that a cancellation from outside does not interrupt: money on its way is brought to a certain end first."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio import exceptions
from temporalio.exceptions import ActivityError, FailureError

Answer = TypeVar("Answer")


async def uncancelled(call: Awaitable[Answer], *, on_cancel: Callable[[], None]) -> Answer:
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


def why_unfinished(error: FailureError) -> str:
    """One sentence for an operator on why an activity, local or not, ended without a result."""
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, exceptions.TimeoutError):
        return f"no answer in time ({cause.type.name.lower().replace('_', ' ') if cause.type else 'time-out'})"
    if exceptions.is_cancelled_exception(error):
        return "cancelled"
    return str(cause) if cause is not None else str(error)
