"""What the bank booked on a custody account, kept as it came, and whether an entry of ours has posted it.

Counterparties are personal data: they are sealed in the row and opened only here.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Final, Protocol

import asyncpg
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from escrow.domain.errors import Refused
from escrow.ledger.engine import Recorder
from escrow.ledger.personal_data import PersonalDataBox
from escrow.ledger.tables import BankLineRow


class BookedLine(Protocol):
    """A line as the bank reports it; credits positive, debits negative, in fen."""

    @property
    def line_no(self) -> int:
        """Number of the line on its account, ascending."""

    @property
    def bank_serial_no(self) -> str:
        """The bank's serial number, unique."""

    @property
    def kind(self) -> str:
        """`inbound`, `payout`, `charge` or `return`."""

    @property
    def amount_fen(self) -> int:
        """Amount with its sign."""

    @property
    def booked_at(self) -> datetime:
        """When the bank booked it, timezone-aware."""

    @property
    def value_date(self) -> date:
        """The bank's value date."""

    @property
    def balance_after_fen(self) -> int:
        """Balance of the custody account after the line."""

    @property
    def request_no(self) -> str:
        """Our request number where the line answers one, else empty."""

    @property
    def counterparty_account_no(self) -> str:
        """Account on the other side, may be empty."""

    @property
    def counterparty_name(self) -> str:
        """Name on the other side, may be empty."""

    @property
    def remark(self) -> str:
        """The payer's text, may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBankLine:
    """A kept line, its counterparty in the clear: never log or store that elsewhere.

    `entry_id` is the entry that posted it, None while it is unposted.
    """

    platform_no: str
    line_no: int
    bank_serial_no: str
    kind: str
    amount_fen: int
    booked_at: datetime
    value_date: date
    balance_after_fen: int
    request_no: str
    counterparty_account_no: str
    counterparty_name: str
    remark: str
    entry_id: int | None


_SEALED: Final = ("counterparty_account_no", "counterparty_name", "remark")
#: What of a line is stored in the clear.
_CLEAR: Final = tuple(field.name for field in fields(StoredBankLine) if field.name not in _SEALED)


class BankLines:
    """Keeps and finds bank lines.

    Args:
        recorder: access to the books.
        box: seals and opens the counterparties.
    """

    def __init__(self, recorder: Recorder, box: PersonalDataBox) -> None:
        self._recorder = recorder
        self._box = box

    async def record(self, platform_no: str, lines: Sequence[BookedLine]) -> int:
        """Keep lines the bank reported; says how many are new. A line already kept stays as it is.

        Raises:
            Refused: `bank_line_differs` when a kept serial number or line number comes back with another amount.
        """
        if not lines:
            return 0
        rows = [self._row(platform_no, line) for line in lines]
        async with self._recorder.transaction() as session:
            inserted = await session.exec(
                insert(BankLineRow).values(rows).on_conflict_do_nothing().returning(col(BankLineRow.bank_serial_no))
            )
            new = len(inserted.all())
            kept = await session.exec(
                select(BankLineRow).where(
                    BankLineRow.platform_no == platform_no,
                    col(BankLineRow.line_no).in_([line.line_no for line in lines]),
                )
            )
            known = {(row.line_no, row.bank_serial_no, row.amount_fen) for row in kept.all()}
            for line in lines:
                if (line.line_no, line.bank_serial_no, line.amount_fen) not in known:
                    raise Refused(
                        "bank_line_differs",
                        f"The bank reports line {line.line_no} otherwise than before; ask the bank.",
                        {"line_no": line.line_no, "bank_serial_no": line.bank_serial_no},
                    )
        return new

    async def last_line_no(self, platform_no: str) -> int:
        """Highest line number kept, zero when there is none."""
        row = await self._recorder.row("SELECT max(line_no) AS last FROM bank_line WHERE platform_no = $1", platform_no)
        return 0 if row is None else row["last"] or 0

    async def unposted(
        self, platform_no: str, kinds: Collection[str] | None = None, *, limit: int = 1000
    ) -> list[StoredBankLine]:
        """The first lines, of these kinds or of all, that no entry has posted yet; in the bank's order."""
        rows = await self._recorder.rows(
            "SELECT * FROM bank_line WHERE platform_no = $1 AND entry_id IS NULL"
            " AND ($2::text[] IS NULL OR kind = ANY($2)) ORDER BY line_no LIMIT $3",
            platform_no,
            None if kinds is None else list(kinds),
            limit,
        )
        return [self._opened(row) for row in rows]

    async def get(self, platform_no: str, bank_serial_no: str) -> StoredBankLine:
        """One kept line.

        Raises:
            Refused: `not_found`.
        """
        row = await self._recorder.row(
            "SELECT * FROM bank_line WHERE platform_no = $1 AND bank_serial_no = $2", platform_no, bank_serial_no
        )
        if row is None:
            raise Refused("not_found", f"No bank line {bank_serial_no} is kept.")
        return self._opened(row)

    def _row(self, platform_no: str, line: BookedLine) -> dict[str, object]:
        counterparty = [line.counterparty_account_no, line.counterparty_name, line.remark]
        return {
            "platform_no": platform_no,
            "bank_serial_no": line.bank_serial_no,
            "line_no": line.line_no,
            "kind": line.kind,
            "amount_fen": line.amount_fen,
            "booked_at": line.booked_at,
            "value_date": line.value_date,
            "balance_after_fen": line.balance_after_fen,
            "request_no": line.request_no,
            "counterparty_sealed": self._box.seal(
                json.dumps(counterparty, ensure_ascii=False), place=_place(platform_no, line.bank_serial_no)
            ),
        }

    def _opened(self, row: asyncpg.Record) -> StoredBankLine:
        place = _place(row["platform_no"], row["bank_serial_no"])
        sealed = json.loads(self._box.open(row["counterparty_sealed"], place=place))
        return StoredBankLine(**{name: row[name] for name in _CLEAR}, **dict(zip(_SEALED, sealed, strict=True)))


def _place(platform_no: str, bank_serial_no: str) -> str:
    return f"{platform_no}/bank_line/{bank_serial_no}/counterparty"
