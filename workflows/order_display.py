"""What an operator sees of an order in the Temporal UI: milestones, money, what is awaited until when."""

from datetime import datetime

from escrow.domain.money.amounts import format_fen
from escrow.domain.time.calendars import SHANGHAI
from workflows.messages import OrderContract, OrderState
from workflows.order_state import left_in_escrow_fen


def order_details(contract: OrderContract, state: OrderState) -> str:
    """Markdown for the workflow's current details. Holds member numbers, no names or accounts."""
    parts = [_headline(contract, state)]
    if state.attention:
        parts.append(f"**NEEDS ATTENTION:** {state.attention}\n\nMend the cause, then send the update `resume`.")
    awaited = f"**Awaiting:** {state.awaiting}" if state.awaiting else "**Awaiting:** nothing, the order has ended"
    if state.awaiting and state.awaiting_until:
        awaited += f", until {_local(state.awaiting_until)}"
    parts.append(awaited)
    parts.append(
        f"**Money (yuan):** in escrow {format_fen(left_in_escrow_fen(state))} · paid in {format_fen(state.paid_fen)} · "
        f"released {format_fen(state.released_fen)} · commission {format_fen(state.commission_fen)} · "
        f"refunded {format_fen(state.refunded_fen)}"
    )
    parts.append(_milestone_table(state))
    if state.proposal:
        parts.append(f"**Cancel proposed** by {state.proposal.by}, lapses {_local(state.proposal.lapses_at)}")
    if state.noted:
        lines = "\n".join(f"- {_local(note.at)} `{note.name}`: {note.reason}" for note in state.noted)
        parts.append(f"**Messages not carried out**\n\n{lines}")
    return "\n\n".join(parts)


def stage_of(state: OrderState) -> str:
    """The stage by which operators filter: the milestone in progress, or what comes before and after all of them."""
    for milestone in state.milestones:
        if milestone.status.value.startswith("in_"):
            return f"M{milestone.number}"
    return {"awaiting_payment": "payment", "awaiting_start": "start", "in_warranty": "warranty"}.get(
        state.status.value, "ended"
    )


def _headline(contract: OrderContract, state: OrderState) -> str:
    return (
        f"### {contract.order_no}: {state.status.value.replace('_', ' ')}\n\n"
        f"owner {contract.owner_no} → contractor {contract.contractor_no}, {format_fen(contract.total_fen)} yuan, "
        f"commission {contract.commission_basis_points / 100:.2f} %"
    )


def _milestone_table(state: OrderState) -> str:
    # The UI sets cells without any space between them: no two columns may run into each other.
    rows = ["| milestone | released on | status | until (Shanghai) | yuan |", "|---|---|---|---|---:|"]
    for milestone in state.milestones:
        until = f"{milestone.inspection_due_at.astimezone(SHANGHAI):%m-%d %H:%M}" if milestone.inspection_due_at else ""
        accepted = f", {milestone.accepted_by}" if milestone.accepted_by else ""
        rows.append(
            f"| M{milestone.number} {milestone.name}\u00a0 | {milestone.kind.value} "
            f"| {milestone.status.value.replace('_', ' ')}{accepted} | {until} | {format_fen(milestone.amount_fen)} |"
        )
    return "\n".join(rows)


def _local(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M} (Shanghai)"
