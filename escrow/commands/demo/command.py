"""`escrow demo`: one contract from deposit to the contractor's bank account, on a stack of its own."""

import asyncio
import json
import shutil
import signal
import sys
import tempfile
import threading
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from escrow.commands.contract_file import ContractFile, read_contract_file
from escrow.commands.contract_nodes import ContractFileError
from escrow.commands.demo.closing import ClosingPage, closing_page
from escrow.commands.demo.last_page import show_last_page
from escrow.commands.demo.narrator import Narrator
from escrow.commands.demo.stage import Stage, stack_in, stage_on
from escrow.commands.demo.story import acts_of
from escrow.commands.running import EXIT_FAILED, EXIT_UNUSABLE, err, out, run
from escrow.domain.money.amounts import format_fen
from escrow.domain.time.calendars import SHANGHAI
from escrow.logs import configure_logs
from escrow.sandbox.moments import WORDS, begin_of_story
from escrow.stack.up import ROOT, Stack

#: Where there is no terminal, as in a log file, lines are as wide as a statement needs.
console = out if out.is_terminal else Console(highlight=False, soft_wrap=True, width=110)


def demo(
    contract: Annotated[Path, typer.Argument(help="The contract file, YAML.")] = ROOT / "examples" / "contract.yaml",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write the last page, for programs, to this file.")
    ] = None,
    pause: Annotated[
        bool, typer.Option("--pause", help="Wait for Enter before the last page, so that you can look around.")
    ] = False,
    by_hand: Annotated[
        bool,
        typer.Option("--by-hand", help="You play the owner at the pages that are shown."),
    ] = False,
    begin_at: Annotated[
        str | None,
        typer.Option(
            "--begin-at", help=f"When it begins, instead of now: 2026-12-06T06:15 in Shanghai, or {', '.join(WORDS)}."
        ),
    ] = None,
) -> None:
    """Live through a decoration contract on a stack of its own, and check every fen of it at the end.

    PostgreSQL, Temporal with its pages, a bank, the API and a worker start in a temporary folder on free ports and
    end with the demo. Ends with code 1 when a check does not hold, naming what breaks it, and with 2 when the contract
    file is wrong, naming the line, or when `--begin-at` means no moment.
    """
    try:
        terms = read_contract_file(contract)
    except ContractFileError as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(EXIT_UNUSABLE) from error
    begins = None if begin_at is None else _moment(begin_at)
    configure_logs("console", "ERROR")
    try:
        page = run(_demo(terms, begin_at=begins, pause=pause, by_hand=by_hand))
    except asyncio.CancelledError as ended:
        raise typer.Exit(128 + signal.SIGTERM) from ended
    if json_file is not None:
        json_file.write_text(json.dumps(page.as_document(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if page.problems:
        raise typer.Exit(EXIT_FAILED)


def _moment(text: str) -> datetime:
    try:
        return begin_of_story(text, datetime.now(SHANGHAI))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--begin-at") from error


async def _demo(contract: ContractFile, *, begin_at: datetime | None, pause: bool, by_hand: bool) -> ClosingPage:
    order = contract.order
    console.print(
        f"[bold]A decoration contract, from deposit to the contractor's bank account[/]\n"
        f"{order.order_no}: {contract.owner.name} and {contract.contractor.name}, "
        f"{format_fen(order.price_fen)} yuan in {len(order.milestones)} milestones"
    )
    me = asyncio.current_task()
    if me is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
    folder = Path(tempfile.mkdtemp(prefix="escrow-demo-"))
    try:
        async with stack_in(folder) as stack:
            page = await _lived_through(stack, contract, begin_at=begin_at, pause=pause, by_hand=by_hand)
    except Exception:
        err.print(f"The demo did not come to its end; the logs of all parts are in {folder}", markup=False)
        raise
    except BaseException:  # somebody ended it: nothing is to be looked into
        shutil.rmtree(folder)
        raise
    await asyncio.to_thread(shutil.rmtree, folder)
    return page


async def _lived_through(
    stack: Stack, contract: ContractFile, *, begin_at: datetime | None, pause: bool, by_hand: bool
) -> ClosingPage:
    _tell_where(stack)
    acts = acts_of(contract, begin_at or datetime.now(SHANGHAI))
    with Narrator(console, acts=len(acts)) as narrator:
        async with stage_on(stack, contract, narrator, begin_at=begin_at, by_hand=by_hand) as stage:
            for act in acts:
                narrator.act(act.title)
                await act.play(stage)
            return await _last_page(stage, pause=pause)


async def _last_page(stage: Stage, *, pause: bool) -> ClosingPage:
    if pause:
        stage.narrator.stop()
        console.print(f"\nPaused before the last page. `escrow --stack {stage.stack.folder} …` speaks to this stack.")
        console.print("Press Enter to go on.")
        await _enter_pressed()
    page = await closing_page(stage)
    stage.narrator.stop()
    show_last_page(page, stage.narrator)
    return page


async def _enter_pressed() -> None:
    """Wait for a line on standard input; unlike an executor's thread, this one keeps nobody from ending the demo."""
    loop, pressed = asyncio.get_running_loop(), asyncio.Event()

    def read() -> None:
        sys.stdin.readline()
        with suppress(RuntimeError):  # the demo has ended meanwhile
            loop.call_soon_threadsafe(pressed.set)

    threading.Thread(target=read, daemon=True).start()
    await pressed.wait()


def _tell_where(stack: Stack) -> None:
    console.print(f"Temporal's pages  {stack.temporal.ui_url}   (open them beside: they live as long as the demo)")
    console.print(f"API               {stack.api_url}/v1/openapi.json")
    console.print(f"bank sandbox      {stack.bank_url}/docs")
    console.print(f"worker            process {stack.worker.pid}")
