"""SIGKILL of the worker's process at every point of every activity type: nothing is lost, nothing happens twice."""

import importlib
import json
import pkgutil
from pathlib import Path

from temporalio.activity import _Definition
from temporalio.client import Client, WorkflowHistory

from activities import __path__ as activity_modules
from tests.api.platforms import Platform
from tests.faults import callers, money_in_rows
from tests.faults.cast import ORDERS, ROWS, WITHDRAWALS, Cast
from tests.faults.house import House
from tests.faults.matrix import LARGE_FEN, SMALL_FEN, Point, Round
from tests.faults.test_killed_debits import CALLS as CALLS_OF_DEBITS

_HISTORIES = Path(__file__).parents[1] / "histories"
#: Rounds for one point, until each activity was there once: a busy machine may bring some too late.
_ROUNDS_AT_MOST = 12
#: Nothing leaves the first ones; the last one posts what another one posts.
WITHOUT_A_POINT = money_in_rows.READ_ONLY | money_in_rows.SAME_POSTING
_FUNDS_FEN = 100_000_000


def activity_types(history: WorkflowHistory) -> set[str]:
    """Types of all activities in a history: regular ones, and local ones from their markers."""
    types: set[str] = set()
    for event in history.events:
        if event.HasField("activity_task_scheduled_event_attributes"):
            types.add(event.activity_task_scheduled_event_attributes.activity_type.name)
        if event.HasField("marker_recorded_event_attributes"):
            marker = event.marker_recorded_event_attributes
            if marker.marker_name == "core_local_activity":
                types.add(json.loads(marker.details["data"].payloads[0].data)["activity_type"])
    return types


def defined_types() -> set[str]:
    """Types of all activities that there are."""
    return {
        definition.name
        for module in pkgutil.iter_modules(activity_modules)
        for value in vars(importlib.import_module(f"activities.{module.name}")).values()
        if isinstance(value, type)
        for function in vars(value).values()
        if (definition := _Definition.from_callable(function)) is not None and definition.name
    }


def test_every_activity_has_a_row_in_a_matrix_and_every_row_an_activity() -> None:
    assert defined_types() == ROWS | money_in_rows.ROWS | {*CALLS_OF_DEBITS} | WITHOUT_A_POINT


async def recorded_types(temporal: Client) -> set[str]:
    """Activity types in the committed histories and in all histories of the server."""
    types: set[str] = set()
    for path in sorted(_HISTORIES.glob("*.json")):
        types |= activity_types(WorkflowHistory.from_json(path.stem, path.read_text()))
    async for workflow in temporal.list_workflows():
        types |= activity_types(await temporal.get_workflow_handle(workflow.id, run_id=workflow.run_id).fetch_history())
    return types


async def test_a_worker_killed_at_any_point_of_any_activity_loses_nothing_and_repeats_nothing(
    house: House, tables: list[str]
) -> None:
    temporal = await house.temporal()
    trade = await house.platforms.open()
    owners_card, contractors_account = await trade.open_owner(), "755912345678900001"
    await callers.open_contractor(trade, contractors_account)
    await trade.top_up(owners_card, _FUNDS_FEN)
    await trade.top_up(contractors_account, _FUNDS_FEN, member_no="C-1")
    await house.steer.send_notices_to("")
    casts: list[Cast] = []
    missing = {point: set(ROWS) for point in Point}
    seconds: dict[Point, float] = {}
    for point in Point:
        for attempt in range(_ROUNDS_AT_MOST):
            if not missing[point]:
                break
            cast = Cast(
                name=f"{point.name.replace('_', '-')}-{attempt}",
                trade=trade,
                reading=await house.platforms.open(),
                booking=await house.platforms.open(),
            )
            casts.append(cast)
            play = Round(house, temporal, cast)
            await play.kill_at(point)
            seconds[point] = await play.go_on()
            missing[point] -= play.reached
            await require_right_end(house, cast)
    await house.steer.send_notices_to(f"{house.stack.api_url}/bank/notices")
    types = await recorded_types(temporal)
    elsewhere = {*CALLS_OF_DEBITS, *money_in_rows.ROWS}  # each has its own test with the same three points
    tables.append(matrix_table(types - elsewhere - WITHOUT_A_POINT, missing, seconds, rounds=len(casts)))
    assert types - WITHOUT_A_POINT <= ROWS | elsewhere, "an activity type has no row in a matrix"
    assert missing == {point: set() for point in Point}
    await house.require_sound_books(trade, *(platform for cast in casts for platform in (cast.reading, cast.booking)))
    await require_right_balances(trade, rounds=len(casts))


async def require_right_end(house: House, cast: Cast) -> None:
    """Every request number exactly once, every payout once at the bank, every message sent once."""
    trade = cast.trade
    settled = ["open", "freeze", "M1:release:1", "M2:complete:1", "M2:release:1"]
    for order_no in (*cast.orders, cast.no("first")):
        cancelled = order_no == cast.no("refund")
        expected = {f"{order_no}:{step}" for step in (["open", "freeze", "refund"] if cancelled else settled)}
        if order_no == cast.no("propose"):
            expected.add(f"{order_no}:propose-cancel:{order_no}-cancel")
        assert await house.requests_of(trade, order_no) == expected
    booked = await house.payouts_booked(trade)
    for withdrawal_no in cast.withdrawals:
        returned = withdrawal_no == cast.no("return")
        taken = await house.requests_of(trade, withdrawal_no)
        attempts = {number for number in taken if ":attempt:" in number}
        assert attempts
        assert taken - attempts == {f"{withdrawal_no}:hold", f"{withdrawal_no}:{'return' if returned else 'paid'}"}
        assert booked.get(withdrawal_no, 0) == (0 if returned else 1)
    texts = [text for text in await house.texts(trade) if text.startswith(f"{cast.name}-")]
    assert texts == sorted([cast.no("large:sms"), cast.no("remind:M2:reminder:1")])


async def require_right_balances(trade: Platform, *, rounds: int) -> None:
    """What the members have is what the rounds moved, to the fen."""
    # All orders but the refunded one, and the first of each batch; all withdrawals but the large and the returned one.
    settled, small_withdrawals = rounds * len(ORDERS), rounds * (len(WITHDRAWALS) - 2)
    owner, contractor = await trade.balances("O-1"), await trade.balances("C-1")
    assert owner["withdrawable_fen"] == _FUNDS_FEN - settled * callers.PRICE_FEN
    earned_fen = settled * callers.RELEASED_FEN
    paid_fen = small_withdrawals * SMALL_FEN + rounds * LARGE_FEN
    assert contractor["withdrawable_fen"] == _FUNDS_FEN + earned_fen - paid_fen


def matrix_table(types: set[str], missing: dict[Point, set[str]], seconds: dict[Point, float], *, rounds: int) -> str:
    """The table for people."""
    lines = [f"worker killed {rounds} times; every activity type at every point:"]
    lines.append(f"{'activity':28}" + "".join(f"{point:20}" for point in Point))
    for activity in sorted(types | ROWS):
        cells = ["no row" if activity not in ROWS else "MISSED" if activity in missing[p] else "right" for p in Point]
        lines.append(f"{activity:28}" + "".join(f"{cell:20}" for cell in cells))
    answered = "".join(f"{f'{seconds[point]:.1f} s':20}" for point in seconds)
    return "\n".join([*lines, f"{'all callers answered after':28}{answered}"])
