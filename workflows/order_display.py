"""What an operator sees of an order in the Temporal UI: milestones, money, what is awaited until when."""

from datetime import datetime

from escrow.domain.money.amounts import format_fen
from escrow.domain.orders.view import OrderPlan, OrderView
from escrow.domain.time.calendars import SHANGHAI
from workflows.messages import OrderProcessState


def order_details(seen: OrderProcessState) -> str:
    """Markdown for the workflow's current details. Holds member numbers, no names or accounts."""
    order, plan = seen.order, seen.plan
    if order is None or plan is None:
        return "Not seen in the books yet."
    parts = [_headline(plan, order)]
    if seen.attention:
        parts.append(f"**NEEDS ATTENTION:** {seen.attention}\n\nMend the cause, then send the update `resume`.")
    awaited = f"**Awaiting:** {seen.awaiting}" if seen.awaiting else "**Awaiting:** nothing, the order has ended"
    if seen.awaiting and order.deadlines:
        awaited += f", until {_local(order.deadlines[-1].due_at)}"
    parts.append(awaited)
    parts.append(
        f"**Money (yuan):** in escrow {format_fen(order.held_fen)} · paid in {format_fen(order.paid_fen)} · "
        f"released {format_fen(order.released_fen)} · commission {format_fen(order.commission_fen)} · "
        f"refunded {format_fen(order.refunded_fen)}"
    )
    parts.append(_milestone_table(plan, order))
    if order.proposal:
        parts.append(f"**Cancel proposed** by {order.proposal.by}, lapses {_local(order.proposal.lapses_at)}")
    if seen.noted:
        lines = "\n".join(f"- {_local(note.at)} `{note.name}`: {note.reason}" for note in seen.noted)
        parts.append(f"**Messages not carried out**\n\n{lines}")
    return "\n\n".join(parts)


def _headline(plan: OrderPlan, order: OrderView) -> str:
    return (
        f"### {order.order_no}: {order.status.value.replace('_', ' ')}\n\n"
        f"owner {plan.owner_no} → contractor {plan.contractor_no}, {format_fen(plan.total_fen)} yuan in "
        f"{len(plan.milestones)} milestones, commission {plan.commission_basis_points / 100:.2f} %"
    )


def _milestone_table(plan: OrderPlan, order: OrderView) -> str:
    # The UI sets cells without any space between them: no two columns may run into each other.
    rows = ["| milestone | released on | status | until (Shanghai) | yuan |", "|---|---|---|---|---:|"]
    for terms, standing in zip(plan.milestones, order.milestones, strict=True):
        until = f"{standing.inspection_due_at.astimezone(SHANGHAI):%m-%d %H:%M}" if standing.inspection_due_at else ""
        accepted = f", {standing.accepted_by}" if standing.accepted_by else ""
        rows.append(
            f"| M{terms.number} {terms.name}\u00a0 | {terms.kind.value} "
            f"| {standing.status.value.replace('_', ' ')}{accepted} | {until} | {format_fen(terms.amount_fen)} |"
        )
    return "\n".join(rows)


def _local(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M} (Shanghai)"
