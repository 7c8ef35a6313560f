"""Our side of the custody account, to be compared with the bank's."""

from dataclasses import dataclass

from sqlalchemy import text

from escrow.domain.transfers.bank_comparison import LineKept
from escrow.ledger.engine import Reader

_CUSTODY = text("SELECT -balance_fen FROM account WHERE platform_no = :platform_no AND purpose = 'custody'")
_LINES = text(
    "SELECT line_no, bank_serial_no, amount_fen, entry_id IS NOT NULL AS posted FROM bank_line"
    " WHERE platform_no = :platform_no"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustodyBooks:
    """What our books expect at the bank, in fen, and the bank lines kept, by line number."""

    custody_fen: int
    kept: dict[int, LineKept]


async def custody_books(reader: Reader, platform_no: str) -> CustodyBooks:
    """Custody balance and kept bank lines of a platform, both of one moment.

    Raises:
        LedgerUnavailable: the database cannot be reached.
    """
    parameters = {"platform_no": platform_no}
    async with reader.snapshot() as connection:
        custody_fen = await connection.scalar(_CUSTODY, parameters)
        rows = (await connection.execute(_LINES, parameters)).all()
    return CustodyBooks(
        custody_fen=custody_fen or 0,
        kept={
            row.line_no: LineKept(bank_serial_no=row.bank_serial_no, amount_fen=row.amount_fen, posted=row.posted)
            for row in rows
        },
    )
