"""How an order in the books is shown."""

from api.orders.bodies import MilestoneView, OrderView
from escrow.domain.decisions import Stored
from escrow.domain.orders.order import Order
from escrow.domain.orders.states import allowed_commands
from workflows.messages import order_workflow_id


def order_view(found: Stored) -> OrderView:
    """An order as the ledger has it."""
    order = Order.of_document(found)
    contract, state = order.contract, order.state
    return OrderView(
        order_no=contract.order_no,
        status=state.status,
        owner_no=contract.owner_no,
        contractor_no=contract.contractor_no,
        total_fen=contract.total_fen,
        milestones=[
            MilestoneView(
                number=item.number,
                name=item.name,
                kind=item.kind,
                amount_fen=item.amount_fen,
                status=item.status,
                round=item.round,
                inspection_due_at=item.inspection_due_at,
                accepted_by=item.accepted_by or "",
                commission_fen=item.commission_fen,
            )
            for item in state.milestones
        ],
        paid_fen=state.paid_fen,
        released_fen=state.released_fen,
        commission_fen=state.commission_fen,
        refunded_fen=state.refunded_fen,
        held_fen=state.held_fen,
        withdraw_automatically=contract.withdraw_automatically,
        step_due_at=state.step_due_at,
        possible_now=[str(command) for command in allowed_commands(state.status, [m.status for m in state.milestones])],
        needs_attention=state.attention or "",
        sequence_no=found.version,
        workflow_id=order_workflow_id(found.platform_no, found.object_no),
    )
