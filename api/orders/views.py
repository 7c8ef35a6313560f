"""How an order's row in the ledger is shown."""

from datetime import timedelta
from typing import Any

from api.orders.bodies import MilestoneView, OrderView
from escrow.domain.errors import Refused
from escrow.domain.orders.operations import milestone_terms, pay_terms
from escrow.domain.orders.states import OrderCommand, OrderStatus, allowed_commands
from escrow.ledger.objects import BusinessObject
from workflows.messages import OrderContract, order_workflow_id


def contract_of(order: BusinessObject) -> OrderContract:
    """The contract as the order's workflow entered it in the books."""
    return OrderContract.model_validate(order.body["contract"])


def order_view(order: BusinessObject) -> OrderView:
    """An order as the ledger has it."""
    body, contract = order.body, contract_of(order)
    status = OrderStatus(order.status)
    milestones = [MilestoneView.model_validate(milestone) for milestone in body["milestones"]]
    return OrderView(
        order_no=order.object_no,
        status=status,
        owner_no=contract.owner_no,
        contractor_no=contract.contractor_no,
        total_fen=contract.total_fen,
        milestones=milestones,
        paid_fen=body["paid_fen"],
        released_fen=body["released_fen"],
        commission_fen=body["commission_fen"],
        refunded_fen=body["refunded_fen"],
        held_fen=body["paid_fen"] - body["released_fen"] - body["commission_fen"] - body["refunded_fen"],
        withdraw_automatically=contract.withdraw_automatically,
        step_due_at=body["step_due_at"],
        possible_now=[str(command) for command in allowed_commands(status, [m.status for m in milestones])],
        needs_attention=body["attention"],
        sequence_no=order.sequence_no,
        workflow_id=order_workflow_id(order.platform_no, order.object_no),
    )


def terms_of(
    contract: OrderContract, operation: OrderCommand, milestone: int | None, *, method: str = ""
) -> dict[str, Any]:
    """What exactly a party consents to with a command.

    Args:
        method: collection method by which an order is paid; empty for the owner's balance.

    Raises:
        Refused: `milestone_unknown`, the contract does not have it.
    """
    if operation is OrderCommand.PAY:
        days = contract.periods.inspection_period // timedelta(days=1)
        return pay_terms(total_fen=contract.total_fen, inspection_days=days, method=method)
    amounts = {terms.number: terms.amount_fen for terms in contract.milestones}
    if milestone is None:
        return {}
    if milestone not in amounts:
        raise Refused(
            "milestone_unknown",
            f"The order has milestones 1 to {len(amounts)}; there is no milestone {milestone}.",
            {"command": operation.value, "milestone_no": milestone},
        )
    return milestone_terms(milestone=milestone, amount_fen=amounts[milestone])
