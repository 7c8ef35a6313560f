"""What a test session leaves behind: no process, no listening port, no folder; else it fails and says which.

A session has a temporary folder of its own, and a mark in the environment that all its processes inherit, also those
that lost their parents. The session is the process that people start: those that xdist starts for it belong to it.
"""

import contextlib
import os
import shutil
import signal
import socket
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

#: Not ESCROW_…: tests take those away from the commands that they start. A session within a test adds to it.
_MARK = "MARK_OF_TEST_SESSION"
#: pytest keeps here what `tmp_path` gave out.
_PYTESTS = "pytest-of-"
#: What is ending already, or is ended by a process that was interrupted, may take so long on a slow machine.
PATIENCE_SECONDS = 60.0
_SHOWN_OF_COMMAND = 160
#: Files in memory, on Linux.
_MEMORY = Path("/dev/shm")
#: What the temporary files of a session take together at most, with a margin.
_ROOM_BYTES = 8 * 2**30


@dataclass(frozen=True)
class TestSession:
    """One session: its mark and its folder."""

    __test__ = False

    mark: str
    folder: Path

    def leftovers(self) -> list[str]:
        """Name what is left, and end it."""
        left = [f"a process: {described(process)}" for process in self.processes()]
        self.kill()
        files = sorted(path.name for path in self.folder.iterdir() if not path.name.startswith(_PYTESTS))
        return left + [f"in the temporary folder: {name}" for name in files]

    def processes(self, spared: Sequence[psutil.Process] = ()) -> list[psutil.Process]:
        """Those that bear the mark, besides this one and those that are spared."""
        others = (process for process in psutil.process_iter() if process.pid != os.getpid() and process not in spared)
        return [process for process in others if self._is_ours(process)]

    def wait_for_ends(self, *, spared: Sequence[psutil.Process] = ()) -> None:
        """Wait until only the spared are left, or for so long as that may take."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while self.processes(spared) and time.monotonic() < give_up_at:
            time.sleep(0.1)

    def interrupt_children(self) -> None:
        """Have the processes that run tests end them and their servers; wait until the servers have ended."""
        children = psutil.Process().children()
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.send_signal(signal.SIGINT)
        self.wait_for_ends(spared=children)

    def kill(self) -> None:
        """End all others at once; one that starts another meanwhile does so in vain."""
        while found := self.processes():
            for process in found:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(found, timeout=1)

    def remove_folder(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return self.mark in process.environ().get(_MARK, "").split()
        except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
            return False  # it has ended, is somebody else's, or the kernel's


def begin() -> TestSession:
    """Begin a session: processes started from now on bear its mark, and temporary files are in its folder.

    Who wishes it to end may say so by SIGTERM as well as by Ctrl-C.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    session = TestSession(mark=uuid.uuid4().hex, folder=Path(tempfile.mkdtemp(prefix="t-", dir=_place())))
    os.environ[_MARK] = f"{os.environ.get(_MARK, '')} {session.mark}".strip()
    os.environ["TMPDIR"] = tempfile.tempdir = str(session.folder)
    return session


def _place() -> Path | None:
    """Where temporary files go: into memory, where it has plenty of room; None for where they usually go.

    The tests make hundreds of databases of hundreds of files each, and a disk's file system may spend more processor
    time on these files than PostgreSQL does on the databases. Who sets TMPDIR has chosen.
    """
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK):
        return None
    room_bytes = min(shutil.disk_usage(_MEMORY).free, psutil.virtual_memory().available)
    takes_programs = not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC
    return _MEMORY if takes_programs and room_bytes > _ROOM_BYTES else None


def described(process: psutil.Process) -> str:
    """Its number, command and listening ports."""
    try:
        command = " ".join(process.cmdline())[:_SHOWN_OF_COMMAND] or process.name()
        ports = sorted(
            {
                connection.laddr.port
                for connection in process.net_connections("inet")
                if connection.status == psutil.CONN_LISTEN and connection.type == socket.SOCK_STREAM
            }
        )
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return str(process.pid)
    listening = f", listens on {', '.join(map(str, ports))}" if ports else ""
    return f"{process.pid} {command}{listening}"
