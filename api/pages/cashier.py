"""The cashier page: what is to be paid, a code to scan, a link to follow or an SMS code to type, and how it stands."""

import io
import re
import secrets
from collections.abc import Mapping
from typing import Annotated

import segno
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from markupsafe import Markup

from api.dependencies import Services, UsedServices
from api.page_texts import TEXTS, language_of
from api.pages import security
from api.pages.rendering import rendered
from api.payer_codes import awaits_code, compare, send_again
from escrow.domain.collections.terms import CollectionStatus
from escrow.domain.errors import EscrowError, Refused
from escrow.domain.members.code_checks import CodeCheck
from escrow.domain.money.amounts import format_fen
from escrow.domain.platforms.functions import Function
from escrow.domain.platforms.hosted_pages import PageLanguage
from escrow.domain.platforms.rules import require_function
from escrow.domain.requests import derived
from escrow.ledger.objects import BusinessObject, get_object

router = APIRouter(prefix="/pages/cashier", include_in_schema=False)

_CODE = re.compile(r"[0-9]{6}")
#: Refusals that the payer is told; others end in a page that says so in general.
_TOLD_ON_PAGE = frozenset({"sms_code_limit", "code_tries_spent", "code_not_awaited"})
_LOADED_AGAIN = (CollectionStatus.OPENED, CollectionStatus.AWAITING_PAYER, CollectionStatus.PROCESSING)
#: The page loads itself again so often while something is waited for; not while somebody types.
_AGAIN_AFTER_SECONDS = 2
#: Size of one module of the code in CSS pixels: a code of usual length is about five centimetres wide.
_MODULE_PIXELS = 6

Token = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,300}\.[A-Za-z0-9_-]{43}$")]


@router.get("/{token}")
async def cashier(
    token: Token, request: Request, services: UsedServices, lang: Annotated[str | None, Query(max_length=8)] = None
) -> Response:
    """One collection as its payer sees it."""
    language = language_of(lang, accepted=request.headers.get("accept-language", ""))
    try:
        return await _shown(services, token, language)
    except EscrowError as error:
        return _away(error, language)


@router.post("/{token}")
async def fill_in(
    token: Token, request: Request, services: UsedServices, lang: Annotated[str | None, Query(max_length=8)] = None
) -> Response:
    """Take the code of a quick payment, or a wish for another one; then the page shows what came of it."""
    language = language_of(lang, accepted=request.headers.get("accept-language", ""))
    try:
        collection = await _named(services, token)
        form = await security.read_form(request, public_url=services.settings.public_url)
        if collection is None or not awaits_code(collection):
            return await _shown(services, token, language)
        form_token = services.registry.cashier_links.form_token(collection.platform_no, collection.object_no)
        if not security.is_our_form(form, form_token):
            return await _shown(services, token, language, alert="form_stale", status=403)
        alert, told = await _done(services, collection, form or {})
        if alert:
            return await _shown(services, token, language, alert=alert, told=told, status=422)
    except EscrowError as error:
        return _away(error, language)
    return RedirectResponse(f"/pages/cashier/{token}?lang={language}", status_code=303, headers=security.headers())


async def _done(
    services: Services, collection: BusinessObject, form: Mapping[str, str]
) -> tuple[str | None, dict[str, str]]:
    """Do what the form says; what the page says above it when the payer has to do something again."""
    request_no = derived("page", secrets.token_hex(8))
    try:
        if form.get("action") == "send":
            await send_again(services, collection, request_no)
            return None, {}
        code = form.get("code", "")
        if not _CODE.fullmatch(code):
            return "sms_code_none", {}
        compared = await compare(services, collection, request_no, code)
    except Refused as refusal:
        if refusal.code not in _TOLD_ON_PAGE:
            raise
        return refusal.code, {}
    if compared is CodeCheck.WRONG:
        left = await services.registry.collection_codes.tries.left(collection.platform_no, collection.object_no)
        return "sms_code_wrong", {"tries_left": str(left)}
    return ("sms_code_none" if compared is CodeCheck.EXPIRED else None), {}


async def _named(services: Services, token: str) -> BusinessObject | None:
    named = services.registry.cashier_links.read(token)
    return None if named is None else await get_object(services.reader, named[0], "pay_in", named[1])


async def _shown(
    services: Services,
    token: str,
    language: PageLanguage,
    *,
    alert: str | None = None,
    told: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    texts = TEXTS[language]
    collection = await _named(services, token)
    if collection is None:
        return _outcome(language, texts["unknown"], texts["unknown_text"], status=404)
    config = (await services.registry.platforms.configurations.current(collection.platform_no)).config
    require_function(config, Function.HOSTED_PAGES)
    platform = await services.registry.platforms.get(collection.platform_no)
    asks_code, tail = awaits_code(collection), ""
    if asks_code:
        tail = (
            (await services.registry.members.get(collection.platform_no, collection.body["member_no"])).mobile or ""
        )[-4:]
    headers = security.headers(config.embedding_origins)
    if collection.status in _LOADED_AGAIN and not asks_code:
        headers = headers | {"Refresh": str(_AGAIN_AFTER_SECONDS)}
    body = rendered(
        "cashier.html",
        language,
        title=texts[f"cashier_{collection.status}"],
        alert=texts[alert].format_map(told or {}) if alert else None,
        platform=platform.name,
        amount=texts["yuan"].format(amount=format_fen(collection.body["amount_fen"])),
        number=collection.body["order_no"] or collection.body["batch_no"] or collection.object_no,
        method=texts[f"method_{collection.body['method']}"],
        waits=collection.status == CollectionStatus.AWAITING_PAYER,
        asks_code=asks_code,
        tail=tail,
        form_token=services.registry.cashier_links.form_token(collection.platform_no, collection.object_no),
        code=_code(collection),
        url=(collection.body["interaction"] or {}).get("url", ""),
    )
    return HTMLResponse(body, status_code=status, headers=headers)


def _code(collection: BusinessObject) -> Markup:
    """The code to scan as SVG inside the page, empty for other methods."""
    content = (collection.body["interaction"] or {}).get("qr_content", "")
    if not content:
        return Markup()
    drawn = io.BytesIO()
    segno.make_qr(content, error="m").save(
        drawn, kind="svg", scale=_MODULE_PIXELS, border=4, light="#fff", xmldecl=False, svgclass="qr", lineclass=None
    )
    return Markup(drawn.getvalue().decode())  # noqa: S704 - made of modules by segno, nothing of the content is in it


def _outcome(language: PageLanguage, title: str, text: str, *, status: int) -> HTMLResponse:
    body = rendered("outcome.html", language, title=title, text=text, back=None, forward=None)
    return HTMLResponse(body, status_code=status, headers=security.headers())


def _away(error: EscrowError, language: PageLanguage) -> HTMLResponse:
    texts = TEXTS[language]
    return _outcome(language, texts["problem"], texts["later"], status=409 if isinstance(error, Refused) else 503)
