"""The main journeys over HTTP, on the server whose time can be skipped per workflow."""

from datetime import timedelta

import pytest

from tests.api.platforms import PRICE_FEN
from tests.journeys.conftest import Journey
from tests.waiting import until
from workflows.messages import order_workflow_id


async def test_a_contract_is_lived_through_from_payment_to_the_end_of_the_warranty(journey: Journey) -> None:
    platform = journey.platform
    await platform.paid_order()
    await platform.command("D-1001/start", "R-1", "C-1")
    await platform.command("D-1001/milestones/2/complete", "R-2", "C-1")
    await platform.command("D-1001/milestones/2/rectify", "R-3", "O-1")
    await platform.command("D-1001/milestones/2/complete", "R-4", "C-1")
    await platform.command("D-1001/milestones/2/accept", "R-5", "O-1")
    await platform.command("D-1001/milestones/3/complete", "R-6", "C-1")
    await journey.days_pass(6.5)
    assert (await journey.order())["milestones"][2]["status"] == "in_inspection"
    await journey.days_pass(0.6)
    order = await journey.order()
    assert (order["status"], order["milestones"][2]["accepted_by"]) == ("in_warranty", "silence")
    assert order["held_fen"] == PRICE_FEN // 20
    await journey.days_pass(89)
    assert (await journey.order())["status"] == "in_warranty"
    await journey.days_pass(1.1)

    order = await journey.order()
    assert (order["status"], order["held_fen"], order["released_fen"]) == ("settled", 0, PRICE_FEN * 95 // 100)
    assert (await platform.balances("C-1"))["withdrawable_fen"] == PRICE_FEN * 95 // 100
    texts = [text.text for text in await platform.bank.sms_outbox() if text.req_seq.startswith(f"{platform.number}/")]
    assert len(texts) == 1

    timers = await _timers(journey)
    # Seven days of inspection: six until the owner is reminded, and one more.
    assert {timedelta(days=6), timedelta(days=1)} <= set(timers)
    assert timedelta(days=90) in timers


async def test_an_unpaid_order_closes_and_a_cancelled_one_is_refunded(journey: Journey) -> None:
    platform = journey.platform
    await platform.paid_order()
    await platform.open_order("D-1002")

    await journey.days_pass(1.1)
    cancelled = await platform.command("D-1001/cancel", "R-1", "C-1")

    assert (await journey.order("D-1002"))["status"] == "closed_unpaid"
    assert cancelled["order"]["status"] == "cancelled"
    assert cancelled["result"]["refunded_fen"] == PRICE_FEN
    assert (await platform.balances("O-1"))["withdrawable_fen"] == PRICE_FEN
    late = await platform.post("/orders/D-1002/pay", request_no="R-2", by="O-1")
    assert (late.status_code, late.json()["code"]) == (409, "order_state")


async def test_a_release_above_fifty_thousand_yuan_is_withdrawn_by_itself_and_announced(journey: Journey) -> None:
    platform = journey.platform
    await platform.paid_order(withdraw_automatically=True)
    await platform.command("D-1001/start", "R-1", "C-1")

    async def paid() -> bool:
        found = (await platform.get("/withdrawals")).json()["withdrawals"]
        return [withdrawal["status"] for withdrawal in found] == ["paid"]

    await until(paid, "it is paid")
    [withdrawal] = (await platform.get("/withdrawals")).json()["withdrawals"]
    assert (withdrawal["rail"], withdrawal["principal_fen"]) == ("ibps", 5_301_000)
    assert withdrawal["reasons"][0] == "53,010.00 yuan by ibps, the balanced choice."
    texts = [text.text for text in await platform.bank.sms_outbox() if text.req_seq.startswith(f"{platform.number}/")]
    assert len(texts) == 1
    assert "53,010.00" in texts[0]


@pytest.mark.parametrize(
    ("name", "payload", "noted"),
    [
        ("accept", '"release it all, please"', "malformed"),
        ("accept", '{"request_no": "R-x", "by": "O-1", "milestone": 3}', "milestone 3 is planned"),
        ("accept", '{"request_no": "R-x", "by": "O-1", "milestone": 2}', "no basis that holds"),
    ],
    ids=["malformed", "untimely", "baseless"],
)
async def test_of_the_signals_sent_by_hand_only_the_good_one_moves_money(
    journey: Journey, name: str, payload: str, noted: str
) -> None:
    platform = journey.platform
    await platform.paid_order()
    await platform.command("D-1001/start", "R-1", "C-1")
    await platform.command("D-1001/milestones/2/complete", "R-2", "C-1")
    handle = journey.client.get_workflow_handle(order_workflow_id(platform.number, "D-1001"))

    await journey.signal(name, payload)

    async def is_noted() -> bool:
        return bool((await handle.query("state"))["noted"])

    await until(is_noted, "the order notes it")
    [note] = (await handle.query("state"))["noted"]
    assert noted in note["reason"]
    assert (await journey.order())["milestones"][2 - 1]["status"] == "in_inspection"
    held_fen = (await journey.order())["held_fen"]

    consent = {"request_no": "R-3", "by": "O-1", "operation": "accept", "milestone": 2}
    assert (await platform.post("/orders/D-1001/consents", **consent)).status_code == 201
    assert (await journey.order())["held_fen"] == held_fen
    await journey.signal("accept", '{"request_no": "R-3", "by": "O-1", "milestone": 2}')

    async def released() -> bool:
        return bool((await journey.order())["milestones"][1]["status"] == "released")

    await until(released, "the stage is released")
    assert (await journey.order())["held_fen"] == held_fen - 5_580_000


async def test_operators_find_orders_by_what_they_know_of_them(journey: Journey) -> None:
    platform = journey.platform
    await platform.paid_order()
    await platform.open_order("D-1002")
    await platform.command("D-1001/start", "R-1", "C-1")
    mine = f'Platform = "{platform.number}"'
    first, second = (order_workflow_id(platform.number, number) for number in ("D-1001", "D-1002"))

    async def listed() -> bool:
        return await journey.orders_found(f'{mine} AND OrderStatus = "in_progress" AND Stage = "M2"') == [first]

    await until(listed, "the server lists it")
    assert await journey.orders_found(f'{mine} AND OrderStatus = "awaiting_payment"') == [second]
    assert await journey.orders_found(f'{mine} AND Owner = "O-1" AND Contractor = "C-1"') == [first, second]
    assert await journey.orders_found(f"{mine} AND AmountFen = {PRICE_FEN} AND NeedsAttention = false") == [
        first,
        second,
    ]
    assert await journey.orders_found(f"{mine} AND NeedsAttention = true") == []


async def _timers(journey: Journey) -> list[timedelta]:
    """Durations of all timers of the order, rounded to minutes."""
    handle = journey.client.get_workflow_handle(order_workflow_id(journey.platform.number, "D-1001"))
    history = await handle.fetch_history()
    durations = [
        event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
        for event in history.events
        if event.HasField("timer_started_event_attributes")
    ]
    return [timedelta(minutes=round(duration / timedelta(minutes=1))) for duration in durations]
