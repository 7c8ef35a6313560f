"""The books decide once: what is said is carried out or refused, told again to whoever repeats it, and never both."""

import asyncio
import inspect
from collections import Counter
from datetime import timedelta

import asyncpg
import pytest_asyncio

from escrow.domain.decisions import Command
from escrow.domain.money.journal import Basis, Change
from escrow.domain.orders import commands
from escrow.domain.orders.commands import CallOperator, DeadlinePassed, OperatorCame, OwnerReminded, PartyCommand
from escrow.domain.orders.milestones import MilestoneKind
from escrow.domain.orders.opening import ORDERS
from escrow.domain.orders.states import OrderCommand, OrderStatus
from escrow.ledger.consents import get_consent
from escrow.ledger.engine import Recorder
from escrow.ledger.invariants import check_invariants
from escrow.ledger.objects import object_events
from escrow.ledger.posting import LedgerWriter
from tests.ledger.books import HOME, posting
from tests.ledger.first_release import FirstRelease
from tests.ledger.orders import (
    CONTRACTOR,
    OWNER,
    PRICE_FEN,
    Parties,
    Wanted,
    all_at_once,
    books_of_another_process,
    done_there,
    open_platform,
)
from tests.postgres import Database
from tests.waiting import PATIENCE_SECONDS

PAY, START, COMPLETE = OrderCommand.PAY, OrderCommand.START, OrderCommand.COMPLETE
ACCEPT, RECTIFY, CANCEL = OrderCommand.ACCEPT, OrderCommand.RECTIFY, OrderCommand.CANCEL


@pytest_asyncio.fixture
async def order(owner: asyncpg.Connection, writer: LedgerWriter, recorder: Recorder) -> Parties:
    """An order of a platform that is open; nothing of it is recorded yet."""
    await open_platform(owner, writer)
    return Parties(writer, recorder, "D-1")


async def balance(recorder: Recorder, member_no: str, purpose: str) -> int:
    row = await recorder.row(
        "SELECT coalesce(sum(balance_fen), 0)::bigint AS fen FROM account WHERE member_no = $1 AND purpose = $2",
        member_no,
        purpose,
    )
    assert row is not None
    return int(row["fen"])


async def test_an_order_goes_from_its_contract_to_its_settlement(
    order: Parties, recorder: Recorder, owner: asyncpg.Connection
) -> None:
    await order.in_inspection(2)
    assert await balance(recorder, OWNER, "escrow") == PRICE_FEN - 300
    accepted = await order.done(await order.says(ACCEPT, OWNER, 2))
    assert accepted.answer is not None
    assert (accepted.answer["released_fen"], accepted.answer["commission_fen"]) == (401 - 20, 20)
    await order.done(await order.says(COMPLETE, CONTRACTOR, 3))
    silent = await order.done(await order.silence(3))
    assert silent.object is not None
    assert (silent.object.status, silent.object.state.milestone(3).accepted_by) == ("in_warranty", "silence")
    over = await order.done(await order.passes("warranty"))
    assert over.object is not None
    assert (over.object.state.status, over.object.state.held_fen) == (OrderStatus.SETTLED, 0)
    assert await balance(recorder, OWNER, "escrow") == 0
    assert await balance(recorder, CONTRACTOR, "withdrawable") == 950
    assert await balance(recorder, "", "fees") == 50
    assert await owner.fetchval("SELECT count(*) FROM deadline") == 0
    assert await owner.fetchval("SELECT count(*) FROM consent WHERE asked AND answered_at IS NULL") == 0
    assert await check_invariants(owner) == []


async def test_whoever_lost_an_answer_is_told_it_again_whatever_was_asked(
    order: Parties, owner: asyncpg.Connection, database: Database
) -> None:
    """Every kind of command is carried out once, and asked again by books that know nothing of it."""
    wishes = (
        order.opening,
        lambda: order.says(PAY, OWNER),
        lambda: order.says(START, CONTRACTOR),
        lambda: order.says(COMPLETE, CONTRACTOR, 2),
        lambda: order.says(RECTIFY, OWNER, 2),
        lambda: order.passes("M2:work:1"),
        lambda: order.says(COMPLETE, CONTRACTOR, 2, "again"),
        lambda: order.says(ACCEPT, OWNER, 2),
        lambda: order.says(COMPLETE, CONTRACTOR, 3),
        lambda: reminder(order, 3),
        lambda: order.passes("M3:inspection:1"),
        lambda: operator_called(order),
        lambda: operator_came(order),
        lambda: order.says(CANCEL, CONTRACTOR),
        lambda: order.says(CANCEL, OWNER),
    )
    done: list[tuple[Command, object]] = []
    for wish in wishes:
        command = await wish()
        done.append((command, (await order.done(command)).answer))
    direct = Parties(*(await others(database)), "D-2")
    await direct.opened()
    payment = await direct.paid_by_channel("P-1", paid_fen=PRICE_FEN + 7)
    done_direct = (await direct.done(payment)).answer
    try:
        assert {type(item) for item, _ in [*done, (payment, None)]} == every_kind()
        assert {item.operation for item, _ in done if isinstance(item, PartyCommand)} == set(OrderCommand)
        before = await owner.fetchval("SELECT count(*) FROM request")
        for knows_nothing in (order.books, direct.books):
            for item, answer in done:
                again = await knows_nothing.take(ORDERS, HOME, "D-1", item)
                assert (again.answer, again.is_repeat) == (answer, True), item
                assert (again.version, again.object and again.object.status) == (len(wishes), "cancelled")
            again = await knows_nothing.take(ORDERS, HOME, "D-2", payment)
            assert (again.answer, again.is_repeat) == (done_direct, True)
        assert await owner.fetchval("SELECT count(*) FROM request") == before
    finally:
        await direct.close()


async def others(database: Database) -> tuple[LedgerWriter, Recorder]:
    """Connections as another process has them."""
    return await LedgerWriter.start(database.dsn), Recorder(database.dsn)


async def reminder(order: Parties, milestone: int) -> OwnerReminded:
    await order.passes(f"M{milestone}:reminder:1")
    return OwnerReminded(milestone=milestone, round=1)


async def operator_called(order: Parties) -> CallOperator:
    return CallOperator(reason="look at this", seen_version=12)


async def operator_came(order: Parties) -> OperatorCame:
    return OperatorCame(seen_version=13)


def every_kind() -> set[type]:
    """Commands of orders, read from where they are written."""
    found = {kind for _, kind in inspect.getmembers(commands, inspect.isclass) if kind.__module__ == commands.__name__}
    return {kind for kind in found if not kind.__name__.startswith("_")}


async def test_what_was_refused_is_told_again_until_it_is_said_anew(order: Parties, recorder: Recorder) -> None:
    await order.in_work()
    early = await order.says(ACCEPT, OWNER, 2)
    for _ in range(2):
        refused = await order.take(early)
        assert refused.refusal is not None
        assert refused.refusal.code == "order_state"
        assert refused.object is not None
        assert refused.object.status == "in_progress"
    void = await get_consent(recorder, HOME, early.request_no)
    assert void is not None
    assert void.voided_at is not None
    await order.done(await order.says(COMPLETE, CONTRACTOR, 2))
    refused = await order.take(early)
    assert refused.refusal is not None
    assert refused.refusal.message.startswith("The order is in_progress and milestone 2 is in_work")
    await order.done(await order.says(ACCEPT, OWNER, 2))


async def test_who_misquotes_a_word_does_not_take_it_away(order: Parties, recorder: Recorder) -> None:
    await order.in_inspection(2)
    word = await order.says(ACCEPT, OWNER, 2)
    for wrong in (
        word.model_copy(update={"by": CONTRACTOR}),
        word.model_copy(update={"operation": RECTIFY}),
        word.model_copy(update={"milestone": 3}),
    ):
        misquoted = await order.take(wrong)
        assert misquoted.refusal is not None
        assert misquoted.refusal.code == "basis_mismatch"
    elsewhere = await order.books.take(ORDERS, HOME, "D-404", word)
    assert elsewhere.refusal is not None
    kept = await get_consent(recorder, HOME, word.request_no)
    assert kept is not None
    assert kept.voided_at is None
    await order.done(word)
    misquoted = await order.take(word.model_copy(update={"operation": RECTIFY}))
    assert misquoted.refusal is not None
    assert misquoted.refusal.code == "basis_mismatch"


async def test_a_word_that_is_recorded_nowhere_or_about_another_amount_moves_nothing(order: Parties) -> None:
    await order.in_inspection(2)
    said_by_hand = PartyCommand(operation=ACCEPT, request_no="by-hand", by=OWNER, milestone=2)
    unknown = await order.take(said_by_hand)
    assert unknown.refusal is not None
    assert unknown.refusal.code == "basis_missing"
    less = await order.take(await order.says(ACCEPT, OWNER, 2, "less", amount_fen=1))
    assert less.refusal is not None
    assert less.refusal.code == "basis_mismatch"
    assert less.object is not None
    assert less.object.state.milestone(2).accepted_by is None


async def test_time_that_has_not_passed_says_what_is_left(order: Parties) -> None:
    await order.in_inspection(2)
    early = await order.take(DeadlinePassed(deadline="M2:inspection:1"))
    assert early.remaining is not None
    assert timedelta(days=7) - early.remaining < timedelta(minutes=1)
    assert early.refusal is None
    unknown = await order.take(DeadlinePassed(deadline="M2:inspection:2"))
    assert unknown.refusal is not None
    assert unknown.refusal.code == "order_state"


async def test_silence_waits_for_what_was_said_and_not_answered(order: Parties) -> None:
    await order.in_inspection(2)
    await order.passes("M2:reminder:1")
    word = await order.says(RECTIFY, OWNER, 2)
    silence = await order.silence(2)
    waits = await order.take(silence)
    assert waits.remaining == timedelta(0)
    rectified = await order.done(word)
    assert rectified.object is not None
    left = rectified.object.state.milestone(2).inspection_left
    assert left is not None
    assert abs(timedelta(hours=24) - left) < timedelta(minutes=1)
    late = await order.take(silence)
    assert late.refusal is not None
    assert late.refusal.code == "order_state"


async def test_silence_does_not_count_without_a_reminder(order: Parties) -> None:
    await order.in_inspection(2)
    silence = await order.passes("M2:inspection:1")
    assert (await order.take(silence)).remaining == timedelta(0)
    await order.done(OwnerReminded(milestone=2, round=1))
    left = (await order.take(silence)).remaining
    assert left is not None
    assert timedelta(hours=24) - left < timedelta(minutes=1)


async def test_of_forty_who_contradict_each_other_one_is_obeyed(
    order: Parties, owner: asyncpg.Connection, recorder: Recorder, database: Database
) -> None:
    """Twenty here and twenty in another process accept, have rectified, or let time pass."""
    alone = Parties(order.writer, recorder, "D-3", [(MilestoneKind.ACCEPTANCE, 500)])
    await alone.in_inspection(1)
    await alone.silence(1)
    words = [await alone.says((ACCEPT, RECTIFY)[number % 2], OWNER, 1, f"w-{number}") for number in range(36)]
    here = Wanted(order_no="D-3", words=words[::2], deadlines=["M1:inspection:1"] * 2)
    there = Wanted(order_no="D-3", words=words[1::2], deadlines=["M1:inspection:1"] * 2)
    async with books_of_another_process(database.dsn) as process:
        told = await asyncio.gather(all_at_once(order.books, here), done_there(process, there))
    await told_alike(Counter([*told[0], *told[1]]), owner, recorder, "D-3", before=5)


async def test_of_forty_who_pay_one_is_obeyed(
    order: Parties, owner: asyncpg.Connection, recorder: Recorder, database: Database
) -> None:
    """The money would do for five of them."""
    await order.opened()
    pays = [await order.says(PAY, OWNER, number=f"p-{number}") for number in range(40)]
    async with books_of_another_process(database.dsn) as process:
        told = await asyncio.gather(
            all_at_once(order.books, Wanted(order_no="D-1", words=pays[::2])),
            done_there(process, Wanted(order_no="D-1", words=pays[1::2])),
        )
    await told_alike(Counter([*told[0], *told[1]]), owner, recorder, "D-1", before=1)
    assert await balance(recorder, OWNER, "escrow") == PRICE_FEN


async def told_alike(
    told: Counter[str], owner: asyncpg.Connection, recorder: Recorder, order_no: str, *, before: int
) -> None:
    """One was carried out, all others found the order in another state, and the books are sound."""
    assert set(told) <= {"done", "order_state", "not_due"}, told
    assert told["done"] == 1, told
    assert len(await object_events(recorder, HOME, "order", order_no)) == before + 1
    assert await check_invariants(owner) == []


async def test_an_order_of_the_first_release_is_found_again_and_goes_on(
    order: Parties, owner: asyncpg.Connection, writer: LedgerWriter, recorder: Recorder
) -> None:
    """What was done then is told when it is asked again; then both sides go on, and silence counts as ever."""
    first = FirstRelease(writer, recorder, "D-1")
    pay, start = await order.says(PAY, OWNER), await order.says(START, CONTRACTOR)
    complete, wish = await order.says(COMPLETE, CONTRACTOR, 2), await order.says(CANCEL, CONTRACTOR)
    await first.until_inspection(
        **{
            word.operation.value: Basis(
                kind="consent",
                reference=word.request_no,
                operation_hash=first.contract.consent_hash(word.operation, by=word.by, milestone=word.milestone),
            )
            for word in (pay, start, complete)
        },
        wish=(CONTRACTOR, wish.request_no),
    )
    await owner.execute(
        "UPDATE consent c SET answered_at = (SELECT max(e.recorded_at) FROM event e WHERE e.object_no = c.object_no)"
    )
    for word in (pay, start, complete, wish):
        again = await order.take(word)
        assert again.is_repeat, (word, again.refusal)
        assert again.answer is not None
        assert (again.answer["request_no"], again.answer["order_status"]) == (word.request_no, "in_progress")
    rectified = await order.done(await order.says(RECTIFY, OWNER, 2))
    assert rectified.object is not None
    assert rectified.object.state.proposal is not None
    await order.done(await order.says(COMPLETE, CONTRACTOR, 2, "again"))
    await order.done(await order.silence(2, 2))
    await order.done(await order.says(COMPLETE, CONTRACTOR, 3))
    await order.done(await order.says(ACCEPT, OWNER, 3))
    over = await order.done(await order.passes("warranty"))
    assert over.object is not None
    assert over.object.state.status is OrderStatus.SETTLED
    assert await balance(recorder, CONTRACTOR, "withdrawable") == 950
    assert await check_invariants(owner) == []


async def test_of_many_who_repeat_one_word_one_carries_it_out_and_all_are_told_the_same(
    order: Parties, database: Database
) -> None:
    await order.in_inspection(2)
    word = await order.says(ACCEPT, OWNER, 2)
    elsewhere = Parties(*(await others(database)), "D-1")
    try:
        told = await asyncio.gather(*(parties.take(word) for parties in (order, elsewhere) * 10))
    finally:
        await elsewhere.close()
    assert Counter(taken.is_repeat for taken in told) == {False: 1, True: 19}
    assert all(taken.answer == told[0].answer for taken in told)
    assert {(taken.version, taken.object and taken.object.version) for taken in told} == {(5, 5)}


async def test_a_second_payment_under_one_consent_is_not_taken_for_the_first(
    order: Parties, owner: asyncpg.Connection
) -> None:
    await order.opened()
    first = await order.done(await order.paid_by_channel("P-1", paid_fen=PRICE_FEN))
    again = await order.take(await order.paid_by_channel("P-1", paid_fen=PRICE_FEN))
    assert (again.answer, again.is_repeat) == (first.answer, True)
    second = await order.take(await order.paid_by_channel("P-2", paid_fen=PRICE_FEN))
    assert second.refusal is not None
    assert second.refusal.code == "order_state"
    assert await owner.fetchval("SELECT count(*) FROM request WHERE request_no LIKE ':channel-payment:%'") == 1


async def test_a_payment_that_was_booked_for_something_else_pays_no_order(order: Parties, writer: LedgerWriter) -> None:
    await order.opened()
    waits = Change(kind="bank_credit", object_no="P-9", event_type="bank_credit.suspended", status="suspended")
    await writer.post(posting(changes=(waits,), request_no=":channel-payment:P-9"))
    taken = await order.take(await order.paid_by_channel("P-9", paid_fen=PRICE_FEN))
    assert taken.refusal is not None
    assert taken.refusal.code == "request_no_reused"
    assert taken.object is not None
    assert taken.object.status == "awaiting_payment"


async def test_an_old_refusal_does_not_void_what_was_said_anew(
    order: Parties, owner: asyncpg.Connection, database: Database
) -> None:
    """The stage is reported, and the owner accepts once more, while somebody still refuses his first word."""
    await order.in_work()
    word = await order.says(ACCEPT, OWNER, 2)
    locker = await asyncpg.connect(database.dsn)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), locker.transaction():
            await locker.execute("SELECT FROM consent WHERE consent_no = $1 FOR UPDATE", word.request_no)
            slow = asyncio.create_task(order.take(word))
            while not await owner.fetchval(_WAITED_FOR, locker.get_server_pid()):
                await asyncio.sleep(0.01)
            await order.done(await order.says(COMPLETE, CONTRACTOR, 2))
            for what in ("voided_at = recorded_at", "voided_at = NULL, recorded_at = books_now(platform_no)"):
                await locker.execute(f"UPDATE consent SET {what} WHERE consent_no = $1", word.request_no)
        taken = await slow
    finally:
        await locker.close()
    assert taken.answer is not None, taken.refusal
    assert taken.answer["released_fen"] > 0


_WAITED_FOR = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE $1::int = ANY (pg_blocking_pids(pid)))"
