"""What the programs of the bench have in common: how one is run, and what it says meanwhile."""

import sys
from collections.abc import Callable
from typing import Any

import typer

from escrow.leave import leave


def run(main: Callable[..., Any]) -> None:
    """Run a program with its options, and leave at once when it has ended."""
    code = 0
    try:
        typer.run(main)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    leave(code)


def say(program: str, what: str) -> None:
    """What a program is doing, for whoever waits."""
    sys.stderr.write(f"{program}: {what} …\n")
