"""The pages in a real browser, on a phone and on a desktop, in both languages; SCREENS_FOLDER keeps the pictures."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, ViewportSize

from tests.api.platforms import PRICE_FEN, PlatformMaker, card_number, created
from tests.pages.member import PASSWORD, Visitor, ask_acceptance, config, newest_code, order_to_accept, set_password
from tests.waiting import PATIENCE_MILLISECONDS

PHONE: ViewportSize = {"width": 360, "height": 740}
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
#: Where a platform's shop has its members sent back to; the browser itself answers there.
SHOP = "http://localhost:4301"
_SMALLEST_TARGET = 44


@dataclass
class Shop:
    """A server of a platform: its origin, and the address that its page embeds."""

    origin: str = ""
    embeds: str = ""


@pytest_asyncio.fixture
async def shop() -> AsyncIterator[Shop]:
    async with shop_that_embeds() as shop:
        yield shop


@pytest_asyncio.fixture
async def stranger() -> AsyncIterator[Shop]:
    async with shop_that_embeds() as shop:
        yield shop


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(os.environ.get("SCREENS_FOLDER", tmp_path))


async def new_page(browser: Browser, **options: Any) -> Page:
    """A page of a context of its own, with the patience of tests."""
    context = await browser.new_context(**options)
    context.set_default_timeout(PATIENCE_MILLISECONDS)
    return await context.new_page()


@asynccontextmanager
async def held(page: Page, url: str, *, after_loads: int) -> AsyncIterator[None]:
    """An address, loaded so many times, is not loaded again in this block: a page that leaves by itself stays."""
    loads, go_on = count(), asyncio.Event()

    async def load(route: Route) -> None:
        if next(loads) >= after_loads:
            await go_on.wait()
        await route.fallback()

    await page.route(url, load)
    try:
        yield
    finally:
        go_on.set()


@pytest_asyncio.fixture
async def phone(browser: Browser) -> AsyncIterator[Page]:
    page = await new_page(browser, viewport=PHONE, locale="zh-CN", has_touch=True, color_scheme="light")
    yield page
    await page.context.close()


@pytest_asyncio.fixture
async def desktop(browser: Browser) -> AsyncIterator[Page]:
    page = await new_page(browser, viewport=DESKTOP, locale="en-GB", color_scheme="light")
    yield page
    await page.context.close()


async def picture(page: Page, folder: Path, name: str) -> None:
    """Pictures on a phone and on a desktop, once found to be usable: nothing sticks out, everything can be touched."""
    before = page.viewport_size
    for device, size in (("phone", PHONE), ("desktop", DESKTOP)):
        await page.set_viewport_size(size)
        width = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert width == 0, "the page is wider than the screen"
        for control in await page.locator("input:not([type=hidden]), button").all():
            box = await control.bounding_box()
            assert box is not None
            assert box["height"] >= _SMALLEST_TARGET
        for field in await page.locator("input:not([type=hidden])").all():
            label = await field.get_attribute("id")
            assert await page.locator(f"label[for={label}]").count() == 1
        await page.screenshot(path=folder / f"page-{name}-{device}.png", full_page=True)
    if before is not None:
        await page.set_viewport_size(before)


async def test_a_password_is_set_and_an_acceptance_authorised_on_a_phone_in_chinese(
    platforms: PlatformMaker, visitor: Visitor, phone: Page, folder: Path
) -> None:
    return_url = f"{SHOP}/back"
    platform = await order_to_accept(platforms, visitor, method="payment_password", return_url=return_url)
    await platform.open_owner("O-2")
    made = await created(
        platform.post("/members/O-2/payment-password-links", request_no="PL-2", purpose="set", language="zh")
    )
    await phone.goto(made["url"])
    await phone.get_by_role("button", name="发送验证码").click()
    await phone.get_by_label("短信验证码").fill(await newest_code(platform.bank))
    await phone.get_by_label("新支付密码").fill(PASSWORD)
    await phone.get_by_label("再次输入新密码").fill(PASSWORD)
    await picture(phone, folder, "password")
    await phone.get_by_role("button", name="保存").click()
    await phone.get_by_text("支付密码已保存").wait_for()

    asked = await ask_acceptance(platform)
    await phone.goto(asked["url"])
    await phone.get_by_text("55,800.00 元").wait_for()
    await picture(phone, folder, "accept")
    await phone.get_by_label("支付密码").fill("wrong-one")
    await phone.get_by_role("button", name="确认授权").click()
    await phone.get_by_role("alert").get_by_text("还可以试 4 次").wait_for()
    await phone.get_by_label("支付密码").fill(PASSWORD)
    await phone.route(f"{SHOP}/**", _shop_page)
    async with held(phone, f"{SHOP}/**", after_loads=0):
        await phone.get_by_role("button", name="确认授权").click()
        await phone.get_by_text("操作已执行").wait_for()
        await picture(phone, folder, "done")
        back = await phone.get_by_role("link", name="返回平台").get_attribute("href")
    assert back == f"{return_url}?authorization_id={asked['authorization_id']}&outcome=done"
    await phone.wait_for_url(f"{SHOP}/**", timeout=PATIENCE_MILLISECONDS)  # the page goes back by itself


async def test_paying_is_authorised_on_a_desktop_in_english_with_the_clause_of_silence(
    platforms: PlatformMaker, visitor: Visitor, desktop: Page, folder: Path
) -> None:
    platform = await platforms.open(config(authorisation={"pay": "sms_code"}))
    card = await platform.open_owner()
    await platform.open_contractor()
    await platform.top_up(card, PRICE_FEN)
    await platform.open_order()
    asked = (await platform.post("/orders/D-1001/pay", request_no="R-1", by="O-1")).json()["authorization"]
    await desktop.goto(asked["url"])
    await desktop.get_by_role("button", name="Send me a code").click()
    await desktop.get_by_text("you do not object within 7 days").wait_for()
    await desktop.get_by_label("SMS code").fill(await newest_code(platform.bank))
    await picture(desktop, folder, "pay")
    await desktop.get_by_role("button", name="Authorise").click()
    await desktop.get_by_text("The operation was carried out").wait_for()
    await desktop.get_by_role("link", name="中文").click()
    await desktop.get_by_text("操作已执行").wait_for()
    assert (await platform.get("/orders/D-1001")).json()["status"] == "awaiting_start"


async def test_an_account_is_bound_on_a_phone_in_chinese(
    platforms: PlatformMaker, visitor: Visitor, phone: Page, folder: Path
) -> None:
    platform = await platforms.open(config(authorisation={"bind_account": "payment_password"}))
    await created(
        platform.post("/members", member_no="O-1", kind="person", name="王小明", mobile="13800000001")
    )  # fmt: skip
    await set_password(platform, visitor)
    binding = {"account_id": "A-1", "account_no": card_number(), "account_name": "王小明", "is_corporate": False}
    asked = await platform.post("/members/O-1/bank-accounts", **binding, bank_name="中国银行")
    await phone.goto(asked.json()["authorization"]["url"])
    await phone.get_by_text("****").wait_for()
    await phone.get_by_label("支付密码").fill(PASSWORD)
    await picture(phone, folder, "bind")
    await phone.get_by_role("button", name="确认授权").click()
    await phone.get_by_text("操作已执行").wait_for()
    assert (await platform.get("/members/O-1/bank-accounts/A-1")).json()["status"] == "bound"


async def test_a_direct_payment_is_authorised_on_a_desktop_in_english_and_goes_on_at_the_cashier(
    platforms: PlatformMaker, visitor: Visitor, desktop: Page, folder: Path
) -> None:
    platform = await platforms.open(config(authorisation={"direct_payment": "payment_password"}))
    await platform.open_owner()
    await platform.open_contractor()
    await set_password(platform, visitor)
    await platform.open_order()
    paying = {"request_no": "R-1", "by": "O-1", "method": "qr_wechat"}
    asked = await platform.post("/orders/D-1001/direct-payments", **paying)
    await desktop.goto(asked.json()["authorization"]["url"])
    await desktop.get_by_text("WeChat code").wait_for()
    await desktop.get_by_label("Payment password").fill(PASSWORD)
    await picture(desktop, folder, "direct")
    await desktop.get_by_role("button", name="Authorise").click()
    await desktop.get_by_text("Go on to pay").wait_for()
    await picture(desktop, folder, "go-on")
    await desktop.get_by_role("link", name="Go and pay").click()
    await desktop.get_by_role("img", name="Code to scan for payment").wait_for()
    await platform.bank.pay(f"{platform.number}/D-1001:pay:R-1:collect:1")
    await desktop.get_by_role("status").get_by_text("Paid").wait_for()


async def test_a_page_works_in_the_frame_of_a_registered_origin_and_in_no_other(
    platforms: PlatformMaker, visitor: Visitor, browser: Browser, shop: Shop, stranger: Shop
) -> None:
    platform = await order_to_accept(
        platforms, visitor, method="payment_password", embedding_origins=(shop.origin,), return_url=f"{SHOP}/back"
    )
    asked = await ask_acceptance(platform)
    shop.embeds = stranger.embeds = asked["url"]
    page = await new_page(browser, viewport=PHONE, locale="zh-CN")
    await page.goto(stranger.origin)
    await page.wait_for_timeout(1_000)
    assert await page.frame_locator("iframe").get_by_label("支付密码").count() == 0
    await page.goto(shop.origin)
    inside = page.frame_locator("iframe")
    await inside.get_by_label("支付密码").fill(PASSWORD)
    await inside.get_by_role("button", name="确认授权").click()
    await inside.get_by_text("操作已执行").wait_for()
    assert await inside.get_by_role("link", name="返回平台").count() == 0
    await page.context.close()


async def test_every_page_forbids_scripts_strangers_and_storing(platforms: PlatformMaker, visitor: Visitor) -> None:
    platform = await platforms.open()
    await platform.open_owner()
    await set_password(platform, visitor)
    await visitor.see(f"{str(platform.http.base_url).rstrip('/')}/pages/unknown")
    assert visitor.answers[-1].status_code == 404
    for answer in visitor.answers:
        for name, value in {
            "content-security-policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'",
            "cache-control": "no-store",
            "x-frame-options": "DENY",
            "referrer-policy": "same-origin",
        }.items():
            assert answer.headers[name] == value
        assert not any(sign in answer.text for sign in ("<script", "style=", "onclick", "http://", "https://"))
        assert "set-cookie" not in answer.headers


async def _shop_page(route: Route) -> None:
    await route.fulfill(body="<!doctype html><title>shop</title>", content_type="text/html")


@asynccontextmanager
async def shop_that_embeds() -> AsyncIterator[Shop]:
    """A platform's shop: a server whose only page embeds what it is told to."""
    shop = Shop()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = f'<!doctype html><title>shop</title><iframe src="{shop.embeds}" width="340" height="700"></iframe>'
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write((head + body).encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1")
    shop.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield shop
