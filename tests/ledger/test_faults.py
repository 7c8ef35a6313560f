"""The database goes away: nothing lost, nothing twice, and the writer comes back by itself."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from escrow.domain.errors import LedgerUnavailable
from escrow.domain.money.journal import Receipt
from escrow.ledger.balances import member_balances
from escrow.ledger.engine import Recorder, connect, ping
from escrow.ledger.invariants import check_invariants
from escrow.ledger.posting import LedgerWriter
from escrow.stack.postgres import PostgresServer
from tests.ledger.books import CLOSED, HOME, matured, open_day, top_up
from tests.postgres import Database, new_database, running_server


@pytest_asyncio.fixture
async def own_server() -> AsyncIterator[PostgresServer]:
    """A server that this test may kill."""
    async with running_server() as server:
        yield server


@pytest_asyncio.fixture
async def own_database(own_server: PostgresServer) -> Database:
    return await new_database(own_server)


async def fund(database: Database, amount_fen: int) -> None:
    owner = await asyncpg.connect(database.dsn)
    writer = await LedgerWriter.start(database.dsn)
    await open_day(owner)
    await top_up(owner, writer, "O-1", amount_fen, pending_day=CLOSED)
    await writer.close()
    await owner.close()


async def applied_requests(database: Database) -> list[str]:
    owner = await asyncpg.connect(database.dsn)
    rows = await owner.fetch("SELECT request_no FROM entry WHERE recipe = 'pending_matured'")
    await owner.close()
    return [row["request_no"] for row in rows]


async def test_a_database_killed_and_restarted_under_load_loses_and_repeats_nothing(
    own_server: PostgresServer, own_database: Database
) -> None:
    await fund(own_database, 10_000)
    writers = [await LedgerWriter.start(own_database.dsn, retry_seconds=30) for _ in range(3)]
    numbers = [f"load-{number}" for number in range(1500)]
    receipts: list[Receipt] = []

    async def caller(share: int) -> None:
        for number in numbers[share::20]:
            receipts.append(await writers[share % 3].post(matured("O-1", 1, request_no=number)))

    load = asyncio.gather(*(caller(share) for share in range(20)))
    for answered in (200, 700):
        while len(receipts) < answered:
            await asyncio.sleep(0.001)
        await own_server.kill()
        assert not load.done()
        await own_server.start()
    await load
    for writer in writers:
        await writer.close()
    assert sorted(receipt.request_no for receipt in receipts) == sorted(numbers)
    assert sorted(await applied_requests(own_database)) == sorted(numbers)
    recorder = Recorder(own_database.dsn)
    assert (await member_balances(recorder, HOME, "O-1")).withdrawable_fen == len(numbers)
    await recorder.close()
    connection = await connect(own_database.dsn)
    assert await check_invariants(connection) == []
    await connection.close()


async def test_while_the_database_is_away_callers_are_told_and_may_repeat(
    own_server: PostgresServer, own_database: Database
) -> None:
    await fund(own_database, 100)
    writer = await LedgerWriter.start(own_database.dsn, retry_seconds=0.2)
    recorder = Recorder(own_database.dsn)
    await writer.post(matured("O-1", 1, request_no="before"))
    await ping(recorder)
    await own_server.kill()
    with pytest.raises(LedgerUnavailable) as unavailable:
        await writer.post(matured("O-1", 1, request_no="meanwhile"))
    assert unavailable.value.code == "ledger_unavailable"
    with pytest.raises(LedgerUnavailable):
        await ping(recorder)
    await own_server.start()
    assert not (await writer.post(matured("O-1", 1, request_no="meanwhile"))).repeated
    assert (await writer.post(matured("O-1", 1, request_no="before"))).repeated
    await ping(recorder)
    await writer.close()
    await recorder.close()


async def test_a_writer_starts_before_its_database_does(own_server: PostgresServer, own_database: Database) -> None:
    await fund(own_database, 100)
    await own_server.kill()
    writer = await LedgerWriter.start(own_database.dsn, retry_seconds=30)
    posting = asyncio.create_task(writer.post(matured("O-1", 1)))
    await asyncio.sleep(0.2)
    assert not posting.done()
    await own_server.start()
    assert not (await posting).repeated
    await writer.close()


async def test_a_caller_that_gives_up_does_not_disturb_the_others(
    database: Database, owner: asyncpg.Connection, writer: LedgerWriter
) -> None:
    await fund(database, 100)
    locker = await asyncpg.connect(database.dsn)
    async with locker.transaction():
        await locker.execute("SELECT 1 FROM account WHERE purpose = 'pending' FOR UPDATE")
        sent = asyncio.create_task(writer.post(matured("O-1", 1, request_no="sent")))
        await asyncio.sleep(0.1)
        waiting = asyncio.create_task(writer.post(matured("O-1", 1, request_no="waiting")))
        patient = asyncio.create_task(writer.post(matured("O-1", 1, request_no="patient")))
        await asyncio.sleep(0)
        for impatient in (sent, waiting):
            impatient.cancel()
    assert not (await patient).repeated
    await locker.close()
    # One was cancelled in mid-call and may be applied; the one not sent yet never is.
    assert set(await applied_requests(database)) == {"sent", "patient"}


async def test_a_closed_writer_writes_what_waits_and_takes_no_more(
    database: Database, owner: asyncpg.Connection
) -> None:
    await fund(database, 100)
    writer = await LedgerWriter.start(database.dsn)
    waiting = [asyncio.create_task(writer.post(matured("O-1", 1))) for _ in range(10)]
    await asyncio.sleep(0)
    await writer.close()
    assert len(await asyncio.gather(*waiting)) == 10
    with pytest.raises(LedgerUnavailable):
        await writer.post(matured("O-1", 1))


async def test_writers_that_share_accounts_never_deadlock(database: Database, owner: asyncpg.Connection) -> None:
    await open_day(owner)
    seed = await LedgerWriter.start(database.dsn)
    for member in range(6):
        await top_up(owner, seed, f"O-{member}", 10_000, pending_day=CLOSED)
    await seed.close()
    writers = [await LedgerWriter.start(database.dsn) for _ in range(4)]
    before = await owner.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    await asyncio.gather(*(writers[n % 4].post(matured(f"O-{(n * 7) % 6}", 1)) for n in range(800)))
    assert await owner.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == before
    for writer in writers:
        await writer.close()
