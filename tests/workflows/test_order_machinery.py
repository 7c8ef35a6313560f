"""What operators and Temporal do to an order: overdue stages, cancellation from outside, long histories, forgery."""

from datetime import timedelta

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError

from activities.failures import from_temporal
from escrow.domain.errors import Refused
from escrow.domain.orders.milestones import MilestoneKind, Stage
from escrow.domain.orders.states import MilestoneStatus, OrderStatus
from escrow.ledger.overview import held_and_needing_attention
from tests.story import Story
from workflows import order_state as states
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

    assert "M2" in (await story.order_state()).attention
    assert "NEEDS ATTENTION" in await story.details()
    assert (await story.in_the_books("order", "D-1001")).body["attention"] != ""
    held = {item.platform_no: item for item in await held_and_needing_attention(story.stage.reader)}
    assert held[story.platform_no].needing_attention == 1
    await story.days_pass(200)
    assert (await story.balances())["O-1/escrow:D-1001"] == "130,200.00"

    await story.completes(2)
    assert (await story.order_state()).attention == ""
    await story.accepts(2)
    assert (await story.balances())["C-1/withdrawable"] == "106,020.00"


async def test_an_overdue_rectification_is_shown_to_an_operator_too(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    await story.rectifies(2)

    await story.days_pass(30.1)

    assert "M2" in (await story.order_state()).attention
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

    assert len(history.events) <= 110


async def test_an_order_started_by_hand_with_an_invented_state_moves_nothing(story: Story) -> None:
    await story.paid_order()
    contract = story.signed.model_copy(update={"order_no": "D-forged"})
    invented = states.opening_state(contract)
    invented.status = OrderStatus.IN_PROGRESS
    invented.paid_fen = contract.total_fen
    due_at = await story.now() + timedelta(days=1)
    for number in (1, 2):
        changes = {"status": MilestoneStatus.IN_INSPECTION, "inspection_due_at": due_at}
        invented = states.with_milestone(invented, number, **changes)
    await story.start_order(OrderInput(contract=contract, state=invented))
    before = await story.balances()

    story.contract = contract
    with pytest.raises(Refused):
        await story.accepts(1)
    await story.days_pass(3)

    assert await story.balances() == before
    assert "could not be released" in (await story.order_state()).attention


async def test_a_contract_that_names_another_payee_than_the_books_releases_nothing(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    signed, before = story.signed, await story.balances()
    await story.order.terminate("an intruder")
    forged = signed.model_copy(update={"contractor_no": "C-666"})
    state = states.opening_state(forged)
    state.status, state.paid_fen = OrderStatus.IN_PROGRESS, forged.total_fen
    due_at = await story.now() + timedelta(days=1)
    state = states.with_milestone(state, 1, status=MilestoneStatus.RELEASED)
    state = states.with_milestone(state, 2, status=MilestoneStatus.IN_INSPECTION, inspection_due_at=due_at)

    await story.start_order(OrderInput(contract=forged, state=state), server_has_forgotten=True)
    with pytest.raises(Refused) as refused:
        await story.accepts(2)

    assert refused.value.code == "contract_differs"
    assert await story.balances() == before


async def test_an_order_under_another_workflow_id_than_its_own_moves_nothing(story: Story) -> None:
    await story.members_open()
    await story.owner_transfers("186,000.00")
    contract = await story.order_opens()

    stranger = await story.start_order(OrderInput(contract=contract), workflow_id="order/somebody/else")
    with pytest.raises(WorkflowFailureError) as failed:
        await story.ending_of(stranger)

    refusal = from_temporal(failed.value.cause)
    assert isinstance(refusal, Refused)
    assert refusal.code == "wrong_workflow"
    assert await story.balances() == {"O-1/withdrawable": "186,000.00"}
