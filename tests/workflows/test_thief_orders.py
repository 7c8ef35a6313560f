"""A thief with full access to Temporal, and orders: whatever is asked of our activities, the books decide as signed.

The thief has a workflow type and a worker of its own, under the ids of orders and under others. It knows every number,
every honest request and every consent, those too that were recorded and kept back. It has no key and no database.
"""

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from activities.orders import OrderRef, RemindOwner, TakeOrderCommand
from escrow.domain.orders.commands import DeadlinePassed, Open, PartyCommand
from escrow.domain.orders.contract import opening_consent_no
from escrow.domain.orders.states import OrderCommand as Operation
from tests.story import Story
from tests.story_ground import CONTRACTOR, OWNER
from tests.terminating import terminated_at_rest
from tests.thieves import (
    Call,
    Thief,
    bringing,
    changed,
    collected_order,
    differences,
    everything,
    kept_back,
    take,
    taking,
    thief_in,
    three_orders,
)
from workflows.messages import OrderInput

ORDERS = ("D-1001", "D-2", "D-3")
MEMBERS = (OWNER, CONTRACTOR, "C-2", "O-404")
#: What the deposit, the first stage and the second one bring the contractor, by the contract.
DEPOSIT, WITH_SECOND = "53,010.00", "106,020.00"


@pytest.fixture
async def thief(story: Story) -> AsyncIterator[Thief]:
    async with thief_in(story) as thief:
        yield thief


# ---- what can be told to Temporal at all ----


def test_a_request_names_an_order_and_no_money_no_payee_and_no_state() -> None:
    assert set(OrderInput.model_fields) == {"platform_no", "order_no", "noted", "continue_after_events"}
    assert set(OrderRef.model_fields) == {"platform_no", "order_no"}
    assert set(PartyCommand.model_fields) == {"operation", "request_no", "by", "milestone", "note", "seen_version"}
    assert set(DeadlinePassed.model_fields) == {"name", "deadline"}
    assert set(Open.model_fields) == {"name", "order_no"}
    assert set(RemindOwner.model_fields) - set(OrderRef.model_fields) == {"milestone", "round"}


# ---- words that nobody said ----


async def test_no_word_counts_for_another_order_party_stage_or_wish(story: Story, thief: Thief) -> None:
    words = await three_orders(story)
    before = await everything(story)
    forged = [
        bringing(story, kept, order_no=order_no, operation=operation, by=by, milestone=milestone)
        for kept in words
        for order_no, operation, by, milestone in itertools.product(
            ORDERS, Operation, MEMBERS[:3], (None, 1, 2, 3, kept.message.milestone)
        )
        if (order_no, operation, by, milestone)
        != (kept.order_no, kept.operation, kept.message.by, kept.message.milestone)
    ]

    await thief.has_done(*map(take, forged), workflow_id="order/somebody/else")

    assert differences(before, await everything(story)) == []


@pytest.mark.parametrize("under", ["order/nobody/D-0", "the order's own"])
async def test_no_request_with_a_changed_field_changes_anything(story: Story, thief: Thief, under: str) -> None:
    words = await three_orders(story)
    numbers = [kept.message.request_no for kept in words]
    others = {
        "platform_no": ["HOME-404"],
        "order_no": [*ORDERS, "D-404"],
        "request_no": [*numbers, opening_consent_no("D-1001"), "R-404"],
        "by": MEMBERS,
        "milestone": [1, 2, 3, 4, 5, 99],
        "deadline": ["payment", "start", "warranty", "M1:work:0", "M2:inspection:1", "M2:inspection:2", "M3:work:0"],
    }
    requests = [bringing(story, kept) for kept in words]
    requests += [taking(story, "D-1001", DeadlinePassed(deadline="M2:inspection:1"))]
    requests += [taking(story, number, Open(order_no=number)) for number in ORDERS]
    calls = [Call("take_order_command", forged) for request in requests for _, forged in changed(request, others)]
    reminder = RemindOwner(platform_no=story.platform_no, order_no="D-1001", milestone=2, round=1)
    calls += [Call("remind_owner", forged) for _, forged in changed(reminder, others)]
    calls += [
        Call("enter_order", forged)
        for number in ORDERS
        for _, forged in changed(OrderRef(platform_no=story.platform_no, order_no=number), others)
    ]
    if under == "the order's own":
        await terminated_at_rest(story.order, "a thief")
        under = story.order.id
    before = await everything(story)

    await thief.has_done(*_honest_ones_left_out(calls, requests), workflow_id=under)

    assert differences(before, await everything(story)) == []


def _honest_ones_left_out(calls: list[Call], honest: list[TakeOrderCommand]) -> list[Call]:
    """A change of one word may make it another that was said: that one is no forgery."""
    said = [request.model_dump(mode="json") for request in honest]
    return [call for call in calls if call.request not in said]


async def test_what_only_an_activity_knows_cannot_be_sent(story: Story, thief: Thief) -> None:
    await three_orders(story)
    direct = await collected_order(story, thief)
    before = await everything(story)
    commands: list[dict[str, Any]] = [
        {"name": "owner_reminded", "milestone": 2, "round": 1},
        {"name": "call_operator", "reason": "a lure", "seen_version": 4},
        {"name": "paid_directly", "payment": direct.model_dump(mode="json")},
        {"operation": "release", "request_no": "R-1", "by": OWNER, "milestone": 2, "amount_fen": 10_000_000},
        {"name": "open", "order_no": "D-5", "contract": {"total_fen": 1}},
    ]
    calls = [
        Call("take_order_command", {"platform_no": story.platform_no, "order_no": number, "command": command})
        for number in (*ORDERS, "D-4", "D-5")
        for command in commands
    ]

    await thief.has_done(*calls)

    assert differences(before, await everything(story)) == []


async def test_an_order_that_nobody_recorded_is_not_opened(story: Story, thief: Thief) -> None:
    await three_orders(story)
    before = await everything(story)

    refs = [OrderRef(platform_no=story.platform_no, order_no=number) for number in ("D-404", "C-1", "", "D-1001:M2")]
    await thief.has_done(*(Call("enter_order", ref.model_dump()) for ref in refs))

    assert differences(before, await everything(story)) == []


# ---- what was said, again ----


async def test_what_was_done_is_not_done_again_in_whatever_order_it_is_asked_for(story: Story, thief: Thief) -> None:
    words = await three_orders(story)
    (accept, _, _, _, complete), start = words[:5], words[5]
    honest = [take(bringing(story, kept)) for kept in (accept, complete, start)]
    await thief.has_done(*honest)
    assert (await story.balances())["C-1/withdrawable"] == WITH_SECOND
    assert (await story.balances())["C-2/withdrawable"] == DEPOSIT
    reminder = RemindOwner(platform_no=story.platform_no, order_no="D-1001", milestone=2, round=1).model_dump()
    before = await everything(story)

    again = [*honest, Call("remind_owner", reminder), *reversed(honest), *honest]
    await thief.has_done(*again)
    await thief.has_done(*again, at_once=True)

    assert differences(before, await everything(story)) == []


async def test_one_stage_is_released_once_however_many_words_say_so(story: Story, thief: Thief) -> None:
    await story.paid_order()
    starts = [await kept_back(story, Operation.START, CONTRACTOR) for _ in range(4)]
    await thief.has_done(*(take(bringing(story, kept)) for kept in starts), at_once=True)
    assert (await story.balances())["C-1/withdrawable"] == DEPOSIT
    await story.completes(2)
    accepts = [await kept_back(story, Operation.ACCEPT, OWNER, 2) for _ in range(4)]

    await thief.has_done(*(take(bringing(story, kept)) for kept in (*accepts, *starts)), at_once=True)
    await thief.has_done(*(take(bringing(story, kept)) for kept in (*starts, *accepts)))

    balances = await story.balances()
    assert (balances["C-1/withdrawable"], balances["O-1/escrow:D-1001"]) == (WITH_SECOND, "74,400.00")
    released = [event for event in await story.events("order", "D-1001") if "released" in event.event_type]
    assert len(released) == 2


async def test_one_side_alone_never_cancels_whatever_words_of_it_are_kept_back(story: Story, thief: Thief) -> None:
    await story.paid_order()
    await story.starts()
    wishes = [await kept_back(story, Operation.CANCEL, OWNER) for _ in range(3)]
    before = await story.balances()

    for by in (OWNER, CONTRACTOR):
        await thief.has_done(*(take(bringing(story, kept, by=by)) for kept in wishes))
        await thief.has_done(*(take(bringing(story, kept, by=by)) for kept in wishes), at_once=True)

    assert await story.balances() == before
    assert (await story.in_the_books("order", "D-1001")).status == "in_progress"


async def test_a_wish_that_was_recorded_early_leaves_the_signed_period_and_no_more(story: Story, thief: Thief) -> None:
    await story.paid_order()
    await story.starts()
    early = await kept_back(story, Operation.RECTIFY, OWNER, 2)
    await story.hours_pass(20)
    await story.completes(2)

    await thief.has_done(take(bringing(story, early)))
    await story.completes(2)

    await story.days_pass(7.1)
    assert (await story.balances())["C-1/withdrawable"] == WITH_SECOND
