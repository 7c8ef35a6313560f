"""Every command of every object is carried out once, though its worker died after the commit and before its answer."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from escrow.ledger.engine import Recorder
from escrow.ledger.invariants import check_invariants
from escrow.ledger.objects import Event, object_events
from tests.forging import command_types
from tests.ledger import said_of_members, said_of_money, said_of_orders
from tests.ledger.books import HOME
from tests.ledger.said import Ground, Row, a_worker
from tests.postgres import Database

ROWS: list[Row] = [*said_of_orders.ROWS, *said_of_money.ROWS, *said_of_members.ROWS]


def test_every_command_that_there_is_has_a_row() -> None:
    assert {row.command for row in ROWS} == command_types()


@pytest_asyncio.fixture
async def ground(owner: asyncpg.Connection, database: Database) -> AsyncIterator[Ground]:
    async with a_worker(database.dsn) as worker:
        ground = Ground(owner, worker)
        await ground.opens()
        yield ground


async def whole_books(owner: asyncpg.Connection) -> dict[str, str]:
    """All that stands in every table, in short."""
    tables = await owner.fetch("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
    return {
        table["name"]: await owner.fetchval(
            f"""SELECT md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) FROM "{table["name"]}" t"""
        )
        for table in tables
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_what_a_worker_did_before_it_died_is_told_to_the_next_ones_and_not_done_again(
    row: Row, ground: Ground, database: Database, owner: asyncpg.Connection, recorder: Recorder
) -> None:
    said = await row.prepared(ground)
    assert said.command is None or type(said.command) is row.command

    async def events() -> list[Event]:
        return await object_events(recorder, HOME, said.kind, said.object_no)

    before = len(await events())
    async with a_worker(database.dsn) as dies:
        told = await said.take(dies)
    assert not told.is_repeat
    posted = (await events())[before:]
    assert [event.event_type for event in posted] == [row.posts]
    assert told.follows == row.follows
    if said.command is not None:
        kept = await recorder.row("SELECT answer FROM request WHERE request_no = $1", posted[0].request_no)
        assert kept is not None
        assert told.answer == kept["answer"]
    whole = await whole_books(owner)

    for _ in range(2):
        async with a_worker(database.dsn) as lives:
            again = await said.take(lives)
        assert again == told
        assert again.is_repeat is not False
        assert await whole_books(owner) == whole
    assert await check_invariants(owner) == []
