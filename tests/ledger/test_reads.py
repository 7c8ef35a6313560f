"""What the books answer: balances, histories, objects and their events."""

import asyncio
from datetime import date

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from escrow.domain.money.accounts import Purpose, withdrawable
from escrow.domain.money.journal import Change
from escrow.ledger.balances import account_balance_fen, list_accounts, member_balances, platform_balances
from escrow.ledger.days import accounting_day
from escrow.ledger.engine import Reader, Recorder, ping
from escrow.ledger.history import account_history, member_history
from escrow.ledger.objects import event_feed, get_object, list_objects, object_events
from escrow.ledger.posting import LedgerWriter, run
from tests.ledger.books import CLOSED, DAY, HOME, matured, open_day, posting, top_up
from tests.postgres import Database


async def test_a_member_sees_what_can_be_withdrawn_and_what_is_pending(
    owner: asyncpg.Connection, writer: LedgerWriter, recorder: Recorder
) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 700)
    await top_up(owner, writer, "O-1", 300, pending_day=DAY)
    balances = await member_balances(recorder, HOME, "O-1")
    assert (balances.withdrawable_fen, balances.pending_fen_by_day) == (700, {DAY: 300})
    assert (balances.pending_fen, balances.available_fen, balances.in_escrow_fen) == (300, 1000, 0)
    assert (await member_balances(recorder, "OTHER", "O-1")).available_fen == 0


async def test_custody_at_the_bank_is_the_sum_of_all_sub_accounts(
    owner: asyncpg.Connection, writer: LedgerWriter, recorder: Recorder
) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 700)
    await top_up(owner, writer, "O-2", 300, pending_day=DAY)
    balances = await platform_balances(recorder, HOME)
    assert balances.custody_at_bank_fen == 1000
    assert balances.fen_by_purpose == {Purpose.CUSTODY: -1000, Purpose.WITHDRAWABLE: 700, Purpose.PENDING: 300}
    assert await account_balance_fen(recorder, withdrawable(HOME, "O-1")) == 700
    assert await account_balance_fen(recorder, withdrawable(HOME, "nobody")) == 0
    listed = await list_accounts(recorder, HOME, member_no="O-2")
    assert [(str(row.account), row.balance_fen) for row in listed] == [("O-2/pending:2026-03-02", 300)]


async def test_a_history_runs_from_its_opening_to_its_closing_balance_page_by_page(
    owner: asyncpg.Connection, writer: LedgerWriter, recorder: Recorder
) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 1000)
    await top_up(owner, writer, "O-1", 60, pending_day=DAY)
    await owner.execute("UPDATE platform_day SET day = $1", date(2026, 3, 3))
    for amount_fen in (10, 20, 30):
        await writer.post(matured("O-1", amount_fen, day=DAY))
    account, second = withdrawable(HOME, "O-1"), date(2026, 3, 3)
    whole = await account_history(recorder, account, first_day=second)
    assert (whole.opening_fen, whole.closing_fen) == (1000, 1060)
    assert [line.amount_fen for line in whole.lines] == [10, 20, 30]
    assert [line.balance_after_fen for line in whole.lines] == [1010, 1030, 1060]
    first_page = await account_history(recorder, account, first_day=second, limit=2)
    rest = await account_history(recorder, account, first_day=second, after=first_page.lines[-1].cursor)
    assert first_page.lines + rest.lines == whole.lines
    before = await account_history(recorder, account, last_day=DAY)
    assert (before.opening_fen, before.closing_fen, len(before.lines)) == (0, 1000, 1)


async def test_a_member_history_holds_the_lines_of_all_its_accounts(
    owner: asyncpg.Connection, writer: LedgerWriter, recorder: Recorder
) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 60, pending_day=CLOSED)
    await writer.post(matured("O-1", 25))
    history = await member_history(recorder, HOME, "O-1", first_day=DAY, last_day=DAY)
    assert (history.opening_fen, history.closing_fen) == (0, 60)
    assert sorted((str(line.account), line.amount_fen) for line in history.lines) == [
        ("O-1/pending:2026-03-01", -25),
        ("O-1/pending:2026-03-01", 60),
        ("O-1/withdrawable", 25),
    ]
    page = await member_history(recorder, HOME, "O-1", first_day=DAY, last_day=DAY, limit=1)
    rest = await member_history(recorder, HOME, "O-1", first_day=DAY, last_day=DAY, after=page.lines[0].cursor)
    assert page.lines + rest.lines == history.lines


async def test_objects_and_their_events_are_listed_per_platform(
    owner: asyncpg.Connection, writer: LedgerWriter, recorder: Recorder
) -> None:
    for platform_no in (HOME, "OTHER"):
        await open_day(owner, platform_no)
    opened = Change(kind="order", object_no="D-1", event_type="order.opened", status="open", body={"total_fen": 5})
    paid = Change(kind="order", object_no="D-1", event_type="order.paid", status="paid", body={"paid_fen": 5})
    await writer.post(posting(changes=(opened,)))
    await writer.post(posting(changes=(paid,)))
    await writer.post(posting(changes=(opened,), platform_no="OTHER"))
    order = await get_object(recorder, HOME, "order", "D-1")
    assert order is not None
    assert (order.status, order.sequence_no, order.body) == ("paid", 2, {"total_fen": 5, "paid_fen": 5})
    assert await get_object(recorder, HOME, "order", "D-2") is None
    assert [row.platform_no for row in await list_objects(recorder, HOME, "order")] == [HOME]
    assert await list_objects(recorder, HOME, "order", status="open") == []
    events = await object_events(recorder, HOME, "order", "D-1", after_sequence_no=1)
    assert [(event.sequence_no, event.event_type, event.body) for event in events] == [
        (2, "order.paid", {"paid_fen": 5})
    ]
    feed = await event_feed(recorder, HOME)
    assert [event.event_type for event in feed] == ["order.opened", "order.paid"]
    assert [event.event_type for event in await event_feed(recorder, HOME, after=feed[0].cursor)] == ["order.paid"]


async def test_the_event_feed_never_passes_over_an_event_that_commits_late(
    owner: asyncpg.Connection, writer: LedgerWriter, recorder: Recorder
) -> None:
    await open_day(owner)
    slow = owner.transaction()
    await slow.start()
    await owner.execute("SELECT pg_current_xact_id()")
    await writer.post(posting(changes=(Change(kind="order", object_no="D-1", event_type="e", status="s"),)))
    assert await event_feed(recorder, HOME) == []
    await slow.rollback()
    assert [event.object_no for event in await event_feed(recorder, HOME)] == ["D-1"]


async def test_a_statement_of_an_unknown_account_is_empty(recorder: Recorder) -> None:
    history = await account_history(recorder, withdrawable(HOME, "nobody"))
    assert (history.opening_fen, history.closing_fen, history.lines) == (0, 0, [])
    with pytest.raises(ValueError, match="isoformat"):
        await account_history(recorder, withdrawable(HOME, "nobody"), after="no cursor")


async def test_many_readers_share_the_pool(owner: asyncpg.Connection, recorder: Recorder) -> None:
    await open_day(owner)
    await ping(recorder)
    assert set(await asyncio.gather(*(accounting_day(recorder, HOME) for _ in range(20)))) == {DAY}


async def test_a_reader_writes_nothing_whatever_it_is_asked(database: Database) -> None:
    reader = Reader(database.dsn)
    try:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await reader.row("INSERT INTO last_round (made_at) VALUES (now())")
        with pytest.raises(DBAPIError, match="read-only"):
            async with reader.session() as session:
                await run(session, "DELETE FROM attention")
    finally:
        await reader.close()
