"""`escrow skip`: time passes for one platform of a sandbox stack: its books, its workflows and its bank account."""

from datetime import datetime, timedelta
from typing import Annotated

import typer
from temporalio.client import Client

from escrow.commands.books import opened_books
from escrow.commands.running import out, run
from escrow.domain.time.calendars import SHANGHAI
from escrow.sandbox.skipping import platform_skip
from escrow.stack.processes import StackError
from escrow.stack.temporal_client import connect_temporal


def skip(
    days: Annotated[int, typer.Option(min=0, max=3660, help="How many days pass.")] = 0,
    hours: Annotated[int, typer.Option(min=0, help="How many hours pass.")] = 0,
    until: Annotated[
        datetime | None, typer.Option(help="Until this time of Shanghai.", formats=["%Y-%m-%dT%H:%M"])
    ] = None,
    order: Annotated[str | None, typer.Option(help="Until what this order waits for has happened.")] = None,
    withdrawal: Annotated[str | None, typer.Option(help="Until what this withdrawal waits for has happened.")] = None,
    top_up: Annotated[str | None, typer.Option(help="Until what this top-up waits for has happened.")] = None,
    platform: Annotated[str, typer.Option(help="The platform's number.")] = "HOME",
) -> None:
    """Let time pass for one platform of a sandbox stack: its orders and withdrawals, its accounting day, its bank.

    What falls due on the way happens: reminders, acceptance by silence, the release of the retention, the opening of a
    rail. Other platforms keep their own time.
    """
    span = timedelta(days=days, hours=hours)
    named = {"order": order, "withdrawal": withdrawal, "pay_in": top_up}
    processes = [f"{kind}/{platform}/{number}" for kind, number in named.items() if number]
    if len(processes) + bool(span) + (until is not None) != 1:
        raise typer.BadParameter("say by how much (--days, --hours), or --until when, or for which one object")
    run(_skip(platform, span, until, *processes))


async def _skip(platform_no: str, span: timedelta, until: datetime | None, process: str | None = None) -> None:
    async with (
        opened_books() as books,
        platform_skip(books.settings, books.recorder, await _temporal(), platform_no, tell=out.print) as skipping,
    ):
        if process:
            now = await skipping.until(await skipping.when_due(process))
        elif until is not None:
            now = await skipping.until(until.replace(tzinfo=SHANGHAI))
        else:
            now = await skipping.by(span)
    out.print(f"for {platform_no}, its books and its bank it is now {now:%Y-%m-%d %H:%M} in Shanghai")


async def _temporal() -> Client:
    try:
        return await connect_temporal()
    except RuntimeError as error:  # the SDK has no class of its own for it
        raise StackError(
            "Temporal does not answer where TEMPORAL_ADDRESS says: start the stack with `escrow up`"
        ) from error
