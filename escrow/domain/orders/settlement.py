"""How money leaves an order: released to the payee less commission, or refunded to where it came from."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from escrow.domain.decisions import Decision, Facts
from escrow.domain.money import recipes
from escrow.domain.money.funding import FundingLeg, give_back
from escrow.domain.money.journal import Basis, JournalEntry
from escrow.domain.orders import follow_ups
from escrow.domain.orders.commands import answer_to
from escrow.domain.orders.contract import OrderContract
from escrow.domain.orders.milestones import MilestoneKind
from escrow.domain.orders.operations import released_claim, unpaid_claim
from escrow.domain.orders.splits import split
from escrow.domain.orders.state import OrderState, moved
from escrow.domain.orders.states import OrderCommand, OrderStatus, Trigger
from escrow.domain.requests import derived

#: Which recipe releases which kind of milestone.
RELEASE_RECIPES: Mapping[MilestoneKind, str] = {
    MilestoneKind.START: "deposit_released",
    MilestoneKind.ACCEPTANCE: "milestone_released",
    MilestoneKind.WARRANTY: "retention_released",
}


def released(
    contract: OrderContract,
    state: OrderState,
    number: int,
    trigger: Trigger,
    *,
    basis: Basis,
    by: str,
    command: object,
    at: datetime,
    facts: Facts,
) -> tuple[OrderState, Decision]:
    """A milestone's money goes to the payee less commission; what follows it by itself is written with it.

    Args:
        trigger: the row of the table that this follows.
        basis: why: a consent, or the deadline that has passed.
        by: who or what accepted it, for those who look.
        at: the books' time, from which the next wait runs.
    """
    milestone, periods = state.milestone(number), contract.periods
    parts = split(
        gross_fen=milestone.amount_fen,
        released_before_fen=state.released_fen + state.commission_fen,
        commission_before_fen=state.commission_fen,
        rate=contract.commission_basis_points,
    )
    then = moved(contract, state, trigger, None if trigger is OrderCommand.START else number)
    due_in = {OrderStatus.IN_PROGRESS: periods.stage_deadline, OrderStatus.IN_WARRANTY: periods.retention_period}
    after = then.with_milestone(
        number, inspection_due_at=None, accepted_by=by, commission_fen=parts.commission_fen
    ).model_copy(
        update={
            "released_fen": state.released_fen + parts.net_fen,
            "commission_fen": state.commission_fen + parts.commission_fen,
            "step_due_at": at + due_in[then.status] if then.status in due_in else None,
        }
    )
    recipe = RELEASE_RECIPES[milestone.kind]
    request_no = derived(contract.order_no, f"M{number}", "release", 1)
    return after, Decision(
        request_no=request_no,
        event_type=f"order.{recipe}",
        event={},
        answer=answer_to(command, after, released_fen=parts.net_fen, commission_fen=parts.commission_fen),
        entry=recipes.escrow_released(
            recipe=recipe,
            platform_no=contract.platform_no,
            owner_no=contract.owner_no,
            order_no=contract.order_no,
            payee_no=contract.payee_no,
            gross_fen=parts.gross_fen,
            commission_fen=parts.commission_fen,
            pending_day=_pending_day(contract, state, facts),
        ),
        bases=(basis,),
        claims=(released_claim(contract.order_no, number),),
        follows=follow_ups.automatic_withdrawal(contract, number, net_fen=parts.net_fen, released_as=request_no),
    )


def refunded(
    contract: OrderContract,
    state: OrderState,
    trigger: Trigger,
    *,
    bases: tuple[Basis, ...],
    reason: str,
    command: object,
) -> tuple[OrderState, Decision]:
    """All that is still in escrow goes back to where it came from, newest leg first, and the order ends."""
    refund_fen = state.held_fen
    parts, legs = give_back(state.funding, refund_fen)
    then = moved(contract, state, trigger, other_side_proposed=state.proposal is not None)
    after = then.model_copy(
        update={
            "refunded_fen": state.refunded_fen + refund_fen,
            "funding": legs,
            "proposal": None,
            "cancelled_because": reason,
            "milestones": tuple(item.model_copy(update={"inspection_due_at": None}) for item in then.milestones),
        }
    )
    unpaid = state.status is OrderStatus.AWAITING_PAYMENT
    return after, Decision(
        request_no=derived(contract.order_no, "refund"),
        event_type="order.cancelled",
        event={},
        answer=answer_to(command, after, refunded_fen=refund_fen),
        entry=_refund_entry(contract, parts),
        bases=bases,
        claims=(unpaid_claim(contract.order_no),) if unpaid else (),
        follows=follow_ups.refund_through_channel(contract, state.direct, parts),
    )


def _refund_entry(contract: OrderContract, parts: Sequence[FundingLeg]) -> JournalEntry | None:
    if not parts:
        return None
    return recipes.order_refunded(
        platform_no=contract.platform_no, owner_no=contract.owner_no, order_no=contract.order_no, parts=parts
    )


def _pending_day(contract: OrderContract, state: OrderState, facts: Facts) -> date | None:
    """Released money is pending where the order says so, or while the channel that collected it has not settled."""
    today = facts.accounting_day
    unsettled = [day for leg in state.funding if (day := leg.pending_day) is not None and day >= today]
    if today in unsettled and not facts.came_otherwise:
        unsettled.remove(today)  # the bank had booked all of it: it waits only because top-ups do
    if state.direct is not None and state.direct.settles_on >= today:
        unsettled.append(state.direct.settles_on)
    next_day = [today] if contract.release_settlement == "T+1" else []
    return max([*unsettled, *next_day], default=None)
