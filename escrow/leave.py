"""The one way out for every process that has used a Temporal client."""

import atexit
import os
import sys
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End this process with `code` after its exit functions have run and its output is flushed.

    The interpreter's own finalisation is skipped. Before Python 3.14 the Temporal SDK's native threads may still
    want the interpreter while it is taken down, and one process in about ten then aborts (exit code 134 or 139,
    "PyGILState_Release … must be current", temporalio/sdk-python#300) although all its work is done.
    Nothing is lost: files, sockets and memory are the kernel's to clean up, and every write that matters was
    committed before.
    """
    try:
        # Public in all but name since Python 2; there is no other way to run what `atexit.register` collected.
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
