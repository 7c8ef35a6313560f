"""What an operator sees of a withdrawal in the Temporal UI: amount, payment orders sent, the route's reasons."""

from escrow.domain.money.amounts import format_fen
from workflows.messages import WithdrawalInput, WithdrawalState


def withdrawal_details(withdrawal: WithdrawalInput, state: WithdrawalState) -> str:
    """Markdown for the workflow's current details. Holds member numbers, no names or accounts."""
    whose = withdrawal.member_no or f"platform {withdrawal.platform_no}"
    where = f"to account {state.account_id or '(default)'}, fee {format_fen(withdrawal.fee_fen)}"
    if withdrawal.credit_no:
        where = f"from suspense {withdrawal.credit_no} back to where it came from"
    parts = [
        f"### {withdrawal.withdrawal_no}: {state.status.replace('_', ' ')}\n\n"
        f"{format_fen(withdrawal.principal_fen)} yuan of {whose} {where}"
    ]
    if state.attention:
        parts.append(f"**NEEDS ATTENTION:** {state.attention}\n\nMend the cause, then send the update `resume`.")
    if state.attempts:
        rows = ["| # | rail | request number | outcome |", "|---|---|---|---|"]
        for attempt in state.attempts:
            told = attempt.bank_serial_no or attempt.reason
            outcome = attempt.outcome.replace("_", " ") + (f": {told}" if told else "")
            rows.append(f"| {attempt.number} | {attempt.rail.value} | {attempt.request_no} | {outcome} |")
        parts.append("\n".join(rows))
    if state.reasons:
        parts.append("**Route**\n\n" + "\n".join(f"- {reason}" for reason in state.reasons))
    if state.sms:
        parts.append(f"**SMS about a large withdrawal:** {state.sms.replace('_', ' ')}")
    if state.noted:
        lines = "\n".join(f"- `{note.name}`: {note.reason}" for note in state.noted)
        parts.append(f"**Messages not carried out**\n\n{lines}")
    return "\n\n".join(parts)
