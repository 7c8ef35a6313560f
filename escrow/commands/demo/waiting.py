"""How the demo waits for what it has set going."""

import asyncio
from collections.abc import Awaitable, Callable

from escrow.domain.errors import Refused

_POLL_SECONDS = 0.1
_WITHIN_SECONDS = 30.0


async def until(
    condition: Callable[[], Awaitable[bool]], otherwise: str, *, within_seconds: float = _WITHIN_SECONDS
) -> None:
    """Wait until something is so.

    Args:
        otherwise: what is to be said when it is not.

    Raises:
        Refused: `demo_failed`.
    """
    give_up_at = asyncio.get_running_loop().time() + within_seconds
    while not await condition():
        if asyncio.get_running_loop().time() > give_up_at:
            raise Refused("demo_failed", f"After {within_seconds:g} s {otherwise}.")
        await asyncio.sleep(_POLL_SECONDS)
