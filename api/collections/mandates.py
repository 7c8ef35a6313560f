"""Mandates: a member's permission to debit one of its bound cards, within two caps and until a day."""

from datetime import date

from fastapi import APIRouter, Request, Response, status
from pydantic import Field, model_validator

from api.dependencies import CallerPlatform, Services, UsedServices, address_of
from api.member_consents import AWAITING_PROBLEMS, AWAITS_MEMBER
from api.operations import mandates
from api.problems import problems
from api.schemas import AmountFen, BalanceFen, Body, Number, PathNumber, RequestNumber, Time, View
from escrow.domain.collections.mandates import REVOKE, MandateStatus
from escrow.domain.errors import Refused
from escrow.domain.operations.members import SignMandate
from escrow.ledger.consents import CONSENT_VALIDITY, NewConsent, record_consent
from escrow.registry.collections.mandates import Mandate

router = APIRouter(prefix="/members/{member_no}/mandates", tags=["mandates"])


class MandateOpening(Body):
    """What a member signs."""

    mandate_no: Number = Field(examples=["M-1"])
    account_id: Number = Field(description="The bound card that may be debited: of a person or sole trader.")
    per_debit_fen: AmountFen = Field(description="Most that may be debited at once, in fen.")
    per_day_fen: AmountFen = Field(description="Most that may be debited on one day (Asia/Shanghai), in fen.")
    last_day: date = Field(description="Last day (Asia/Shanghai) on which it is in force.", examples=["2027-12-31"])

    @model_validator(mode="after")
    def _a_day_allows_a_debit(self) -> "MandateOpening":
        if self.per_day_fen < self.per_debit_fen:
            raise ValueError("per_day_fen must not be below per_debit_fen")
        return self


class MandateRevocation(Body):
    """A member does not want its mandate any more."""

    request_no: RequestNumber


class MandateView(View):
    """A mandate as the ledger has it."""

    mandate_no: str
    member_no: str
    account_id: str
    status: MandateStatus = Field(
        description="`signed`: the bank does not know it yet · `active`: debits can be made · `refused` by the bank · "
        "`revoked` · `expired`"
    )
    reason: str = Field(description="Why it was refused, a stable code; else empty.")
    per_debit_fen: BalanceFen
    per_day_fen: BalanceFen
    last_day: date
    text_version: str = Field(description="Version of the text that was agreed to.")
    payer_bank: str = Field(description="Short name of the card's bank, by which debit channels are chosen.")
    signed_at: Time
    ended_at: Time | None
    bank_knows_the_end: bool = Field(description="Whether the bank was told that it has ended; debits stop before.")


class MandateList(View):
    """All mandates of a member, oldest first."""

    mandates: list[MandateView]


def mandate_view(mandate: Mandate) -> MandateView:
    """A mandate as the ledger has it."""
    shown = {name: getattr(mandate, name) for name in MandateView.model_fields if name != "bank_knows_the_end"}
    return MandateView(**shown, bank_knows_the_end=mandate.deregistered_at is not None)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    summary="Sign a mandate for direct debits",
    responses=problems(
        "not_found",
        "request_no_reused",
        "function_off",
        *AWAITING_PROBLEMS,
        "member_state",
        "identity_required",
        "account_not_bound",
        "card_required",
        "no_mobile",
        "mandate_not_in_force",
        "object_exists",
        "temporal_unavailable",
        "order_busy",
        repeated=MandateView,
    )
    | AWAITS_MEMBER,
)
async def sign_mandate(
    member_no: PathNumber,
    body: MandateOpening,
    request: Request,
    response: Response,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> MandateView:
    """Let a member sign that its card may be debited. Answers as soon as the bank has taken or refused it.

    Where the member authorises it itself, it sees card, caps, last day and the text on the page. A debit needs the
    mandate in force, stays within both caps, and goes to no other member.
    """
    address = address_of(request)
    operation = SignMandate(member_no=member_no, **body.model_dump())
    mandate, is_new = await mandates.sign(services, platform_no, operation, remote_address=address)
    if not is_new:
        response.status_code = status.HTTP_200_OK
    return mandate_view(mandate)


@router.get("", summary="List a member's mandates", responses=problems("not_found"))
async def list_mandates(member_no: PathNumber, platform_no: CallerPlatform, services: UsedServices) -> MandateList:
    """All mandates that the member ever signed, oldest first."""
    await services.registry.members.get(platform_no, member_no)
    found = await services.registry.mandates.of_member(platform_no, member_no)
    return MandateList(mandates=[mandate_view(mandate) for mandate in found])


@router.get("/{mandate_no}", summary="One mandate", responses=problems("not_found"))
async def get_mandate(
    member_no: PathNumber, mandate_no: PathNumber, platform_no: CallerPlatform, services: UsedServices
) -> MandateView:
    """Where the mandate stands."""
    return mandate_view(await _of_member(services, platform_no, member_no, mandate_no))


@router.post(
    "/{mandate_no}/revoke",
    summary="Revoke a mandate",
    responses=problems("not_found", "request_no_reused", "temporal_unavailable"),
)
async def revoke_mandate(
    member_no: PathNumber,
    mandate_no: PathNumber,
    body: MandateRevocation,
    request: Request,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> MandateView:
    """From this answer on nothing more is debited under it; the bank is told afterwards. One that has ended stays so.

    A debit that was sent before is not called back.
    """
    await _of_member(services, platform_no, member_no, mandate_no)
    consent, _ = await record_consent(
        services.recorder,
        NewConsent(
            platform_no=platform_no,
            consent_no=body.request_no,
            object_kind="mandate",
            object_no=mandate_no,
            operation=REVOKE,
            given_by=member_no,
            terms={},
            valid_for=CONSENT_VALIDITY,
            remote_address=address_of(request),
        ),
    )
    mandate = await services.registry.mandates.revoke(consent)
    await services.processes.look_after_mandate(platform_no, mandate_no)
    return mandate_view(mandate)


async def _of_member(services: Services, platform_no: str, member_no: str, mandate_no: str) -> Mandate:
    mandate = await services.registry.mandates.get(platform_no, mandate_no)
    if mandate.member_no != member_no:
        raise Refused("not_found", f"There is no mandate {mandate_no}.")
    return mandate
