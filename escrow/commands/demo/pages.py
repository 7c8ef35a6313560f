"""Who acts for the owner at the hosted pages: a headless browser, a plain HTTP client, or a person.

The pages' forms are told apart by the names of their fields, which are the same in every language.
"""

import re
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import httpx2

from escrow.commands.demo.owner import PROGRAM_SECONDS, Owner, Visitor, rows_of
from escrow.domain.errors import Refused
from escrow.trust import trusted_authorities

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FORM_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]+)"')
#: How long a person may take for one page.
_PERSON_SECONDS = 1_800.0

Tell = Callable[[str], None]


@asynccontextmanager
async def visitor_for(owner: Owner, tell: Tell, *, by_hand: bool) -> AsyncIterator[Visitor]:
    """A person if asked for, else a headless browser, else a plain HTTP client, which is told."""
    if by_hand:
        yield ByHand(tell)
        return
    async with AsyncExitStack() as opened:
        path = next(filter(None, map(shutil.which, _BROWSERS)), None)
        try:
            from escrow.commands.demo.browser import BrowserError, headless_browser
        except ImportError:  # the demo runs without what is installed for development only
            absence = "Playwright is not installed"
        else:
            absence = "there is no Chromium on this machine"
            if path is not None:
                try:
                    visitor: Visitor = await opened.enter_async_context(headless_browser(path, owner))
                except BrowserError as error:
                    absence = f"{path} does not start ({str(error).splitlines()[0]})"
                else:
                    tell(f"nobody sits here, so a headless browser, {path}, plays the owner at the hosted pages")
                    yield visitor
                    return
        tell(f"{absence}: a plain HTTP client fills in the owner's forms at the hosted pages")
        http = httpx2.AsyncClient(
            verify=trusted_authorities(), trust_env=False, timeout=PROGRAM_SECONDS, follow_redirects=True
        )
        yield PlainForms(await opened.enter_async_context(http), owner)


class PlainForms:
    """Sends the pages' forms as a browser would, and sees no pictures."""

    seconds = PROGRAM_SECONDS

    def __init__(self, http: httpx2.AsyncClient, owner: Owner) -> None:
        self._http = http
        self._owner = owner

    async def set_password(self, url: str) -> None:
        """Send the two forms: for the code, and with code and password."""
        sent = await self._send(url, await self._see(url), action="send")
        password = self._owner.password
        code = await self._owner.newest_code()
        await self._send(url, sent, action="confirm", code=code, new_password=password, repeat_password=password)

    async def authorise(self, url: str) -> Mapping[str, str]:
        """Send the form with the password."""
        page = await self._see(url)
        await self._send(url, page, action="confirm", password=self._owner.password)
        return rows_of(page)

    async def scan_and_pay(self, url: str, code_says: str) -> str:
        """Go where the API says that the code leads, and press the one button there."""
        if "<svg" not in await self._see(url):
            raise Refused("demo_failed", "The cashier page shows no code.")
        _page(await self._http.post(code_says))
        return "the cashier page shows the code; without eyes, the client goes where the API says that it leads"

    async def _see(self, url: str) -> str:
        return _page(await self._http.get(url, params={"lang": "en"}))

    async def _send(self, url: str, page: str, **fields: str) -> str:
        token = _FORM_TOKEN.search(page)
        if token is None:
            raise Refused("demo_failed", "A hosted page has no form where one was expected.")
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
        raise Refused("demo_failed", f"A hosted page answered {answer.status_code}.")
    return answer.text


class ByHand:
    """Shows a person the links and lets it do the rest."""

    seconds = _PERSON_SECONDS

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    async def set_password(self, url: str) -> None:
        """Show the link."""
        self._tell(f"you are the owner: set a payment password at {url}")

    async def authorise(self, url: str) -> Mapping[str, str]:
        """Show the link; what the page shows is seen by the person alone."""
        self._tell(f"you are the owner: authorise it with your payment password at {url}")
        return {}

    async def scan_and_pay(self, url: str, code_says: str) -> str:
        """Show both links, since a telephone does not reach this machine's loopback address."""
        self._tell(f"you are the owner: look at the cashier page {url}")
        self._tell(f"and pay where its code leads: {code_says}")
        return "a person looks at the cashier page and follows its code"
