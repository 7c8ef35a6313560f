"""Recipes of micro-deposits: paid from the platform's own sub-account, and booked back there. Amounts in fen."""

from datetime import date

from escrow.domain.money import accounts
from escrow.domain.money.journal import JournalEntry
from escrow.domain.money.recipes import balanced_entry, require_positive


def micro_deposit_sent(*, platform_no: str, amount_fen: int, bank_serial_no: str, effective_date: date) -> JournalEntry:
    """The bank booked a micro-deposit out of custody; it is the platform's own money."""
    require_positive(amount_fen=amount_fen)
    return balanced_entry(
        "micro_deposit_sent",
        (accounts.own(platform_no), -amount_fen),
        (accounts.custody(platform_no), amount_fen),
        bank_serial_no=bank_serial_no,
        effective_date=effective_date,
    )


def micro_deposit_returned(
    *, platform_no: str, amount_fen: int, bank_serial_no: str, effective_date: date
) -> JournalEntry:
    """The payee's bank gave a micro-deposit back."""
    require_positive(amount_fen=amount_fen)
    return balanced_entry(
        "micro_deposit_returned",
        (accounts.custody(platform_no), -amount_fen),
        (accounts.own(platform_no), amount_fen),
        bank_serial_no=bank_serial_no,
        effective_date=effective_date,
    )
