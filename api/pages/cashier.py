"""The cashier page: what is to be paid, a code to scan or a link to follow, and how it stands; no script at all."""

import io
from typing import Annotated

import segno
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from api.dependencies import UsedServices
from api.pages import security
from api.pages.rendering import rendered
from api.pages.texts import TEXTS, language_of
from escrow.domain.errors import EscrowError, Refused
from escrow.domain.hosted_pages import PageLanguage
from escrow.domain.money import format_fen
from escrow.domain.pay_ins import PayInStatus
from escrow.domain.platform_functions import Function
from escrow.domain.platform_rules import require_function
from escrow.ledger.objects import BusinessObject, get_object

router = APIRouter(prefix="/pages/cashier", include_in_schema=False)

#: The page loads itself again so often while the payer is waited for.
_AGAIN_AFTER_SECONDS = 2
#: Size of one module of the code in CSS pixels: a code of usual length is about five centimetres wide.
_MODULE_PIXELS = 6

Token = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,300}\.[A-Za-z0-9_-]{43}$")]


@router.get("/{token}")
async def cashier(
    token: Token, request: Request, services: UsedServices, lang: Annotated[str, Query(max_length=8)] = ""
) -> HTMLResponse:
    """One collection as its payer sees it."""
    language = language_of(lang, accepted=request.headers.get("accept-language", ""))
    texts = TEXTS[language]
    try:
        named = services.registry.cashier_links.read(token)
        pay_in = named and await get_object(services.reader, named[0], "pay_in", named[1])
        if not pay_in:
            return _outcome(language, texts["unknown"], texts["unknown_text"], status=404)
        config = (await services.registry.platforms.configurations.current(pay_in.platform_no)).config
        require_function(config, Function.HOSTED_PAGES)
        platform = await services.registry.platforms.get(pay_in.platform_no)
    except EscrowError as error:
        status = 409 if isinstance(error, Refused) else 503
        return _outcome(language, texts["problem"], texts["later"], status=status)
    headers = security.headers(config.embedding_origins)
    if pay_in.status in (PayInStatus.OPENED, PayInStatus.AWAITING_PAYER):
        headers = headers | {"Refresh": str(_AGAIN_AFTER_SECONDS)}
    body = rendered(
        "cashier.html",
        language,
        title=texts[f"cashier_{pay_in.status}"],
        platform=platform.name,
        amount=texts["yuan"].format(amount=format_fen(pay_in.body["amount_fen"])),
        number=pay_in.body["order_no"] or pay_in.object_no,
        method=texts[f"method_{pay_in.body['method']}"],
        waits=pay_in.status == PayInStatus.AWAITING_PAYER,
        code=_code(pay_in),
        url=(pay_in.body["interaction"] or {}).get("url", ""),
    )
    return HTMLResponse(body, headers=headers)


def _code(pay_in: BusinessObject) -> Markup:
    """The code to scan as SVG inside the page, empty for other methods."""
    content = (pay_in.body["interaction"] or {}).get("qr_content", "")
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
