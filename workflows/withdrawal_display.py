"""What an operator sees of a withdrawal in the Temporal UI: amount, payment order, what is wrong."""

from escrow.domain.money.amounts import format_fen
from workflows.messages import WithdrawalProcessState


def withdrawal_details(withdrawal_no: str, state: WithdrawalProcessState) -> str:
    """Markdown for the workflow's current details. Holds member numbers, no names or accounts."""
    seen = state.withdrawal
    if seen is None:
        return f"### {withdrawal_no}"
    whose = f"of {seen.member_no}" if seen.member_no else "of the platform, or from suspense"
    parts = [f"### {withdrawal_no}: {seen.status.replace('_', ' ')}\n\n{format_fen(seen.principal_fen)} yuan {whose}"]
    if state.attention:
        parts.append(f"**NEEDS ATTENTION:** {state.attention}\n\nMend the cause, then send the update `resume`.")
    if seen.payout_no is not None:
        parts.append(f"Payment order {seen.payout_no} over {seen.rail}")
    if seen.route is not None:
        parts.append(seen.route)
    if state.trouble:
        parts.append(f"**Tried in vain:** {state.trouble}")
    if state.noted:
        lines = "\n".join(f"- `{note.name}`: {note.reason}" for note in state.noted)
        parts.append(f"**Messages not carried out**\n\n{lines}")
    return "\n\n".join(parts)
