"""What the bank booked on a custody account, kept as it came, and whether an entry of ours has posted it.

Counterparties are personal data: they are sealed in the row and opened only here.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from escrow.domain.errors import Refused
from escrow.ledger.engine import Reader
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


class BankLines:
    """Keeps and finds bank lines.

    Args:
        reader: access to the books.
        box: seals and opens the counterparties.
    """

    def __init__(self, reader: Reader, box: PersonalDataBox) -> None:
        self._reader = reader
        self._box = box

    async def record(self, platform_no: str, lines: Sequence[BookedLine]) -> int:
        """Keep lines the bank reported; says how many are new. A line already kept stays as it is.

        Raises:
            Refused: `bank_line_differs` when a kept serial number or line number comes back with another amount.
        """
        if not lines:
            return 0
        rows = [self._row(platform_no, line) for line in lines]
        async with self._reader.transaction() as session:
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
        query = select(func.max(BankLineRow.line_no)).where(BankLineRow.platform_no == platform_no)
        async with self._reader.session() as session:
            return (await session.exec(query)).one() or 0

    async def unposted(
        self, platform_no: str, kinds: Collection[str] | None = None, *, limit: int = 1000
    ) -> list[StoredBankLine]:
        """The first lines, of these kinds or of all, that no entry has posted yet; in the bank's order."""
        query = (
            select(BankLineRow)
            .where(
                BankLineRow.platform_no == platform_no,
                col(BankLineRow.entry_id).is_(None),
                kinds is None or col(BankLineRow.kind).in_(kinds),
            )
            .order_by(col(BankLineRow.line_no))
            .limit(limit)
        )
        async with self._reader.session() as session:
            return [self._opened(row) for row in (await session.exec(query)).all()]

    async def get(self, platform_no: str, bank_serial_no: str) -> StoredBankLine:
        """One kept line.

        Raises:
            Refused: `not_found`.
        """
        async with self._reader.session() as session:
            row = await session.get(BankLineRow, (platform_no, bank_serial_no))
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

    def _opened(self, row: BankLineRow) -> StoredBankLine:
        place = _place(row.platform_no, row.bank_serial_no)
        account_no, name, remark = json.loads(self._box.open(row.counterparty_sealed, place=place))
        return StoredBankLine(
            platform_no=row.platform_no,
            line_no=row.line_no,
            bank_serial_no=row.bank_serial_no,
            kind=row.kind,
            amount_fen=row.amount_fen,
            booked_at=row.booked_at,
            value_date=row.value_date,
            balance_after_fen=row.balance_after_fen,
            request_no=row.request_no,
            counterparty_account_no=account_no,
            counterparty_name=name,
            remark=remark,
            entry_id=row.entry_id,
        )


def _place(platform_no: str, bank_serial_no: str) -> str:
    return f"{platform_no}/bank_line/{bank_serial_no}/counterparty"
