"""What protects the pages: headers of every answer, and the checks of every form."""

import hmac
from collections.abc import Sequence
from urllib.parse import parse_qsl

from fastapi import Request

#: The longest form that a page sends is far shorter.
_LONGEST_FORM_BYTES = 8_192


def headers(embedding_origins: Sequence[str] = ()) -> dict[str, str]:
    """Headers of a page: nothing from elsewhere, no script at all, framed by registered origins only, never stored."""
    ancestors = " ".join(embedding_origins) or "'none'"
    policy = f"default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors {ancestors}"
    told = {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        # The address holds the link's token: it goes to nobody else, and our own forms still tell their origin.
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "X-Robots-Tag": "noindex",
    }
    return told if embedding_origins else told | {"X-Frame-Options": "DENY"}


async def read_form(request: Request, *, public_url: str | None) -> dict[str, str] | None:
    """Fields of a form that our own page sent; None for one from elsewhere, too long or not readable."""
    if not _is_from_here(request, public_url):
        return None
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST_FORM_BYTES:
            return None
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=10))
    except ValueError:
        return None


def is_our_form(form: dict[str, str] | None, form_token: str) -> bool:
    """Whether a form carries the token that its page was given."""
    return form is not None and hmac.compare_digest(form.get("form_token", "").encode(), form_token.encode())


def _is_from_here(request: Request, public_url: str | None) -> bool:
    """Browsers say where a form comes from, one way or the other; a page elsewhere cannot change that."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    if origin is None:
        return False
    return origin == (public_url or f"{request.url.scheme}://{request.headers.get('host')}")
