"""The cashier page in a real browser: the code in its picture leads to the payment, and the page sees it come."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
import zxingcpp
from PIL import Image
from playwright.async_api import Browser, ViewportSize, expect

from escrow.domain.platforms.config import PlatformConfig
from tests.api.platforms import Platform, PlatformMaker, created
from tests.pages.test_in_a_browser import DESKTOP, PHONE, folder, held, new_page, picture
from tests.waiting import PATIENCE_SECONDS

__all__ = ["folder"]


@pytest_asyncio.fixture
async def reader() -> AsyncIterator[httpx2.AsyncClient]:
    """A browser that shows nothing and reads everything."""
    async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as http:
        yield http


async def top_up(platform: Platform, method: str = "qr_wechat") -> tuple[str, str]:
    """A top-up that waits for its payer: address of its cashier page, and what its code says."""
    await platform.open_owner()
    body = {"top_up_no": "T-1", "member_no": "O-1", "method": method, "amount_fen": 123_456}
    opened = await created(platform.post("/top-ups", **body))
    return opened["cashier_url"], opened["interaction"]["qr_content"]


@pytest.mark.parametrize(("size", "locale", "paid"), [(PHONE, "zh-CN", "付款成功"), (DESKTOP, "en-GB", "Paid")])
async def test_the_code_in_the_picture_leads_to_the_payment(
    platforms: PlatformMaker, browser: Browser, folder: Path, size: ViewportSize, locale: str, paid: str
) -> None:
    platform = await platforms.open()
    url, content = await top_up(platform)
    page = await new_page(browser, viewport=size, locale=locale, color_scheme="light")
    async with held(page, url, after_loads=1):
        await page.goto(url)
        await expect(page.locator("dd").first).to_contain_text("1,234.56")
        await picture(page, folder, f"cashier-{locale[:2]}")

    for device in ("phone", "desktop"):
        shown = folder / f"page-cashier-{locale[:2]}-{device}.png"
        seen = await asyncio.to_thread(zxingcpp.read_barcodes, await asyncio.to_thread(Image.open, shown))
        assert [code.text for code in seen] == [content]
    wallet = await page.context.new_page()
    await wallet.goto(seen[0].text)
    await wallet.locator("button").click()

    await expect(page.locator("h1")).to_have_text(paid)
    assert await page.locator("svg").count() == 0
    assert (await platform.get("/top-ups/T-1")).json()["status"] == "paid"
    await page.context.close()


async def test_a_method_without_a_code_has_a_link_to_the_channel(
    reader: httpx2.AsyncClient, platforms: PlatformMaker
) -> None:
    url, _ = await top_up(await platforms.open(), "gateway")
    text = (await reader.get(url)).text
    assert 'class="button" href="http' in text
    assert "<svg" not in text


async def test_the_page_runs_nothing_and_is_not_stored(reader: httpx2.AsyncClient, platforms: PlatformMaker) -> None:
    url, _ = await top_up(await platforms.open())
    answer = await reader.get(url)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
    assert answer.headers["cache-control"] == "no-store"
    assert "<script" not in answer.text
    assert answer.headers["refresh"] == "2"


async def test_an_address_that_was_altered_shows_nothing(reader: httpx2.AsyncClient, platforms: PlatformMaker) -> None:
    url, _ = await top_up(await platforms.open())
    encoded, _, digest = url.rpartition("/")[2].partition(".")
    other = "VC0y" + encoded[4:]
    altered = ("B" if digest.startswith("A") else "A") + digest[1:]
    for token in (f"{other}.{digest}", f"{encoded}.{altered}", f"{encoded}.{'A' * 43}"):
        answer = await reader.get(f"{url.rpartition('/')[0]}/{token}")
        assert answer.status_code == 404
        assert "1,234.56" not in answer.text


async def test_a_platform_without_hosted_pages_has_no_cashier(
    reader: httpx2.AsyncClient, platforms: PlatformMaker
) -> None:
    url, _ = await top_up(await platforms.open(PlatformConfig.model_validate({"functions": {"hosted_pages": False}})))
    answer = await reader.get(url)
    assert answer.status_code == 409
    assert "1,234.56" not in answer.text
