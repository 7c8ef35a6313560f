"""How the demo's last page looks to people."""

from collections.abc import Sequence
from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from escrow.commands.demo.closing import Check, ClosingPage, Statement
from escrow.commands.demo.narrator import Narrator
from escrow.domain.money.accounts import Purpose
from escrow.domain.money.amounts import format_fen
from escrow.domain.money.sub_accounts import FUNCTIONAL_SUB_ACCOUNTS, SubAccountTree
from escrow.domain.time.calendars import SHANGHAI


def show_last_page(page: ClosingPage, narrator: Narrator) -> None:
    """Print every statement, the bank's side, and each check with its figures and what breaks it."""
    for statement in page.statements:
        narrator.show()
        narrator.show(_statement_table(statement))
    narrator.show()
    narrator.show(_bank_table(page))
    narrator.show()
    narrator.show(_tree_table(page.tree))
    narrator.show("\n[bold]Does it all add up?[/]")
    for check in page.checks:
        narrator.show(_check_line(check))
        for problem in check.problems:
            narrator.show(f"      [red]{escape(problem)}[/]")
    count = len(page.problems)
    narrator.show("[bold green]All of it holds.[/]" if not count else f"[bold red]{count} things do not hold.[/]")


def _statement_table(statement: Statement) -> Table:
    amounts_fen = [
        fen
        for account in statement.accounts
        for line in account.lines
        for fen in (line["amount_fen"], line["balance_after_fen"])
    ]
    table = _table(f"Statement: {statement.title}", "day", "what", "number", amounts_fen=amounts_fen)
    done = [a for a in statement.accounts if a.purpose == Purpose.PAYOUT and a.balance_fen == 0]
    for account in statement.accounts:
        if account in done:
            continue
        table.add_section()
        table.add_row("", f"[bold]{escape(account.account)}[/]", "", "", "")
        for line in account.lines:
            table.add_row(
                line["accounting_day"],
                line["recipe"].replace("_", " "),
                line["bank_serial_no"] or line["request_no"],
                format_fen(line["amount_fen"]),
                format_fen(line["balance_after_fen"]),
            )
    table.add_section()
    for account in done:  # in as much as out: one row says it
        moved_fen = sum(line["amount_fen"] for line in account.lines if line["amount_fen"] > 0)
        table.add_row("", "in transit, done", account.account, format_fen(moved_fen), format_fen(0))
    table.add_section()
    moved = f"in {format_fen(statement.in_fen)}, out {format_fen(statement.out_fen)}"
    table.add_row("", "total", moved, "", format_fen(statement.closing_fen), style="bold")
    return table


def _table(title: str, *columns: str, amounts_fen: Sequence[int]) -> Table:
    """A table that in a narrow terminal shortens anything but amounts."""
    widest = max((len(format_fen(fen)) for fen in amounts_fen), default=0)
    table = _plain_table(title, *columns)
    for column in ("amount", "balance"):
        table.add_column(column, justify="right", no_wrap=True, min_width=widest)
    return table


def _plain_table(title: str, *columns: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, show_edge=False, pad_edge=False
    )
    for column in columns:
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    return table


def _bank_table(page: ClosingPage) -> Table:
    amounts_fen = [fen for line in page.bank_lines for fen in (line["amount_fen"], line["balance_after_fen"])]
    title = "The custody account as the bank itself lists it"
    table = _table(title, "booked", "kind", "number", amounts_fen=amounts_fen)
    for line in page.bank_lines:
        table.add_row(
            f"{datetime.fromisoformat(line['booked_at']).astimezone(SHANGHAI):%Y-%m-%d}",
            line["kind"],
            line["bank_serial_no"],
            format_fen(line["amount_fen"]),
            format_fen(line["balance_after_fen"]),
        )
    table.add_section()
    table.add_row("", "balance", "as the bank answers it", "", format_fen(page.bank_balance_fen), style="bold")
    return table


def _tree_table(tree: SubAccountTree) -> Table:
    table = _plain_table("The tree of sub-accounts", "sub-account", "", "what for")
    table.add_column("balance", justify="right", no_wrap=True)
    table.add_row("custody", "资金汇总", "the platform's account at the bank", format_fen(tree.custody_fen))
    table.add_row("  members", "会员", "one each, here together", format_fen(tree.members_fen))
    for item in FUNCTIONAL_SUB_ACCOUNTS:
        balance = format_fen(tree.functional_fen[item.number])
        table.add_row(f"  {item.number}", item.chinese_name, item.name, balance)
    return table


def _check_line(check: Check) -> str:
    sign = "[red]✗[/]" if check.problems else "[green]✓[/]"
    figures = ", ".join(
        f"{name} {value if name == 'lines' else format_fen(value)}" for name, value in check.figures.items()
    )
    return f"  {sign} {escape(check.name)}{': ' + figures if figures else ''}"
