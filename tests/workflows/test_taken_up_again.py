"""Whatever is done to a process on Temporal, the books have it taken up: in each state that waits, by each fault.

One stack, all rows at once: each object is brought to its state, its run is broken, rounds are made, and then time
passes until each has come to its right end. Other kinds of objects add their rows to `ROWS`.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from temporalio.client import WorkflowExecutionStatus

from activities.taking_up import Did
from escrow.domain.orders.commands import CallOperator
from escrow.domain.orders.opening import ORDERS
from escrow.domain.orders.states import OrderCommand
from escrow.ledger.attention import waiting_for_a_person
from escrow.ledger.books import Books, see
from escrow.stack.up import Stack
from tests.api.platforms import order_body
from tests.waiting import some_at_a_time, until
from tests.workflows.blows import Cell, Prepare, Row, cells_of, nothing, printed
from tests.workflows.breaking import BREAKS, HOLDING, input_of, stranger_comes, terminated
from tests.workflows.house_of_rounds import House, opened_house
from workflows.messages import PROCESSES

_TOTAL_FEN = 1_000_000


def _orders(*steps: str) -> Prepare:
    """Opens an order and gives it commands: `pay`, `start`, `2/complete` …"""

    async def prepared(house: House, order_no: str) -> None:
        await house.platform.open_order(order_no, total_fen=_TOTAL_FEN)
        for step in steps:
            milestone, _, operation = step.rpartition("/")
            path = f"{order_no}/milestones/{milestone}/{operation}" if milestone else f"{order_no}/{operation}"
            by = "O-1" if operation in ("pay", "accept", "rectify") else "C-1"
            await house.platform.command(path, f"{order_no}-{milestone}{operation}", by)

    return prepared


async def _opening_that_a_stranger_hears(house: House, order_no: str) -> None:
    await stranger_comes(house.client, PROCESSES["order"].workflow_id(house.platform.number, order_no))
    await _opening_that_nobody_hears(house, order_no)


async def _opening_that_nobody_hears(house: House, order_no: str) -> None:
    await house.opening_is_asked(order_body(order_no, total_fen=_TOTAL_FEN))


async def _withdrawal_that_nobody_hears(house: House, withdrawal_no: str) -> None:
    await house.withdrawal_is_asked(withdrawal_no, _TOTAL_FEN)


async def _payment_that_nobody_hears(house: House, payment_no: str) -> None:
    await house.payment_is_asked(payment_no, 100)


async def _accepted(house: House, order_no: str) -> None:
    await house.word_is_asked(order_no, OrderCommand.ACCEPT, "O-1", 2)


async def _agreed(house: House, order_no: str) -> None:
    await house.word_is_asked(order_no, OrderCommand.CANCEL, "O-1")


async def _order_that_needs_attention(house: House, order_no: str) -> None:
    """An operator is called as by whoever finds that something is wrong."""
    await _orders(*_IN_WORK)(house, order_no)
    reader, platform_no = house.books.recorder, house.platform.number
    seen = await see(reader, ORDERS, platform_no, order_no)
    call = CallOperator(reason="ask both sides", seen_version=seen.version)
    await Books(house.writer, reader).take(ORDERS, platform_no, order_no, call)


def _is_overdue(body: Mapping[str, Any]) -> bool:
    return "M2 水电验收 is overdue" in body["attention"]


def _accepted_by(who: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda body: bool(body["milestones"][1]["accepted_by"] == who)


_IN_WORK = ("pay", "start")
_IN_INSPECTION = (*_IN_WORK, "2/complete")
_ENDED_RUNS = {name: fault for name, fault in BREAKS.items() if not name.startswith("reset")}

ROWS: dict[str, Row] = {
    "order that nobody has opened": Row(
        kind="order",
        prepared=_opening_that_nobody_hears,
        status="closed_unpaid",
        faults={"never begun": nothing},
    ),
    "order whose id a stranger had before": Row(
        kind="order",
        prepared=_opening_that_a_stranger_hears,
        status="closed_unpaid",
        faults={"never begun": nothing},
    ),
    "withdrawal that nobody has begun": Row(
        kind="withdrawal",
        prepared=_withdrawal_that_nobody_hears,
        status="paid",
        faults={"never begun": nothing},
    ),
    "payment that nobody has made": Row(
        kind="payment",
        prepared=_payment_that_nobody_hears,
        status="done",
        faults={"never begun": nothing},
    ),
    "order awaiting payment": Row(
        kind="order", prepared=_orders(), waits_in="awaiting_payment", stage="planned", status="closed_unpaid"
    ),
    "order awaiting start": Row(
        kind="order",
        prepared=_orders("pay"),
        waits_in="awaiting_start",
        stage="planned",
        status="cancelled",
        ends=lambda body: bool(body["refunded_fen"] == _TOTAL_FEN),
    ),
    "order in work": Row(
        kind="order",
        prepared=_orders(*_IN_WORK),
        waits_in="in_progress",
        stage="in_work",
        status="in_progress",
        ends=_is_overdue,
    ),
    "order that waits for an operator": Row(
        kind="order",
        prepared=_order_that_needs_attention,
        waits_in="in_progress",
        stage="in_work",
        status="in_progress",
        ends=_is_overdue,
    ),
    "order with a cancel proposed": Row(
        kind="order",
        prepared=_orders(*_IN_WORK, "cancel"),
        waits_in="in_progress",
        stage="in_work",
        status="in_progress",
        ends=_is_overdue,
    ),
    "order with a cancel proposed, agreed unheard": Row(
        kind="order",
        prepared=_orders(*_IN_WORK, "cancel"),
        waits_in="in_progress",
        stage="in_work",
        status="cancelled",
        ends=lambda body: bool(body["cancelled_because"] == "cancelled by consent"),
        faults=_ENDED_RUNS,
        said=_agreed,
    ),
    "order in inspection": Row(
        kind="order",
        prepared=_orders(*_IN_INSPECTION),
        waits_in="in_progress",
        stage="in_inspection",
        status="in_progress",
        ends=_accepted_by("silence"),
        texts=1,
    ),
    "order in inspection, accepted unheard": Row(
        kind="order",
        prepared=_orders(*_IN_INSPECTION),
        waits_in="in_progress",
        stage="in_inspection",
        status="in_progress",
        ends=_accepted_by("O-1"),
        faults=_ENDED_RUNS,
        said=_accepted,
    ),
    "order in rectification": Row(
        kind="order",
        prepared=_orders(*_IN_INSPECTION, "2/rectify"),
        waits_in="in_progress",
        stage="in_rectification",
        status="in_progress",
        ends=_is_overdue,
    ),
    "order in warranty": Row(
        kind="order",
        prepared=_orders(*_IN_INSPECTION, "2/accept", "3/complete", "3/accept"),
        waits_in="in_warranty",
        stage="released",
        status="settled",
        ends=lambda body: bool(body["released_fen"] + body["commission_fen"] == _TOTAL_FEN),
    ),
}
#: Workflow types whose objects have no rows, and why.
WITHOUT_ROWS = {
    "Rounds": "the worker looks after it",
    "BankWatch": "the worker looks after it; test_money_blows.py breaks it too",
    "IdentityCheck": "test_members_taken_up.py has its rows",
    "AccountVerification": "test_members_taken_up.py has its rows",
    "Mandate": "test_members_taken_up.py has its rows",
    "MemberClosing": "test_members_taken_up.py has its rows",
}


@pytest.fixture
async def house(broken_stack: Stack) -> AsyncIterator[House]:
    async with opened_house(broken_stack) as opened:
        card = await opened.platform.open_owner()
        await opened.platform.open_contractor()
        await opened.platform.top_up(card, _TOTAL_FEN * len(cells_of(ROWS)))
        yield opened
        await opened.books_are_sound_and_equal()


async def test_whatever_is_done_to_a_run_the_object_comes_to_its_right_end(house: House, tables: list[str]) -> None:
    table = cells_of(ROWS)
    await some_at_a_time(cell.prepared(house) for cell in table)
    before = await house.deadlines()

    await house.nobody_goes_round()
    for cell in table:
        await cell.broken(house)
    await house.time_passes_unseen(timedelta(minutes=2))
    await house.rounds_are_made()
    await house.nothing_is_late()
    for cell in table:
        await cell.runs(house)
    said = {cell.number for cell in table if cell.row.said}
    assert {item for item in await house.deadlines() if item[0] in {name for name, *_ in before} - said} == {
        item for item in before if item[0] not in said
    }
    # Payment, reminder, silence, start and rectification, warranty and stages.
    for span in (timedelta(days=1), timedelta(days=5), timedelta(days=1), timedelta(days=23), timedelta(days=60.1)):
        await house.time_passes(span + timedelta(minutes=5))

    wrong = {cell: why for cell in table if (why := await cell.what_is_wrong(house))}
    tables.append(printed(table, wrong))
    assert not wrong
    assert len(await house.texts()) == sum(cell.row.texts for cell in table)


async def test_a_person_is_called_for_a_stranger_and_sent_home_by_resuming(house: House) -> None:
    await _orders("pay")(house, "D-1")
    await Cell("", ROWS["order awaiting start"], "squatted", "D-1").broken(house)
    await house.nobody_goes_round()
    await house.rounds_are_made()

    async def called() -> bool:
        return bool(await waiting_for_a_person(house.books.recorder, house.platform.number, limit=1))

    await until(called, "somebody is called")
    (item,) = (await house.platform.get("/attention")).json()["waiting"]
    assert (item["kind"], item["object_no"], item["held_fen"]) == ("order", "D-1", _TOTAL_FEN)
    assert "a stranger held its id" in item["reason"]
    assert (await house.platform.get("/attention", after=item["cursor"])).json()["waiting"] == []
    mine = ("--platform", house.platform.number)
    said = await house.escrow("attention", *mine)
    assert f"{house.platform.number}  order  D-1" in said
    assert "10,000.00 yuan (1000000 fen)" in said

    said = await house.escrow("resume", "D-1", *mine)
    assert said == f"order D-1 of {house.platform.number}: runs, and was told to look\n"

    assert await house.escrow("attention", *mine) == "nothing waits for a person\n"
    assert (await house.platform.get("/orders/D-1")).json()["needs_attention"] == ""


async def test_what_is_odd_about_one_object_holds_up_no_other(house: House) -> None:
    """What it says of itself cannot be read, by somebody's hand in the database."""
    number = house.platform.number
    for order_no in ("D-1", "D-2"):
        await _orders("pay")(house, order_no)
    whole = await _body_is(house, "D-1", '{"contract": "lost"}')
    for order_no in ("D-1", "D-2"):
        await terminated(house.client, PROCESSES["order"].workflow_id(number, order_no))
    await house.a_round_is_made()
    (first,) = await waiting_for_a_person(house.books.recorder, number, limit=2)
    await house.time_passes_unseen(timedelta(seconds=30))
    await house.a_round_is_made()
    assert await waiting_for_a_person(house.books.recorder, number, limit=2) == [first], "it stays until a person comes"
    await house.time_passes_unseen(timedelta(days=31))
    for _ in range(2):
        await house.a_round_is_made()
        await house.nothing_is_late()  # but what a person knows of

    (item,) = await waiting_for_a_person(house.books.recorder, number, limit=2)
    assert (item.key.object_no, item.reason) == ("D-1", "cannot be looked after: TypeError")
    assert "cannot be looked after" in await house.escrow("resume", "D-1", "--platform", number)
    assert "cannot be looked after" in await house.escrow("resume", "--all", "--platform", number)
    await until(lambda: _status_is(house, "D-2", "cancelled"), "the other one goes on")
    await _body_is(house, "D-1", whole)
    await house.escrow("resume", "D-1", "--platform", number)
    await until(lambda: _status_is(house, "D-1", "cancelled"), "mended, it goes on too")


async def _status_is(house: House, order_no: str, status: str) -> bool:
    return bool((await house.platform.get(f"/orders/{order_no}")).json()["status"] == status)


async def _body_is(house: House, order_no: str, body: str) -> str:
    """An order's document is replaced; what it was."""
    named = house.platform.number, order_no
    connection = await asyncpg.connect(house.stack.postgres.superuser_dsn)
    try:
        where = "WHERE kind = 'order' AND platform_no = $1 AND object_no = $2"
        was: str = await connection.fetchval(f"SELECT body FROM business_object {where}", *named)
        await connection.execute(f"UPDATE business_object SET body = $3 {where}", *named, body)
    finally:
        await connection.close()
    return was


async def test_a_run_about_another_object_is_a_strangers(house: House) -> None:
    """It lives, on our task queue, and looks after what it was begun with; a person is called for the other one."""
    await _orders("pay")(house, "D-1")
    await _orders("pay", "start")(house, "D-2")
    process, number = PROCESSES["order"], house.platform.number
    await terminated(house.client, process.workflow_id(number, "D-1"))
    await house.client.start_workflow(
        process.workflow,
        process.reference(number, "D-2"),
        id=process.workflow_id(number, "D-1"),
        task_queue=process.task_queue,
    )
    await house.a_round_is_made()

    (item,) = await waiting_for_a_person(house.books.recorder, number, limit=2)
    assert (item.key.object_no, item.reason) == ("D-1", Did.STRANGER)
    begun_with = await input_of(house.client, process.workflow_id(number, "D-1"))
    assert begun_with["order_no"] == "D-1"


async def test_what_stays_late_is_begun_anew_and_a_person_is_called(house: House) -> None:
    """A run of ours that has not had its turn yet is told to look in vain."""
    await _orders("pay")(house, "D-1")
    process, number = PROCESSES["order"], house.platform.number
    await terminated(house.client, process.workflow_id(number, "D-1"))
    impostor = await house.client.start_workflow(
        process.workflow,
        process.reference(number, "D-1"),
        id=process.workflow_id(number, "D-1"),
        task_queue=process.task_queue,
        start_delay=HOLDING,
    )
    await house.rounds_are_made()
    await house.time_passes_unseen(timedelta(days=30, minutes=5))

    async def called() -> bool:
        waiting = await waiting_for_a_person(house.books.recorder, number, limit=2)
        why = "no progress: the deadline start has passed; its process was ended and begun anew"
        return [(item.key.object_no, item.reason) for item in waiting] == [("D-1", why)]

    await until(called, "somebody is called")

    async def has_ended() -> bool:
        return bool((await house.platform.get("/orders/D-1")).json()["status"] == "cancelled")

    await until(has_ended, "the run that was begun anew does what was due")
    first_run = house.client.get_workflow_handle(impostor.id, run_id=impostor.result_run_id)
    assert (await first_run.describe()).status is WorkflowExecutionStatus.TERMINATED

    async def nobody_waits() -> bool:
        return not await waiting_for_a_person(house.books.recorder, number, limit=1)

    await until(nobody_waits, "it leaves the list by itself when it goes on")


async def test_an_operator_takes_up_all_that_is_unfinished(house: House) -> None:
    await house.a_round_is_made()
    for order_no in ("D-1", "D-2"):
        await _orders("pay")(house, order_no)
    number = house.platform.number
    await terminated(house.client, PROCESSES["order"].workflow_id(number, "D-1"))

    said = await house.escrow("resume", "--all", "--platform", number)

    assert f"order D-1 of {number}: did not run, and was started\n" in said
    assert f"order D-2 of {number}: runs, and was told to look\n" in said
    await house.platform.command("D-2/cancel", "R-1", "C-1")
    assert "has ended, cancelled" in await house.escrow("resume", "D-2", "--platform", number)
    assert "Nothing has the number D-9" in await house.escrow("resume", "D-9", fails=True)


async def test_books_for_which_nobody_has_gone_round_do_not_verify(house: House) -> None:
    await _orders()(house, "D-1")
    await house.a_round_is_made()
    assert "every invariant" in await house.escrow("verify", house.platform.number)
    owner = await asyncpg.connect(house.stack.postgres.superuser_dsn)
    try:
        await owner.execute("UPDATE last_round SET made_at = made_at - interval '11 minutes'")
    finally:
        await owner.close()

    assert "rounds were last made 11 minutes ago" in await house.escrow("verify", house.platform.number, fails=True)
