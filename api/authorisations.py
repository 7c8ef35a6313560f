"""Authorisations as their platform sees them, and SMS codes where the platform may relay them."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import Field

from api.carrying_out import authorise, carry_out
from api.code_sending import send_code
from api.dependencies import CallerPlatform, Services, UsedServices, address_of
from api.member_consents import AuthorisationView, authorisation_view
from api.page_facts import facts_of
from api.page_texts import TEXTS
from api.problems import problems
from api.schemas import Body, RequestNumber
from escrow.domain.errors import Refused
from escrow.domain.platforms.hosted_pages import LinkOutcome, PageLanguage, PagePurpose
from escrow.domain.platforms.rules import may_be_relayed
from escrow.registry.pages.page_links import PageLink

router = APIRouter(prefix="/authorizations/{authorization_id}", tags=["authorisations"])

AuthorizationId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="`authorization_id` of a 202 answer.")]


class CodeWish(Body):
    """A wish for a code to the member's mobile."""

    request_no: RequestNumber


class CodeEntry(Body):
    """The code that the member read on its mobile."""

    code: str = Field(pattern=r"^[0-9]{6}$", examples=["204518"])


async def _link(services: Services, platform_no: str, authorization_id: str) -> PageLink:
    link = await services.registry.page_links.of_id(platform_no, authorization_id)
    if link.purpose is not PagePurpose.AUTHORISE:
        raise Refused("not_found", f"There is no authorisation {authorization_id}.")
    return link


async def _require_relayed(services: Services, link: PageLink) -> None:
    config = (await services.registry.platforms.configurations.current(link.platform_no)).config
    if not may_be_relayed(config, method=link.method, member_no=link.member_no):
        raise Refused("sms_codes_on_page", "This is authorised on the hosted page, not through the API.")


@router.get("", summary="One authorisation", responses=problems("not_found"))
async def get_authorisation(
    authorization_id: AuthorizationId, platform_no: CallerPlatform, services: UsedServices
) -> AuthorisationView:
    """Whether the member has authorised, and what came of it."""
    return await authorisation_view(services, await _link(services, platform_no, authorization_id))


@router.post(
    "/sms-codes",
    summary="Send a code",
    responses=problems(
        "not_found",
        "request_no_reused",
        "sms_codes_on_page",
        "sms_code_limit",
        "no_mobile",
        "authorisation_ended",
        "bank_unreachable",
        "outcome_unknown",
    ),
)
async def send_sms_code(
    authorization_id: AuthorizationId, body: CodeWish, platform_no: CallerPlatform, services: UsedServices
) -> AuthorisationView:
    """Send the member a code, valid for 120 s, where your platform may relay codes. The code before it ends.

    Three codes at most for one authorisation, ten a day for one member.
    """
    link = await _link(services, platform_no, authorization_id)
    await _require_relayed(services, link)
    if link.outcome is not LinkOutcome.PENDING:
        raise Refused("authorisation_ended", "The authorisation was used or has expired.")
    facts = await facts_of(services, link, TEXTS[PageLanguage.CHINESE])
    await send_code(services, link, facts, request_no=body.request_no)
    return await authorisation_view(services, link)


@router.post(
    "/confirm",
    summary="Authorise by a code",
    responses=problems(
        "not_found",
        "request_no_reused",
        "sms_codes_on_page",
        "sms_code_wrong",
        "sms_code_none",
        "authorisation_ended",
        "basis_mismatch",
        "temporal_unavailable",
        "order_busy",
    ),
)
async def confirm(
    authorization_id: AuthorizationId,
    body: CodeEntry,
    request: Request,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> AuthorisationView:
    """Authorise with the code that the member read, and carry the command out.

    Five tries for each code. Whether a rule refused the command is shown by `status`; your own call says why.
    """
    link = await _link(services, platform_no, authorization_id)
    await _require_relayed(services, link)
    if link.outcome is LinkOutcome.PENDING:
        await services.registry.sms_codes.verify(link, body.code)
        address = address_of(request)
        await authorise(services, link, remote_address=address)
        link = await _link(services, platform_no, authorization_id)
        try:
            await carry_out(services, link, remote_address=address)
        except Refused:
            return await authorisation_view(services, link)  # kept with the consent, for the platform's own call
    elif link.outcome is not LinkOutcome.USED:
        raise Refused("authorisation_ended", "The authorisation has ended.")
    return await authorisation_view(services, link)
