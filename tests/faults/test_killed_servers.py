"""SIGKILL of PostgreSQL and of Temporal while orders run, and how long a killed worker's payout takes."""

import asyncio
import os
import signal
import time

import pytest

from escrow.stack.postgres import PostgresServer
from escrow.stack.temporal import TemporalDevServer
from tests.api.platforms import Platform, eventually
from tests.faults import callers
from tests.faults.house import House

_ORDERS = 6
_KILLS = 3
_BETWEEN_KILLS_SECONDS = 1.0
_ENDS_WITHIN_SECONDS = 60
#: A killed worker's payout that the bank has booked: 2 s until its silence is noticed, meanwhile another starts.
_RECOVERY_GOAL_SECONDS = 6.0
_RECOVERY_LIMIT_SECONDS = 15.0


@pytest.mark.parametrize("server", ["postgres", "temporal"])
async def test_a_killed_server_comes_back_and_all_running_orders_go_on_by_themselves(house: House, server: str) -> None:
    platform = await house.platforms.open()
    card = await platform.open_owner()
    await callers.open_contractor(platform, "755912345678900004")
    await platform.top_up(card, _ORDERS * callers.PRICE_FEN)
    numbers = [f"D-{number}" for number in range(1, _ORDERS + 1)]

    async def live(order_no: str) -> str:
        await callers.open_order(platform, order_no, withdraw_automatically=True)
        return await callers.lead_to_end(platform, order_no)

    lives = [asyncio.create_task(live(number)) for number in numbers]
    killed: PostgresServer | TemporalDevServer = house.stack.postgres if server == "postgres" else house.stack.temporal
    await eventually(lambda: _some_are_paid(platform))
    for _ in range(_KILLS):
        assert not all(life.done() for life in lives), "nothing is running that the kill could hit"
        await killed.kill()
        await killed.start()
        await asyncio.sleep(_BETWEEN_KILLS_SECONDS)
    assert await asyncio.gather(*lives) == ["settled"] * _ORDERS

    withdrawals = {f"{number}:M{milestone}:withdrawal:1" for number in numbers for milestone in (1, 2)}
    await eventually(lambda: _are_paid(platform, withdrawals), within_seconds=_ENDS_WITHIN_SECONDS)
    steps = ["open", "freeze", "M1:release:1", "M2:complete:1", "M2:release:1"]
    expected = {f"{number}:{step}" for number in numbers for step in steps}
    expected |= {f"{withdrawal}:{step}" for withdrawal in withdrawals for step in ("hold", "paid")}
    assert {no for no in await house.requests_of(platform, *numbers) if ":attempt:" not in no} == expected
    assert await house.payouts_booked(platform) == dict.fromkeys(withdrawals, 1)
    await house.require_sound_books(platform)
    assert (await platform.balances("O-1"))["available_fen"] == 0
    assert (await platform.balances("C-1"))["available_fen"] == 0


async def test_a_payout_whose_worker_was_killed_after_the_bank_booked_it_is_settled_within_seconds(
    house: House, tables: list[str]
) -> None:
    platform = await house.platforms.open()
    await callers.open_contractor(platform, "755912345678900005")
    await platform.top_up("755912345678900005", callers.PRICE_FEN, member_no="C-1")
    house.bank_gate.trap = lambda call: call.method == "POST" and call.target == "/gateway/payouts"
    await callers.withdraw(platform, "W-1", callers.PRICE_FEN)
    (await house.bank_gate.next_kept()).forward(keep_answer=True)
    await eventually(lambda: _booked_at_bank(house, platform))
    killed_pid = house.worker.pid
    assert killed_pid is not None
    killed_at = time.monotonic()
    os.kill(killed_pid, signal.SIGKILL)  # its supervisor is not told, and starts another
    await house.bank_gate.cut()
    await eventually(lambda: _are_paid(platform, {"W-1"}), within_seconds=_RECOVERY_LIMIT_SECONDS)
    seconds = time.monotonic() - killed_at
    tables.append(f"payout settled {seconds:.1f} s after its worker was killed (goal {_RECOVERY_GOAL_SECONDS:g} s)")
    assert house.worker.pid not in (None, killed_pid)
    assert await house.requests_of(platform, "W-1") == {"W-1:hold", "W-1:attempt:1", "W-1:paid"}
    assert await house.payouts_booked(platform) == {"W-1": 1}
    await house.require_sound_books(platform)


async def _are_paid(platform: Platform, withdrawals: set[str]) -> bool:
    statuses = [await callers.withdrawal_status(platform, number) for number in sorted(withdrawals)]
    return statuses == ["paid"] * len(withdrawals)


async def _some_are_paid(platform: Platform) -> bool:
    orders = (await platform.get("/orders")).json()["orders"]
    return any(order["paid_fen"] for order in orders)


async def _booked_at_bank(house: House, platform: Platform) -> bool:
    return await house.payouts_booked(platform) == {"W-1": 1}
