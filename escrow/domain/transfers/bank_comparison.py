"""Comparing the custody account in our books with the bank's own account of it.

What must hold: the bank's balance less our custody equals the bank lines that we have not posted, each listed; none
is left when nothing is in flight. Amounts are fen, credits positive.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from escrow.domain.money.amounts import format_fen


@dataclass(frozen=True, slots=True, kw_only=True)
class LineAtBank:
    """A line of the custody account as the bank shows it now."""

    line_no: int
    bank_serial_no: str
    kind: str
    amount_fen: int
    balance_after_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LineKept:
    """The same line as we kept it; `posted` says whether an entry of ours stands behind it."""

    bank_serial_no: str
    amount_fen: int
    posted: bool


def differences(
    *,
    at_bank: Sequence[LineAtBank],
    kept: Mapping[int, LineKept],
    bank_balance_fen: int,
    custody_fen: int,
) -> list[str]:
    """One sentence for each difference, naming its line; empty when both books are equal.

    Args:
        at_bank: all lines of the account, ascending.
        kept: our copies by line number.
        bank_balance_fen: balance that the bank answers.
        custody_fen: balance that our books expect at the bank.
    """
    found: list[str] = []
    unposted_fen = 0
    balance_fen = 0
    for line in at_bank:
        balance_fen += line.amount_fen
        if line.balance_after_fen != balance_fen:
            found.append(f"{_name(line)}: the bank's balance after it does not follow from its lines")
            balance_fen = line.balance_after_fen
        ours = kept.get(line.line_no)
        if ours is not None and (ours.bank_serial_no, ours.amount_fen) != (line.bank_serial_no, line.amount_fen):
            found.append(f"{_name(line)} was another line when we kept it: {ours.bank_serial_no}")
        if ours is None or not ours.posted:
            unposted_fen += line.amount_fen
            found.append(f"{_name(line)} is not posted in our books")
    numbers = {line.line_no for line in at_bank}
    found += [f"bank line {number} that we kept is unknown to the bank" for number in sorted(kept.keys() - numbers)]
    if bank_balance_fen - custody_fen != unposted_fen:
        found.append(
            f"the bank shows {format_fen(bank_balance_fen)}, our custody {format_fen(custody_fen)}, and lines not "
            f"posted explain {format_fen(unposted_fen)} of the difference"
        )
    return found


def _name(line: LineAtBank) -> str:
    return f"bank line {line.line_no} ({line.bank_serial_no}, {line.kind}, {format_fen(line.amount_fen)})"
