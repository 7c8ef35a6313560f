"""What operators and Temporal do to an order: overdue stages, cancellation from outside, long histories, forgery."""

from datetime import timedelta

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError

from activities.failures import from_temporal
from activities.notices import local_time
from activities.orders import RemindOwner
from escrow.domain.errors import BankUnreachable, Refused
from escrow.domain.orders.milestones import MilestoneKind, Stage
from escrow.domain.orders.opening import ORDERS
from escrow.domain.orders.states import OrderCommand as Operation
from escrow.ledger.attention import held_and_needing_attention
from escrow.ledger.books import known
from tests.accomplice import Accomplice
from tests.story import Story
from tests.story_ground import OWNER
from tests.terminating import terminated_at_rest
from workflows.messages import OrderInput

THREE_STAGES = [
    Stage(name="水电", kind=MilestoneKind.ACCEPTANCE, share="30%"),
    Stage(name="泥木", kind=MilestoneKind.ACCEPTANCE, share="40%"),
    Stage(name="竣工", kind=MilestoneKind.ACCEPTANCE, share="30%"),
]


async def test_an_overdue_stage_is_shown_to_an_operator_and_the_order_goes_on(story: Story) -> None:
    await story.paid_order()
    await story.starts()

    await story.days_pass(90.1)

    assert "M2" in str((await story.order_state()).attention)
    assert "NEEDS ATTENTION" in await story.details()
    assert (await story.in_the_books("order", "D-1001")).body["attention"]
    held = {item.platform_no: item for item in await held_and_needing_attention(story.stage.recorder)}
    assert held[story.platform_no].needing_attention == 1
    await story.days_pass(200)
    assert (await story.balances())["O-1/escrow:D-1001"] == "130,200.00"

    await story.completes(2)
    assert (await story.order_state()).attention is None
    await story.accepts(2)
    assert (await story.balances())["C-1/withdrawable"] == "106,020.00"


async def test_an_overdue_rectification_is_shown_to_an_operator_too(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    await story.rectifies(2)

    await story.days_pass(30.1)

    assert "M2" in str((await story.order_state()).attention)
    await story.completes(2)
    await story.accepts(2)


async def test_cancelling_the_workflow_in_temporal_does_not_stop_an_order_with_money_inside(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)

    await story.order.cancel()

    async def is_noted() -> bool:
        return bool((await story.order_state()).noted)

    await story.until(is_noted, "the cancellation is noted")
    assert (await story.order_state()).noted[0].name == "temporal cancel"
    await story.days_pass(8)
    assert (await story.balances())["C-1/withdrawable"] == "106,020.00"
    await story.completes(3)
    await story.accepts(3)
    assert (await story.order.describe()).status is WorkflowExecutionStatus.RUNNING


async def test_continuing_as_new_keeps_everything(story: Story) -> None:
    await story.paid_order(continue_after_events=10)
    first_run = (await story.order.describe()).run_id
    await story.starts()
    await story.completes(2, request_no="R-complete")
    await story.days_pass(3)
    await story.rectifies(2)
    await story.days_pass(2)
    await story.completes(2)
    await story.days_pass(3.9)
    assert (await story.order_view()).milestones[1].status == "in_inspection"
    repeated = await story.completes(2, request_no="R-complete")
    assert repeated.request_no == "R-complete"
    await story.days_pass(0.2)
    assert (await story.order_view()).milestones[1].status == "released"
    for number in (3, 4):
        await story.completes(number)
        await story.accepts(number)
    assert (await story.order.describe()).run_id != first_run

    assert (await story.order_ends()).status == "settled"
    assert await story.balances() == {"C-1/withdrawable": "176,700.00", "fees": "9,300.00"}


async def test_a_three_milestone_order_stays_within_its_budget_of_events(story: Story) -> None:
    await story.paid_order(lines=THREE_STAGES)
    await story.starts()
    for number in (1, 2, 3):
        await story.completes(number)
        await story.accepts(number)
    assert (await story.order_ends()).status == "settled"

    history = await story.order.fetch_history()

    assert len(history.events) <= 80


async def test_an_order_started_by_hand_that_nobody_has_signed_is_none(story: Story) -> None:
    await story.paid_order()
    before = await story.balances()

    stranger = await story.start_order(OrderInput(platform_no=story.platform_no, order_no="D-forged"))
    with pytest.raises(WorkflowFailureError) as failed:
        await story.ending_of(stranger)

    refusal = from_temporal(failed.value.cause)
    assert isinstance(refusal, Refused)
    assert refusal.code == "basis_missing"
    assert not await story.is_entered("order", "D-forged")
    assert await story.balances() == before


async def test_a_second_process_of_one_order_does_nothing_that_the_first_does_not(story: Story) -> None:
    await story.paid_order()
    await story.start_order(
        OrderInput(platform_no=story.platform_no, order_no="D-1001"), workflow_id="order/somebody/else"
    )
    await story.starts()
    await story.completes(2)

    await story.days_pass(8)

    assert (await story.balances())["C-1/withdrawable"] == "106,020.00"
    assert len(await story.texts()) == 1
    events = [event.event_type for event in await story.events("order", "D-1001")]
    assert events.count("order.milestone_released") == 1
    assert events.count("order.owner_reminded") == 1


@pytest.mark.parametrize(("later", "texts"), [(timedelta(minutes=2), 1), (timedelta(hours=1), 2)])
async def test_a_late_reminder_whose_answer_was_lost_is_repeated_and_names_the_moment_that_counts(
    story: Story, later: timedelta, texts: int
) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    await terminated_at_rest(story.order, "nobody reminds in time")
    await story.days_pass(6.5)
    ours = Accomplice(story.stage, story.order.id)
    reminder = RemindOwner(platform_no=story.platform_no, order_no="D-1001", milestone=2, round=1)

    await story.stage.sandbox.steer.next_suffers("timeout_booked", "sms")
    with pytest.raises(BankUnreachable):
        await ours.runs(ours.activities.orders.remind_owner, reminder)
    await story.time_passes(later)
    await ours.runs(ours.activities.orders.remind_owner, reminder)

    order = await known(story.stage.recorder, ORDERS, story.platform_no, "D-1001")
    assert order.state.attention is None
    counts_at = order.state.milestone(2).inspection_due_at
    assert counts_at is not None
    told = await story.texts()
    assert len(told) == texts, "the same is said once; a later moment is said anew"
    assert local_time(counts_at) in told[-1]


@pytest.mark.parametrize("days", [0.0, 3.0, 6.5])
async def test_an_order_whose_process_was_terminated_goes_on_from_the_books(story: Story, days: float) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    await story.days_pass(days)

    await terminated_at_rest(story.order, "an intruder")
    await story.start_order(OrderInput(platform_no=story.platform_no, order_no="D-1001"))
    await story.days_pass(6.9 - days)
    assert (await story.balances())["O-1/escrow:D-1001"] == "130,200.00"
    await story.days_pass(0.2)

    assert (await story.balances())["C-1/withdrawable"] == "106,020.00"
    assert len(await story.texts()) == 1


async def test_what_was_said_while_no_process_ran_is_taken_up_by_the_next_one(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    await terminated_at_rest(story.order, "an intruder")
    await story.consents(Operation.RECTIFY, OWNER, milestone=2, asked=True)
    await story.days_pass(30)

    await story.start_order(OrderInput(platform_no=story.platform_no, order_no="D-1001"))

    async def sent_back() -> bool:
        order = await story.in_the_books("order", "D-1001")
        return bool(order.body["milestones"][1]["status"] == "in_rectification")

    await story.until(sent_back, "the owner's word counts before the silence after it")
    assert (await story.balances())["O-1/escrow:D-1001"] == "130,200.00"
