"""SIGKILL of the worker around each posting of money that comes in and goes back: it is booked and given back once."""

import asyncio
import itertools
from typing import Any

import pytest

from tests.api.platforms import Platform
from tests.faults import callers
from tests.faults.house import House
from tests.faults.matrix import Point
from tests.waiting import until, within_reason

#: What the payer pays above what it was asked for.
_EXCESS_FEN, _ASKED_FEN = 700, 10_000
_ACCOUNTS = itertools.count(500)
OF_TOP_UP = (":pay_in:T-1:open", "T-1:asked:1", ":channel-payment:", "T-1:return:1:hold", "T-1:return:1:end")
OF_REFUND = ("D-1:refund:1:begin", "D-1:refund:1:end")
POINTS = (Point.BEFORE, Point.AFTER)


async def killed_around(house: House, posting: str, point: Point, then: list[asyncio.Task[Any]]) -> None:
    """The worker dies before or after a posting, another one is started, and everything goes on to its end."""
    kept = await house.ledger_gate.next_posting(posting)
    if point is Point.AFTER:
        kept.forward(keep_answer=True)
        await within_reason(kept.answered.wait(), "the posting is answered")
    await house.kill_worker()
    await house.worker.start()
    await asyncio.gather(*then)


async def payer_pays(house: House, platform: Platform, path: str, pay_in_no: str, amount_fen: int) -> None:
    """The payer pays what the channel shows, as soon as it shows it."""

    async def is_shown() -> bool:
        answer = await platform.get(path)
        return answer.is_success and answer.json()["status"] == "awaiting_payer"

    await until(is_shown, "the collection is shown")
    for attempt in (1, 2):  # another one where the first was never taken in
        number = f"{platform.number}/{pay_in_no}:collect:{attempt}"
        answer = await house.at_bank.collections.query(number, custody_account_no=platform.custody_account_no)
        if answer.status != "not_found":
            await house.steer.pay(number, amount_fen=amount_fen)
            return
    raise AssertionError("the channel has no such collection")


async def _refunded_fen(house: House, platform: Platform, pay_in_no: str) -> int:
    answers = [
        await house.at_bank.collections.query(
            f"{platform.number}/{pay_in_no}:collect:{attempt}", custody_account_no=platform.custody_account_no
        )
        for attempt in (1, 2)
    ]
    return sum(answer.refunded_fen for answer in answers)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("posting", OF_TOP_UP)
async def test_a_top_up_is_credited_once_and_what_was_too_much_goes_back_once(
    house: House, posting: str, point: Point
) -> None:
    platform = await house.platforms.open()
    await platform.open_owner()
    house.ledger_gate.keeping = True
    body = {"top_up_no": "T-1", "member_no": "O-1", "amount_fen": _ASKED_FEN, "method": "qr_wechat"}
    calls = [
        asyncio.create_task(callers.insist(platform, "/top-ups", **body)),
        asyncio.create_task(payer_pays(house, platform, "/top-ups/T-1", "T-1", _ASKED_FEN + _EXCESS_FEN)),
    ]

    await killed_around(house, posting, point, calls)

    async def has_ended() -> bool:
        shown = (await platform.get("/top-ups/T-1")).json()
        held = (await platform.get("/platform")).json()["balances_fen"]
        return (
            shown["status"] == "paid"
            and not held.get("refund")
            and "T-1:return:1:end" in await house.requests_of(platform, "T-1")
        )

    await until(has_ended, "it is paid, and what was too much is no more under way")
    # A return that was held and never arrived is not sent again: the excess waits for an operator.
    refunded_fen = await _refunded_fen(house, platform, "T-1")
    suspense_fen = (await platform.get("/platform")).json()["balances_fen"].get("suspense", 0)
    assert (refunded_fen, suspense_fen) in ((_EXCESS_FEN, 0), (0, _EXCESS_FEN))
    balances = await platform.balances("O-1")
    assert balances["available_fen"] == _ASKED_FEN
    await house.require_sound_books(platform)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("posting", OF_REFUND)
async def test_what_an_order_lets_go_is_with_its_payer_once(house: House, posting: str, point: Point) -> None:
    platform = await house.platforms.open()
    await platform.open_owner()
    await callers.open_contractor(platform, f"7559{next(_ACCOUNTS):012d}")
    await callers.open_order(platform, "D-1")
    await callers.insist(platform, "/orders/D-1/direct-payments", request_no="R-1", by="O-1", method="qr_wechat")
    await payer_pays(house, platform, "/orders/D-1/direct-payments/R-1", "D-1:pay:R-1", callers.PRICE_FEN)

    async def is_paid() -> bool:
        return bool((await platform.get("/orders/D-1")).json()["status"] == "awaiting_start")

    await until(is_paid, "the order is paid")
    house.ledger_gate.keeping = True
    cancelling = asyncio.create_task(callers.command(platform, "D-1", "cancel"))

    await killed_around(house, posting, point, [cancelling])

    async def has_ended() -> bool:
        ended = "D-1:refund:1:end" in await house.requests_of(platform, "D-1")
        return ended and (await platform.get("/platform")).json()["balances_fen"].get("refund", 0) == 0

    await until(has_ended, "the refund has ended")
    refunded_fen = await _refunded_fen(house, platform, "D-1:pay:R-1")
    # A refund that never arrived is not sent again: the price is its owner's.
    owners_fen = (await platform.balances("O-1"))["available_fen"]
    assert (refunded_fen, owners_fen) in ((callers.PRICE_FEN, 0), (0, callers.PRICE_FEN))
    await house.require_sound_books(platform)
