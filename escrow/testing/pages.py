"""What a member does at the hosted pages: forms filled in over plain HTTP, as a browser would send them."""

import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import httpx2

from escrow.testing.waiting import PATIENCE_SECONDS
from escrow.trust import trusted_authorities

_FORM_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]+)"')


class PageRefused(AssertionError):
    """A hosted page was not what it should have been; the message says which status or form came instead."""


class HostedPages:
    """One member at the pages; close it with `aclose()`.

    Args:
        newest_code: the code in the newest text message to the member's mobile.
    """

    def __init__(self, newest_code: Callable[[], Awaitable[str]]) -> None:
        self._http = httpx2.AsyncClient(
            verify=trusted_authorities(), trust_env=False, timeout=PATIENCE_SECONDS, follow_redirects=True
        )
        self._newest_code = newest_code

    async def __aenter__(self) -> "HostedPages":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def set_password(self, url: str, password: str) -> None:
        """Set the payment password, proved by the code in the SMS."""
        sent = await self._send(url, await self._see(url), action="send")
        code = await self._newest_code()
        await self._send(url, sent, action="confirm", code=code, new_password=password, repeat_password=password)

    async def authorise_by_password(self, url: str, password: str) -> None:
        """Authorise what the page shows with the payment password."""
        await self._send(url, await self._see(url), action="confirm", password=password)

    async def authorise_by_code(self, url: str) -> None:
        """Authorise what the page shows with the code in the SMS that the page has sent."""
        sent = await self._send(url, await self._see(url), action="send")
        await self._send(url, sent, action="confirm", code=await self._newest_code())

    async def scan_and_pay(self, code_says: str) -> None:
        """Go where a QR code leads, and press the one button there."""
        _page(await self._http.post(code_says))

    async def _see(self, url: str) -> str:
        return _page(await self._http.get(url, params={"lang": "en"}))

    async def _send(self, url: str, page: str, **fields: str) -> str:
        token = _FORM_TOKEN.search(page)
        if token is None:
            raise PageRefused(f"there is no form on {url.split('?')[0]}")
        parts = urlsplit(url)
        return _page(
            await self._http.post(
                url,
                params={"lang": "en"},
                data={"form_token": token[1], **fields},
                headers={"Origin": f"{parts.scheme}://{parts.netloc}"},
            )
        )


def _page(answer: httpx2.Response) -> str:
    if not answer.is_success:
        raise PageRefused(f"{answer.request.url.path} answered {answer.status_code}")
    return answer.text
