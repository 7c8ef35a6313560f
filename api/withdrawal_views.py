"""How a withdrawal is shown, whatever asked for it."""

from pydantic import Field

from api.schemas import BalanceFen, Time, View
from escrow.domain.withdrawals.rails import Rail
from escrow.domain.withdrawals.states import WithdrawalStatus
from escrow.ledger.objects import BusinessObject
from workflows.messages import withdrawal_workflow_id


class AttemptView(View):
    """One payment order to the bank."""

    number: int
    rail: Rail
    request_no: str
    outcome: str = Field(description="`sent`, `succeeded`, `failed` or `never_arrived`")
    reason: str
    bank_serial_no: str


class WithdrawalView(View):
    """A withdrawal as the ledger has it, with the reasons of its route."""

    withdrawal_no: str
    status: WithdrawalStatus
    member_no: str | None
    account_id: str
    order_no: str = Field(description="The order whose release it follows by standing order; else empty.")
    credit_no: str = Field(description="The money in suspense that it sends back; else empty.")
    principal_fen: BalanceFen
    fee_fen: BalanceFen
    rail: Rail | None = Field(description="The rail it was last sent over.")
    attempts: list[AttemptView]
    reasons: list[str] = Field(description="Every rail with its fee, arrival, and why it was or was not taken.")
    opens_at: Time | None = Field(description="When a rail that can carry it opens, while it is queued.")
    sequence_no: int = Field(description="Number of the withdrawal's last event.")
    workflow_id: str = Field(description="Id in the Temporal UI.", examples=["withdrawal/HOME/W-1"])


def withdrawal_view(withdrawal: BusinessObject) -> WithdrawalView:
    """A withdrawal as the ledger has it."""
    body = withdrawal.body
    attempts = [AttemptView.model_validate(attempt) for attempt in body["attempts"]]
    return WithdrawalView(
        withdrawal_no=withdrawal.object_no,
        status=WithdrawalStatus(withdrawal.status),
        member_no=body["member_no"] or None,
        account_id=body["account_id"],
        order_no=body["order_no"],
        credit_no=body.get("credit_no", ""),
        principal_fen=body["principal_fen"],
        fee_fen=body["fee_fen"],
        rail=attempts[-1].rail if attempts else None,
        attempts=attempts,
        reasons=body["route"],
        opens_at=body["opens_at"],
        sequence_no=withdrawal.sequence_no,
        workflow_id=withdrawal_workflow_id(withdrawal.platform_no, withdrawal.object_no),
    )
