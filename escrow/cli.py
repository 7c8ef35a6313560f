"""The `escrow` command: starts the other rooms as processes and speaks to them over HTTP and Temporal."""

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from escrow.commands import assigning, days, operators, platform, sandbox, suspense, verify
from escrow.commands.demo.command import demo
from escrow.commands.links import links
from escrow.commands.resume import attention, resume
from escrow.commands.skip import skip
from escrow.commands.states import states
from escrow.commands.up import DEFAULT_FOLDER, up
from escrow.leave import leave
from escrow.stack.up import environment_of_running_stack

app = typer.Typer(
    help="Escrow for home decoration: run the stack, check its books, steer its bank sandbox.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, which may be keys or personal data
)
app.command()(up)
app.command()(platform.migrate)
app.command()(verify.verify)
app.command()(demo)
app.command()(links)
app.command()(skip)
app.command()(resume)
app.command()(attention)
app.command()(days.close_day)
app.command()(days.roll)
app.command()(days.sweep)
app.command()(states)
app.add_typer(platform.app, name="platform")
app.add_typer(operators.app, name="operator")
suspense.app.command()(assigning.assign)
app.add_typer(suspense.app, name="suspense")
app.add_typer(sandbox.app, name="sandbox")


@app.callback()
def use_running_stack(
    stack: Annotated[Path, typer.Option(help="Folder of the stack that `escrow up` runs.")] = DEFAULT_FOLDER,
) -> None:
    """Settings come from the environment; what it leaves out comes from the stack that runs on this machine."""
    for variable, value in environment_of_running_stack(stack).items():
        os.environ.setdefault(variable, value)


def main() -> NoReturn:
    """Entry point of the script `escrow`."""
    code = 1
    try:
        app()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        if sys.exc_info()[0] is not None:
            # The process ends here, before the interpreter would print what went wrong.
            traceback.print_exc()
        leave(code)
