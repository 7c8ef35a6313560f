"""Closing an accounting day while others post into it."""

import asyncio
from datetime import date, timedelta

import asyncpg
import pytest

from escrow.domain.errors import Refused
from escrow.domain.money import recipes
from escrow.domain.money.accounts import Purpose
from escrow.domain.money.journal import Basis
from escrow.ledger.balances import member_balances, platform_balances
from escrow.ledger.charges import cover_bank_charges
from escrow.ledger.days import accounting_day, close_day, roll_pending, sweep_commission
from escrow.ledger.engine import Recorder, connect
from escrow.ledger.invariants import check_invariants
from escrow.ledger.posting import LedgerWriter
from tests.ledger.books import DAY, HOME, booked_by_bank, fresh, open_day, posting, top_up
from tests.postgres import Database

_NEXT = DAY + timedelta(days=1)


async def test_closing_a_day_makes_its_pending_money_withdrawable(
    owner: asyncpg.Connection, writer: LedgerWriter, recorder: Recorder
) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 300, pending_day=DAY)
    await top_up(owner, writer, "O-1", 50, pending_day=_NEXT)
    closed = await close_day(recorder, writer, HOME, DAY)
    assert (closed.open_day, closed.matured_fen) == (_NEXT, 300)
    balances = await member_balances(recorder, HOME, "O-1")
    assert (balances.withdrawable_fen, balances.pending_fen_by_day) == (300, {_NEXT: 50})
    again = await close_day(recorder, writer, HOME, DAY)
    assert (again.open_day, again.matured_fen) == (_NEXT, 0)


async def test_money_that_returns_to_a_closed_day_matures_at_the_next_closing(
    owner: asyncpg.Connection, writer: LedgerWriter, recorder: Recorder
) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 300, pending_day=DAY)
    await close_day(recorder, writer, HOME, DAY)
    await top_up(owner, writer, "O-1", 20, pending_day=DAY)
    assert await roll_pending(recorder, writer, HOME) == 20
    assert (await member_balances(recorder, HOME, "O-1")).withdrawable_fen == 320


async def test_two_closings_at_once_move_the_money_once(
    database: Database, owner: asyncpg.Connection, writer: LedgerWriter, recorder: Recorder
) -> None:
    await open_day(owner)
    for member in range(5):
        await top_up(owner, writer, f"O-{member}", 100, pending_day=DAY)
    other = await LedgerWriter.start(database.dsn)
    closings = await asyncio.gather(close_day(recorder, writer, HOME, DAY), close_day(recorder, other, HOME, DAY))
    await other.close()
    assert sum(closing.matured_fen for closing in closings) == 500
    assert {closing.open_day for closing in closings} == {_NEXT}
    assert (await platform_balances(recorder, HOME)).fen_by_purpose[Purpose.WITHDRAWABLE] == 500


async def test_a_closed_day_gets_no_entry_from_those_who_were_posting(
    database: Database, owner: asyncpg.Connection, recorder: Recorder
) -> None:
    await open_day(owner)
    writers = [await LedgerWriter.start(database.dsn) for _ in range(3)]
    serial_nos = [await booked_by_bank(owner, 10) for _ in range(120)]

    async def credit(number: int) -> date:
        entry = recipes.top_up_credited(
            platform_no=HOME,
            member_no=f"O-{number % 7}",
            amount_fen=10,
            bank_serial_no=serial_nos[number],
            effective_date=DAY,
        )
        basis = Basis(kind="bank_line", reference=serial_nos[number])
        return (await writers[number % 3].post(posting(entry=entry, bases=(basis,)))).accounting_day

    async def close(days: int) -> dict[date, int]:
        entries: dict[date, int] = {}
        for day in (DAY + timedelta(days=number) for number in range(days)):
            await asyncio.sleep(0.01)
            await close_day(recorder, writers[0], HOME, day)
            entries[day] = await owner.fetchval("SELECT count(*) FROM entry WHERE accounting_day = $1", day)
        return entries

    credits = asyncio.gather(*(credit(number) for number in range(len(serial_nos))))
    at_closing = await close(4)
    days = await credits
    for day, entries in at_closing.items():
        assert await owner.fetchval("SELECT count(*) FROM entry WHERE accounting_day = $1", day) == entries
        assert days.count(day) == entries
    connection = await connect(database.dsn)
    assert await check_invariants(connection) == []
    await connection.close()
    for writer in writers:
        await writer.close()


async def test_commission_is_swept_to_the_platform_once(
    owner: asyncpg.Connection, writer: LedgerWriter, recorder: Recorder
) -> None:
    await open_day(owner)
    await top_up(owner, writer, "C-1", 1000)
    serial_no = await booked_by_bank(owner, -900)
    paid = recipes.withdrawal_paid(
        platform_no=HOME,
        member_no="C-1",
        withdrawal_no=await _held_withdrawal(owner, writer, 1000),
        principal_fen=900,
        fee_fen=100,
        bank_serial_no=serial_no,
    )
    await writer.post(posting(entry=paid, bases=(Basis(kind="bank_line", reference=serial_no),)))
    swept = await asyncio.gather(*(sweep_commission(recorder, writer, HOME) for _ in range(3)))
    assert sum(swept) == 100
    balances = (await platform_balances(recorder, HOME)).fen_by_purpose
    assert (balances[Purpose.FEES], balances[Purpose.OWN], balances[Purpose.CUSTODY]) == (0, 100, -100)


async def test_commission_makes_good_what_the_bank_charged_before_it_is_swept(
    owner: asyncpg.Connection, writer: LedgerWriter, recorder: Recorder
) -> None:
    await open_day(owner)
    for charge_fen in (-30, -100):
        serial_no = await booked_by_bank(owner, charge_fen)
        charge = recipes.bank_charge_booked(
            platform_no=HOME, amount_fen=-charge_fen, bank_serial_no=serial_no, effective_date=DAY
        )
        await writer.post(posting(entry=charge, bases=(Basis(kind="bank_line", reference=serial_no),)))
    assert await cover_bank_charges(recorder, writer, HOME) == 130
    for amount_fen, swept_fen, owed_fen in ((50, 0, 80), (100, 20, 0)):
        await _fee_earned(owner, writer, amount_fen)
        assert await sweep_commission(recorder, writer, HOME) == swept_fen
        assert await cover_bank_charges(recorder, writer, HOME) == owed_fen
    balances = (await platform_balances(recorder, HOME)).fen_by_purpose
    assert (balances[Purpose.OWN], balances[Purpose.BANK_CHARGES]) == (20, 0)


async def _fee_earned(owner: asyncpg.Connection, writer: LedgerWriter, fee_fen: int) -> None:
    number = fresh("W")
    await top_up(owner, writer, "C-1", fee_fen + 1)
    credited = await owner.fetchval("SELECT request_no FROM entry ORDER BY id DESC LIMIT 1")
    held = recipes.withdrawal_requested(platform_no=HOME, member_no="C-1", withdrawal_no=number, amount_fen=fee_fen + 1)
    await writer.post(posting(entry=held, bases=(Basis(kind="release", reference=credited),)))
    serial_no = await booked_by_bank(owner, -1)
    paid = recipes.withdrawal_paid(
        platform_no=HOME,
        member_no="C-1",
        withdrawal_no=number,
        principal_fen=1,
        fee_fen=fee_fen,
        bank_serial_no=serial_no,
    )
    await writer.post(posting(entry=paid, bases=(Basis(kind="bank_line", reference=serial_no),)))


async def _held_withdrawal(owner: asyncpg.Connection, writer: LedgerWriter, amount_fen: int) -> str:
    credited = await owner.fetchval("SELECT request_no FROM entry")
    held = recipes.withdrawal_requested(platform_no=HOME, member_no="C-1", withdrawal_no="W-1", amount_fen=amount_fen)
    await writer.post(posting(entry=held, bases=(Basis(kind="release", reference=credited),)))
    return "W-1"


async def test_days_of_an_unknown_platform_are_refused(recorder: Recorder, writer: LedgerWriter) -> None:
    for call in (accounting_day(recorder, "NONE"), close_day(recorder, writer, "NONE", DAY)):
        with pytest.raises(Refused) as refusal:
            await call
        assert refusal.value.code == "platform_unknown"
