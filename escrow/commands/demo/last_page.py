"""How the demo's last page looks to people."""

from datetime import datetime

from rich.markup import escape
from rich.table import Table

from escrow.commands.demo.closing import Account, Check, ClosingPage, Statement
from escrow.commands.demo.narrator import Narrator
from escrow.domain.calendars import SHANGHAI
from escrow.domain.money import format_fen


def show_last_page(page: ClosingPage, narrator: Narrator) -> None:
    """Print every statement, the bank's side, and each check with its figures and what breaks it."""
    for statement in page.statements:
        narrator.show(_statement_table(statement))
    narrator.show(_bank_table(page))
    narrator.show("[bold]Does it all add up?[/]")
    for check in page.checks:
        narrator.show(_check_line(check))
        for problem in check.problems:
            narrator.show(f"      [red]{escape(problem)}[/]")


def _statement_table(statement: Statement) -> Table:
    table = Table(title=f"Statement: {statement.title}", title_justify="left", show_edge=False, pad_edge=False)
    for column in ("day", "account", "what", "number"):
        table.add_column(column, no_wrap=True)
    for column in ("amount", "balance"):
        table.add_column(column, justify="right", no_wrap=True)
    dated = [(line["entry_id"], account, line) for account in statement.accounts for line in account.lines]
    for _, account, line in sorted(dated, key=lambda item: (item[0], item[1].account)):
        table.add_row(
            line["accounting_day"],
            _short(account),
            line["recipe"].replace("_", " "),
            line["bank_serial_no"] or line["request_no"],
            format_fen(line["amount_fen"]),
            format_fen(line["balance_after_fen"]),
        )
    moved = f"in {format_fen(statement.in_fen)}, out {format_fen(-statement.out_fen)}"
    table.add_section()
    table.add_row("", "", "total", moved, format_fen(statement.in_fen + statement.out_fen), "", style="bold")
    return table


def _short(account: Account) -> str:
    """The account without the number of its order or withdrawal, which stands in the next column but one."""
    return account.account.partition(":")[0]


def _bank_table(page: ClosingPage) -> Table:
    table = Table(title="What the bank itself lists", title_justify="left", show_edge=False, pad_edge=False)
    for column in ("booked", "line", "kind", "number"):
        table.add_column(column, no_wrap=True)
    for column in ("amount", "balance"):
        table.add_column(column, justify="right", no_wrap=True)
    for line in page.bank_lines:
        table.add_row(
            f"{datetime.fromisoformat(line['booked_at']).astimezone(SHANGHAI):%Y-%m-%d}",
            line["bank_serial_no"],
            line["kind"],
            line["request_no"],
            format_fen(line["amount_fen"]),
            format_fen(line["balance_after_fen"]),
        )
    table.add_section()
    table.add_row("", "", "balance", "", "", format_fen(page.bank_balance_fen), style="bold")
    return table


def _check_line(check: Check) -> str:
    sign = "[red]✗[/]" if check.problems else "[green]✓[/]"
    figures = ", ".join(
        f"{name} {value if name == 'lines' else format_fen(value)}" for name, value in check.figures.items()
    )
    return f"  {sign} {escape(check.name)}{': ' + figures if figures else ''}"
