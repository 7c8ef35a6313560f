"""A party's consent: the platform vouches for it, or the member gives it on a hosted page, as the platform configured.

The platform's own withdrawals are authorised like that by its contact person, always on the page.
The second takes time. A call that has to wait for its member ends here with `AwaitsMember`, which is answered with
202 and the link; the same call later finds the consent that the member gave meanwhile, and goes on.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import Field

from api.dependencies import Services
from api.mobiles import require_mobile
from api.schemas import Time, View
from escrow.domain.errors import Refused
from escrow.domain.platforms.authorisations import AuthorisationMethod, AuthorisedOperation
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.platforms.hosted_pages import LinkOutcome, PagePurpose
from escrow.domain.platforms.rules import may_be_relayed, require_page_of_contact, require_vouched
from escrow.ledger.consents import Consent, NewConsent, get_consent, record_consent
from escrow.registry.members.members import PLATFORM_ITSELF
from escrow.registry.pages.page_links import PageLink

#: Of the texts that the hosted pages show with an authorisation.
PAGE_TEXT_VERSION = "page-1"


class AuthorisationView(View):
    """Something that a member authorises itself."""

    authorization_id: str
    status: str = Field(
        description="`pending` · `done`: authorised and carried out · `used`: authorised, repeat your call for what "
        "came of it · `refused`: authorised, but a rule said no · `declined` by the member · `expired`"
    )
    member_no: str | None = Field(description="Null: your own contact person authorises.")
    object_kind: str
    object_no: str
    operation: str
    method: AuthorisationMethod
    url: str | None = Field(
        description="The page, while `pending`: send the member there, or embed it; add `?lang=en` or `?lang=zh`. "
        "Null where pages are off and you relay codes. "
        "Who knows it can see what is asked for, and nothing else without password or code."
    )
    expires_at: Time


class AwaitingMember(View):
    """The call waits for its member. Repeat it, or look at the authorisation."""

    authorization: AuthorisationView


#: What endpoints that a member may have to authorise add to their description.
AWAITS_MEMBER: dict[int | str, dict[str, Any]] = {
    202: {"model": AwaitingMember, "description": "Not carried out yet: the member authorises it on the page first."}
}
#: Codes that such endpoints can answer besides.
AWAITING_PROBLEMS = (
    "authorisation_required",
    "authorisation_declined",
    "payment_password_not_set",
    "no_mobile",
    "member_unknown",
)


class AwaitsMember(Exception):
    """The call waits until its member has authorised it."""

    def __init__(self, view: AuthorisationView) -> None:
        super().__init__(f"authorisation {view.authorization_id} is {view.status}")
        self.view = view


async def on_awaits_member(_: Request, waiting: Exception) -> JSONResponse:
    """Answer a call that waits for its member."""
    if not isinstance(waiting, AwaitsMember):
        raise waiting
    return JSONResponse(AwaitingMember(authorization=waiting.view).model_dump(mode="json"), status_code=202)


async def consent_of(
    services: Services,
    new: NewConsent,
    config: PlatformConfig,
    operation: AuthorisedOperation,
    *,
    carry_out: Mapping[str, Any] | None,
) -> tuple[Consent, bool]:
    """The party's consent: recorded now where the platform vouches, else as the member gave it; and whether it is new.

    Args:
        carry_out: what the command needs besides the consent's own content; None where it cannot wait for a page.

    Raises:
        AwaitsMember: the member was asked and has not answered yet.
        Refused: `request_no_reused`, `authorisation_required`, `authorisation_declined`, `payment_password_not_set`,
            `no_mobile`, `member_unknown`, or `function_off`: the platform's own page would have to be opened.
    """
    method = config.authorisation.method_of(operation)
    if method is AuthorisationMethod.NONE:
        return await record_consent(services.recorder, new)
    by_contact = operation is AuthorisedOperation.PLATFORM_WITHDRAW
    if carry_out is None or (new.given_by == PLATFORM_ITSELF and not by_contact):
        require_vouched(config, operation)
    given = await _given(services, new)
    if given is None:
        if by_contact:
            require_page_of_contact(config)
        link = await _ask(services, new, method, carry_out or {})
        if link.outcome is LinkOutcome.DECLINED:
            raise Refused("authorisation_declined", "The member declined to authorise this.")
        given = await _given(services, new) if link.outcome is LinkOutcome.USED else None
        if given is None:
            raise AwaitsMember(await authorisation_view(services, link))
    return given, False


async def authorisation_view(services: Services, link: PageLink) -> AuthorisationView:
    """How an authorisation is shown to its platform."""
    config = (await services.registry.platforms.configurations.current(link.platform_no)).config
    is_shown = link.outcome is LinkOutcome.PENDING and has_page(config, link)
    return AuthorisationView(
        authorization_id=link.link_id,
        status=await outcome_of(services, link),
        member_no=link.member_no or None,
        object_kind=link.content["object_kind"],
        object_no=link.content["object_no"],
        operation=link.content["operation"],
        method=AuthorisationMethod(link.method),
        url=page_url(services, link) if is_shown else None,
        expires_at=link.expires_at,
    )


def has_page(config: PlatformConfig, link: PageLink) -> bool:
    """Whether a link can be opened: not where pages are off and codes pass through the platform instead.

    With pages switched off otherwise, orders that began with them keep theirs.
    """
    by_api = may_be_relayed(config, method=link.method, member_no=link.member_no)
    return config.functions.hosted_pages or not by_api


async def outcome_of(services: Services, link: PageLink) -> str:
    """What came of an authorisation: the link's outcome, or what the authorised command did."""
    if link.outcome is not LinkOutcome.USED:
        return link.outcome.value
    consent = await get_consent(services.reader, link.platform_no, link.link_no)
    if consent is not None and consent.used_by is not None:
        return "done"
    if consent is not None and consent.outcome is not None and "refused" in consent.outcome:
        return "refused"
    return link.outcome.value


def page_url(services: Services, link: PageLink) -> str:
    """Address of a link's page, as browsers reach it."""
    return public_base(services) + services.registry.page_links.path(link)


def public_base(services: Services) -> str:
    """Scheme, host and port by which browsers reach our pages."""
    settings = services.settings
    return settings.public_url or f"http://{settings.api_host}:{settings.api_port}"


async def _given(services: Services, new: NewConsent) -> Consent | None:
    known = await get_consent(services.reader, new.platform_no, new.consent_no)
    if known is not None and known.operation_hash != new.operation_hash:
        raise Refused(
            "request_no_reused",
            f"Request number {new.consent_no} was used for another consent; use a new one.",
            {"request_no": new.consent_no},
        )
    return known


async def _ask(
    services: Services, new: NewConsent, method: AuthorisationMethod, carry_out: Mapping[str, Any]
) -> PageLink:
    registry = services.registry
    member_no = "" if new.given_by == PLATFORM_ITSELF else new.given_by
    if member_no:
        await registry.members.statuses(new.platform_no, member_no)
    if method is AuthorisationMethod.PAYMENT_PASSWORD:
        if not await registry.payment_passwords.is_set(new.platform_no, member_no):
            raise Refused("payment_password_not_set", f"Member {member_no} has not set a payment password.")
    else:
        await require_mobile(registry, new.platform_no, member_no)
    valid_minutes = round(new.valid_for / timedelta(minutes=1))
    link, _ = await registry.page_links.ask(
        new.platform_no,
        new.consent_no,
        member_no=member_no,
        purpose=PagePurpose.AUTHORISE,
        method=method.value,
        content={
            "object_kind": new.object_kind,
            "object_no": new.object_no,
            "operation": new.operation,
            "terms": dict(new.terms),
            "operation_hash": new.operation_hash,
            "carry_out": {**carry_out, "valid_minutes": valid_minutes},
        },
    )
    return link
