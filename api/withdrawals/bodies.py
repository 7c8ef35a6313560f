"""What callers send about withdrawals, and how a withdrawal is shown."""

from pydantic import Field

from api.schemas import AmountFen, BalanceFen, Body, Number, Time, View
from escrow.domain.withdrawals.rails import Rail
from escrow.domain.withdrawals.states import WithdrawalStatus


class WithdrawalOpening(Body):
    """Money to a bound bank account. The member has consented to exactly this; the platform vouches for it."""

    withdrawal_no: Number = Field(examples=["W-1"])
    member_no: Number | None = Field(
        default=None, description="Whose money; absent for the platform's own sub-account.", examples=["C-1"]
    )
    account_id: Number | None = Field(
        default=None, description="A bound account of the member; absent for the default one.", examples=["A-1"]
    )
    principal_fen: AmountFen


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


class WithdrawalPage(View):
    """Withdrawals in the order of their numbers."""

    withdrawals: list[WithdrawalView]
