"""Blows to the processes of collections, batches, refunds, withdrawals and transfers, in each state that waits.

One stack, all rows at once, as in `test_taken_up_again.py`, which has the orders.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from escrow.channels.sandbox_bank.steering import SandboxSteering
from escrow.domain.collections.batch_payments import batch_pay_in_no
from escrow.domain.collections.commands import CallOperator
from escrow.domain.collections.opening import COLLECTIONS
from escrow.domain.collections.pay_ins import direct_pay_in_no
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.requests import PLATFORM_ITSELF
from escrow.domain.transfers.moves import TransferKind
from escrow.domain.withdrawals.rails import Rail
from escrow.ledger.objects import get_object
from escrow.stack.up import Stack
from tests.api.payers import CODE, open_payer, sign_mandate
from tests.api.platforms import card_number, order_body
from tests.api.test_suspense_returns import stranger_transfers
from tests.faults.callers import insist
from tests.servers import running_stack
from tests.waiting import until
from tests.workflows.blows import Cell, Row, cells_of, nothing, printed, types_of_the_worker
from tests.workflows.breaking import stranger_comes
from tests.workflows.house_of_rounds import House, opened_house
from tests.workflows.test_taken_up_again import ROWS as ROWS_OF_ORDERS
from tests.workflows.test_taken_up_again import WITHOUT_ROWS
from workflows.messages import PROCESSES

#: What the bank does with the amount, by its README: takes ten minutes; never gets it; the payer pays one yuan less.
_STUCK_FEN, _LOST_FEN, _SHORT_FEN = 190_004, 90_002, 90_016
_ASKED_FEN = 10_000
_AT_A_TIME = 10
#: A withdrawal of as much is announced.
_LARGE_FEN = 190_000
_MANDATE: dict[str, Any] = {"per_debit_fen": 1_000_000, "per_day_fen": 1_000_000_000}

CONFIG = PlatformConfig.model_validate(
    {
        "top_up_settlement": "T+0",
        "sms_codes_by_api": True,
        "suspense_returned_by_platform": True,
        "large_withdrawal_sms_threshold_fen": _LARGE_FEN,
    }
)


# ---- collections ----


async def _top_up(house: House, number: str, amount_fen: int = _ASKED_FEN, **how: Any) -> None:
    body = {"top_up_no": number, "member_no": "O-1", "method": "qr_wechat", "amount_fen": amount_fen, **how}
    await insist(house.platform, "/top-ups", **body)


async def _top_up_that_nobody_hears(house: House, number: str) -> None:
    await house.top_up_is_asked(number, _ASKED_FEN)


async def _top_up_being_paid(house: House, number: str) -> None:
    await _top_up(house, number, _STUCK_FEN)
    await house.payer_pays(number)


async def _top_up_paid_twice(house: House, number: str) -> None:
    await _top_up(house, number)
    await house.payer_pays(number)
    await house.payer_pays(number, amount_fen=_STUCK_FEN)
    await _return_is(house, number, "held")


async def _top_up_paid_short(house: House, number: str) -> None:
    await _top_up(house, number, _SHORT_FEN)
    await house.payer_pays(number)
    await _return_is(house, number, "returned")


async def _return_is(house: House, number: str, outcome: str) -> None:
    async def is_so() -> bool:
        found = await get_object(house.books.reader, house.platform.number, "pay_in", number)
        return found is not None and [item["outcome"] for item in found.body["returns"]] == [outcome]

    await until(is_so, f"the return of {number} is {outcome}")


async def _quick(house: House, number: str) -> None:
    await _top_up(house, number, member_no="O-2", method="quick", account_id="A-O-2")


async def _types_a_code(house: House, number: str) -> None:
    """The first code has expired meanwhile."""
    sent = await house.platform.post(f"/top-ups/{number}/sms-codes", request_no=f"{number}-again")
    assert sent.status_code == 200, sent.text
    typed = await house.platform.post(f"/top-ups/{number}/confirm", request_no=f"{number}-typed", code=CODE)
    assert typed.json()["outcome"] == "accepted", typed.text


async def _debit(house: House, number: str) -> None:
    await _top_up(house, number, _STUCK_FEN, member_no="O-2", method="direct_debit", mandate_no="M-1")


async def _pays(house: House, number: str) -> None:
    await house.payer_pays(number)


async def _pays_late(house: House, number: str) -> None:
    await house.payer_pays(number, amount_fen=_SHORT_FEN)


# ---- orders that a channel pays, alone and in batches, and what it gives back ----


def _direct(number: str) -> str:
    return direct_pay_in_no(number, f"R-{number}")


async def _order_that_a_channel_pays(house: House, number: str) -> None:
    await insist(house.platform, "/orders", **order_body(number, total_fen=_STUCK_FEN))
    paying = {"request_no": f"R-{number}", "by": "O-1", "method": "qr_wechat"}
    await insist(house.platform, f"/orders/{number}/direct-payments", **paying)


async def _pays_order(house: House, number: str) -> None:
    await house.payer_pays(_direct(number), amount_fen=_STUCK_FEN)


async def _refunded_order(house: House, number: str) -> None:
    await _order_that_a_channel_pays(house, number)
    await _pays_order(house, number)

    async def is_paid() -> bool:
        return bool((await house.platform.get(f"/orders/{number}")).json()["status"] == "awaiting_start")

    await until(is_paid, f"{number} is paid")
    await insist(house.platform, f"/orders/{number}/cancel", request_no=f"{number}-cancel", by="C-1")


async def _refund_that_a_stranger_hears(house: House, number: str) -> None:
    await stranger_comes(house.client, PROCESSES["refund"].workflow_id(house.platform.number, number))
    await _refunded_order(house, number)


async def _refund_under_way(house: House, number: str) -> None:
    await _refunded_order(house, number)

    async def is_begun() -> bool:
        found = await get_object(house.books.reader, house.platform.number, "refund", number)
        return found is not None and bool(found.body.get("begun_at"))

    await until(is_begun, f"the refund of {number} is begun")


async def _batch(house: House, number: str) -> None:
    await insist(house.platform, "/orders", **order_body(f"{number}-D", total_fen=_ASKED_FEN))
    orders = [{"order_no": f"{number}-D", "amount_fen": _ASKED_FEN}]
    body = {"batch_no": number, "payer_no": "O-1", "orders": orders, "collection": {"method": "qr_wechat"}}
    await insist(house.platform, "/batch-payments", **body)


async def _pays_batch(house: House, number: str) -> None:
    await house.payer_pays(batch_pay_in_no(number))


# ---- money that leaves ----


async def _withdraw(house: House, number: str, principal_fen: int) -> None:
    body = {"withdrawal_no": number, "member_no": "O-1", "principal_fen": principal_fen}
    await insist(house.platform, "/withdrawals", **body)


async def _withdrawal_under_way(house: House, number: str) -> None:
    await _withdraw(house, number, _STUCK_FEN)


async def _withdrawal_without_an_answer(house: House, number: str) -> None:
    await _withdraw(house, number, _LOST_FEN)


async def _withdrawal_that_no_rail_takes(house: House, number: str) -> None:
    await _withdraw(house, number, _ASKED_FEN)


async def _sent_back(house: House, number: str) -> None:
    credit_no = await stranger_transfers(house.platform, 90_004, card_number())
    await insist(house.platform, f"/suspense/{credit_no}/returns", return_no=number, amount_fen=90_004)


async def _assignment_that_nobody_hears(house: House, number: str) -> None:
    credit_no = await stranger_transfers(house.platform)
    await house.transfer_is_asked(TransferKind.ASSIGNMENT, number, PLATFORM_ITSELF, credit_no, _ASKED_FEN)


async def _reversal_that_nobody_hears(house: House, number: str) -> None:
    credit_no = await stranger_transfers(house.platform)
    assigned = {"assignment_no": f"{number}-A", "member_no": "O-1", "amount_fen": _ASKED_FEN}
    await insist(house.platform, f"/suspense/{credit_no}/assignments", **assigned)
    await house.transfer_is_asked(TransferKind.REVERSAL, number, PLATFORM_ITSELF, f"{number}-A", _ASKED_FEN)


def _gave_back(body: Any) -> bool:
    return [item["outcome"] for item in body["returns"]] == ["returned"]


_NEVER_BEGUN = {"never begun": nothing}

ROWS: dict[str, Row] = {
    "top-up that nobody has opened": Row(
        kind="pay_in", prepared=_top_up_that_nobody_hears, status="closed", faults=_NEVER_BEGUN
    ),
    "top-up that nobody pays": Row(kind="pay_in", prepared=_top_up, waits_in="awaiting_payer", status="closed"),
    "top-up, paid unheard": Row(kind="pay_in", prepared=_top_up, waits_in="awaiting_payer", status="paid", said=_pays),
    "top-up whose payment is under way": Row(
        kind="pay_in", prepared=_top_up_being_paid, waits_in="processing", status="paid"
    ),
    "top-up paid twice, a return under way": Row(
        kind="pay_in", prepared=_top_up_paid_twice, waits_in="paid", status="paid", ends=_gave_back
    ),
    "top-up paid short and closed, paid late": Row(
        kind="pay_in", prepared=_top_up_paid_short, waits_in="closed", status="paid", said=_pays_late, ends=_gave_back
    ),
    "quick payment that waits for a code": Row(
        kind="pay_in", prepared=_quick, waits_in="awaiting_payer", status="paid", done=_types_a_code, texts=2
    ),
    "direct debit under way": Row(kind="pay_in", prepared=_debit, waits_in="processing", status="paid"),
    "collection for an order, paid unheard": Row(
        kind="pay_in",
        prepared=_order_that_a_channel_pays,
        object_no=_direct,
        waits_in="awaiting_payer",
        status="paid",
        said=_pays_order,
    ),
    "collection for a batch, paid unheard": Row(
        kind="pay_in",
        prepared=_batch,
        object_no=batch_pay_in_no,
        waits_in="awaiting_payer",
        status="paid",
        said=_pays_batch,
    ),
    "batch that nobody pays": Row(kind="batch_payment", prepared=_batch, waits_in="awaiting_payment", status="closed"),
    "batch, paid unheard": Row(
        kind="batch_payment", prepared=_batch, waits_in="awaiting_payment", status="paid", said=_pays_batch
    ),
    "refund whose id a stranger had before": Row(
        kind="refund",
        prepared=_refund_that_a_stranger_hears,
        waits_in="under_way",
        status="refunded",
        faults=_NEVER_BEGUN,
    ),
    "refund under way": Row(kind="refund", prepared=_refund_under_way, waits_in="under_way", status="refunded"),
    "withdrawal under way": Row(
        kind="withdrawal", prepared=_withdrawal_under_way, waits_in="submitted", status="paid", texts=1
    ),
    "withdrawal without an answer": Row(
        kind="withdrawal",
        prepared=_withdrawal_without_an_answer,
        waits_in="unknown",
        status="failed",
        stands_still=False,
    ),
    "return of suspense money under way": Row(
        kind="withdrawal", prepared=_sent_back, waits_in="submitted", status="paid"
    ),
    "assignment that nobody has made": Row(
        kind="assignment", prepared=_assignment_that_nobody_hears, status="done", faults=_NEVER_BEGUN
    ),
    "reversal that nobody has made": Row(
        kind="reversal", prepared=_reversal_that_nobody_hears, status="done", faults=_NEVER_BEGUN
    ),
    "withdrawal that no rail takes": Row(
        kind="withdrawal", prepared=_withdrawal_that_no_rail_takes, waits_in="queued", status="paid"
    ),
}
#: Prepared last and with all rails down.
_QUEUED = "withdrawal that no rail takes"


@pytest.fixture(scope="module")
async def broken_stack() -> AsyncIterator[Stack]:
    """A stack of its own, since what looks after all processes is broken on it."""
    async with running_stack() as stack:
        yield stack


@pytest.fixture
async def house(broken_stack: Stack) -> AsyncIterator[House]:
    async with opened_house(broken_stack, CONFIG) as opened:
        card = await opened.platform.open_owner()
        await opened.platform.open_contractor()
        await open_payer(opened.platform, "O-2")
        await sign_mandate(opened.platform, member_no="O-2", **_MANDATE)
        await opened.platform.top_up(card, 100_000_000)
        yield opened
        await opened.books_are_sound_and_equal()


async def _prepared(house: House, table: list[Cell]) -> None:
    """All of them wait, some brought there at a time: callers who all come at once are told to come again."""
    some = asyncio.Semaphore(_AT_A_TIME)

    async def prepared(cell: Cell) -> None:
        async with some:
            await cell.prepared(house)

    await asyncio.gather(*(prepared(cell) for cell in table))


async def _rails_are(bank: SandboxSteering, health: Any) -> None:
    for rail in Rail:
        await bank.set_rail_health(rail, health)


async def test_whatever_is_done_to_a_run_the_money_comes_to_its_right_end(house: House, tables: list[str]) -> None:
    table = cells_of(ROWS)
    await _prepared(house, [cell for cell in table if cell.name != _QUEUED])
    await _rails_are(house.platform.bank, "DOWN")
    await _prepared(house, [cell for cell in table if cell.name == _QUEUED])
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
    await _rails_are(house.platform.bank, "UP")
    await asyncio.gather(*(cell.row.done(house, cell.number) for cell in table if cell.row.done is not None))

    # What is stuck at the bank; what nobody pays; late payments; orders that do not begin.
    for span in (timedelta(minutes=10), timedelta(days=1), timedelta(days=2), timedelta(days=28)):
        await house.time_passes(span + timedelta(minutes=5))
        await house.all_is_taken_up()

    wrong: dict[Cell, str] = {}

    async def all_are_right() -> bool:
        wrong.clear()
        for cell in table:
            if why := await cell.what_is_wrong(house):
                wrong[cell] = why
        return not wrong

    try:
        await until(all_are_right, "everything comes to its end", seen=lambda: len(wrong))
    finally:
        tables.append(printed(table, wrong))
    assert len(await house.texts()) == sum(cell.row.texts for cell in table)


async def _clocks_go_on(house: House, table: list[Cell], before: set[tuple[str, str, str]]) -> None:
    """The deadlines of whatever nothing was said to are what they were."""
    still = {cell.object_no for cell in table if cell.row.stands_still and cell.row.said is None}
    still &= {object_no for object_no, *_ in before}
    assert {item for item in await house.deadlines() if item[0] in still} == {
        item for item in before if item[0] in still
    }


async def test_a_collection_that_has_ended_is_gone_round_for_and_calls_a_person_until_one_came(house: House) -> None:
    reader, number = house.books.reader, house.platform.number
    await _top_up(house, "T-1")
    await house.payer_pays("T-1")
    await until(lambda: _status_is(house, "T-1", "paid"), "it is paid")
    key = ObjectKey(platform_no=number, kind="pay_in", object_no="T-1")
    assert await unfinished_objects(reader, PROCESSES, platform_no=number, limit=9) == [key]
    seen = await see(reader, COLLECTIONS, number, "T-1")
    call = CallOperator(reason="where is its money?", seen_version=seen.version)
    await Books(house.writer, reader).take(COLLECTIONS, number, "T-1", call)

    (item,) = await waiting_for_a_person(reader, number, limit=9)
    assert (item.key, item.reason) == (key, "where is its money?")
    await house.rounds_are_made(every=timedelta(hours=1))
    await house.all_is_taken_up("T-1")
    assert await waiting_for_a_person(reader, number, limit=9) == []
    await house.time_passes_unseen(timedelta(days=2, hours=1))
    assert await unfinished_objects(reader, PROCESSES, platform_no=number, limit=9) == []


async def _status_is(house: House, number: str, status: str) -> bool:
    found = await get_object(house.books.reader, house.platform.number, "pay_in", number)
    return found is not None and found.status == status


def test_every_kind_with_a_process_has_rows_and_every_type_of_the_worker_is_thought_of() -> None:
    with_rows = {PROCESSES[row.kind].workflow for row in (*ROWS.values(), *ROWS_OF_ORDERS.values())}
    begun_from_references = {process.workflow for process in PROCESSES.values()}
    assert begun_from_references - with_rows <= WITHOUT_ROWS.keys()
    assert not with_rows & WITHOUT_ROWS.keys()
    assert types_of_the_worker() == with_rows | WITHOUT_ROWS.keys()
