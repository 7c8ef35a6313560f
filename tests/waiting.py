"""The one place where tests wait: until something is so, however slow the machine, and not a moment longer."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from inspect import isawaitable
from typing import Any, TypeVar, overload

#: Far more than anything takes on a slow machine with other work; whoever waits so long waits for ever.
PATIENCE_SECONDS = 180.0
PATIENCE_MILLISECONDS = 1000 * PATIENCE_SECONDS
_PAUSE_SECONDS = 0.05
#: Who waits long asks seldom: asking takes time from what is waited for.
_LONGEST_PAUSE_SECONDS = 0.5
_SEEN_AT_MOST = 1_000
_AT_A_TIME = 20

Found = TypeVar("Found")
#: What was seen last by whoever waits in this task.
_LAST: ContextVar[list[str] | None] = ContextVar("last", default=None)


async def some_at_a_time(work: Iterable[Awaitable[Found]]) -> list[Found]:
    """What all of it answers, some of it done at a time: who all come at once wait too long for a connection."""
    some = asyncio.Semaphore(_AT_A_TIME)

    async def done(one: Awaitable[Found]) -> Found:
        async with some:
            return await one

    return await asyncio.gather(*(done(one) for one in work))


@overload
async def until(
    condition: Callable[[], Awaitable[Found | None]],
    what: str,
    *,
    seen: Callable[[], Any] | None = None,
    pause_seconds: float = _PAUSE_SECONDS,
) -> Found: ...


@overload
async def until(
    condition: Callable[[], Found | None],
    what: str,
    *,
    seen: Callable[[], Any] | None = None,
    pause_seconds: float = _PAUSE_SECONDS,
) -> Found: ...


async def until(
    condition: Callable[[], Any],
    what: str,
    *,
    seen: Callable[[], Any] | None = None,
    pause_seconds: float = _PAUSE_SECONDS,
) -> Any:
    """Wait until a condition holds; answers what it found.

    Args:
        condition: asked again and again, with or without awaiting.
        what: what is waited for, in words.
        seen: what to show when it does not come, with or without awaiting. Without it: what the condition found
            last, and what was told by `saw` meanwhile.
        pause_seconds: between the first two questions; then it grows.

    Raises:
        AssertionError: it did not come.
    """
    last: list[str] = []
    token = _LAST.set(last)
    try:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = await _answer(condition)
            if found:
                return found
            if time.monotonic() > give_up_at:
                shown = await _answer(seen) if seen is not None else (found, *last)
                raise AssertionError(f"waited {PATIENCE_SECONDS:g} s in vain: {what}; seen last: {shown}")
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(1.2 * pause_seconds, max(pause_seconds, _LONGEST_PAUSE_SECONDS))
    finally:
        _LAST.reset(token)


async def within_reason(awaited: Awaitable[Found], what: str) -> Found:
    """Wait for something that ends by itself, and would otherwise hold up all tests.

    Raises:
        AssertionError: it did not end.
    """
    try:
        return await asyncio.wait_for(awaited, PATIENCE_SECONDS)
    except TimeoutError:
        raise AssertionError(f"waited {PATIENCE_SECONDS:g} s in vain: {what}") from None


def saw(what: str) -> None:
    """Tell what was seen, to be shown if the wait that goes on here is in vain; only the last is kept."""
    last = _LAST.get()
    if last is not None:
        last[:] = [what[:_SEEN_AT_MOST]]


async def _answer(question: Callable[[], Any]) -> Any:
    answer = question()
    return await answer if isawaitable(answer) else answer
