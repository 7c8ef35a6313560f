"""The owner's headless browser; needs Playwright and a reader of QR codes, which only development installs."""

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import zxingcpp
from PIL import Image
from playwright.async_api import Error as BrowserError
from playwright.async_api import Page, ViewportSize, async_playwright

from escrow.commands.demo.owner import PROGRAM_SECONDS, Owner, rows_of
from escrow.domain.errors import Refused

__all__ = ["BrowserError", "headless_browser"]

_FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--no-proxy-server")
_PHONE: ViewportSize = {"width": 390, "height": 844}


@asynccontextmanager
async def headless_browser(path: str, owner: Owner) -> AsyncIterator["Browser"]:
    """The owner's telephone, as the Chromium at `path` shows it.

    Raises:
        BrowserError: it does not start.
    """
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=path, args=_FLAGS)
        try:
            context = await chromium.new_context(viewport=_PHONE, locale="en-GB", has_touch=True)
            context.set_default_timeout(PROGRAM_SECONDS * 1000)
            yield Browser(await context.new_page(), owner)
        finally:
            await chromium.close()


class Browser:
    """Reads, types and clicks as the owner would."""

    seconds = PROGRAM_SECONDS

    def __init__(self, page: Page, owner: Owner) -> None:
        self._page = page
        self._owner = owner

    async def set_password(self, url: str) -> None:
        """Have a code sent, type it and the password, save."""
        await self._page.goto(url)
        await self._press("send")
        await self._page.locator("input[name=code]").wait_for()
        await self._page.locator("input[name=code]").fill(await self._owner.newest_code())
        for name in ("new_password", "repeat_password"):
            await self._page.locator(f"input[name={name}]").fill(self._owner.password)
        await self._press("confirm")
        await self._page.get_by_role("status").wait_for()

    async def authorise(self, url: str) -> Mapping[str, str]:
        """Read what is asked for, type the password, authorise."""
        await self._page.goto(url)
        shown = rows_of(await self._page.content())
        await self._page.locator("input[name=password]").fill(self._owner.password)
        await self._press("confirm")
        await self._page.get_by_role("status").wait_for()
        return shown

    async def scan_and_pay(self, url: str, code_says: str) -> str:
        """Read the code from the picture of the page, pay where it leads, and see the cashier page notice it."""
        await self._page.goto(url)
        # The page looks again every two seconds, and there is no picture of one that is just being left.
        await self._page.evaluate("window.stop()")
        code = self._page.locator("figure[role=img]")
        read = await asyncio.to_thread(_read, await code.screenshot())
        if read != code_says:
            raise Refused("demo_failed", f"The code on the cashier page says {read!r}.")
        wallet = await self._page.context.new_page()
        await wallet.goto(read)
        await wallet.locator("button").click()
        await wallet.locator("[data-state=PAID]").wait_for()
        await wallet.close()
        await self._page.reload()
        await code.wait_for(state="detached")
        return "the QR code was read from the picture of the cashier page, and the page shows that it is paid"

    async def _press(self, action: str) -> None:
        await self._page.locator(f"button[name=action][value={action}]").click()


def _read(picture: bytes) -> str:
    codes = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)))
    return codes[0].text if codes else ""
