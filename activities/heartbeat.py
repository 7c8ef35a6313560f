"""Heartbeats beside a call to the outside, so that a killed worker is noticed within two seconds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from temporalio import activity

#: Well below the heartbeat time-out of two seconds (`workflows/timeouts.py`).
_BEAT_EVERY_SECONDS = 0.3


@asynccontextmanager
async def heartbeating() -> AsyncIterator[None]:
    """Send heartbeats while the block runs."""

    async def beat() -> None:
        while True:
            # The start of an activity counts as a first sign of life, and most have ended before a second one is due.
            await asyncio.sleep(_BEAT_EVERY_SECONDS)
            activity.heartbeat()

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
