"""Work that an answer need not wait for, finished before the process ends."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from escrow.domain.errors import LedgerUnavailable

_log = structlog.get_logger(__name__)


class Background:
    """Runs such work beside the calls. It must be dispensable: a killed process loses it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin `work` now."""
        task = asyncio.create_task(self._dispensable(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Return when all that was begun is done."""
        await asyncio.gather(*self._tasks)

    async def _dispensable(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except LedgerUnavailable as error:
            _log.warning("left undone", reason=error.message)
