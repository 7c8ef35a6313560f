"""What the bodies of top-ups, direct and batch payments share: how the payer pays, from which card or mandate."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, model_validator

from api.schemas import Body, Number
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.collections.state import LONGEST_OPEN
from escrow.domain.collections.terms import require_only_its_own
from escrow.domain.operations.orders import PayingBy

_LONGEST_MINUTES = LONGEST_OPEN // timedelta(minutes=1)

#: What such calls can answer besides.
COLLECTING_PROBLEMS = (
    "basis_expired",
    "mandate_required",
    "mandate_unknown",
    "mandate_not_in_force",
    "mandate_cap_exceeded",
    "card_required",
    "account_not_bound",
    "identity_required",
    "no_mobile",
)

ReturnUrl = Annotated[
    str,
    Field(
        max_length=500,
        pattern=r"^(https?://[^\s\x00-\x1f\x7f]+)?$",
        description="Where the payer's browser goes after paying, for `acquiring` and `gateway`.",
    ),
]


class Collecting(Body):
    """How money is collected."""

    method: CollectionMethod = Field(description="How the payer pays.")
    account_id: Number | None = Field(
        default=None,
        description="For `quick` only: the payer's bound card. Its bank sends the payer an SMS code, which is entered "
        "on the cashier page, or relayed by you where configured.",
    )
    mandate_no: Number | None = Field(
        default=None,
        description="For `direct_debit` only: the payer's mandate. Nobody has to do anything; the debit channel is "
        "chosen by bank, cap, health and fee.",
    )
    expires_in_minutes: int = Field(
        default=30, ge=1, le=_LONGEST_MINUTES, strict=True, description="How long the payer may take."
    )
    return_url: ReturnUrl = ""

    @model_validator(mode="after")
    def _names_only_its_own(self) -> "Collecting":
        require_only_its_own(self.method, account_id=self.account_id, mandate_no=self.mandate_no)
        return self

    def paying_by(self) -> PayingBy:
        """How a channel collects the money."""
        return PayingBy.model_validate(self.model_dump(include=set(PayingBy.model_fields)))
