"""A thief who writes to Temporal, and what channels collect: booked once, for whom it is, and given back once.

The thief has a workflow type and a worker of its own, and so has any activity of ours done with any request, under any
workflow id and as often as it likes.
"""

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from activities.batch_payments import BatchNo
from activities.mandates import MandateRef
from activities.messages import Message
from activities.payers import CollectionNo
from activities.quick_payments import PayersTry, PayersWish
from activities.returns import RefundNo
from escrow.domain.collections.methods import ChannelPayment
from escrow.domain.money.amounts import yuan
from escrow.domain.platforms.config import Limits, PlatformConfig, Settlement
from escrow.domain.platforms.functions import FunctionSwitches
from tests.story import Story
from tests.story_batches import BATCH, Batches
from tests.story_collections import QR, Cashier
from tests.story_ground import CONTRACTOR, OWNER
from tests.terminating import terminated_at_rest
from tests.thieves import Call, Thief, changed, differences, everything, thief_in
from tests.workflows.conftest import StoryUnder
from tests.workflows.test_direct_payment import NUMBER, paid_order
from workflows.messages import PAYMENTS_TASK_QUEUE, BatchRef, CollectionRef, RefundRef, direct_refund_workflow_id

PAID_TWICE = "900.15"
#: What a thief would like to have believed, in whatever request.
INVENTED: dict[str, Any] = {
    "member_no": CONTRACTOR,
    "amount_fen": 1,
    "asked_fen": 1,
    "method": "direct_debit",
    "account_id": "A-C1",
    "mandate_no": "M-9",
    "order_no": "D-404",
    "request_no": "T-1:collect:9",
    "number": 9,
    "status": "paid",
    "interaction": {"kind": "redirect", "url": "https://thief.example", "qr_content": "thief", "app_parameters": {}},
    "payment": {"payment_no": "20260303QR_WECHAT0000000001", "amount_fen": 90_000},
    "refund_no": "T-1:return:9",
    "collected_for": CONTRACTOR,
}


@pytest.fixture
async def thief(story: Story) -> AsyncIterator[Thief]:
    async with thief_in(story) as thief:
        yield thief


def asking(activity: str, request: Message, /, **more: Any) -> Call:
    """One activity of ours, asked for with a reference and whatever else."""
    return Call(activity, {**more, **request.model_dump(mode="json")}, PAYMENTS_TASK_QUEUE)


def looking_after(story: Story, of: str = "T-1", /, **more: Any) -> Call:
    """Have a collection looked after."""
    return asking("look_after_collection", CollectionNo(platform_no=story.platform_no, pay_in_no=of), **more)


def giving_back(story: Story, of: str = "T-1", /, **more: Any) -> Call:
    """Have what must go back of a collection given back."""
    return asking("give_back", CollectionNo(platform_no=story.platform_no, pay_in_no=of), **more)


def refunding(story: Story, of: str = "D-1001", /, **more: Any) -> Call:
    """Have what an order has let go given back."""
    return asking("refund_order", RefundNo(platform_no=story.platform_no, order_no=of), **more)


async def payments_of(story: Story, number: str = "T-1") -> list[ChannelPayment]:
    """What the channel took."""
    answer = await story.stage.sandbox.bank.collections.query(f"{story.platform_no}/{number}:collect:1")
    return list(answer.payments)


async def waiting_top_up(story: Story, amount: str = "900.00") -> Cashier:
    """T-1 waits for its payer; its process is ended by the thief."""
    await story.members_open()
    cashier = Cashier(story)
    await cashier.opens(amount)
    await cashier.awaits_payer()
    await terminated_at_rest(cashier.handle(), "a thief")
    return cashier


# ---- what can be told to Temporal at all ----


def test_a_request_names_an_object_and_no_money_no_member_and_no_state() -> None:
    for reference, number in ((CollectionRef, "pay_in_no"), (BatchRef, "batch_no"), (RefundRef, "order_no")):
        assert set(reference.model_fields) == {"platform_no", number, "noted", "continue_after_events"}
    for request, names in (
        (CollectionNo, {"pay_in_no"}),
        (PayersTry, {"pay_in_no", "number"}),
        (PayersWish, {"pay_in_no", "request_no"}),
        (RefundNo, {"order_no"}),
        (BatchNo, {"batch_no"}),
        (MandateRef, {"mandate_no"}),
    ):
        assert set(request.model_fields) == {"platform_no", *names}


# ---- what nobody asked for ----


async def test_nothing_is_opened_collected_or_given_back_that_nobody_asked_for(story: Story, thief: Thief) -> None:
    await paid_order(story)
    await terminated_at_rest(Cashier(story).handle(NUMBER), "a thief")
    before = await everything(story)

    for number in ("T-404", "D-1001", "D-1001:pay:2", "B-1:batch-pay", OWNER, ""):
        await thief.has_done(
            looking_after(story, number, **INVENTED),
            giving_back(story, number, **INVENTED),
            refunding(story, number, **INVENTED),
            asking("take_batch", BatchNo(platform_no=story.platform_no, batch_no=number), **INVENTED),
        )

    assert differences(before, await everything(story)) == []


async def test_no_request_with_a_changed_field_changes_anything(story: Story, thief: Thief) -> None:
    cashier = await waiting_top_up(story)
    await cashier.opens("50.00", number="T-2")
    await cashier.awaits_payer("T-2")
    await cashier.payer_pays(number="T-2")
    await cashier.stands("T-2", "paid")
    await cashier.handle("T-2").terminate("a thief")
    await story.order_opens()
    await cashier.collects_for_order(story, number=NUMBER)
    await cashier.payer_pays(number=NUMBER)
    await cashier.stands(NUMBER, "paid")
    await terminated_at_rest(cashier.handle(NUMBER), "a thief")
    others = {
        "platform_no": ["HOME-404"],
        "pay_in_no": ["T-1", "T-2", NUMBER, "T-1:collect:1", "D-1001"],
        "order_no": ["D-1001", "T-1", NUMBER],
        "batch_no": ["B-1", "D-1001", "T-1"],
        "request_no": ["S-1", "R-1"],
    }
    home = story.platform_no
    requests: list[tuple[str, Message]] = [
        ("look_after_collection", CollectionNo(platform_no=home, pay_in_no="T-1")),
        ("give_back", CollectionNo(platform_no=home, pay_in_no="T-2")),
        ("refund_order", RefundNo(platform_no=home, order_no="D-1001")),
        ("tell_refund_credited", RefundNo(platform_no=home, order_no="D-1001")),
        ("check_payer_code", PayersTry(platform_no=home, pay_in_no="T-1", number=1)),
        ("send_payer_code", PayersWish(platform_no=home, pay_in_no="T-1", request_no="S-1")),
        ("take_batch", BatchNo(platform_no=home, batch_no="B-1")),
    ]
    before = await everything(story)

    for activity, request in requests:
        forged = [whole for _, whole in changed(request, others)]
        calls = [Call(activity, {**INVENTED, **whole}, PAYMENTS_TASK_QUEUE) for whole in forged]
        await thief.has_done(*calls, workflow_id=f"pay_in/{home}/T-1")
        await thief.has_done(*calls, at_once=True)

    assert differences(before, await everything(story)) == []


# ---- what was paid ----


async def test_a_payment_is_credited_once_to_whom_the_books_say_and_as_much(story: Story, thief: Thief) -> None:
    cashier = await waiting_top_up(story)
    await story.stage.sandbox.steer.pay(cashier.at_bank())

    await thief.has_done(*itertools.repeat(looking_after(story, **INVENTED), 8), at_once=True)
    await thief.has_done(*itertools.repeat(looking_after(story, **INVENTED), 3))

    balances = await story.balances()
    assert balances.pop("channel_due:qr_wechat") == "-900.00"
    assert list(balances.values()) == ["900.00"]
    assert next(iter(balances)).startswith("O-1/")


async def test_a_payment_goes_back_once_however_many_ask_for_it(story: Story, thief: Thief) -> None:
    cashier = await waiting_top_up(story, PAID_TWICE)
    await story.stage.sandbox.steer.pay(cashier.at_bank())

    async def both() -> bool:
        return len(await payments_of(story)) == 2

    await story.until(both, "the payer has paid twice")
    calls = [looking_after(story, **INVENTED), giving_back(story, **INVENTED)] * 4

    async def is_given_back() -> bool:
        await thief.has_done(*calls, at_once=True)
        return [item["suspended_fen"] for item in (await story.in_the_books("pay_in", "T-1")).body["payments"]] == [
            0,
            0,
        ]

    await story.until(is_given_back, "the channel gives the second payment back")
    await thief.has_done(*calls)

    channel_says = await story.stage.sandbox.bank.collections.query(cashier.at_bank())
    assert channel_says.refunded_fen == yuan(PAID_TWICE)
    balances = await story.balances()
    assert balances.pop("channel_due:qr_wechat") == f"-{PAID_TWICE}"
    assert list(balances.values()) == [PAID_TWICE]
    body = (await story.in_the_books("pay_in", "T-1")).body
    assert [item["number"] for item in body["returns"]] == [1]


async def test_a_payer_is_shown_what_the_channel_says_and_no_address_of_a_thiefs(story: Story, thief: Thief) -> None:
    cashier = await waiting_top_up(story)
    shown = (await story.in_the_books("pay_in", "T-1")).body["interaction"]

    await thief.has_done(looking_after(story, **INVENTED), workflow_id=cashier.handle().id)

    assert (await story.in_the_books("pay_in", "T-1")).body["interaction"] == shown
    assert "thief" not in str(shown)


async def test_a_channel_is_asked_once_however_many_open_the_same(story: Story, thief: Thief) -> None:
    await story.members_open()
    cashier = Cashier(story)
    await cashier.asks("900.00")

    await thief.has_done(*itertools.repeat(looking_after(story, **INVENTED), 8), at_once=True)

    body = (await story.in_the_books("pay_in", "T-1")).body
    assert [asked["number"] for asked in body["asked"]] == [1]
    channel_says = await cashier.channel_says()
    assert (channel_says.method, channel_says.amount_fen) == (QR, 90_000)


# ---- orders and batches that a channel pays ----


async def test_an_order_is_paid_in_the_books_whoever_sits_where_its_process_was(story: Story, thief: Thief) -> None:
    await story.members_open()
    await story.order_opens()
    cashier = Cashier(story)
    await cashier.collects_for_order(story, number=NUMBER)
    await terminated_at_rest(story.order, "a thief")
    idler = await thief.sits_at(story.order.id)

    await cashier.payer_pays(number=NUMBER)
    await cashier.stands(NUMBER, "paid")
    await terminated_at_rest(idler, "an operator")

    assert (await story.in_the_books("order", "D-1001")).status == "awaiting_start"
    assert (await story.balances())["O-1/escrow:D-1001"] == "186,000.00"


async def test_nobody_says_that_an_order_took_a_payment_and_it_goes_back(story: Story, thief: Thief) -> None:
    await story.members_open()
    await story.order_opens()
    cashier = Cashier(story)
    await cashier.collects_for_order(story, number=NUMBER)
    await story.cancels(CONTRACTOR)
    await story.stage.sandbox.steer.pay(cashier.at_bank(NUMBER))
    [payment] = await payments_of(story, NUMBER)

    await cashier.handle(NUMBER).signal("order_has_answered", {"payment_no": payment.payment_no})
    await thief.has_done(looking_after(story, NUMBER, **INVENTED))
    await cashier.channel_notifies(number=NUMBER)
    outcome = await story.ending_of(cashier.handle(NUMBER))

    assert (outcome.status, outcome.suspended_fen) == ("closed", 0)
    channel_says = await story.stage.sandbox.bank.collections.query(cashier.at_bank(NUMBER))
    assert channel_says.refunded_fen == channel_says.paid_fen == 18_600_000


async def test_a_refund_goes_back_once_and_no_other_order_has_it(story: Story, thief: Thief) -> None:
    cashier = await paid_order(story)
    signed = story.signed
    await story.order_opens(order_no="D-2", price="100.00")
    await story.owner_transfers("100.00")
    await story.pays()
    await story.cancels(OWNER)
    idler = await thief.sits_at(direct_refund_workflow_id(story.platform_no, "D-1001"))
    story.contract = signed
    await story.cancels(CONTRACTOR)

    async def is_refunded() -> bool:
        calls = [refunding(story, number, **INVENTED) for number in ("D-2", "D-1001", NUMBER)] * 3
        await thief.has_done(*calls, at_once=True)
        return (await story.in_the_books("refund", "D-1001")).status == "refunded"

    await story.until(is_refunded, "the channel gives it back")
    await terminated_at_rest(idler, "an operator")

    assert not await story.is_entered("refund", "D-2")
    channel_says = await story.stage.sandbox.bank.collections.query(cashier.at_bank(NUMBER))
    assert channel_says.refunded_fen == 18_600_000
    assert await story.balances() == {"O-1/withdrawable": "100.00"}


async def test_a_batch_is_paid_once_by_what_its_channel_took_for_it(story: Story, thief: Thief) -> None:
    await story.members_open()
    batches = Batches(story)
    await batches.orders_open()
    cashier = await batches.collects(method=QR)
    number = f"{BATCH}:batch-pay"
    await terminated_at_rest(cashier.handle(number), "a thief")
    await terminated_at_rest(batches.workflow, "a thief")
    await story.stage.sandbox.steer.pay(cashier.at_bank(number, await cashier.attempt(number)))
    batch = BatchNo(platform_no=story.platform_no, batch_no=BATCH)
    calls = [looking_after(story, number, **INVENTED), asking("take_batch", batch, **INVENTED)] * 4

    await thief.has_done(*calls, at_once=True)
    await thief.has_done(*calls)

    assert await batches.statuses() == dict.fromkeys(batches.contracts, "awaiting_start")
    balances = await story.balances()
    assert balances["channel_due:qr_wechat"] == "-60,000.00"
    assert sum(yuan(balances[f"O-1/escrow:{order_no}"]) for order_no in batches.contracts) == yuan("60,000.00")


# ---- rules that a caller of the API meets too ----


async def test_functions_limits_and_parties_are_met_by_whoever_writes_to_temporal(story_under: StoryUnder) -> None:
    limits = Limits(payments_per_day_fen=yuan("150.00"))
    config = PlatformConfig(top_up_settlement=Settlement.T_PLUS_0, limits=limits)
    async with story_under(config) as story:
        await story.members_open()
        cashier = Cashier(story)
        await story.order_opens(price="100.00")
        await cashier.collects_for_order(story, number=NUMBER)
        await story.order_opens(order_no="D-2", price="100.00")
        await cashier.asks_for_order(story, number="D-2:pay:1")
        assert await cashier.refusal_comes("D-2:pay:1") == "limit_exceeded"
        await cashier.asks_for_order(story, number="D-2:pay:2", by=CONTRACTOR)
        assert await cashier.refusal_comes("D-2:pay:2") == "not_the_party"
        # What came to nothing has used nothing of the day.
        await story.hours_pass(25)
        await cashier.stands(NUMBER, "closed")
        await story.platform_has(functions=FunctionSwitches(qr_wechat=False))
        await cashier.asks("1.00", number="T-9")
        assert await cashier.refusal_comes("T-9") == "function_off"
