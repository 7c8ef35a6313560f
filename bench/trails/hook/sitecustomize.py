"""Python imports this at the start of every process that finds its folder in PYTHONPATH; it records where calls go.

It knows no product code and none knows it, so any checkout can be recorded. Only `python -m api` and `python -m worker`
are. SIGUSR1 begins a recording afresh, SIGUSR2 ends it and writes the files that it passed, as JSON.
"""

import json
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any, Final

#: Variables: the checkout whose files count, and the folder for what is recorded.
ROOT_VARIABLE: Final = "TRAILS_ROOT"
FOLDER_VARIABLE: Final = "TRAILS_FOLDER"
#: Programs that are recorded, as `python -m` calls them.
PROGRAMS: Final = ("api", "worker")
#: What is ours: folders and files at the root of a checkout.
OURS: Final = ("workflows/", "activities/", "api/", "escrow/", "worker.py")

_BEGIN, _END = signal.SIGUSR1, signal.SIGUSR2
_MODULE: Final = "<module>"


class Recording:
    """Which files of a checkout are passed while the recording is on.

    Args:
        root: the checkout.
        path: what is recorded is written here; `path` with `.on` says that the recording is on.
    """

    def __init__(self, root: str, path: str) -> None:
        self._root = os.path.join(os.path.realpath(root), "")
        self._ours = tuple(self._root + name for name in OURS)
        self._path = path
        self._passed: set[str] = set()
        self._is_on = False

    def start(self) -> None:
        """Listen for the two signals, and look at every function call of this thread and of those to come."""
        # Blocked before any other thread is there, they reach the thread that waits for them, whatever loop runs here.
        signal.pthread_sigmask(signal.SIG_BLOCK, {_BEGIN, _END})
        threading.Thread(target=self._listen, name="trails", daemon=True).start()
        threading.setprofile(self._notice)
        sys.setprofile(self._notice)
        self._write(self._path + ".ready", "")

    def _listen(self) -> None:
        while True:
            if signal.sigwait({_BEGIN, _END}) == _BEGIN:
                self._passed.clear()
                self._is_on = True
                self._write(self._path + ".on", "")
            else:
                self._is_on = False
                passed = self._passed.copy()  # in one step: other threads may still be adding
                self._write(self._path, json.dumps(sorted(name.removeprefix(self._root) for name in passed)))

    def _notice(self, frame: FrameType, event: str, _argument: Any) -> None:
        # A coroutine or generator that goes on is a call, too.
        if not self._is_on or event != "call":
            return
        name = frame.f_code.co_filename
        if name not in self._passed and name.startswith(self._ours) and not self._is_import(frame):
            self._passed.add(name)

    def _is_import(self, frame: FrameType | None) -> bool:
        """Whether a module of ours is being imported here, by whatever it calls; the program itself is none."""
        while frame is not None:
            code = frame.f_code
            if code.co_name == _MODULE and code.co_filename.startswith(self._ours):
                return frame.f_globals.get("__name__") != "__main__"
            frame = frame.f_back
        return False

    @staticmethod
    def _write(path: str, text: str) -> None:
        with open(path + ".part", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(path + ".part", path)  # whoever finds it finds all of it


def _program() -> str:
    """What `python -m` runs here; empty where it is something else."""
    arguments = sys.orig_argv
    return arguments[arguments.index("-m") + 1] if "-m" in arguments[:-1] else ""


if ROOT_VARIABLE in os.environ and _program() in PROGRAMS:
    Recording(
        os.environ[ROOT_VARIABLE], os.path.join(os.environ[FOLDER_VARIABLE], f"{_program()}-{os.getpid()}")
    ).start()
