"""SIGKILL of PostgreSQL and of Temporal while orders run, and how long a killed worker's payout takes."""

import asyncio
import os
import signal
import time
from functools import partial

import pytest
from temporalio.api.workflow.v1 import PendingActivityInfo

from escrow.stack.postgres import PostgresServer
from escrow.stack.temporal import TemporalDevServer
from tests.api.platforms import Platform
from tests.faults import callers
from tests.faults.house import House
from tests.waiting import until, within_reason
from workflows.messages import order_workflow_id

_ORDERS_A_KILL = 3
_KILLS = 3
#: A killed worker's payout that the bank has booked: 2 s until its silence is noticed, meanwhile another starts.
_RECOVERY_GOAL_SECONDS = 6.0
#: After so many attempts the step fails where it reads, before it posts.
_OFTEN = 3


@pytest.mark.parametrize("server", ["postgres", "temporal"])
async def test_a_killed_server_comes_back_and_all_running_orders_go_on_by_themselves(house: House, server: str) -> None:
    platform = await house.platforms.open()
    card = await platform.open_owner()
    await callers.open_contractor(platform, "755912345678900004")
    numbers = [f"D-{kill}-{number}" for kill in range(_KILLS) for number in range(_ORDERS_A_KILL)]
    await platform.top_up(card, len(numbers) * callers.PRICE_FEN)

    async def live(order_no: str) -> str:
        await callers.open_order(platform, order_no, withdraw_automatically=True)
        return await callers.lead_to_end(platform, order_no)

    lives: dict[str, asyncio.Task[str]] = {}
    killed: PostgresServer | TemporalDevServer = house.stack.postgres if server == "postgres" else house.stack.temporal
    for kill in range(_KILLS):
        wave = [number for number in numbers if number.startswith(f"D-{kill}-")]
        lives |= {number: asyncio.create_task(live(number)) for number in wave}
        await until(partial(_is_paid, platform, wave[0]), f"{wave[0]} is paid")
        assert not any(lives[number].done() for number in wave), "the kill must hit running orders"
        await killed.kill()
        await killed.start()
    assert await asyncio.gather(*lives.values()) == ["settled"] * len(numbers)

    withdrawals = {f"{number}:M{milestone}:withdrawal:1" for number in numbers for milestone in (1, 2)}
    await until(lambda: _are_paid(platform, withdrawals), "all withdrawals are paid")
    steps = ["open", "freeze", "M1:release:1", "M2:complete:1", "M2:release:1"]
    expected = {f"{number}:{step}" for number in numbers for step in steps}
    expected |= {f"{withdrawal}:{step}" for withdrawal in withdrawals for step in ("hold", "paid")}
    assert {no for no in await house.requests_of(platform, *numbers) if ":attempt:" not in no} == expected
    assert await house.payouts_booked(platform) == dict.fromkeys(withdrawals, 1)
    await house.require_sound_books(platform)
    assert (await platform.balances("O-1"))["available_fen"] == 0
    assert (await platform.balances("C-1"))["available_fen"] == 0


async def test_while_the_ledger_is_away_an_operator_reads_why_a_step_waits(house: House) -> None:
    platform = await house.platforms.open()
    card = await platform.open_owner()
    await callers.open_contractor(platform, "755912345678900006")
    await platform.top_up(card, callers.PRICE_FEN)
    await callers.open_order(platform, "D-1")
    await callers.commands(platform, "D-1", "pay", "start", "complete")
    house.ledger_gate.keeping = True
    accepting = asyncio.create_task(callers.command(platform, "D-1", "accept"))
    await within_reason(house.ledger_gate.kept.get(), "the release is posted")
    await house.stack.postgres.kill()
    await house.ledger_gate.cut()
    order = (await house.temporal()).get_workflow_handle(order_workflow_id(platform.number, "D-1"))

    async def waiting() -> list[PendingActivityInfo]:
        return list((await order.describe()).raw_description.pending_activities)

    async def was_tried_often() -> bool:
        return [activity.attempt > _OFTEN for activity in await waiting()] == [True]

    await until(was_tried_often, "the step was tried often")
    assert (await waiting())[0].last_failure.message == "The ledger does not answer; repeat the request."
    await house.stack.postgres.start()
    assert (await accepting)["order"]["status"] == "settled"
    await house.require_sound_books(platform)


async def test_a_payout_whose_worker_was_killed_after_the_bank_booked_it_is_settled_within_seconds(
    house: House, tables: list[str]
) -> None:
    platform = await house.platforms.open()
    await callers.open_contractor(platform, "755912345678900005")
    await platform.top_up("755912345678900005", callers.PRICE_FEN, member_no="C-1")
    house.bank_gate.trap = lambda call: call.method == "POST" and call.target == "/gateway/payouts"
    await callers.withdraw(platform, "W-1", callers.PRICE_FEN)
    (await house.bank_gate.next_kept()).forward(keep_answer=True)
    await until(lambda: _booked_at_bank(house, platform), "the bank books the payout")
    killed_pid = house.worker.pid
    assert killed_pid is not None
    killed_at = time.monotonic()
    os.kill(killed_pid, signal.SIGKILL)  # its supervisor is not told, and starts another
    await house.bank_gate.cut()
    await until(lambda: _are_paid(platform, {"W-1"}), "the withdrawal is paid")
    seconds = time.monotonic() - killed_at
    tables.append(f"payout settled {seconds:.1f} s after its worker was killed (goal {_RECOVERY_GOAL_SECONDS:g} s)")
    assert house.worker.pid not in (None, killed_pid)
    assert await house.requests_of(platform, "W-1") == {"W-1:hold", "W-1:attempt:1", "W-1:paid"}
    assert await house.payouts_booked(platform) == {"W-1": 1}
    await house.require_sound_books(platform)


async def _are_paid(platform: Platform, withdrawals: set[str]) -> bool:
    statuses = [await callers.withdrawal_status(platform, number) for number in sorted(withdrawals)]
    return statuses == ["paid"] * len(withdrawals)


async def _is_paid(platform: Platform, order_no: str) -> bool:
    order = await platform.get(f"/orders/{order_no}")
    return order.is_success and order.json()["paid_fen"] > 0


async def _booked_at_bank(house: House, platform: Platform) -> bool:
    return await house.payouts_booked(platform) == {"W-1": 1}
