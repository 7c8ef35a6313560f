"""A posting stands on what was read for it: versions, the day, counters; its answer is kept with its number."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import asyncpg
import pytest

from escrow.domain.errors import Refused
from escrow.domain.money.journal import Change, CounterUse, Posting, StandsOn
from escrow.ledger.days import close_day
from escrow.ledger.engine import Recorder
from escrow.ledger.objects import get_object, object_events
from escrow.ledger.posting import LedgerWriter, post_on
from tests.ledger.books import DAY, HOME, fresh, open_day, posting


def changed(object_no: str, *, version: int, **body: object) -> Posting:
    change = Change(kind="order", object_no=object_no, event_type="order.noted", status="x", body=body, replaces=True)
    made = posting(changes=(change,))
    return replace(made, stands_on=(StandsOn(kind="order", object_no=object_no, version=version),))


async def code_of(call: object) -> str:
    with pytest.raises(Refused) as refusal:
        await call  # type: ignore[misc]  # any awaitable of the writer
    return refusal.value.code


@pytest.fixture(autouse=True)
async def day(owner: asyncpg.Connection) -> None:
    await open_day(owner)


async def test_what_has_changed_since_it_was_read_is_not_posted_on(writer: LedgerWriter, recorder: Recorder) -> None:
    await writer.post(changed("D-1", version=0, step=1))
    assert await code_of(writer.post(changed("D-1", version=0, step=2))) == "moved"
    await writer.post(changed("D-1", version=1, step=3))
    assert await code_of(writer.post(changed("D-1", version=1, step=4))) == "moved"
    stored = await get_object(recorder, HOME, "order", "D-1")
    assert stored is not None
    assert (stored.sequence_no, stored.body) == (2, {"step": 3})


async def test_an_object_that_was_only_read_must_not_have_changed_either(writer: LedgerWriter) -> None:
    await writer.post(changed("C-1", version=0))
    on_member = StandsOn(kind="order", object_no="C-1", version=1)
    first = changed("D-2", version=0)
    await writer.post(replace(first, stands_on=(*first.stands_on, on_member)))
    await writer.post(changed("C-1", version=1))
    second = changed("D-2", version=1)
    assert await code_of(writer.post(replace(second, stands_on=(*second.stands_on, on_member)))) == "moved"


async def test_of_many_that_stand_on_one_version_one_is_posted(writer: LedgerWriter, recorder: Recorder) -> None:
    await writer.post(changed("D-3", version=0))
    outcomes = await asyncio.gather(
        *(writer.post(changed("D-3", version=1, by=number)) for number in range(40)), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    assert len(refused) == 39
    assert {refusal.code for refusal in refused} == {"moved"}
    assert len(await object_events(recorder, HOME, "order", "D-3")) == 2


async def test_a_document_is_replaced_and_its_event_says_what_changed(writer: LedgerWriter, recorder: Recorder) -> None:
    await writer.post(changed("D-4", version=0, kept=1, gone=2))
    change = Change(
        kind="order", object_no="D-4", event_type="e", status="y", body={"kept": 3}, replaces=True, event={"kept": 3}
    )
    await writer.post(posting(changes=(change,)))
    stored = await get_object(recorder, HOME, "order", "D-4")
    assert stored is not None
    assert stored.body == {"kept": 3}
    assert [event.body for event in await object_events(recorder, HOME, "order", "D-4")] == [
        {"kept": 1, "gone": 2},
        {"kept": 3},
    ]


async def test_a_repeat_is_told_what_was_told_the_first_time(writer: LedgerWriter) -> None:
    first = replace(changed("D-5", version=0), answer={"released_fen": 9_007_199_254_740_993})
    assert (await writer.post(first)).answer is None
    repeat = await writer.post(replace(first, answer={"released_fen": 1}))
    assert repeat.repeated
    assert repeat.answer == {"released_fen": 9_007_199_254_740_993}


async def test_a_day_that_was_closed_since_it_was_read_is_noticed(
    writer: LedgerWriter, recorder: Recorder, owner: asyncpg.Connection
) -> None:
    read_before = replace(changed("D-6", version=0), accounting_day=DAY)
    await writer.post(replace(changed("D-7", version=0), accounting_day=DAY))
    await close_day(recorder, writer, HOME, DAY)
    assert await code_of(writer.post(read_before)) == "moved"
    assert await owner.fetchval("SELECT day FROM platform_day") == date(2026, 3, 2) + timedelta(days=1)


def using(amount_fen: int, *, maximum_fen: int | None = 1_000) -> Posting:
    use = CounterUse(name="order/O-1/2026-03-02", add_fen=amount_fen, maximum_fen=maximum_fen, limit="limits.x")
    return replace(posting(), counters=(use,))


async def test_a_counter_never_exceeds_its_maximum(writer: LedgerWriter, owner: asyncpg.Connection) -> None:
    outcomes = await asyncio.gather(*(writer.post(using(300)) for _ in range(12)), return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    assert len(refused) == 9
    assert refused[0].code == "limit_exceeded"
    assert refused[0].details == {"limit": "limits.x", "limit_fen": 1_000}
    await writer.post(using(-300))
    await writer.post(using(400))
    assert await owner.fetchval("SELECT amount_fen FROM counter") == 1_000


async def test_what_comes_to_nothing_never_takes_a_counter_below_zero(
    writer: LedgerWriter, owner: asyncpg.Connection
) -> None:
    await writer.post(using(-300))
    await writer.post(using(200, maximum_fen=None))
    await writer.post(using(-900))
    assert await owner.fetchval("SELECT amount_fen FROM counter") == 0


async def test_postings_of_one_transaction_share_a_counter(owner: asyncpg.Connection) -> None:
    async with owner.transaction():
        await post_on(owner, [using(600), using(400)])
    assert await owner.fetchval("SELECT amount_fen FROM counter") == 1_000
    with pytest.raises(Refused):
        await post_on(owner, [using(0), using(1)])


async def test_a_number_taken_by_another_content_is_named_before_versions_are(writer: LedgerWriter) -> None:
    taken = replace(changed("D-8", version=0), request_no=fresh("taken"))
    await writer.post(taken)
    other = replace(changed("D-9", version=7), request_no=taken.request_no, content={"other": True})
    assert await code_of(writer.post(other)) == "request_no_reused"
