"""Accounting days: closing one, making its pending money withdrawable, and sweeping commission.

A posting reads its platform's day under a shared lock and closing takes it alone, so a day is closed only when
every posting of that day has committed, and takes none afterwards.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from sqlmodel import col, select

from escrow.domain.errors import Refused
from escrow.domain.money import recipes
from escrow.domain.money.accounts import AccountKey, Purpose, fees
from escrow.domain.money.journal import Basis, JournalEntry, Posting
from escrow.domain.requests import derived
from escrow.ledger.balances import AccountBalance, balance_of, find_account
from escrow.ledger.books_time import books_now_within
from escrow.ledger.charges import cover_bank_charges
from escrow.ledger.engine import Reader, Recorder
from escrow.ledger.posting import LedgerWriter
from escrow.ledger.tables import Account, PlatformDay

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class DayClosed:
    """What closing a day did: the day now open, and the pending money that became withdrawable, in fen."""

    open_day: date
    matured_fen: int


async def accounting_day(reader: Reader, platform_no: str) -> date:
    """The open accounting day of a platform.

    Raises:
        Refused: `platform_unknown`.
    """
    async with reader.session() as session:
        row = await session.get(PlatformDay, platform_no)
    if row is None:
        raise _unknown(platform_no)
    return row.day


async def close_day(recorder: Recorder, writer: LedgerWriter, platform_no: str, day: date) -> DayClosed:
    """Close all days of a platform up to `day`, then make their pending money withdrawable; repeatable.

    Raises:
        Refused: `platform_unknown`.
    """
    async with recorder.transaction() as session:
        locked = await session.exec(
            select(PlatformDay)
            .where(PlatformDay.platform_no == platform_no)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        row = locked.one_or_none()
        if row is None:
            raise _unknown(platform_no)
        if day >= row.day:
            row.day = day + timedelta(days=1)
            row.opened_at = await books_now_within(session, platform_no)
        open_day = row.day
    matured_fen = await roll_pending(recorder, writer, platform_no)
    return DayClosed(open_day=open_day, matured_fen=matured_fen)


async def roll_pending(reader: Reader, writer: LedgerWriter, platform_no: str) -> int:
    """Make pending money of closed days withdrawable; returns how much this call moved, in fen."""
    open_day = await accounting_day(reader, platform_no)
    moved_fen = 0
    for pending in await _pending_before(reader, platform_no, open_day):
        moved_fen += await _move_all(reader, writer, pending)
    return moved_fen


async def sweep_commission(reader: Reader, writer: LedgerWriter, platform_no: str) -> int:
    """Move all commission and fees to the platform's own sub-account; returns how much this call moved, in fen.

    What the bank charged and nobody made good yet is taken out of them first.
    """
    await cover_bank_charges(reader, writer, platform_no)
    found = await find_account(reader, fees(platform_no))
    return await _move_all(reader, writer, found) if found is not None else 0


async def _move_all(reader: Reader, writer: LedgerWriter, source: AccountBalance) -> int:
    # The request number names the state of the account that was seen: two closings at once move it once, and
    # money that returns to a closed day later is moved by the next closing under another number.
    for _ in range(_ATTEMPTS):
        if source.balance_fen <= 0:
            return 0
        entry = _emptying(source.account, source.balance_fen)
        posting = Posting(
            platform_no=source.account.platform_no,
            request_no=derived(entry.recipe, source.account_id, source.version),
            content={"account": str(source.account), "amount_fen": source.balance_fen},
            entry=entry,
            bases=(Basis(kind="none"),),
        )
        try:
            receipt = await writer.post(posting)
        except Refused as refusal:
            if refusal.code != "insufficient_balance":
                raise
        else:
            return 0 if receipt.repeated else source.balance_fen
        changed = await find_account(reader, source.account)
        if changed is None:
            return 0
        source = changed
    return 0  # others keep spending it; what is left is moved by the next closing


def _emptying(account: AccountKey, amount_fen: int) -> JournalEntry:
    if account.purpose is Purpose.PENDING:
        return recipes.pending_matured(
            platform_no=account.platform_no,
            member_no=account.member_no,
            day=date.fromisoformat(account.ref),
            amount_fen=amount_fen,
        )
    return recipes.commission_swept(platform_no=account.platform_no, amount_fen=amount_fen)


async def _pending_before(reader: Reader, platform_no: str, open_day: date) -> list[AccountBalance]:
    query = (
        select(Account)
        .where(
            Account.platform_no == platform_no,
            Account.purpose == Purpose.PENDING.value,
            Account.ref < open_day.isoformat(),
            Account.balance_fen > 0,
        )
        .order_by(col(Account.id))
    )
    async with reader.session() as session:
        return [balance_of(row) for row in (await session.exec(query)).all()]


def _unknown(platform_no: str) -> Refused:
    return Refused("platform_unknown", f"Platform {platform_no} is not open.", {"platform_no": platform_no})
