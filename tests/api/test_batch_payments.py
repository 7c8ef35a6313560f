"""Batch payment over HTTP, on real servers: from the balance, by one merged collection, and what is refused."""

import asyncio
from typing import Any

import asyncpg

from escrow.domain.platforms.config import PlatformConfig
from escrow.stack.up import Stack
from tests.api.platforms import Platform, PlatformMaker, created
from tests.api.temporal import workflow_of
from tests.postgres import is_waited_for
from tests.waiting import until
from workflows.messages import batch_payment_workflow_id

PRICES = {"D-1": 30_000, "D-2": 20_000, "D-3": 10_000}
QR = {"method": "qr_wechat"}


def batch_body(*order_nos: str, batch_no: str = "B-1", **more: Any) -> dict[str, Any]:
    """What a platform sends to have orders paid together."""
    orders = [{"order_no": number, "amount_fen": PRICES[number]} for number in order_nos or PRICES]
    return {"batch_no": batch_no, "payer_no": "O-1", "orders": orders, **more}


async def orders_wait(platform: Platform, money_fen: int = 0) -> None:
    """Three orders of one owner with two contractors, and money for them."""
    card = await platform.open_owner()
    for contractor_no in ("C-1", "C-2"):
        await platform.open_contractor(contractor_no)
    for order_no, price_fen in PRICES.items():
        contractor_no = "C-2" if order_no == "D-3" else "C-1"
        await platform.open_order(order_no, total_fen=price_fen, contractor_no=contractor_no)
    if money_fen:
        await platform.top_up(card, money_fen)


async def statuses(platform: Platform) -> dict[str, str]:
    """Where each order stands."""
    return {number: (await platform.get(f"/orders/{number}")).json()["status"] for number in PRICES}


def outcomes(batch: dict[str, Any]) -> dict[str, str]:
    """What became of each share."""
    return {order["order_no"]: order["outcome"] for order in batch["orders"]}


async def test_an_owner_pays_many_payees_together_and_each_order_goes_on_alone(platform: Platform) -> None:
    await orders_wait(platform, 70_000)

    batch = await created(platform.post("/batch-payments", **batch_body()))

    assert (batch["status"], batch["paid_by"], batch["total_fen"], batch["frozen_fen"]) == (
        "paid",
        "balance",
        60_000,
        60_000,
    )
    assert outcomes(batch) == dict.fromkeys(PRICES, "frozen")
    assert {order["payee_no"] for order in batch["orders"]} == {"C-1", "C-2"}
    balances = await platform.balances("O-1")
    assert (balances["available_fen"], balances["in_escrow_fen"]) == (10_000, 60_000)
    # The orders know that they are paid when the call is answered.
    await platform.command("D-1/start", "R-1", "C-1")
    await platform.command("D-3/cancel", "R-2", "C-2")
    shown = (await platform.get("/batch-payments/B-1")).json()
    assert {order["order_no"]: order["order_status"] for order in shown["orders"]} == {
        "D-1": "in_progress",
        "D-2": "awaiting_start",
        "D-3": "cancelled",
    }
    assert (await platform.balances("O-1"))["available_fen"] == 20_000


async def test_every_order_has_an_event_of_its_own_in_the_same_transaction(platform: Platform) -> None:
    await orders_wait(platform, 60_000)
    await created(platform.post("/batch-payments", **batch_body()))

    events = (await platform.get("/events", limit=200)).json()["events"]

    paid = [event for event in events if event["event_type"] == "order.paid"]
    assert {(event["object_no"], event["sequence_no"]) for event in paid} == {("D-1", 2), ("D-2", 2), ("D-3", 2)}
    assert len({event["recorded_at"] for event in paid}) == 1


async def test_with_too_little_money_nothing_is_frozen_and_the_number_stays_refused(platform: Platform) -> None:
    await orders_wait(platform, 59_999)

    refused = await platform.post("/batch-payments", **batch_body())

    assert (refused.status_code, refused.json()["code"]) == (409, "insufficient_balance")
    assert refused.json()["details"]["missing_fen"] == 1
    assert set((await statuses(platform)).values()) == {"awaiting_payment"}
    assert (await platform.balances("O-1"))["available_fen"] == 59_999
    assert (await platform.post("/batch-payments", **batch_body())).json() == refused.json()
    assert (await platform.get("/batch-payments/B-1")).status_code == 404
    await created(platform.post("/batch-payments", **batch_body("D-1", "D-2", batch_no="B-2")))


async def test_a_repeated_batch_is_answered_as_the_first_time_and_another_list_is_refused(platform: Platform) -> None:
    await orders_wait(platform, 60_000)
    first = await created(platform.post("/batch-payments", **batch_body()))

    again = await platform.post("/batch-payments", **batch_body("D-3", "D-1", "D-2"))

    assert (again.status_code, again.json()) == (200, first)
    for other in (batch_body("D-1", "D-2"), batch_body(collection=QR)):
        changed = await platform.post("/batch-payments", **other)
        assert (changed.status_code, changed.json()["code"]) == (409, "request_no_reused")


async def test_one_order_that_does_not_wait_lets_the_whole_batch_be_refused(platform: Platform) -> None:
    await orders_wait(platform, 100_000)
    await platform.command("D-2/pay", "R-1", "O-1")

    refused = await platform.post("/batch-payments", **batch_body())

    assert (refused.status_code, refused.json()["code"]) == (409, "order_state")
    assert refused.json()["details"] == {"order_no": "D-2"}
    assert await statuses(platform) == {"D-1": "awaiting_payment", "D-2": "awaiting_start", "D-3": "awaiting_payment"}


async def test_a_batch_names_orders_of_one_owner_once_each_with_their_prices(platform: Platform) -> None:
    await orders_wait(platform)
    await platform.open_owner("O-2")
    await platform.open_order("D-4", owner_no="O-2", total_fen=5_000)
    foreign = {"order_no": "D-4", "amount_fen": 5_000}
    for orders, code in (
        ([foreign], "not_the_party"),
        ([{"order_no": "D-1", "amount_fen": 29_999}], "batch_differs"),
        ([{"order_no": "D-404", "amount_fen": 1}], "not_found"),
        ([{"order_no": "D-1", "amount_fen": 30_000}] * 2, "invalid_request"),
        ([], "invalid_request"),
    ):
        refused = await platform.post("/batch-payments", batch_no="B-9", payer_no="O-1", orders=orders)
        assert refused.json()["code"] == code, orders


async def test_many_batches_over_the_same_orders_pay_each_order_once(platform: Platform) -> None:
    await orders_wait(platform, 200_000)
    lists = [("D-1", "D-2"), ("D-2", "D-3"), ("D-3", "D-1"), ("D-1", "D-2", "D-3")]

    answers = await asyncio.gather(
        *(
            platform.post("/batch-payments", **batch_body(*lists[number % 4], batch_no=f"B-{number}"))
            for number in range(12)
        ),
        *(platform.post(f"/orders/{number}/pay", request_no=f"R-{number}", by="O-1") for number in PRICES),
    )

    assert {answer.status_code for answer in answers} <= {200, 201, 409, 503}
    frozen = [order["order_no"] for answer in answers if answer.status_code == 201 for order in answer.json()["orders"]]
    frozen += [answer.json()["order"]["order_no"] for answer in answers if answer.status_code == 200]
    assert len(frozen) == len(set(frozen))
    balances = await platform.balances("O-1")
    assert balances["in_escrow_fen"] == sum(PRICES[number] for number in frozen)
    assert balances["available_fen"] == 200_000 - balances["in_escrow_fen"]


async def test_the_limits_of_a_batch_and_of_a_day_hold_for_the_total(platforms: PlatformMaker) -> None:
    limits = {"batch_payment_fen": 50_000, "payments_per_day_fen": 40_000}
    config = {"top_up_settlement": "T+0", "limits": limits}
    platform = await platforms.open(PlatformConfig.model_validate(config))
    await orders_wait(platform, 60_000)
    for named, batch_no, limit in (((), "B-1", "batch_payment_fen"), (("D-1", "D-2"), "B-2", "payments_per_day_fen")):
        refused = await platform.post("/batch-payments", **batch_body(*named, batch_no=batch_no))
        assert (refused.status_code, refused.json()["code"]) == (409, "limit_exceeded")
        assert refused.json()["details"]["limit"] == f"limits.{limit}"
    await created(platform.post("/batch-payments", **batch_body("D-1", "D-3", batch_no="B-3")))


async def test_an_order_whose_way_of_paying_was_off_when_it_was_opened_is_in_no_batch(platforms: PlatformMaker) -> None:
    config = {"top_up_settlement": "T+0", "functions": {"balance_payment": False, "qr_wechat": False}}
    platform = await platforms.open(PlatformConfig.model_validate(config))
    await orders_wait(platform)
    for body, function in ((batch_body(), "balance_payment"), (batch_body(collection=QR), "qr_wechat")):
        refused = await platform.post("/batch-payments", **body)
        assert (refused.status_code, refused.json()["details"]) == (403, {"function": function})


# ---- one collection for all ----


async def test_one_scan_pays_all_and_an_order_cancelled_meanwhile_has_only_its_share_returned(
    platform: Platform,
) -> None:
    await orders_wait(platform)
    batch = await created(platform.post("/batch-payments", **batch_body(collection=QR)))
    assert (batch["status"], batch["paid_by"]) == ("awaiting_payment", "qr_wechat")
    assert batch["collection"]["amount_fen"] == 60_000
    assert batch["collection"]["interaction"]["qr_content"].startswith("http")
    assert outcomes(batch) == dict.fromkeys(PRICES, "waiting")
    await platform.command("D-2/cancel", "R-1", "O-1")

    await platform.bank.pay(f"{platform.number}/B-1:batch-pay:collect:1")

    async def is_paid() -> bool:
        shown = (await platform.get("/batch-payments/B-1")).json()
        returned = [payment["suspended_fen"] for payment in shown["collection"]["payments"]] == [0]
        return bool(shown["status"] == "paid" and returned)

    await until(is_paid, "it is paid")
    shown = (await platform.get("/batch-payments/B-1")).json()
    assert outcomes(shown) == {"D-1": "frozen", "D-2": "returned", "D-3": "frozen"}
    assert shown["frozen_fen"] == 40_000
    assert await statuses(platform) == {"D-1": "awaiting_start", "D-2": "cancelled", "D-3": "awaiting_start"}

    await platform.command("D-1/start", "R-2", "C-1")
    await platform.command("D-3/cancel", "R-3", "C-2")

    async def given_back() -> bool:
        balances = (await platform.get("/platform")).json()["balances_fen"]
        return (balances["refund"], balances["suspense"], balances["channel_due"]) == (0, 0, -30_000)

    await until(given_back, "the money goes back")
    assert (await platform.balances("O-1"))["in_escrow_fen"] == 21_000


async def test_an_order_that_nobody_told_that_a_batch_paid_it_goes_on_from_the_books(
    platform: Platform, stack: Stack
) -> None:
    await orders_wait(platform, 70_000)
    batch = await workflow_of(stack, batch_payment_workflow_id(platform.number, "B-1"))
    locker = await asyncpg.connect(stack.postgres.superuser_dsn)
    try:
        async with locker.transaction():
            await locker.execute("SELECT 1 FROM account WHERE platform_no = $1 FOR UPDATE", platform.number)
            paying = asyncio.create_task(platform.post("/batch-payments", **batch_body()))
            await until(lambda: is_waited_for(locker), "the batch is being posted")
            await batch.terminate("so that it tells nobody")
    finally:
        await locker.close()

    async def is_paid() -> bool:
        return (await statuses(platform))["D-1"] == "awaiting_start"

    await until(is_paid, "the posting is in the books all the same")
    started, _ = await asyncio.gather(platform.command("D-1/start", "R-1", "C-1"), paying)
    assert started["order"]["status"] == "in_progress"
