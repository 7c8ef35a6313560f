"""What every command shares: running a coroutine, and turning expected errors into a sentence and an exit code."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import typer
from rich.console import Console

from escrow.domain.errors import EscrowError
from escrow.settings import SettingsError
from escrow.stack.processes import StackError

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Answer = TypeVar("Answer")

#: Exit codes: a rule said no, a check failed, ledger or bank did not answer; settings or servers of ours are missing.
EXIT_FAILED = 1
EXIT_UNUSABLE = 2


def run(coroutine: Coroutine[Any, Any, Answer]) -> Answer:
    """Result of the coroutine; expected errors become a message on standard error and the exit code."""
    try:
        return asyncio.run(coroutine)
    except EscrowError as error:
        err.print(f"[red]{error.message}[/] ({error.code})")
        raise typer.Exit(EXIT_FAILED) from error
    except (SettingsError, StackError) as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(EXIT_UNUSABLE) from error
