"""What the forms of the hosted pages do: send a code, decline, keep a password, authorise."""

import re
from collections.abc import Mapping
from http import HTTPStatus

import structlog

from api.carrying_out import authorise, carry_out
from api.code_sending import send_code
from api.dependencies import Services
from api.page_facts import facts_of
from api.page_texts import TEXTS
from escrow.domain.errors import EscrowError, Refused
from escrow.domain.platforms.authorisations import AuthorisationMethod
from escrow.domain.platforms.hosted_pages import LinkOutcome, PageLanguage, PagePurpose, password_weakness
from escrow.registry.pages.page_links import PageLink

_log = structlog.get_logger(__name__)

_CODE = re.compile(r"[0-9]{6}")
#: Refusals that the member can do something about; others end in a page that says so in general.
_TOLD_ON_PAGE = frozenset(
    {
        "payment_password_wrong",
        "payment_password_locked",
        "payment_password_not_set",
        "sms_code_wrong",
        "sms_code_none",
        "sms_code_limit",
    }
)
_EVENT = {
    PagePurpose.SET_PASSWORD: "set",
    PagePurpose.CHANGE_PASSWORD: "changed",
    PagePurpose.RESET_PASSWORD: "reset",
}


class Mistake(Exception):
    """The form is to be filled in again; `code` names what the page says above it, `told` fills its fields."""

    def __init__(self, code: str, told: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.told = dict(told or {})
        self.status = HTTPStatus.UNPROCESSABLE_ENTITY


async def do_what_was_asked(
    services: Services, link: PageLink, form: Mapping[str, str], *, remote_address: str | None
) -> None:
    """Do what a filled-in form of a link that waits says.

    Raises:
        Mistake: the member has to fill it in again.
        EscrowError: it cannot be done, or not now.
    """
    try:
        match form.get("action"), link.purpose:
            case "send", _:
                await send_code(services, link, await facts_of(services, link, TEXTS[PageLanguage.CHINESE]))
            case "decline", PagePurpose.AUTHORISE:
                async with services.registry.page_links.claim(link, LinkOutcome.DECLINED, did="declined"):
                    pass
            case "confirm", PagePurpose.AUTHORISE:
                await _prove(services, link, form)
                await _authorise(services, link, remote_address)
            case "confirm", _:
                await _keep_password(services, link, form)
            case _:
                raise Mistake("form_stale")
    except Refused as refusal:
        if refusal.code == "authorisation_ended":
            return  # somebody was faster; the page shows what came of it
        if refusal.code not in _TOLD_ON_PAGE:
            raise
        raise Mistake(refusal.code, {name: str(value) for name, value in refusal.details.items()}) from refusal


async def _prove(services: Services, link: PageLink, form: Mapping[str, str]) -> None:
    """The member proves who it is, by password or code, whichever the link asks for."""
    if link.purpose is PagePurpose.CHANGE_PASSWORD or link.method == AuthorisationMethod.PAYMENT_PASSWORD:
        await services.registry.payment_passwords.verify(
            link.platform_no, link.member_no, form.get("password", "")[:256]
        )
        return
    code = form.get("code", "")
    if not _CODE.fullmatch(code):
        raise Mistake("sms_code_none")
    await services.registry.sms_codes.verify(link, code)


async def _authorise(services: Services, link: PageLink, remote_address: str | None) -> None:
    await authorise(services, link, remote_address=remote_address)
    try:
        await carry_out(services, link, remote_address=remote_address)
    except EscrowError as error:
        # The consent is recorded: what came of it, or comes when the platform repeats its call, is shown by the page.
        _log.info("authorised, not carried out", authorization_id=link.link_id, code=error.code)


async def _keep_password(services: Services, link: PageLink, form: Mapping[str, str]) -> None:
    passwords, password = services.registry.payment_passwords, form.get("new_password", "")
    mobile = (await services.registry.members.get(link.platform_no, link.member_no)).mobile or ""
    weakness = password_weakness(password, mobile=mobile)
    if weakness is None and password != form.get("repeat_password", ""):
        weakness = "password_differs"
    if weakness is not None:
        raise Mistake(weakness)
    await _prove(services, link, form)
    hashed = await passwords.hashed(link.platform_no, link.member_no, password)
    async with services.registry.page_links.claim(link, LinkOutcome.USED, did=_EVENT[link.purpose]) as session:
        await passwords.store(session, link.platform_no, link.member_no, hashed)
