"""`escrow close-day`, `roll` and `sweep`: what the end of an accounting day brings, by hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated

import typer

from escrow.commands.books import opened_books
from escrow.commands.running import out, run
from escrow.domain.money.amounts import format_fen
from escrow.domain.time.calendars import SHANGHAI
from escrow.ledger.books_time import books_now
from escrow.ledger.days import close_day as close_accounting_day
from escrow.ledger.days import roll_pending, sweep_commission
from escrow.ledger.engine import Recorder
from escrow.ledger.posting import LedgerWriter

PlatformNo = Annotated[str, typer.Argument(help="The platform's number.")]


@asynccontextmanager
async def _ledger() -> AsyncIterator[tuple[Recorder, LedgerWriter]]:
    async with opened_books() as books:
        writer = await LedgerWriter.start(
            books.settings.database_url, answer_seconds=books.settings.ledger_answer_seconds
        )
        try:
            yield books.recorder, writer
        finally:
            await writer.close()


def close_day(
    platform_no: PlatformNo,
    day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Close all days up to this one; without it, up to today in Shanghai."),
    ] = None,
) -> None:
    """Close a platform's accounting day and make its pending money withdrawable; repeatable."""
    run(_close_day(platform_no, day))


async def _close_day(platform_no: str, day: datetime | None) -> None:
    async with _ledger() as (recorder, writer):
        now = (await books_now(recorder, platform_no)).astimezone(SHANGHAI)
        last = day.date() if day else now.date()
        closed = await close_accounting_day(recorder, writer, platform_no, last)
    out.print(f"the open day is {closed.open_day}; {format_fen(closed.matured_fen)} became withdrawable")


def roll(platform_no: PlatformNo) -> None:
    """Make pending money of days already closed withdrawable (T+1); repeatable."""
    run(_roll(platform_no))


async def _roll(platform_no: str) -> None:
    async with _ledger() as (recorder, writer):
        moved_fen = await roll_pending(recorder, writer, platform_no)
    out.print(f"{format_fen(moved_fen)} became withdrawable")


def sweep(platform_no: PlatformNo) -> None:
    """Move commission and fees taken to the platform's own sub-account; repeatable."""
    run(_sweep(platform_no))


async def _sweep(platform_no: str) -> None:
    async with _ledger() as (recorder, writer):
        moved_fen = await sweep_commission(recorder, writer, platform_no)
    out.print(f"{format_fen(moved_fen)} went to the platform's own sub-account")
