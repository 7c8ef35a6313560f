"""What can be configured per platform: one validated, versioned document.

Defaults are those of the field as published or assumed in 2019-2026; an operator overrides them in the
platform's file, the platform through the API as far as `escrow.domain.platforms.rules` lets it. An order keeps the
configuration it was signed under.
"""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.platforms.authorisations import Authorisation, AuthorisationMethod, AuthorisedOperation
from escrow.domain.platforms.functions import Function, FunctionSwitches
from escrow.domain.platforms.sms_texts import SmsTexts

#: Amounts are 64-bit in the ledger.
Fen = Annotated[int, Field(ge=0, le=2**63 - 1, strict=True)]
#: A limit: an amount, or none.
FenLimit = Annotated[int, Field(ge=1, le=2**63 - 1, strict=True)] | None
#: Where a hosted page may be embedded: scheme, host and port; plain HTTP on the developer's own machine only.
Origin = Annotated[
    str,
    Field(
        max_length=200,
        pattern=r"^(https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9][0-9]{0,4})?"
        r"|http://(localhost|127\.0\.0\.1)(:[1-9][0-9]{0,4})?)$",
    ),
]
#: Where a member is sent back to from a hosted page: like an origin, with a path; the outcome is added as a query.
ReturnUrl = Annotated[
    str,
    Field(
        max_length=500,
        pattern=r"^(https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9][0-9]{0,4})?"
        r"|http://(localhost|127\.0\.0\.1)(:[1-9][0-9]{0,4})?)(/[A-Za-z0-9._~/-]*)?$",
    ),
]
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


class Limits(BaseModel):
    """Limits that the platform sets itself, in fen; none by default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    payment_fen: FenLimit = Field(default=None, description="Highest price of one order or payment, in fen.")
    batch_payment_fen: FenLimit = Field(default=None, description="Highest total of one batch payment, in fen.")
    payments_per_day_fen: FenLimit = Field(
        default=None, description="Highest sum that one member pays on one day (Asia/Shanghai), in fen."
    )
    withdrawal_fen: FenLimit = Field(default=None, description="Highest principal of one withdrawal, in fen.")
    withdrawals_per_day_fen: FenLimit = Field(
        default=None,
        description="Highest sum that one member asks to withdraw on one day (Asia/Shanghai), in fen; withdrawals that "
        "an order makes by its contract do not count.",
    )


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

    unguaranteed_settlement: Settlement = Field(
        default=Settlement.T_PLUS_0, description="When money of an unguaranteed payment becomes withdrawable."
    )
    split_payouts_allowed: bool = Field(
        default=False, strict=True, description="Whether a payout may travel in several legs; not offered yet."
    )
    functions: FunctionSwitches = Field(default=FunctionSwitches(), description="Functions, each on or off.")
    payment_methods: tuple[CollectionMethod, ...] = Field(
        default=tuple(CollectionMethod),
        description="Collection methods that the cashier page offers, in its order; those switched off are left out.",
    )
    authorisation: Authorisation = Field(
        default=Authorisation(), description="How the party of each operation is recognised."
    )
    sms_codes_by_api: bool = Field(
        default=False,
        strict=True,
        description="Whether the platform may relay SMS codes through the API; else they are entered on hosted pages.",
    )
    embedding_origins: tuple[Origin, ...] = Field(
        default=(), max_length=20, description="Origins whose pages may embed the hosted pages."
    )
    return_url: ReturnUrl | None = Field(
        default=None, description="Where a member is sent back to from a hosted page that is not embedded."
    )
    identity_required_for_withdrawal: bool = Field(
        default=True,
        strict=True,
        description="Whether a member whose identity is not verified may receive money but not withdraw it.",
    )
    verified_account_required: bool = Field(
        default=False,
        strict=True,
        description="Whether members withdraw only to accounts that a micro-deposit or a UnionPay check has verified. "
        "Off by default; a platform in production should switch it on.",
    )
    suspense_returned_by_platform: bool = Field(
        default=True,
        strict=True,
        description="Whether your key may send money in suspense back to the account it came from; else two operators "
        "do. What the bank gave back of a payout is always paid out by two operators.",
    )
    limits: Limits = Field(default=Limits(), description="Limits, off by default.")
    sms_texts: SmsTexts = Field(default=SmsTexts(), description="Texts of short messages, with named fields.")

    @property
    def offered_methods(self) -> tuple[CollectionMethod, ...]:
        """Collection methods that are switched on, in the cashier page's order."""
        return tuple(method for method in self.payment_methods if self.functions.is_on(Function(method.value)))

    @model_validator(mode="after")
    def _names_nothing_twice(self) -> Self:
        for name in ("payment_methods", "embedding_origins"):
            if len(set(getattr(self, name))) != len(getattr(self, name)):
                raise ValueError(f"{name} must name nothing twice")
        return self

    @model_validator(mode="after")
    def _splits_no_payouts(self) -> Self:
        if self.split_payouts_allowed:
            raise ValueError("split_payouts_allowed must be false: payouts in several legs are not offered yet")
        return self

    @model_validator(mode="after")
    def _can_be_authorised(self) -> Self:
        pages = self.functions.hosted_pages
        # Without pages the platform's own money stays where it is; nothing else has to wait for that.
        for operation in (known for known in AuthorisedOperation if known is not AuthorisedOperation.PLATFORM_WITHDRAW):
            method = self.authorisation.method_of(operation)
            if method is AuthorisationMethod.PAYMENT_PASSWORD and not pages:
                raise ValueError(f"authorisation.{operation}: payment_password needs functions.hosted_pages")
            if method is AuthorisationMethod.SMS_CODE and not (pages or self.sms_codes_by_api):
                raise ValueError(
                    f"authorisation.{operation}: sms_code needs functions.hosted_pages or sms_codes_by_api"
                )
        return self

    @model_validator(mode="after")
    def _fits_the_business_model(self) -> Self:
        if self.business_model is BusinessModel.SELF_OPERATED and self.commission_basis_points != 0:
            raise ValueError("commission_basis_points must be 0 for a self_operated platform: it takes no commission")
        if self.reminder_hours >= self.inspection_days * 24:
            raise ValueError("reminder_hours must be shorter than inspection_days")
        return self
