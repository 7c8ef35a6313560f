"""From outside the recorded processes: begin a recording, end it, read which files of ours were passed."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from bench.trails.hook.sitecustomize import FOLDER_VARIABLE, ROOT_VARIABLE

_HOOK: Final = Path(__file__).parent / "hook"
_ANSWERS_WITHIN_SECONDS: Final = 60
_PAUSE_SECONDS: Final = 0.005
_PATHS: Final = TypeAdapter(frozenset[str])


class Recorder:
    """Recordings of all processes of one checkout's API and worker.

    Args:
        checkout: whose files count.
        folder: where the processes write what they passed; empty at first.
    """

    def __init__(self, checkout: Path, folder: Path) -> None:
        self._folder = folder
        self.environment: Mapping[str, str] = {
            "PYTHONPATH": str(_HOOK),
            ROOT_VARIABLE: str(checkout.resolve()),
            FOLDER_VARIABLE: str(folder),
        }
        """Variables that let a process, and those that it starts, be recorded."""

    def programs(self) -> list[str]:
        """Names of the processes that can be recorded: `api-` or `worker-` and the process id."""
        return sorted(path.stem for path in self._folder.glob("*.ready"))

    async def passed_during(self, act: Callable[[], Awaitable[object]]) -> frozenset[str]:
        """Files of ours that are passed while something is done, as paths relative to the checkout.

        Raises:
            TimeoutError: a process did not answer.
            ProcessLookupError: a process has ended.
        """
        programs = self.programs()
        await self._tell(programs, signal.SIGUSR1, ".on")
        await act()
        await self._tell(programs, signal.SIGUSR2, "")
        return frozenset().union(*(_PATHS.validate_json((self._folder / name).read_bytes()) for name in programs))

    async def _tell(self, programs: Sequence[str], number: signal.Signals, answer: str) -> None:
        answers = [self._folder / (program + answer) for program in programs]
        for path in answers:
            path.unlink(missing_ok=True)
        for program in programs:
            os.kill(int(program.rsplit("-", 1)[1]), number)
        async with asyncio.timeout(_ANSWERS_WITHIN_SECONDS):
            for path in answers:
                while not path.exists():  # noqa: ASYNC110 - another process tells us by a file
                    await asyncio.sleep(_PAUSE_SECONDS)
