"""Waiting in real time for what happens by itself: generous, over at once, and clear about what did not happen."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

Seen = TypeVar("Seen")

#: A busy machine may take that long for what a quiet one does in a second.
PATIENCE_SECONDS = 180.0
_POLL_SECONDS = 0.05
_LONGEST_POLL_SECONDS = 0.5


class DidNotHappen(AssertionError):
    """What was waited for did not happen; says what it was and what was seen last."""


async def until(
    look: Callable[[], Awaitable[Seen]],
    is_so: Callable[[Seen], bool],
    what: str,
    *,
    within_seconds: float = PATIENCE_SECONDS,
) -> Seen:
    """Look again and again until it is so; answers what was seen then.

    Args:
        what: what is waited for, for the message.

    Raises:
        DidNotHappen: it was not so in time.
    """
    clock, pause = asyncio.get_running_loop(), _POLL_SECONDS
    give_up_at = clock.time() + within_seconds
    while not is_so(seen := await look()):
        if clock.time() > give_up_at:
            raise DidNotHappen(f"waited {within_seconds:g} s for this: {what}; seen last: {seen!r}")
        await asyncio.sleep(pause)
        pause = min(pause * 1.2, _LONGEST_POLL_SECONDS)
    return seen
