"""What callers send about withdrawals, and how a withdrawal is shown."""

from pydantic import Field

from api.schemas import AmountFen, Body, Number, View
from api.withdrawal_views import WithdrawalView


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


class WithdrawalPage(View):
    """Withdrawals in the order of their numbers."""

    withdrawals: list[WithdrawalView]
