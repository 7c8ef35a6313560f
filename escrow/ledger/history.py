"""Account history: statement lines between an opening and a closing balance, in fen.

Pages follow the primary key of the lines, so that the cost of a page does not grow with the book. Days are
accounting days; both ends of a period are included.
"""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, true, tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import Select

from escrow.domain.money.accounts import AccountKey
from escrow.ledger.balances import find_account, key_of
from escrow.ledger.engine import Reader
from escrow.ledger.tables import Account, Entry, EntryLine

_FIRST_DAY = date.min
_LAST_DAY = date.max


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLine:
    """One line of an account as a statement shows it. `cursor` continues a list after this line."""

    account: AccountKey
    entry_id: int
    request_no: str
    recipe: str
    amount_fen: int
    balance_after_fen: int
    accounting_day: date
    effective_date: date
    occurred_at: datetime
    bank_serial_no: str
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A page of lines of a period; opening and closing belong to the whole period, not to the page."""

    opening_fen: int
    closing_fen: int
    lines: list[HistoryLine]


async def account_history(
    reader: Reader,
    account: AccountKey,
    *,
    first_day: date | None = None,
    last_day: date | None = None,
    after: str = "",
    limit: int = 100,
) -> History:
    """Lines of one account in the order they were posted.

    Args:
        first_day: first accounting day, None from the beginning.
        last_day: last accounting day, None to the end.
        after: cursor of the last line already read.
        limit: at most so many lines.

    Raises:
        ValueError: `after` is no cursor.
    """
    first_day, last_day = first_day or _FIRST_DAY, last_day or _LAST_DAY
    after_day, after_version = _read_cursor(after) if after else (first_day, 0)
    found = await find_account(reader, account)
    if found is None:
        return History(opening_fen=0, closing_fen=0, lines=[])
    account_id = found.account_id
    query = (
        _lines()
        .where(
            col(EntryLine.account_id) == account_id,
            col(EntryLine.accounting_day) <= last_day,
            tuple_(col(EntryLine.accounting_day), col(EntryLine.version)) > tuple_(after_day, after_version),
        )
        .order_by(col(EntryLine.accounting_day), col(EntryLine.version))
        .limit(limit)
    )
    async with reader.session() as session:
        rows = (await session.exec(query)).all()
        opening_fen = await _balance_of_account(session, account_id, first_day, including=False)
        closing_fen = await _balance_of_account(session, account_id, last_day, including=True)
    lines = [
        _history_line(line, entry, account, cursor=f"{line.accounting_day.isoformat()}.{line.version}")
        for line, entry, _ in rows
    ]
    return History(opening_fen=opening_fen, closing_fen=closing_fen, lines=lines)


async def member_history(
    reader: Reader,
    platform_no: str,
    member_no: str,
    *,
    first_day: date,
    last_day: date,
    after: str = "",
    limit: int = 100,
) -> History:
    """Lines of all accounts of a member in order of their entries; opening and closing are sums over the accounts.

    Args:
        after: cursor of the last line already read.

    Raises:
        ValueError: `after` is no cursor.
    """
    after_entry, after_account = _read_numbers(after) if after else (0, 0)
    of_member = (col(Account.platform_no) == platform_no, col(Account.member_no) == member_no)
    # An expression on purpose: in order of the plain column the planner may walk the whole book by entry to find the
    # first lines of a quiet member, instead of reading that member's accounts.
    entry_order = (col(EntryLine.entry_id) + 0, col(EntryLine.account_id))
    query = (
        _lines()
        .where(
            *of_member,
            col(EntryLine.accounting_day).between(first_day, last_day),
            tuple_(*entry_order) > tuple_(after_entry, after_account),
        )
        .order_by(*entry_order)
        .limit(limit)
    )
    async with reader.session() as session:
        rows = (await session.exec(query)).all()
        opening_fen = await _balance_of_member(session, platform_no, member_no, first_day, including=False)
        closing_fen = await _balance_of_member(session, platform_no, member_no, last_day, including=True)
    lines = [
        _history_line(line, entry, key_of(account), cursor=f"{line.entry_id}.{line.account_id}")
        for line, entry, account in rows
    ]
    return History(opening_fen=opening_fen, closing_fen=closing_fen, lines=lines)


def _lines() -> Select[EntryLine, Entry, Account]:
    return (
        select(EntryLine, Entry, Account)
        .join(Account, col(Account.id) == col(EntryLine.account_id))
        .join(Entry, col(Entry.id) == col(EntryLine.entry_id))
    )


async def _balance_of_account(session: AsyncSession, account_id: int, day: date, *, including: bool) -> int:
    until = col(EntryLine.accounting_day) <= day if including else col(EntryLine.accounting_day) < day
    query = (
        select(EntryLine.balance_after_fen)
        .where(EntryLine.account_id == account_id, until)
        .order_by(col(EntryLine.accounting_day).desc(), col(EntryLine.version).desc())
        .limit(1)
    )
    return (await session.exec(query)).one_or_none() or 0


async def _balance_of_member(
    session: AsyncSession, platform_no: str, member_no: str, day: date, *, including: bool
) -> int:
    until = col(EntryLine.accounting_day) <= day if including else col(EntryLine.accounting_day) < day
    last = (
        select(col(EntryLine.balance_after_fen))
        .where(col(EntryLine.account_id) == col(Account.id), until)
        .order_by(col(EntryLine.accounting_day).desc(), col(EntryLine.version).desc())
        .limit(1)
        .lateral()
    )
    query = (
        select(func.coalesce(func.sum(last.c.balance_after_fen), 0))
        .select_from(Account)
        .join(last, true())
        .where(col(Account.platform_no) == platform_no, col(Account.member_no) == member_no)
    )
    return int((await session.exec(query)).one())


def _history_line(line: EntryLine, entry: Entry, account: AccountKey, *, cursor: str) -> HistoryLine:
    return HistoryLine(
        account=account,
        entry_id=entry.id,
        request_no=entry.request_no,
        recipe=entry.recipe,
        amount_fen=line.amount_fen,
        balance_after_fen=line.balance_after_fen,
        accounting_day=line.accounting_day,
        effective_date=entry.effective_date,
        occurred_at=entry.occurred_at,
        bank_serial_no=entry.bank_serial_no,
        cursor=cursor,
    )


def _read_cursor(cursor: str) -> tuple[date, int]:
    day, _, version = cursor.partition(".")
    return date.fromisoformat(day), int(version)


def _read_numbers(cursor: str) -> tuple[int, int]:
    first, _, second = cursor.partition(".")
    return int(first), int(second)
