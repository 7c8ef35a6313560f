"""One time decides: the database's, and for a platform of a sandbox so much more as its story runs ahead."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from escrow.domain.errors import Refused
from escrow.domain.money.journal import Basis, Change, DeadlineChange
from escrow.ledger.books_time import begin_story, books_now, is_sandbox, move_story
from escrow.ledger.engine import Recorder
from escrow.ledger.posting import LedgerWriter, transaction
from escrow.migrations.migrate import migrate
from escrow.stack.postgres import PostgresServer
from tests.ledger.books import HOME, open_day, posting, top_up
from tests.postgres import new_database

_LONG_AGO = datetime(2025, 9, 30, 1, 0, tzinfo=UTC)
_MOMENT = timedelta(minutes=1)


async def begins(recorder: Recorder, platform_no: str, moment: datetime) -> None:
    async with transaction(recorder) as session:
        await begin_story(session, platform_no, moment)


async def test_a_story_begins_at_any_moment_and_goes_on_from_there(recorder: Recorder) -> None:
    await begins(recorder, HOME, _LONG_AGO)
    assert timedelta(0) <= await books_now(recorder, HOME) - _LONG_AGO < _MOMENT
    await move_story(recorder, HOME, _LONG_AGO + timedelta(days=90))
    assert timedelta(0) <= await books_now(recorder, HOME) - _LONG_AGO - timedelta(days=90) < _MOMENT


async def test_the_clock_of_one_platform_moves_no_other(recorder: Recorder) -> None:
    before = await books_now(recorder, "AWAY")
    await move_story(recorder, HOME, before + timedelta(days=7))
    assert await books_now(recorder, "AWAY") - before < _MOMENT
    assert await books_now(recorder, HOME) - before >= timedelta(days=7)


async def test_a_clock_goes_forward_only(recorder: Recorder) -> None:
    shown = await move_story(recorder, HOME, await books_now(recorder, HOME) + timedelta(days=7))
    assert await move_story(recorder, HOME, shown - timedelta(days=3)) >= shown
    assert await books_now(recorder, HOME) >= shown


async def test_a_story_that_has_begun_begins_at_no_other_moment(
    recorder: Recorder, writer: LedgerWriter, owner: asyncpg.Connection
) -> None:
    await open_day(owner)
    await top_up(owner, writer, "O-1", 100)
    with pytest.raises(Refused) as refused:
        await begins(recorder, HOME, _LONG_AGO)
    assert refused.value.code == "story_begun"


async def test_the_time_of_books_that_are_no_sandbox_cannot_be_moved(server: PostgresServer) -> None:
    database = await new_database(server, migrated=False)
    await migrate(database.dsn)
    recorder = Recorder(database.dsn)
    try:
        assert not await is_sandbox(recorder)
        for moved in (begins, move_story):
            with pytest.raises(Refused) as refused:
                await moved(recorder, HOME, _LONG_AGO)
            assert refused.value.code == "no_sandbox"
        # Not by the application's own hand either.
        for statement in (
            "INSERT INTO sandbox_stack DEFAULT VALUES",
            "INSERT INTO story_clock VALUES ('HOME', '1 day')",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await recorder.write(statement)
        await migrate(database.dsn, sandbox=True)
        assert await is_sandbox(recorder)
    finally:
        await recorder.close()


async def test_what_a_posting_says_of_the_future_is_not_believed(
    recorder: Recorder, writer: LedgerWriter, owner: asyncpg.Connection
) -> None:
    await open_day(owner)
    change = Change(kind="order", object_no="D-1", event_type="order.opened", status="open")
    tomorrow = await books_now(recorder, HOME) + timedelta(days=1)
    await writer.post(posting(changes=(change,), occurred_at=tomorrow))
    assert await owner.fetchval("SELECT occurred_at FROM event") <= await books_now(recorder, HOME) < tomorrow


async def test_a_deadline_is_due_by_the_books_and_a_refusal_says_how_much_is_left(
    recorder: Recorder, writer: LedgerWriter, owner: asyncpg.Connection
) -> None:
    await open_day(owner)
    due_at = await books_now(recorder, HOME) + timedelta(days=7)
    armed = DeadlineChange(object_kind="order", object_no="D-1", name="silence", due_at=due_at)
    await writer.post(posting(deadlines=(armed,)))
    silence = Basis(kind="deadline", reference="order/D-1/silence")
    with pytest.raises(Refused) as refused:
        await writer.post(posting(bases=(silence,), request_no="early", occurred_at=due_at))
    assert refused.value.code == "basis_not_due"
    assert timedelta(days=6) < timedelta(seconds=refused.value.details["remaining_seconds"]) <= timedelta(days=7)
    await move_story(recorder, HOME, due_at)
    await writer.post(posting(bases=(silence,), request_no="early"))
