"""The hosted pages: one address a link, a form that is filled in once, and the outcome."""

from pathlib import Path
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse

from api.dependencies import Services, UsedServices, address_of
from api.member_consents import has_page, outcome_of
from api.mobiles import mobile_of
from api.page_facts import facts_of
from api.page_texts import TEXTS, language_of
from api.pages import security
from api.pages.forms import Mistake, do_what_was_asked
from api.pages.rendering import rendered
from escrow.domain.collections.batch_payments import BATCH_PAYMENT, batch_pay_in_no
from escrow.domain.collections.terms import CollectionStatus, direct_pay_in_no
from escrow.domain.errors import EscrowError, Refused
from escrow.domain.platforms.authorisations import AuthorisationMethod
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.platforms.hosted_pages import LinkOutcome, PageLanguage, PagePurpose
from escrow.ledger.objects import get_object
from escrow.registry.pages.page_links import PageLink

router = APIRouter(prefix="/pages", include_in_schema=False)

_log = structlog.get_logger(__name__)
_STYLE = Path(__file__).with_name("style.css")
_BACK_AFTER_SECONDS = 8


@router.get("/style.css")
async def style() -> FileResponse:
    """The pages' looks."""
    return FileResponse(_STYLE, media_type="text/css", headers={"X-Content-Type-Options": "nosniff"})


@router.get("/{token}")
async def show(token: str, request: Request, services: UsedServices, lang: str | None = None) -> Response:
    """What is asked for with a form to answer, or what came of it."""
    try:
        return await _page(services, request, token, lang)
    except EscrowError as error:
        return _away(error, _language(request, lang))


@router.post("/{token}")
async def fill_in(token: str, request: Request, services: UsedServices, lang: str | None = None) -> Response:
    """Take a filled-in form; then the page shows what came of it, however often it is loaded."""
    language = _language(request, lang)
    try:
        link = await services.registry.page_links.of_token(token)
        if link is None or link.outcome is not LinkOutcome.PENDING:
            return await _page(services, request, token, lang)
        form = await security.read_form(request, public_url=services.settings.public_url)
        if not security.is_our_form(form, services.registry.page_links.form_token(link)):
            return await _page(services, request, token, lang, alert="form_stale", status=403)
        await do_what_was_asked(services, link, form or {}, remote_address=address_of(request))
    except Mistake as mistake:
        return await _page(services, request, token, lang, alert=mistake.code, told=mistake.told, status=mistake.status)
    except EscrowError as error:
        return _away(error, language)
    return RedirectResponse(f"/pages/{token}?lang={language}", status_code=303, headers=security.headers())


async def _page(
    services: Services,
    request: Request,
    token: str,
    lang: str | None,
    *,
    alert: str | None = None,
    told: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    link = await services.registry.page_links.of_token(token)
    if link is None:
        return _outcome("unknown", _language(request, lang), status=404)
    language = _language(request, lang, link.language)
    config = (await services.registry.platforms.configurations.current(link.platform_no)).config
    if not has_page(config, link):
        return _outcome("unknown", language, status=404)
    headers = security.headers(config.embedding_origins)
    if link.outcome is not LinkOutcome.PENDING:
        return await _ended(services, request, link, language, config, headers)
    texts = TEXTS[language]
    asks_new = link.purpose is not PagePurpose.AUTHORISE
    asks_password = link.purpose is PagePurpose.CHANGE_PASSWORD or link.method == AuthorisationMethod.PAYMENT_PASSWORD
    mobile = await mobile_of(services.registry, link.platform_no, link.member_no) or ""
    facts = await facts_of(services, link, texts)
    body = rendered(
        "form.html",
        language,
        title=facts.title,
        facts=facts,
        alert=texts[alert].format_map(told or {}) if alert else None,
        asks_new=asks_new,
        asks_password=asks_password,
        asks_code=not asks_password,
        code_sent=not asks_password and await services.registry.sms_codes.was_sent(link),
        tail=mobile[-4:],
        form_token=services.registry.page_links.form_token(link),
    )
    return HTMLResponse(body, status_code=status, headers=headers)


async def _ended(
    services: Services,
    request: Request,
    link: PageLink,
    language: PageLanguage,
    config: PlatformConfig,
    headers: dict[str, str],
) -> Response:
    if link.purpose is PagePurpose.AUTHORISE:
        outcome = await outcome_of(services, link)
        text = f"{outcome}_text"
    else:
        outcome = "done" if link.outcome is LinkOutcome.USED else link.outcome.value
        text = "saved_text" if outcome == "done" else f"{outcome}_text"
    back, forward = None, await _cashier_of(services, link, outcome)
    if forward is not None:
        return _outcome(outcome, language, text="to_be_paid_text", forward=forward, headers=headers)
    is_embedded = request.headers.get("sec-fetch-dest") == "iframe"
    if config.return_url is not None and not is_embedded:
        back = f"{config.return_url}?{urlencode({'authorization_id': link.link_id, 'outcome': outcome})}"
        headers = headers | {"Refresh": f"{_BACK_AFTER_SECONDS};url={back}"}
    return _outcome(outcome, language, text=text, back=back, headers=headers)


async def _cashier_of(services: Services, link: PageLink, outcome: str) -> str | None:
    """Where a direct or batch payment that was authorised is now paid; None when nothing waits to be paid."""
    pay_in_no = _collected_by(link) if outcome == LinkOutcome.USED else None
    if pay_in_no is None:
        return None
    collection = await get_object(services.reader, link.platform_no, "pay_in", pay_in_no)
    if collection is None or collection.status not in (CollectionStatus.OPENED, CollectionStatus.AWAITING_PAYER):
        return None
    return services.registry.cashier_links.path(link.platform_no, pay_in_no)


def _collected_by(link: PageLink) -> str | None:
    """Number of what collects the payment that a link authorises, None where nothing is collected."""
    kind, terms = link.content.get("object_kind"), link.content.get("terms", {})
    if kind == "order" and "method" in terms:
        return direct_pay_in_no(link.content["object_no"], link.link_no)
    if kind == BATCH_PAYMENT and terms["paid_by"] != "balance":
        return batch_pay_in_no(link.content["object_no"])
    return None


def _outcome(
    outcome: str,
    language: PageLanguage,
    *,
    text: str | None = None,
    back: str | None = None,
    forward: str | None = None,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    texts = TEXTS[language]
    text = texts[text or f"{outcome}_text"]
    body = rendered("outcome.html", language, title=texts[outcome], text=text, back=back, forward=forward)
    return HTMLResponse(body, status_code=status, headers=headers or security.headers())


def _away(error: EscrowError, language: PageLanguage) -> Response:
    _log.warning("page not served", code=error.code)
    texts = TEXTS[language]
    body = rendered("outcome.html", language, title=texts["problem"], text=texts["later"], back=None, forward=None)
    return HTMLResponse(body, status_code=409 if isinstance(error, Refused) else 503, headers=security.headers())


def _language(request: Request, *wishes: str | None) -> PageLanguage:
    return language_of(*wishes, accepted=request.headers.get("accept-language", ""))
