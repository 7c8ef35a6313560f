"""`escrow sandbox …`: what happens outside the bank, told to the bank sandbox. No real bank has these."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Annotated

import typer
from rich.table import Table

from escrow.channels.sandbox_bank.steering import SandboxSteering
from escrow.commands.running import out, run
from escrow.domain.errors import Refused
from escrow.domain.money.amounts import format_fen, yuan
from escrow.domain.time.calendars import SHANGHAI
from escrow.logs import mask_numbers

app = typer.Typer(help="Steer the bank sandbox: make a transfer, read its SMS outbox, move an account's clock.")


@asynccontextmanager
async def _sandbox() -> AsyncIterator[SandboxSteering]:
    base_url = os.environ.get("ESCROW_BANK_URL")
    if not base_url:
        raise Refused("no_bank", "No stack runs here and ESCROW_BANK_URL is not set: start one with `escrow up`.")
    steering = SandboxSteering(base_url)
    try:
        yield steering
    finally:
        await steering.aclose()


@app.command()
def transfer(
    custody_account: Annotated[str, typer.Argument(help="Number of the custody account that gets the money.")],
    amount: Annotated[str, typer.Argument(help="In yuan, e.g. 186,000.00.")],
    from_account: Annotated[str, typer.Option(help="Number of the account it comes from.")],
    from_name: Annotated[str, typer.Option(help="Name of that account.")],
    remark: Annotated[str, typer.Option(help="Text that comes with it.")] = "",
) -> None:
    """Transfer money from an account elsewhere into a custody account."""
    run(_transfer(custody_account, amount, from_account, from_name, remark))


async def _transfer(custody_account: str, amount: str, from_account: str, from_name: str, remark: str) -> None:
    async with _sandbox() as sandbox:
        line = await sandbox.transfer(
            custody_account_no=custody_account,
            amount_fen=yuan(amount),
            account_no=from_account,
            account_name=from_name,
            remark=remark,
        )
    out.print(
        f"the bank booked {format_fen(line.amount_fen)} as {line.bank_serial_no}, "
        f"balance {format_fen(line.balance_after_fen)}"
    )


@app.command()
def sms() -> None:
    """Show the text messages that the bank sent, oldest first."""
    run(_sms())


async def _sms() -> None:
    async with _sandbox() as sandbox:
        messages = await sandbox.sms_outbox()
    table = Table("at", "to", "text", "request number")
    for message in messages:
        at = message.at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(at, mask_numbers(message.mobile), message.text, message.req_seq)
    out.print(table)


@app.command()
def clock(
    custody_account: Annotated[str, typer.Argument(help="Number of the custody account.")],
    days: Annotated[int, typer.Option(min=0, help="Move it forward by so many days.")] = 0,
    hours: Annotated[int, typer.Option(min=0, help="Move it forward by so many hours.")] = 0,
    to: Annotated[
        datetime | None, typer.Option(help="Move it forward to this time of Shanghai.", formats=["%Y-%m-%dT%H:%M"])
    ] = None,
) -> None:
    """Show a custody account's time at the bank, or move it forward; it never goes backward."""
    run(_clock(custody_account, timedelta(days=days, hours=hours), to))


async def _clock(custody_account: str, by: timedelta, to: datetime | None) -> None:
    async with _sandbox() as sandbox:
        if to is not None:
            now = await sandbox.move_clock(custody_account, to=to.replace(tzinfo=SHANGHAI))
        elif by:
            now = await sandbox.move_clock(custody_account, by=by)
        else:
            now = await sandbox.clock(custody_account)
    out.print(f"the account's time is {now.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S} in Shanghai")
