"""A thief with full access to Temporal: ends an order or a withdrawal and starts it again with what was never agreed.

The thief has a terminal, not the database. Whatever is invented, money moves only as the books and the bank allow.
"""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from escrow.domain.errors import Refused
from escrow.domain.money.funding import FundingLeg
from escrow.domain.money.journal import Basis
from escrow.domain.orders.milestones import MilestoneKind
from escrow.domain.orders.states import MilestoneStatus, OrderStatus
from escrow.domain.platforms.config import PlatformConfig, Settlement
from escrow.domain.withdrawals.payouts import PayoutAnswer, PayoutStatus
from escrow.domain.withdrawals.rails import Rail
from escrow.registry.accounts.rows import NewBankAccount
from tests.stage import TUESDAY_MORNING
from tests.story import Story
from tests.story_ground import CONTRACTOR, CONTRACTORS_ACCOUNT, OWNER
from tests.workflows.conftest import STUCK, StoryAt, StoryUnder
from workflows import order_state as states
from workflows.messages import (
    OrderContract,
    OrderInput,
    OrderPeriods,
    OrderState,
    PayoutAttempt,
    WithdrawalInput,
    WithdrawalState,
)

ANOTHER_OF_THE_CONTRACTOR = NewBankAccount(
    account_id="A-C2", account_no="11050137360000000999", account_name="精工装饰工程有限公司", is_corporate=True,
    cnaps_code="105100000017",
)  # fmt: skip


async def restarted(story: Story, contract: OrderContract, state: OrderState) -> None:
    """The order is ended and begins again with another contract or state than the books have."""
    await story.order.terminate("a thief")
    await story.start_order(OrderInput(contract=contract, state=state), server_has_forgotten=True)


def with_kind(contract: OrderContract, number: int, kind: MilestoneKind) -> OrderContract:
    """The contract with another kind of one milestone; what was of that kind before becomes a stage."""
    milestones = [
        terms.model_copy(
            update={
                "kind": kind
                if terms.number == number
                else MilestoneKind.ACCEPTANCE
                if terms.kind is kind
                else terms.kind
            }
        )
        for terms in contract.milestones
    ]
    return contract.model_copy(update={"milestones": tuple(milestones)})


# ---- orders ----


async def test_a_contractors_start_releases_no_stage_that_was_signed_as_one_to_accept(story: Story) -> None:
    signed = await story.paid_order()
    forged = with_kind(signed, 2, MilestoneKind.START)
    forged = forged.model_copy(update={"milestones": (forged.milestones[1], *forged.milestones[2:])})
    state = states.opening_state(with_kind(signed, 2, MilestoneKind.START))
    state.status, state.paid_fen = OrderStatus.AWAITING_START, signed.total_fen
    before = await story.balances()

    await restarted(story, forged, state)
    with pytest.raises(Refused):
        await story.starts()

    assert await story.balances() == before


async def test_one_side_alone_cannot_cancel_what_has_begun(story: Story) -> None:
    signed = await story.paid_order()
    funding = (await story.order_state()).funding
    await story.starts()
    await story.completes(2)
    before = await story.balances()
    state = states.opening_state(signed)
    state.status, state.paid_fen, state.funding = OrderStatus.AWAITING_START, signed.total_fen, funding
    state.released_fen = 5_301_000
    state.commission_fen = 279_000

    await restarted(story, signed, state)
    with pytest.raises(Refused):
        await story.cancels(OWNER)

    assert await story.balances() == before


async def test_both_wishes_to_cancel_must_be_of_different_sides(story: Story) -> None:
    signed = await story.paid_order()
    await story.starts()
    await story.cancels(OWNER)
    state, before = await story.order_state(), await story.balances()
    forged = signed.model_copy(update={"contractor_no": OWNER, "owner_no": CONTRACTOR})
    assert state.proposal is not None
    state.proposal = state.proposal.model_copy(update={"by": CONTRACTOR})

    await restarted(story, forged, state)
    with pytest.raises(Refused):
        await story.cancels(OWNER)

    assert await story.balances() == before


async def test_silence_is_acceptance_only_after_the_signed_period(story: Story) -> None:
    signed = await story.paid_order()
    await story.starts()
    state, before = await story.order_state(), await story.balances()
    forged = signed.model_copy(update={"periods": OrderPeriods(inspection_period=timedelta(seconds=1))})

    await restarted(story, forged, state)
    with pytest.raises(Refused):
        await story.completes(2)
    await story.days_pass(1)

    assert await story.balances() == before


async def test_a_rectification_leaves_only_what_was_left_of_the_signed_period(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    await story.days_pass(3)
    await story.rectifies(2)
    state, before = await story.order_state(), await story.balances()
    forged = states.with_milestone(state, 2, inspection_left=timedelta(days=3.5))

    await restarted(story, story.signed, forged)
    with pytest.raises(Refused):
        await story.completes(2)
    await restarted(story, story.signed, state)
    await story.completes(2)

    assert await story.balances() == before
    await story.days_pass(4.1)
    assert (await story.order_view()).milestones[1].status == "released"


async def test_the_retention_is_released_only_after_the_signed_period(story: Story) -> None:
    signed = await story.paid_order()
    await story.starts()
    for number in (2, 3):
        await story.completes(number)
        await story.accepts(number)
    await story.completes(4)
    state, before = await story.order_state(), await story.balances()
    forged = signed.model_copy(update={"periods": OrderPeriods(retention_period=timedelta(seconds=1))})

    await restarted(story, forged, state)
    with pytest.raises(Refused):
        await story.accepts(4)
    await story.days_pass(1)

    assert await story.balances() == before


async def test_the_warranty_begins_only_when_every_stage_is_released(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    before = await story.balances()
    state = await story.order_view()
    for number in (3, 4):
        state = states.with_milestone(state, number, status=MilestoneStatus.RELEASED)

    await restarted(story, story.signed, state)
    with pytest.raises(Refused):
        await story.accepts(2)
    await story.days_pass(7.2)

    assert await story.balances() == before


async def test_accepting_one_stage_releases_no_other(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    before = await story.balances()
    state = states.with_milestone(
        await story.order_state(), 3, status=MilestoneStatus.IN_INSPECTION,
        inspection_due_at=await story.now() + timedelta(days=30),
    )  # fmt: skip

    await restarted(story, story.signed, state)
    with pytest.raises(Refused):
        await story.accepts(3)

    assert await story.balances() == before


@pytest.mark.parametrize("basis_points", [0, 10_000])
async def test_the_commission_is_the_signed_one(story: Story, basis_points: int) -> None:
    signed = await story.paid_order()
    await story.starts()
    await story.completes(2)
    state, before = await story.order_state(), await story.balances()
    state.released_fen, state.commission_fen = 0, 0

    await restarted(story, signed.model_copy(update={"commission_basis_points": basis_points}), state)
    with pytest.raises(Refused):
        await story.accepts(2)

    assert await story.balances() == before


async def test_money_of_tomorrow_cannot_be_made_money_of_today_by_a_refund(story_under: StoryUnder) -> None:
    async with story_under(PlatformConfig(top_up_settlement=Settlement.T_PLUS_1)) as story:
        signed = await story.paid_order()
        state, before = await story.order_state(), await story.balances()
        state.funding = [FundingLeg(source="withdrawable", amount_fen=signed.total_fen)]

        await restarted(story, signed, state)
        with pytest.raises(Refused):
            await story.cancels(OWNER)

        assert await story.balances() == before


async def test_an_order_does_not_end_with_money_inside(story: Story) -> None:
    signed = await story.paid_order()
    before = await story.balances()
    state = states.opening_state(signed)
    state.step_due_at = await story.now() - timedelta(seconds=1)

    await restarted(story, signed, state)
    await asyncio.sleep(1)

    assert await story.balances() == before
    assert (await story.in_the_books("order", "D-1001")).status == "awaiting_start"
    await story.order.terminate("an operator")
