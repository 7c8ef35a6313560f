"""`escrow verify`: do the books hold, and do they say what the bank and its collection channels say?"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from escrow.channels.bank import Bank, bank_of
from escrow.channels.protocols import BankLine, Custody
from escrow.commands.books import Books, opened_books
from escrow.commands.running import EXIT_FAILED, out, run
from escrow.commands.verify_channels import channel_differences
from escrow.domain.endings import ENDED_BY_DEADLINES, FINAL_STATUSES
from escrow.domain.errors import LedgerUnavailable
from escrow.domain.money.accounts import WITHOUT_MINIMUM, Purpose
from escrow.domain.money.amounts import format_fen
from escrow.domain.money.sub_accounts import tree_of
from escrow.domain.transfers.bank_comparison import LineAtBank, differences
from escrow.ledger.balances import PlatformBalances, platform_balances
from escrow.ledger.comparisons import custody_books
from escrow.ledger.engine import CONNECTION_LOST, connect
from escrow.ledger.invariants import check_invariants
from escrow.ledger.progress import OVERDUE_AFTER
from escrow.ledger.rounds_made import last_round

_PAGE_LINES = 200


def verify(
    platform_no: Annotated[str | None, typer.Argument(help="One platform; all of them without it.")] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds that lines in flight get to be posted.")] = 5,
) -> None:
    """Check every invariant of the books, and custody account and channels against the bank's own answers.

    Ends with code 1 when anything is wrong, naming each violation, each bank line that is not posted, and each payment,
    refund or settlement of a channel that is not in both books alike.
    """
    if not run(_verify(platform_no, wait)):
        raise typer.Exit(EXIT_FAILED)


async def _verify(platform_no: str | None, wait_seconds: float) -> bool:
    async with opened_books() as books:
        found = _told(await broken_invariants(books, platform_no))  # before the bank is asked, which may be away
        bank = bank_of(books.settings)
        try:
            for number in [platform_no] if platform_no else await books.registry.platforms.numbers():
                found += _told(await _compared(books, bank, number, wait_seconds))
        finally:
            await bank.aclose()
    out.print(f"{found} violations" if found else "every invariant of the books holds")
    return not found


def _told(sentences: list[str]) -> int:
    for sentence in sentences:
        out.print(sentence, style="red", markup=False)
    return len(sentences)


async def broken_invariants(books: Books, platform_no: str | None) -> list[str]:
    """Invariants of the books that do not hold, one sentence for each row that breaks one.

    Raises:
        LedgerUnavailable: the database cannot be reached.
    """
    try:
        connection = await connect(books.settings.database_url)
        try:
            violations = await check_invariants(connection, platform_no)
        finally:
            await connection.close()
    except CONNECTION_LOST as error:
        raise LedgerUnavailable("ledger_unavailable", "The database cannot be reached.") from error
    return [str(violation) for violation in violations] + await _rounds_not_made(books)


async def _rounds_not_made(books: Books) -> list[str]:
    """One sentence when something is unfinished and nobody has gone round for it lately."""
    last = await last_round(books.recorder, (*FINAL_STATUSES, *ENDED_BY_DEADLINES))
    if not last.unfinished or (last.seconds_ago is not None and last.seconds_ago < OVERDUE_AFTER.total_seconds()):
        return []
    ago = "never" if last.seconds_ago is None else f"{last.seconds_ago / 60:.0f} minutes ago"
    return [f"rounds: Something is unfinished, and rounds were last made {ago}; see that a worker runs."]


async def _compared(books: Books, bank: Bank, platform_no: str, wait_seconds: float) -> list[str]:
    platform = await books.registry.platforms.get(platform_no)
    account_no = platform.custody_account_no
    found = await settled_differences(books, bank, platform_no, account_no, wait_seconds=wait_seconds)
    if not found:
        balance_fen = await bank.balance_fen(account_no)
        out.print(f"{platform_no}: the bank answers {format_fen(balance_fen)}, which is what the books expect")
    await _tell_tree(books, platform_no)
    of_channels = await _remaining(
        lambda: channel_differences(books.recorder, bank.collections, platform_no), wait_seconds=wait_seconds
    )
    if not of_channels:
        out.print(f"{platform_no}: {_equation(await platform_balances(books.recorder, platform_no))}")
    return [f"{platform_no}: {sentence}" for sentence in (*found, *of_channels)]


def _equation(balances: PlatformBalances) -> str:
    """Whose the money is, and where it is: both sides are equal because the balances of a platform sum to zero."""
    held = {purpose: -balances.fen_by_purpose.get(purpose, 0) for purpose in sorted(WITHOUT_MINIMUM)}
    sub_accounts_fen = sum(fen for purpose, fen in balances.fen_by_purpose.items() if purpose not in WITHOUT_MINIMUM)
    return (
        f"sub-accounts {format_fen(sub_accounts_fen)} = custody {format_fen(held[Purpose.CUSTODY])} + owed by channels "
        f"{format_fen(held[Purpose.CHANNEL_DUE])} + bank charges owed {format_fen(held[Purpose.BANK_CHARGES])}"
    )


async def _tell_tree(books: Books, platform_no: str) -> None:
    tree = tree_of((await platform_balances(books.recorder, platform_no)).fen_by_purpose)
    balances_fen = {"members": tree.members_fen, **tree.functional_fen, "bank charges": tree.bank_charges_fen}
    said = ", ".join(f"{name} {format_fen(fen)}" for name, fen in balances_fen.items())
    out.print(f"{platform_no}: under custody {format_fen(tree.custody_fen)}: {said}")


async def settled_differences(
    books: Books, bank: Custody, platform_no: str, custody_account_no: str, *, wait_seconds: float
) -> list[str]:
    """Differences to the bank that remain after what is in flight had time to arrive, one sentence each."""

    async def now() -> list[str]:
        lines = await all_lines(bank, custody_account_no)
        balance_fen = await bank.balance_fen(custody_account_no)
        ours = await custody_books(books.recorder, platform_no)
        return differences(
            at_bank=[_as_compared(line) for line in lines],
            kept=ours.kept,
            bank_balance_fen=balance_fen,
            custody_fen=ours.custody_fen,
        )

    return await _remaining(now, wait_seconds=wait_seconds)


async def _remaining(differences_now: Callable[[], Awaitable[list[str]]], *, wait_seconds: float) -> list[str]:
    deadline = asyncio.get_running_loop().time() + wait_seconds
    while True:
        found = await differences_now()
        if not found or asyncio.get_running_loop().time() > deadline:
            return found
        await asyncio.sleep(0.5)


async def all_lines(bank: Custody, custody_account_no: str) -> list[BankLine]:
    """All lines of a custody account as the bank lists them now, ascending."""
    lines: list[BankLine] = []
    while True:
        page = await bank.lines_after(custody_account_no, lines[-1].line_no if lines else 0, _PAGE_LINES)
        lines += page
        if len(page) < _PAGE_LINES:
            return lines


def _as_compared(line: BankLine) -> LineAtBank:
    return LineAtBank(
        line_no=line.line_no,
        bank_serial_no=line.bank_serial_no,
        kind=line.kind,
        amount_fen=line.amount_fen,
        balance_after_fen=line.balance_after_fen,
    )
