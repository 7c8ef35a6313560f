"""What operators see of a collection in the Temporal UI."""

from escrow.domain.money.amounts import format_fen
from workflows.collection_messages import CollectionProcessState


def collection_details(pay_in_no: str, state: CollectionProcessState) -> str:
    """Text for `workflow.set_current_details`."""
    seen = state.collection
    if seen is None:
        lines = [f"### {pay_in_no}: not opened yet"]
    else:
        lines = [
            f"### {pay_in_no}: {seen.status.value.replace('_', ' ')}",
            f"{format_fen(seen.amount_fen)} yuan for {seen.member_no} by {seen.method.value}, "
            f"until {seen.expires_at.isoformat(timespec='minutes')}",
        ]
        lines += [f"- {item.payment_no}: {format_fen(item.amount_fen)} yuan, {item.outcome}" for item in seen.payments]
        lines += [f"- {sentence}" for sentence in seen.debit_route]
        lines += [f"**Reason:** {seen.reason}"] if seen.reason else []
    lines += [f"**Tried in vain:** {state.trouble}"] if state.trouble else []
    lines += [f"**NEEDS ATTENTION:** {state.attention}"] if state.attention else []
    lines += [f"- noted {note.name}: {note.reason}" for note in state.noted]
    return "\n\n".join(lines)
