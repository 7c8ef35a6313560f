"""Blows to the processes of collections, batches, refunds, withdrawals and transfers, in each state that waits.

One stack, all rows at once, as in `test_taken_up_again.py`, which has the orders.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from enum import StrEnum
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from escrow.channels.sandbox_bank.steering import SandboxSteering
from escrow.domain.collections.batch_payments import BatchStatus
from escrow.domain.collections.commands import CallOperator
from escrow.domain.collections.direct_payments import DirectRefundStatus
from escrow.domain.collections.opening import COLLECTIONS
from escrow.domain.collections.terms import CollectionStatus
from escrow.domain.endings import FINAL_STATUSES
from escrow.domain.orders.states import MilestoneStatus, OrderStatus
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.withdrawals.rails import Rail
from escrow.domain.withdrawals.states import WithdrawalStatus
from escrow.ledger.attention import waiting_for_a_person
from escrow.ledger.books import Books, see
from escrow.ledger.objects import get_object
from escrow.ledger.progress import ObjectKey, unfinished_objects
from escrow.stack.up import Stack
from tests.api.payers import open_payer, sign_mandate
from tests.api.test_suspense_returns import stranger_transfers
from tests.beginning import beginning
from tests.faults.callers import insist
from tests.sandbox import texts_are_lost
from tests.servers import making_platforms
from tests.waiting import some_at_a_time, until
from tests.workflows.blows import Cell, cells_of, printed, types_of_the_worker
from tests.workflows.breaking import BREAKS, HOLDING, terminated
from tests.workflows.house_of_rounds import BANK_TAKES, House, opened_house
from tests.workflows.money_rows import (
    LARGE_FEN,
    LARGE_VALUE_FEN,
    QUEUED,
    ROWS,
    ROWS_TO_BE_TOLD_OF,
    ROWS_WITHOUT_A_CALENDAR,
    topped_up,
)
from tests.workflows.test_taken_up_again import ROWS as ROWS_OF_ORDERS
from tests.workflows.test_taken_up_again import WITHOUT_ROWS
from workflows.messages import PROCESSES, bank_watch_workflow_id

#: Nobody knows its working days.
_NO_CALENDAR = beginning("2028-03-07T10:00:00+08:00")
_MANDATE: dict[str, Any] = {"per_debit_fen": 1_000_000, "per_day_fen": 1_000_000_000}

CONFIG = PlatformConfig.model_validate(
    {
        "top_up_settlement": "T+0",
        "sms_codes_by_api": True,
        "suspense_returned_by_platform": True,
        "large_withdrawal_sms_threshold_fen": LARGE_FEN,
    }
)


@pytest.fixture
async def house(broken_stack: Stack) -> AsyncIterator[House]:
    async with opened_house(broken_stack, CONFIG) as opened:
        card = await opened.platform.open_owner()
        await opened.platform.open_contractor()
        await open_payer(opened.platform, "O-2")
        await sign_mandate(opened.platform, member_no="O-2", **_MANDATE)
        await opened.platform.top_up(card, 100_000_000)
        await opened.platform.top_up(await opened.platform.open_owner("O-3"), 1_000_000, "O-3")
        yield opened
        await opened.books_are_sound_and_equal()


async def _prepared(house: House, table: list[Cell]) -> None:
    """All of them wait."""
    await some_at_a_time(cell.prepared(house) for cell in table)


async def _rails_are(bank: SandboxSteering, health: Any) -> None:
    for rail in Rail:
        await bank.set_rail_health(rail, health)


async def _watches_are_broken(stack: Stack, tables: list[str]) -> None:
    """The watch over an account books its lines whatever is done to its run, within two looks of the worker's."""
    client = await Client.connect(stack.temporal.address)
    async with making_platforms(stack) as maker:
        platforms = {fault: await maker.open() for fault in BREAKS}
        for platform in platforms.values():
            await stranger_transfers(platform)  # whoever books it runs
        for fault, platform in platforms.items():
            await BREAKS[fault](client, bank_watch_workflow_id(platform.number))
        await asyncio.gather(*(stranger_transfers(platform) for platform in platforms.values()))
        for platform in platforms.values():
            credits = (await platform.get("/suspense")).json()["credits"]
            assert [credit["left_fen"] for credit in credits] == [10_000, 10_000]
    tables.append("\n".join(f"{'bank watch':44} {fault:40} right" for fault in platforms))


async def test_whatever_is_done_to_a_run_the_money_comes_to_its_right_end(house: House, tables: list[str]) -> None:
    async with asyncio.TaskGroup() as at_once:
        at_once.create_task(_watches_are_broken(house.stack, tables))
        at_once.create_task(_money_is_broken(house, tables))


async def _money_is_broken(house: House, tables: list[str]) -> None:
    """All rows under all faults, and then a month passes."""
    table = cells_of(ROWS)
    await _prepared(house, [cell for cell in table if cell.name != QUEUED])
    await _rails_are(house.platform.bank, "DOWN")
    await _prepared(house, [cell for cell in table if cell.name == QUEUED])
    await house.all_are_told()
    await _broken_and_taken_up(house, table)
    await _rails_are(house.platform.bank, "UP")
    await asyncio.gather(*(cell.row.done(house, cell.number) for cell in table if cell.row.done is not None))

    # What is stuck at the bank; what nobody pays; late payments; orders that do not begin.
    for span in (BANK_TAKES, timedelta(days=1), timedelta(days=2), timedelta(days=28)):
        await house.time_passes(span + timedelta(minutes=5))
        await house.all_is_taken_up()

    await _are_right(house, table, tables)


async def test_a_withdrawal_that_waits_for_an_operator_waits_for_one_whatever_is_done_to_its_run(
    broken_stack: Stack, tables: list[str]
) -> None:
    table = cells_of(ROWS_WITHOUT_A_CALENDAR)
    async with opened_house(broken_stack, CONFIG, begins_at=_NO_CALENDAR) as house:
        card, needed_fen = await house.platform.open_owner(), len(table) * (LARGE_VALUE_FEN + LARGE_FEN)
        await house.platform.open_contractor()
        await house.platform.top_up(card, needed_fen)
        pays = {"payment_no": "P-1", "payer_no": "O-1", "payee_no": "C-1", "amount_fen": needed_fen}
        await insist(house.platform, "/payments", **pays)
        await _prepared(house, table)
        await house.all_are_told()

        await _broken_and_taken_up(house, table)
        await house.all_is_taken_up()

        await _are_right(house, table, tables)
        waiting = await waiting_for_a_person(house.books.recorder, house.platform.number, limit=len(table) + 1)
        assert {item.key.object_no for item in waiting} == {cell.object_no for cell in table}
        assert all(item.held_fen == LARGE_VALUE_FEN for item in waiting)
        await house.books_are_sound_and_equal()


async def test_who_is_still_to_be_told_of_an_end_is_told_once_whatever_is_done_to_the_run(
    house: House, tables: list[str]
) -> None:
    table, bank = cells_of(ROWS_TO_BE_TOLD_OF), house.platform.bank
    await texts_are_lost(bank)
    await _prepared(house, table)

    await _broken_and_taken_up(house, table)
    assert await house.texts() == []
    await bank.reset()
    await house.all_is_taken_up()

    await _are_right(house, table, tables)


async def _broken_and_taken_up(house: House, table: list[Cell]) -> None:
    """All runs are broken, and rounds take all objects up; no clock is touched by that."""
    before = await house.deadlines()
    await house.nobody_goes_round()
    for cell in table:
        await cell.broken(house)
    await house.time_passes_unseen(timedelta(minutes=2))
    await house.rounds_are_made()
    await house.nothing_is_late()
    for cell in table:
        await cell.runs(house)
    await _clocks_go_on(house, table, before)


async def _are_right(house: House, table: list[Cell], tables: list[str]) -> None:
    """Each comes to its right end, and nobody was told anything twice."""
    wrong: dict[Cell, str] = {}

    async def all_are_right() -> bool:
        wrong.clear()
        for cell in table:
            if why := await cell.what_is_wrong(house):
                wrong[cell] = why
        if any(cell.row.asks_anew for cell in wrong):
            await house.time_passes_unseen(BANK_TAKES)
        if wrong:  # Temporal's own clock has not moved: who pauses there is told to look
            await house.all_is_taken_up()
        return not wrong

    try:
        await until(all_are_right, "everything comes to its end", seen=lambda: len(wrong), pause_seconds=1)
    finally:
        tables.append(printed(table, wrong))
    assert len(await house.texts()) == sum(cell.row.texts for cell in table)


async def _clocks_go_on(house: House, table: list[Cell], before: set[tuple[str, str, str]]) -> None:
    """The deadlines of whatever nothing was said to are what they were."""
    still = {cell.object_no for cell in table if cell.row.said is None}
    still &= {object_no for object_no, *_ in before}
    assert {item for item in await house.deadlines() if item[0] in still} == {
        item for item in before if item[0] in still
    }


async def test_a_collection_that_has_ended_is_gone_round_for_and_calls_a_person_until_one_came(house: House) -> None:
    recorder, number = house.books.recorder, house.platform.number
    await topped_up(house, "T-1")
    await house.payer_pays("T-1")
    await until(lambda: _status_is(house, "T-1", "paid"), "it is paid")
    key = ObjectKey(platform_no=number, kind="pay_in", object_no="T-1")
    assert await unfinished_objects(recorder, {key.kind}, platform_no=number, limit=9) == [key]
    seen = await see(recorder, COLLECTIONS, number, "T-1")
    call = CallOperator(reason="where is its money?", seen_version=seen.version)
    await Books(house.writer, recorder).take(COLLECTIONS, number, "T-1", call)

    (item,) = await waiting_for_a_person(recorder, number, limit=9)
    assert (item.key, item.reason) == (key, "where is its money?")
    await house.a_round_is_made()
    await house.all_is_taken_up("T-1")
    assert await waiting_for_a_person(recorder, number, limit=9) == []
    await house.time_passes_unseen(timedelta(days=2, hours=1))
    assert await unfinished_objects(recorder, {key.kind}, platform_no=number, limit=9) == []


async def test_a_collection_that_nothing_ends_for_a_day_is_begun_anew(house: House) -> None:
    """A run of ours that has not had its turn yet holds its id, and is told to look in vain."""
    await topped_up(house, "T-1")
    process, number = PROCESSES["pay_in"], house.platform.number
    workflow_id = process.workflow_id(number, "T-1")
    await terminated(house.client, workflow_id)
    first = await house.client.start_workflow(
        process.workflow,
        process.reference(number, "T-1"),
        id=workflow_id,
        task_queue=process.task_queue,
        start_delay=HOLDING,
    )
    await house.a_round_is_made()
    await house.time_passes_unseen(timedelta(days=1, minutes=20))
    await house.rounds_are_made()
    assert not await _status_is(house, "T-1", "closed"), "it has a day from when it expires"

    await house.time_passes_unseen(timedelta(minutes=20))

    await until(lambda: _status_is(house, "T-1", "closed"), "the run that was begun anew has it closed")
    described = await house.client.get_workflow_handle(workflow_id, run_id=first.result_run_id).describe()
    assert described.status is WorkflowExecutionStatus.TERMINATED


async def _status_is(house: House, number: str, status: str) -> bool:
    found = await get_object(house.books.recorder, house.platform.number, "pay_in", number)
    return found is not None and found.status == status


def test_every_kind_with_a_process_has_rows_and_every_type_of_the_worker_is_thought_of() -> None:
    with_rows = {PROCESSES[row.kind].workflow for row in (*ROWS.values(), *ROWS_OF_ORDERS.values())}
    begun_from_references = {process.workflow for process in PROCESSES.values()}
    assert begun_from_references - with_rows <= WITHOUT_ROWS.keys()
    assert not with_rows & WITHOUT_ROWS.keys()
    assert types_of_the_worker() == with_rows | WITHOUT_ROWS.keys()


@pytest.mark.parametrize(
    ("kind", "statuses"),
    [
        ("order", OrderStatus),
        ("pay_in", CollectionStatus),
        ("batch_payment", BatchStatus),
        ("refund", DirectRefundStatus),
        ("withdrawal", WithdrawalStatus),
    ],
)
def test_every_status_that_waits_has_a_row(kind: str, statuses: type[StrEnum]) -> None:
    tables = (ROWS, ROWS_WITHOUT_A_CALENDAR, ROWS_OF_ORDERS)
    rows = [row for table in tables for row in table.values() if row.kind == kind]
    waiting = {status.value for status in statuses} - set(FINAL_STATUSES[kind])
    assert waiting <= {row.waits_in for row in rows}


def test_every_status_in_which_a_milestone_waits_has_a_row() -> None:
    waiting = set(MilestoneStatus) - {MilestoneStatus.RELEASED, MilestoneStatus.REFUNDED}
    assert waiting <= {row.stage for row in ROWS_OF_ORDERS.values()}
