"""SIGKILL of the worker around a batch's posting, and between it and the word to the orders: all are paid, once."""

import asyncio
import itertools
from dataclasses import dataclass
from typing import Any

import pytest

from tests.api.platforms import Platform
from tests.faults import callers
from tests.faults.house import House
from tests.faults.matrix import Point
from tests.waiting import until, within_reason

ORDERS = ("D-1", "D-2", "D-3")
_PRICES_FEN = len(ORDERS) * callers.PRICE_FEN


@dataclass(frozen=True)
class Paying:
    """A way to pay a batch, and the postings around which the worker dies, by part of their request number."""

    name: str
    postings: tuple[str, ...]
    collection: dict[str, str] | None = None


FROM_BALANCE = Paying("balance", (":batch_payment:B-1:pay",))
COLLECTED = Paying(
    "collected",
    (
        ":batch_payment:B-1:open",
        ":pay_in:B-1:batch-pay:open",
        "B-1:batch-pay:asked:1",
        ":channel-payment:",
        "B-1:batch-pay:paid",
    ),
    collection={"method": "qr_alipay"},
)
CASES = [
    (way, posting, point)
    for way in (FROM_BALANCE, COLLECTED)
    for posting in way.postings
    for point in (Point.BEFORE, Point.AFTER)
]
_ACCOUNTS = itertools.count(1)


async def pays(platform: Platform, way: Paying) -> dict[str, Any]:
    """The platform has the batch paid, insisting."""
    orders = [{"order_no": number, "amount_fen": callers.PRICE_FEN} for number in ORDERS]
    body = {"batch_no": "B-1", "payer_no": "O-1", "orders": orders, "collection": way.collection}
    return await callers.insist(platform, "/batch-payments", **body)


async def payer_pays(house: House, platform: Platform) -> None:
    """The payer pays what the channel shows, as soon as it shows it."""

    async def is_shown() -> bool:
        batch = await platform.get("/batch-payments/B-1")
        collection = batch.json()["collection"] if batch.is_success else None
        return bool(collection and collection["status"] == "awaiting_payer")

    await until(is_shown, "the collection is shown")
    for attempt in (1, 2):  # another one where the first was never taken in
        number = f"{platform.number}/B-1:batch-pay:collect:{attempt}"
        answer = await house.at_bank.collections.query(number, custody_account_no=platform.custody_account_no)
        if answer.status != "not_found":
            await house.steer.pay(number)
            return
    raise AssertionError("the channel has no such collection")


@pytest.mark.parametrize(("way", "posting", "point"), CASES, ids=lambda value: getattr(value, "name", str(value)))
async def test_a_worker_killed_around_a_batch_pays_every_order_once_and_tells_it(
    house: House, way: Paying, posting: str, point: Point
) -> None:
    platform = await house.platforms.open()
    card = await platform.open_owner()
    await callers.open_contractor(platform, f"7559{next(_ACCOUNTS):012d}")
    if way.collection is None:
        await platform.top_up(card, _PRICES_FEN)
    for order_no in ORDERS:
        await callers.open_order(platform, order_no)
    house.ledger_gate.keeping = True
    paying: list[asyncio.Task[Any]] = [asyncio.create_task(pays(platform, way))]
    if way.collection is not None and "open" not in posting:
        paying.append(asyncio.create_task(payer_pays(house, platform)))
    kept = await house.ledger_gate.next_posting(posting)
    if point is Point.AFTER:
        kept.forward(keep_answer=True)
        await within_reason(kept.answered.wait(), "the posting is answered")
    await house.kill_worker()
    await house.worker.start()
    if way.collection is not None and "open" in posting:
        paying.append(asyncio.create_task(payer_pays(house, platform)))
    await asyncio.gather(*paying)

    async def is_paid() -> bool:
        return bool((await platform.get("/batch-payments/B-1")).json()["status"] == "paid")

    await until(is_paid, "it is paid")
    shown = (await platform.get("/batch-payments/B-1")).json()
    assert {order["outcome"] for order in shown["orders"]} == {"frozen"}
    balances = await platform.balances("O-1")
    assert (balances["in_escrow_fen"], balances["available_fen"]) == (_PRICES_FEN, 0)
    for order_no in ORDERS:
        await callers.command(platform, order_no, "start")
    assert (await platform.balances("C-1"))["available_fen"] == len(ORDERS) * callers.DEPOSIT_FEN * 95 // 100
    await house.require_sound_books(platform)
