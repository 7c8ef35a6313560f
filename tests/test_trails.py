"""What `python -m bench.trails` counts: files in which something ran while it was recorded, in whatever thread."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.trails.__main__ import Trail
from bench.trails.recorder import Recorder

#: Does what it is told by lines, each answered by one.
_WORKER = """
import importlib, sys, threading

def entered():
    from escrow import entered
    entered.work()

def entered_in_thread():
    from escrow import threaded
    thread = threading.Thread(target=threaded.work)
    thread.start()
    thread.join()

def imported():
    importlib.import_module("escrow.imported")

def resumed():
    halfway.send(None)

def nothing():
    pass

from escrow.halfway import steps
halfway = steps()
next(halfway)
print("ready", flush=True)
for line in sys.stdin:
    globals()[line.strip()]()
    print("done", flush=True)
"""
_CHECKOUT = {
    "worker.py": _WORKER,
    "escrow/__init__.py": "",
    "escrow/entered.py": "def work():\n    return [each for each in range(3)]\n",
    "escrow/threaded.py": "def work():\n    pass\n",
    "escrow/halfway.py": "def steps():\n    while True:\n        yield\n",
    "escrow/called_by_import.py": "def table():\n    return {}\n",
    "escrow/imported.py": (
        "from escrow.called_by_import import table\n"
        "TABLE = table()\nNUMBERS = {number: str(number) for number in range(3)}\n"
        "class Kind:\n    names = [name for name in 'ab']\n"
        "def never():\n    pass\n"
    ),
}


@dataclass
class Told:
    """A recorded program that does what it is told."""

    process: Process
    recorder: Recorder

    async def passes(self, *orders: str) -> set[str]:
        """What it passes while it follows the orders, besides itself."""

        async def follow() -> None:
            for order in orders:
                await self.do(order)

        return set(await self.recorder.passed_during(follow)) - {"worker.py"}

    async def do(self, order: str) -> None:
        """Have it follow one order."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{order}\n".encode())
        await self.answer()

    async def answer(self) -> None:
        """Wait for its next line."""
        assert self.process.stdout is not None
        assert await self.process.stdout.readline()


@asynccontextmanager
async def _told(folder: Path, *program: str) -> AsyncIterator[Told]:
    checkout, trails = folder / "checkout", folder / "trails"
    trails.mkdir()
    for name, text in _CHECKOUT.items():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(text)
    recorder = Recorder(checkout, trails)
    process = await asyncio.create_subprocess_exec(
        sys.executable, *program, cwd=checkout, env={**recorder.environment}, stdin=PIPE, stdout=PIPE
    )
    try:
        told = Told(process, recorder)
        await told.answer()
        yield told
    finally:
        process.kill()
        await process.wait()


async def test_a_file_counts_when_something_in_it_runs_in_any_thread_and_not_when_it_is_only_imported(
    tmp_path: Path,
) -> None:
    async with _told(tmp_path, "-m", "worker") as program:
        assert await program.passes("nothing") == set()
        assert await program.passes("entered", "imported") == {"escrow/entered.py"}
        assert await program.passes("entered_in_thread") == {"escrow/threaded.py"}
        assert await program.passes("resumed") == {"escrow/halfway.py"}


async def test_every_recording_begins_afresh_and_sees_nothing_of_what_was_done_before_or_after(tmp_path: Path) -> None:
    async with _told(tmp_path, "-m", "worker") as program:
        await program.do("entered")
        assert await program.passes("resumed") == {"escrow/halfway.py"}
        await program.do("entered_in_thread")
        assert await program.passes("nothing") == set()


async def test_the_program_itself_counts_when_one_of_its_functions_runs(tmp_path: Path) -> None:
    async with _told(tmp_path, "-m", "worker") as program:
        assert await program.recorder.passed_during(lambda: program.do("nothing")) == {"worker.py"}


async def test_only_api_and_worker_are_recorded(tmp_path: Path) -> None:
    async with _told(tmp_path, "worker.py") as program:
        assert program.recorder.programs() == []


def test_the_figure_is_what_every_round_passed_and_background_work_falls_out_of_it() -> None:
    call, shared, background = "api/a.py", "escrow/ledger/b.py", "worker.py"
    trail = Trail(
        rounds=[frozenset({call, shared}), frozenset({call, shared, background})], idle=frozenset({shared, background})
    )
    assert trail.passed == {call, shared}
    assert trail.sometimes == {background}
    assert trail.beyond_idle == {call}
    assert trail.by_folder() == {"api": 1, "escrow/ledger": 1}


@pytest.mark.parametrize(("path", "folder"), [("worker.py", "worker.py"), ("api/pages/page.py", "api")])
def test_files_are_told_by_their_room(path: str, folder: str) -> None:
    assert Trail(rounds=[frozenset({path})], idle=frozenset()).by_folder() == {folder: 1}
