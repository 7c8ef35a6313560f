"""The life of a decoration order in skipped time: payment, stages, silence, rectification, warranty."""

from datetime import timedelta

import pytest

from escrow.domain.errors import Refused
from escrow.domain.orders.milestones import MilestoneKind, Stage
from tests.story import Story


async def test_an_order_goes_from_payment_to_the_end_of_its_warranty(story: Story) -> None:
    await story.members_open()
    await story.owner_transfers("186,000.00")
    await story.order_opens()
    assert await story.balances() == {"O-1/withdrawable": "186,000.00"}

    await story.pays()
    assert await story.balances() == {"O-1/escrow:D-1001": "186,000.00"}

    await story.starts()
    await story.completes(2)
    await story.accepts(2)
    await story.completes(3)
    await story.days_pass(8)
    await story.completes(4)
    await story.accepts(4)
    outcome = await story.order_ends()

    assert outcome.status == "settled"
    assert (outcome.paid_fen, outcome.released_fen, outcome.commission_fen, outcome.refunded_fen) == (
        18_600_000,
        17_670_000,
        930_000,
        0,
    )
    assert await story.balances() == {"C-1/withdrawable": "176,700.00", "fees": "9,300.00"}
    assert (await story.in_the_books("order", "D-1001")).status == "settled"


async def test_an_order_without_deposit_and_retention_is_settled_with_its_last_acceptance(story: Story) -> None:
    lines = [
        Stage(name="水电", kind=MilestoneKind.ACCEPTANCE, share="1/3"),
        Stage(name="竣工", kind=MilestoneKind.ACCEPTANCE, share="2/3"),
    ]
    await story.paid_order(lines=lines)

    await story.starts()
    assert await story.balances() == {"O-1/escrow:D-1001": "186,000.00"}
    await story.completes(1)
    await story.accepts(1)
    await story.completes(2)
    await story.accepts(2)

    assert (await story.order_ends()).status == "settled"
    assert await story.balances() == {"C-1/withdrawable": "176,700.00", "fees": "9,300.00"}


async def test_the_price_is_frozen_only_when_the_balance_covers_it(story: Story) -> None:
    await story.members_open()
    await story.owner_transfers("185,999.99")
    await story.order_opens()

    with pytest.raises(Refused) as refused:
        await story.pays()

    assert refused.value.code == "insufficient_balance"
    assert await story.balances() == {"O-1/withdrawable": "185,999.99"}

    await story.owner_transfers("0.01")
    await story.pays()
    assert await story.balances() == {"O-1/escrow:D-1001": "186,000.00"}


async def test_the_deposit_is_released_at_the_start_less_commission(story: Story) -> None:
    await story.paid_order()

    answer = await story.starts()

    assert (answer.released_fen, answer.commission_fen) == (5_301_000, 279_000)
    assert await story.balances() == {
        "O-1/escrow:D-1001": "130,200.00",
        "C-1/withdrawable": "53,010.00",
        "fees": "2,790.00",
    }


async def test_an_accepted_stage_is_released_at_once(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)

    answer = await story.accepts(2)

    assert (answer.released_fen, answer.commission_fen) == (5_301_000, 279_000)
    assert (await story.balances())["C-1/withdrawable"] == "106,020.00"


async def test_silence_is_acceptance_after_seven_days_and_the_owner_is_reminded_a_day_before(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)

    await story.days_pass(5.9)
    assert await story.texts() == []

    await story.days_pass(0.2)
    [reminder] = await story.texts()
    assert "D-1001" in reminder
    assert "55,800.00" in reminder
    assert (await story.balances())["O-1/escrow:D-1001"] == "130,200.00"

    await story.days_pass(0.8)
    assert (await story.balances())["O-1/escrow:D-1001"] == "130,200.00"

    await story.days_pass(0.2)
    assert (await story.balances())["O-1/escrow:D-1001"] == "74,400.00"
    assert len(await story.texts()) == 1
    completed, reminded, released = (await story.events("order", "D-1001"))[-3:]
    assert [event.event_type for event in (completed, reminded, released)] == [
        "order.milestone_completed",
        "order.owner_reminded",
        "order.milestone_released",
    ]
    assert timedelta(days=6) <= reminded.occurred_at - completed.occurred_at < timedelta(days=6, minutes=1)
    assert timedelta(days=7) <= released.occurred_at - completed.occurred_at < timedelta(days=7, minutes=1)


async def test_rectification_pauses_the_clock_which_goes_on_with_the_time_left(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    await story.days_pass(3)

    await story.rectifies(2)
    await story.days_pass(20)
    assert (await story.order_view()).milestones[1].status == "in_rectification"

    await story.completes(2)
    await story.days_pass(3.9)
    assert (await story.order_view()).milestones[1].status == "in_inspection"
    await story.days_pass(0.2)
    assert (await story.order_view()).milestones[1].status == "released"


async def test_after_a_late_rectification_the_owner_is_reminded_again(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    await story.days_pass(6.5)
    await story.rectifies(2)
    await story.days_pass(10)
    assert len(await story.texts()) == 1

    await story.completes(2)
    await story.hours_pass(1)

    assert len(await story.texts()) == 2
    assert (await story.order_view()).milestones[1].status == "in_inspection"


async def test_a_stage_can_be_rectified_more_than_once_and_accepted_then(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    for _ in range(3):
        await story.completes(2)
        await story.rectifies(2)
    await story.completes(2)
    await story.accepts(2)

    assert (await story.order_view()).milestones[1].status == "released"
    assert (await story.order_view()).milestones[1].round == 4


async def test_the_retention_is_released_ninety_days_after_the_last_acceptance(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    for number in (2, 3, 4):
        await story.completes(number)
        await story.accepts(number)
    assert (await story.balances())["O-1/escrow:D-1001"] == "9,300.00"

    await story.days_pass(89.9)
    assert (await story.balances())["O-1/escrow:D-1001"] == "9,300.00"
    await story.days_pass(0.2)

    assert await story.balances() == {"C-1/withdrawable": "176,700.00", "fees": "9,300.00"}
    accepted, released = (await story.events("order", "D-1001"))[-2:]
    assert timedelta(days=90) <= released.occurred_at - accepted.occurred_at < timedelta(days=90, minutes=1)
