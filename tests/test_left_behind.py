"""Sessions of tests within a test: however they end, they leave nothing behind, or say what and fail."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.waiting import PATIENCE_SECONDS, until

_CONFTEST = """
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests import left_behind
from tests.sandbox import Sandbox, running_sandbox

left_behind.PATIENCE_SECONDS = {patience_seconds}


@pytest.fixture(scope="session")
async def bank(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    async with running_sandbox(tmp_path_factory.mktemp("bank")) as running:
        yield running
"""
_TEST = """
import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path


async def test_one(server, bank):
    Path({folder!r}, f"runs-{{server.pid}}").touch()
    {body}
"""
_LEAK = """left = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import socket, time; kept = socket.create_server(('127.0.0.1', 0)); print(flush=True); time.sleep(600)",
        ],
        start_new_session=True,
        stdout=subprocess.PIPE,
    )
    assert left.stdout.readline()  # it listens
    tempfile.mkdtemp(prefix="forgotten-")
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short enough for the paths of sockets below it."""
    with tempfile.TemporaryDirectory(prefix="i-") as folder:
        yield Path(folder)


class Inner:
    """A session of one test file; `started` tells each of its processes that has come to a test."""

    def __init__(self, folder: Path, body: str, *options: str, patience_seconds: float = 60) -> None:
        self.folder = folder
        (folder / "conftest.py").write_text(_CONFTEST.format(patience_seconds=patience_seconds))
        for number in (1, 2):
            (folder / f"test_{number}.py").write_text(_TEST.format(folder=str(folder), body=body))
        (folder / "pytest.ini").write_text(
            "[pytest]\nasyncio_mode = auto\n"
            "asyncio_default_fixture_loop_scope = session\nasyncio_default_test_loop_scope = session\n"
        )
        (folder / "tmp").mkdir()
        ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "tests.conftest", *options, str(folder)],
            cwd=folder,
            env={**ours, "TMPDIR": str(folder / "tmp")},
            # A session that runs in the background of a shell does not hear it, nor would this one.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def runs(self, processes: int) -> bool:
        """Whether so many of its processes have come to a test."""
        assert self.process.poll() is None, self.process.stdout and self.process.stdout.read()
        return len(list(self.folder.glob("runs-*"))) == processes

    def ends(self) -> str:
        """What it said until its end."""
        said, _ = self.process.communicate(timeout=PATIENCE_SECONDS)
        return said

    def left(self) -> list[str]:
        """Processes that have to do with its folder, and files in its temporary folder."""
        return [*_commands_naming(str(self.folder)), *(path.name for path in (self.folder / "tmp").iterdir())]


def _commands_naming(text: str) -> Iterator[str]:
    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or [])
        if text in command:
            yield command


@pytest.mark.parametrize("options", [(), ("-n", "2", "--dist", "loadfile")], ids=["one", "xdist"])
def test_what_the_tests_started_ends_with_them_also_when_one_fails(folder: Path, options: tuple[str, ...]) -> None:
    inner = Inner(folder, "assert __name__ == 'test_1'", *options)
    said = inner.ends()
    assert inner.process.returncode == pytest.ExitCode.TESTS_FAILED, said
    assert "1 failed, 1 passed" in said
    assert "left behind" not in said
    assert inner.left() == []


@pytest.mark.parametrize(
    ("options", "processes", "by"),
    [
        ((), 1, signal.SIGINT),
        ((), 1, signal.SIGTERM),
        (("-n", "2", "--dist", "loadfile"), 2, signal.SIGINT),
    ],
)
async def test_what_the_tests_started_ends_when_they_are_interrupted(
    folder: Path, options: tuple[str, ...], processes: int, by: signal.Signals
) -> None:
    inner = Inner(folder, "await asyncio.sleep(600)", *options)
    await until(lambda: inner.runs(processes), "all processes of the session run a test")
    inner.process.send_signal(by)
    said = inner.ends()
    assert inner.process.returncode == pytest.ExitCode.INTERRUPTED, said
    assert "left behind" not in said
    assert inner.left() == []


@pytest.mark.parametrize("options", [(), ("-n", "2", "--dist", "loadfile")], ids=["one", "xdist"])
def test_what_is_left_is_named_and_ended_and_fails_the_session(folder: Path, options: tuple[str, ...]) -> None:
    inner = Inner(folder, _LEAK, *options, patience_seconds=2)
    said = inner.ends()
    assert inner.process.returncode == pytest.ExitCode.TESTS_FAILED, said
    assert "2 passed" in said
    named = said.partition("left behind by the tests")[2]
    ports = re.findall(r"a process: \d+ \S+ -c import socket.*, listens on (\d+)", named)
    assert len(ports) == 2, said
    assert named.count("in the temporary folder: forgotten-") == 2
    assert inner.left() == []
