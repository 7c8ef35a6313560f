"""Pure arithmetic on the state of an order: each function gives the state after one step."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from escrow.domain.money.funding import FundingLeg, give_back
from escrow.domain.orders.splits import Split, split
from escrow.domain.orders.states import MilestoneStatus, OrderCommand, OrderStatus, Trigger, next_state
from workflows.messages import CancelProposal, MilestoneState, OrderContract, OrderState, as_document


def opening_state(contract: OrderContract) -> OrderState:
    """State of an order that nobody has paid yet."""
    return OrderState(
        status=OrderStatus.AWAITING_PAYMENT,
        milestones=[
            MilestoneState(
                number=terms.number,
                name=terms.name,
                kind=terms.kind,
                amount_fen=terms.amount_fen,
                status=MilestoneStatus.PLANNED,
            )
            for terms in contract.milestones
        ],
    )


def milestone_of(state: OrderState, number: int) -> MilestoneState:
    """The milestone with this number, counted from 1."""
    return state.milestones[number - 1]


def with_milestone(state: OrderState, number: int, **changes: Any) -> OrderState:
    """The state with some fields of one milestone changed."""
    after = state.model_copy(deep=True)
    after.milestones[number - 1] = after.milestones[number - 1].model_copy(update=changes)
    return after


def moved(
    state: OrderState, trigger: Trigger, number: int | None = None, *, other_side_proposed: bool = False
) -> OrderState:
    """The state after a trigger, by the transition table; amounts and due times are unchanged."""
    table_says = next_state(
        state.status,
        [milestone.status for milestone in state.milestones],
        [milestone.kind for milestone in state.milestones],
        trigger,
        number,
        other_side_proposed=other_side_proposed,
    )
    after = state.model_copy(deep=True)
    after.status = table_says.status
    after.step_due_at = None
    after.milestones = [
        milestone.model_copy(update={"status": status})
        for milestone, status in zip(state.milestones, table_says.milestones, strict=True)
    ]
    return after


def after_payment(state: OrderState, contract: OrderContract, start_due_at: datetime) -> OrderState:
    """The full price is in escrow."""
    after = moved(state, OrderCommand.PAY)
    after.paid_fen = contract.total_fen
    after.step_due_at = start_due_at
    return after


def after_start(state: OrderState, stage_due_at: datetime) -> OrderState:
    """The contractor has started: the first stage is in work."""
    after = moved(state, OrderCommand.START)
    after.step_due_at = stage_due_at
    return after


def after_completion(state: OrderState, number: int, now: datetime, inspection_period: timedelta) -> OrderState:
    """The inspection clock runs: for the whole period, or after a rectification for what was left of it."""
    milestone = milestone_of(state, number)
    left = inspection_period if milestone.inspection_left is None else milestone.inspection_left
    return with_milestone(
        moved(state, OrderCommand.COMPLETE, number),
        number,
        round=milestone.round + 1,
        inspection_due_at=now + left,
        inspection_left=None,
        reminded=False,  # each round ends with a reminder, however little of the period is left in it
    )


def after_rectification_request(state: OrderState, number: int, now: datetime, due_at: datetime) -> OrderState:
    """The inspection clock stands still with the time that is left."""
    milestone = milestone_of(state, number)
    inspection_due_at = milestone.inspection_due_at or now
    after = with_milestone(
        moved(state, OrderCommand.RECTIFY, number),
        number,
        inspection_due_at=None,
        inspection_left=max(inspection_due_at - now, timedelta(0)),
    )
    after.step_due_at = due_at
    return after


def split_of(state: OrderState, contract: OrderContract, number: int) -> Split:
    """How the release of one milestone is divided, by the cumulative rule."""
    return split(
        gross_fen=milestone_of(state, number).amount_fen,
        released_before_fen=state.released_fen + state.commission_fen,
        commission_before_fen=state.commission_fen,
        rate=contract.commission_basis_points,
    )


def after_release(
    state: OrderState,
    number: int,
    parts: Split,
    trigger: Trigger,
    *,
    accepted_by: str,
    stage_due_at: datetime,
    warranty_due_at: datetime,
) -> OrderState:
    """One milestone's money has left escrow; the next stage is in work, or the warranty runs, or all is settled."""
    named = None if trigger is OrderCommand.START else number
    after = with_milestone(
        moved(state, trigger, named),
        number,
        inspection_due_at=None,
        accepted_by=accepted_by,
        commission_fen=parts.commission_fen,
    )
    after.released_fen += parts.net_fen
    after.commission_fen += parts.commission_fen
    after.step_due_at = {OrderStatus.IN_PROGRESS: stage_due_at, OrderStatus.IN_WARRANTY: warranty_due_at}.get(
        after.status
    )
    return after


def after_refund(state: OrderState, trigger: Trigger) -> OrderState:
    """All that was still in escrow has gone back; nothing when nothing was paid."""
    after = moved(state, trigger, other_side_proposed=state.proposal is not None)
    after.refunded_fen += left_in_escrow_fen(state)
    after.funding = list(refund_parts(state)[1])
    after.proposal = None
    after.milestones = [milestone.model_copy(update={"inspection_due_at": None}) for milestone in after.milestones]
    return after


def after_proposal(state: OrderState, proposal: CancelProposal) -> OrderState:
    """One party proposes to cancel."""
    after = state.model_copy(deep=True)
    after.proposal = proposal
    return after


def left_in_escrow_fen(state: OrderState) -> int:
    """What the order still holds."""
    return state.paid_fen - state.released_fen - state.commission_fen - state.refunded_fen


def refund_parts(state: OrderState) -> tuple[Sequence[FundingLeg], Sequence[FundingLeg]]:
    """Parts in which the rest of the escrow goes back, and the legs after it."""
    return give_back(state.funding, left_in_escrow_fen(state))


def document(state: OrderState) -> dict[str, Any]:
    """What the order's object in the ledger says after a step."""
    return {
        "milestones": as_document(state.milestones),
        "funding": [{"source": leg.source, "amount_fen": leg.amount_fen, "refunded_fen": leg.refunded_fen}
                    for leg in state.funding],
        "direct": as_document(state.direct),
        "paid_fen": state.paid_fen,
        "released_fen": state.released_fen,
        "commission_fen": state.commission_fen,
        "refunded_fen": state.refunded_fen,
        "step_due_at": as_document(state.step_due_at),
        "proposal": as_document(state.proposal),
        "attention": state.attention,
    }  # fmt: skip
