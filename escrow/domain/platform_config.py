"""What can be configured per platform: one validated, versioned document.

Defaults are those of the field as published or assumed in 2019-2026; an operator overrides them in the
platform's file. An order keeps the configuration it was signed under.
"""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

#: Amounts are 64-bit in the ledger.
Fen = Annotated[int, Field(ge=0, le=2**63 - 1, strict=True)]
#: Whole days or hours; ten years is longer than any warranty.
Days = Annotated[int, Field(ge=0, le=3660, strict=True)]
Hours = Annotated[int, Field(ge=1, le=24 * 366, strict=True)]


class BusinessModel(StrEnum):
    """Who sells: contractors on the platform's marketplace, or the platform itself."""

    MARKETPLACE = "marketplace"
    SELF_OPERATED = "self_operated"


class Settlement(StrEnum):
    """When credited money can be withdrawn: at once, or when its accounting day is closed."""

    T_PLUS_0 = "T+0"
    T_PLUS_1 = "T+1"


class RoutingObjective(StrEnum):
    """What the choice of a rail for a payout strives for."""

    CHEAPEST = "cheapest"
    FASTEST = "fastest"
    BALANCED = "balanced"


class SmsContact(StrEnum):
    """Who is told of a large withdrawal."""

    MEMBER = "member"
    PLATFORM = "platform"


class PlatformConfig(BaseModel):
    """Configuration of one platform; every number has a default, unknown fields are refused.

    Raises:
        pydantic.ValidationError: a value out of range, or a combination the business model forbids.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    business_model: BusinessModel = Field(
        default=BusinessModel.MARKETPLACE,
        description="`marketplace`: contractors are paid, the platform takes commission. "
        "`self_operated`: the platform's own sub-account is the payee, without commission.",
    )
    commission_basis_points: Annotated[int, Field(ge=0, le=10_000, strict=True)] = Field(
        default=500, description="Commission on released money in basis points: 500 is 5.00 %. Fixed at signing."
    )
    payment_deadline_hours: Hours = Field(default=24, description="An unpaid order closes after this many hours.")
    start_deadline_days: Annotated[Days, Field(ge=1)] = Field(
        default=30, description="A paid order that is not started within this many days is refunded."
    )
    stage_deadline_days: Annotated[Days, Field(ge=1)] = Field(
        default=90, description="A stage not reported complete within this many days goes to an operator."
    )
    rectification_deadline_days: Annotated[Days, Field(ge=1)] = Field(
        default=30, description="A rectification not reported done within this many days goes to an operator."
    )
    cancel_proposal_days: Annotated[Days, Field(ge=1)] = Field(
        default=7, description="One party's wish to cancel lapses unless the other agrees within this many days."
    )
    inspection_days: Annotated[Days, Field(ge=1)] = Field(
        default=7, description="A completed stage is accepted by silence after this many days."
    )
    reminder_hours: Hours = Field(
        default=24, description="The owner is reminded this many hours before acceptance by silence."
    )
    retention_days: Days = Field(
        default=90, description="The retention is released this many days after the last stage was accepted."
    )
    release_settlement: Settlement = Field(
        default=Settlement.T_PLUS_0, description="When released money becomes withdrawable by the payee."
    )
    top_up_settlement: Settlement = Field(
        default=Settlement.T_PLUS_1, description="When topped-up money becomes withdrawable by the member."
    )
    auto_withdraw_allowed: bool = Field(
        default=True, description="Whether an order may withdraw for the contractor by itself after each release."
    )
    routing_objective: RoutingObjective = Field(
        default=RoutingObjective.BALANCED, description="What the choice of a payout's rail strives for."
    )
    withdrawal_fee_fen: Fen = Field(
        default=0, description="Fee of a withdrawal, on top of its principal, fixed when it is requested."
    )
    large_withdrawal_sms_threshold_fen: Fen = Field(
        default=5_000_000, description="A withdrawal of strictly more than this is announced by SMS."
    )
    sms_contact: SmsContact = Field(
        default=SmsContact.MEMBER, description="Who receives the SMS about a large withdrawal."
    )

    @model_validator(mode="after")
    def _fits_the_business_model(self) -> Self:
        if self.business_model is BusinessModel.SELF_OPERATED and self.commission_basis_points != 0:
            raise ValueError("commission_basis_points must be 0 for a self_operated platform: it takes no commission")
        if self.reminder_hours >= self.inspection_days * 24:
            raise ValueError("reminder_hours must be shorter than inspection_days")
        return self
