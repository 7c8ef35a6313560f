"""Links by which a member sets, changes or resets its payment password on a page that the platform cannot read."""

from typing import Literal

from fastapi import APIRouter, Response, status
from pydantic import Field

from api.dependencies import CallerPlatform, Services, UsedServices
from api.member_consents import page_url
from api.problems import problems
from api.schemas import Body, PathNumber, RequestNumber, Time, View
from escrow.domain.platforms.hosted_pages import LinkOutcome, PageLanguage, PagePurpose, require_password_link
from escrow.domain.requests import derived
from escrow.registry.pages.page_links import PageLink

router = APIRouter(prefix="/members/{member_no}/payment-password-links", tags=["members"])


class PasswordLinkOpening(Body):
    """A wish for a link."""

    request_no: RequestNumber
    purpose: Literal["set", "change", "reset"] = Field(
        description="`set` and `reset` are proved by an SMS code to the member's mobile, `change` by the old password."
    )
    language: PageLanguage | None = Field(default=None, description="Of the page; the browser's own when absent.")


class PasswordLinkView(View):
    """A link to a hosted page."""

    request_no: str
    member_no: str
    purpose: PagePurpose
    status: LinkOutcome
    url: str | None = Field(description="Send the member there, or embed it; null once it was used.")
    expires_at: Time


def _view(services: Services, request_no: str, link: PageLink) -> PasswordLinkView:
    return PasswordLinkView(
        request_no=request_no,
        member_no=link.member_no,
        purpose=link.purpose,
        status=link.outcome,
        url=page_url(services, link) if link.outcome is LinkOutcome.PENDING else None,
        expires_at=link.expires_at,
    )


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    summary="Make a link to set, change or reset a payment password",
    responses=problems(
        "not_found",
        "request_no_reused",
        "function_off",
        "member_state",
        "no_mobile",
        "payment_password_set",
        "payment_password_not_set",
        repeated=PasswordLinkView,
    ),
)
async def make_password_link(
    member_no: PathNumber,
    body: PasswordLinkOpening,
    response: Response,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> PasswordLinkView:
    """The link works once and for 15 minutes; the same call afterwards renews one that was not used.

    The password is entered on the page alone. It never passes through your systems, and no answer of ours carries it.
    """
    link_no = derived("", "payment-password", body.request_no)
    purpose = PagePurpose(f"{body.purpose}_password")
    member = await services.registry.members.get(platform_no, member_no)
    if not await services.registry.page_links.is_known(platform_no, link_no):
        require_password_link(
            purpose,
            member_no=member_no,
            status=member.status,
            has_mobile=member.mobile is not None,
            is_set=await services.registry.payment_passwords.is_set(platform_no, member_no),
        )
    link, is_new = await services.registry.page_links.ask(
        platform_no,
        link_no,
        member_no=member_no,
        purpose=purpose,
        content={},
        language=body.language,
    )
    if not is_new:
        response.status_code = status.HTTP_200_OK
    return _view(services, body.request_no, link)
