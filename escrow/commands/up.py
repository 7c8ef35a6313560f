"""`escrow up`: the whole stack on this machine, until Ctrl-C or SIGTERM."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from escrow.commands.links import show_links
from escrow.commands.running import err, out, run
from escrow.domain.errors import EscrowError
from escrow.logs import configure_logs
from escrow.stack.up import ROOT, USUAL_PORTS, Ports, Stack

DEFAULT_FOLDER = ROOT / ".escrow"


def up(
    data: Annotated[Path, typer.Option(help="Folder of all data, logs and keys.")] = DEFAULT_FOLDER,
    temporal_port: Annotated[int, typer.Option(help="Temporal, gRPC.")] = USUAL_PORTS.temporal,
    temporal_ui_port: Annotated[int, typer.Option(help="Temporal's web pages.")] = USUAL_PORTS.temporal_ui,
    bank_port: Annotated[int, typer.Option(help="The bank sandbox.")] = USUAL_PORTS.bank,
    api_port: Annotated[int, typer.Option(help="The API.")] = USUAL_PORTS.api,
    workers: Annotated[int, typer.Option(min=1, max=16, help="How many worker processes.")] = 1,
    links: Annotated[bool, typer.Option(help="Show links to hosted pages to try, as `escrow links` does.")] = True,
) -> None:
    """Start PostgreSQL, Temporal, the bank sandbox, the API and the workers; Ctrl-C ends them in order.

    What dies is started again. Everything listens on this machine's loopback address only.
    """
    configure_logs("console")
    ports = Ports(temporal=temporal_port, temporal_ui=temporal_ui_port, bank=bank_port, api=api_port)
    run(_stay_up(data, ports, workers, links=links))


async def _stay_up(folder: Path, ports: Ports, workers: int, *, links: bool) -> None:
    asked_to_end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked_to_end.set)
    stack = Stack(folder, ports=ports, workers=workers)
    starting = asyncio.create_task(stack.start())
    ending = asyncio.create_task(asked_to_end.wait())
    await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.wait({starting})
        return
    await starting
    try:
        out.print(table_of(stack))
        out.print("Ctrl-C ends it; the data stays. `escrow verify` in another terminal checks the books.")
        if links:
            showing = asyncio.create_task(_show_links(stack))
            await asyncio.wait({showing, ending}, return_when=asyncio.FIRST_COMPLETED)
            showing.cancel()
            await asyncio.wait({showing})
        await ending
    finally:
        out.print("ending, workers finish what they have begun …")
        await stack.stop()


async def _show_links(stack: Stack) -> None:
    """The stack stays up, whatever becomes of the links."""
    os.environ.update(stack.environment)
    try:
        await show_links()
    except EscrowError as error:
        err.print(f"no links to hosted pages: {error.message} ({error.code}); `escrow links` tries again")


def table_of(stack: Stack) -> Table:
    """Where everything is, for people."""
    table = Table("what", Column("where", overflow="fold"), title="The stack is up")
    table.add_row("API and its description", f"{stack.api_url}/v1/openapi.json")
    table.add_row("Temporal's pages", stack.temporal.ui_url)
    table.add_row("Temporal, gRPC", stack.temporal.address)
    table.add_row("bank sandbox", f"{stack.bank_url}/sandbox/health")
    table.add_row("PostgreSQL", stack.postgres.dsn)
    for worker in stack.workers:
        table.add_row(worker.name, f"process {worker.pid}")
    table.add_row("logs", str(stack.folder))
    return table
