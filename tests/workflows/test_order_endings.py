"""How an order ends early: unpaid, not started, cancelled by one side or by both; the money goes back as it came."""

from datetime import timedelta

import pytest
from temporalio.service import RPCError, RPCStatusCode

from escrow.domain.errors import Refused
from escrow.domain.platforms.config import PlatformConfig, Settlement
from escrow.ledger.days import accounting_day, close_day
from tests.story import Story
from tests.story_ground import CONTRACTOR, OWNER
from tests.workflows.conftest import StoryUnder
from workflows.messages import OrderInput


async def test_an_unpaid_order_closes_at_its_payment_deadline(story: Story) -> None:
    await story.members_open()
    await story.owner_transfers("186,000.00")
    await story.order_opens()

    await story.hours_pass(23.9)
    assert (await story.order_view()).status == "awaiting_payment"
    await story.hours_pass(0.2)

    assert (await story.order_ends()).status == "closed_unpaid"
    assert await story.balances() == {"O-1/withdrawable": "186,000.00"}
    with pytest.raises(RPCError) as late:
        await story.pays()
    assert late.value.status is RPCStatusCode.NOT_FOUND


async def test_the_number_of_an_ended_order_is_never_used_again(story: Story) -> None:
    await story.members_open()
    contract = await story.order_opens()
    await story.hours_pass(25)
    before = await story.events("order", "D-1001")

    again = await story.start_order(OrderInput(platform_no=story.platform_no, order_no="D-1001"))
    outcome = await story.ending_of(again)

    assert outcome.status == "closed_unpaid"
    assert await story.events("order", "D-1001") == before
    with pytest.raises(Refused, match="was used for another consent"):
        await story.opening_is_recorded("D-1001", {"order_no": "D-1001"}, config_version=contract.config_version)


async def test_an_order_that_is_not_started_in_time_is_refunded(story: Story) -> None:
    await story.paid_order()

    await story.days_pass(29.9)
    assert await story.balances() == {"O-1/escrow:D-1001": "186,000.00"}
    await story.days_pass(0.2)

    assert (await story.order_ends()).status == "cancelled"
    assert await story.balances() == {"O-1/withdrawable": "186,000.00"}
    paid, cancelled = (await story.events("order", "D-1001"))[-2:]
    assert timedelta(days=30) <= cancelled.occurred_at - paid.occurred_at < timedelta(days=30, minutes=1)


@pytest.mark.parametrize("side", [OWNER, CONTRACTOR])
async def test_before_the_payment_either_side_cancels(story: Story, side: str) -> None:
    await story.members_open()
    await story.order_opens()

    await story.cancels(side)

    assert (await story.order_ends()).status == "cancelled"
    assert await story.balances() == {}


@pytest.mark.parametrize("side", [OWNER, CONTRACTOR])
async def test_before_the_start_either_side_cancels_and_all_is_refunded(story: Story, side: str) -> None:
    await story.paid_order()

    answer = await story.cancels(side)

    assert answer.refunded_fen == 18_600_000
    assert (await story.order_ends()).status == "cancelled"
    assert await story.balances() == {"O-1/withdrawable": "186,000.00"}


@pytest.mark.parametrize(("first", "second"), [(OWNER, CONTRACTOR), (CONTRACTOR, OWNER)])
async def test_after_the_start_it_takes_both_sides_and_the_rest_is_refunded(
    story: Story, first: str, second: str
) -> None:
    await story.paid_order()
    await story.starts()

    proposed = await story.cancels(first)
    assert (proposed.order_status, proposed.refunded_fen) == ("in_progress", 0)
    await story.days_pass(6.9)
    agreed = await story.cancels(second)

    assert agreed.refunded_fen == 13_020_000
    assert (await story.order_ends()).status == "cancelled"
    assert await story.balances() == {
        "O-1/withdrawable": "130,200.00",
        "C-1/withdrawable": "53,010.00",
        "fees": "2,790.00",
    }


async def test_one_side_alone_never_cancels_however_often_it_asks(story: Story) -> None:
    await story.paid_order()
    await story.starts()

    await story.cancels(OWNER)
    await story.cancels(OWNER)

    state = await story.order_view()
    assert state.status == "in_progress"
    assert state.proposal is not None
    assert (await story.balances())["O-1/escrow:D-1001"] == "130,200.00"


async def test_a_wish_to_cancel_lapses_after_seven_days(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.cancels(OWNER)
    await story.days_pass(7.1)

    answer = await story.cancels(CONTRACTOR)

    assert answer.order_status == "in_progress"
    proposal = (await story.order_view()).proposal
    assert proposal is not None
    assert proposal.by == CONTRACTOR


async def test_in_the_warranty_both_sides_can_cancel_and_the_retention_is_refunded(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    for number in (2, 3, 4):
        await story.completes(number)
        await story.accepts(number)

    await story.cancels(CONTRACTOR)
    await story.cancels(OWNER)

    assert (await story.order_ends()).status == "cancelled"
    assert (await story.balances())["O-1/withdrawable"] == "9,300.00"


async def test_cancelling_during_an_inspection_stops_its_clock(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    await story.cancels(OWNER)
    await story.cancels(CONTRACTOR)

    await story.days_pass(10)

    assert (await story.order_ends()).status == "cancelled"
    assert (await story.balances())["O-1/withdrawable"] == "130,200.00"


async def test_a_refund_returns_to_the_very_buckets_that_the_payment_was_drawn_from(story_under: StoryUnder) -> None:
    async with story_under(PlatformConfig(top_up_settlement=Settlement.T_PLUS_1)) as story:
        await story.members_open()
        await story.owner_transfers("100,000.00")
        first_day = await accounting_day(story.stage.recorder, story.platform_no)
        await story.day_is_closed()
        await story.owner_transfers("86,000.00")
        second_day = first_day + timedelta(days=1)
        before = {"O-1/withdrawable": "100,000.00", f"O-1/pending:{second_day}": "86,000.00"}
        assert await story.balances() == before
        await story.order_opens(price="150,000.00")

        await story.pays()
        assert await story.balances() == {"O-1/escrow:D-1001": "150,000.00", "O-1/withdrawable": "36,000.00"}
        await story.cancels(OWNER)

        assert await story.balances() == before


async def test_next_day_money_that_was_frozen_over_day_end_is_withdrawable_only_after_the_next_closing(
    story_under: StoryUnder,
) -> None:
    async with story_under(PlatformConfig(top_up_settlement=Settlement.T_PLUS_1)) as story:
        await story.members_open()
        await story.owner_transfers("186,000.00")
        day = await accounting_day(story.stage.recorder, story.platform_no)
        await story.order_opens()
        await story.pays()
        await story.day_is_closed()
        await story.cancels(OWNER)
        assert await story.balances() == {f"O-1/pending:{day}": "186,000.00"}

        await story.day_is_closed()

        assert await story.balances() == {"O-1/withdrawable": "186,000.00"}


async def test_a_next_day_release_lands_in_pending_until_the_day_is_closed(story_under: StoryUnder) -> None:
    async with story_under(PlatformConfig(release_settlement=Settlement.T_PLUS_1)) as story:
        await story.paid_order(release_settlement="T+1")
        day = await accounting_day(story.stage.recorder, story.platform_no)
        await story.starts()
        assert (await story.balances())[f"C-1/pending:{day}"] == "53,010.00"

        closed = await close_day(story.stage.recorder, story.stage.writer, story.platform_no, day)

        assert closed.matured_fen == 5_301_000
        assert (await story.balances())["C-1/withdrawable"] == "53,010.00"


async def test_a_self_operated_platform_pays_its_own_sub_account_without_commission(story_under: StoryUnder) -> None:
    async with story_under(
        PlatformConfig.model_validate({"business_model": "self_operated", "commission_basis_points": 0})
    ) as story:
        await story.paid_order(contractor_no=None)
        await story.starts()
        await story.completes(2)
        await story.accepts(2)

        assert await story.balances() == {"O-1/escrow:D-1001": "74,400.00", "own": "111,600.00"}
