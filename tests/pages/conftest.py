"""Fixtures of the page tests: a browser, and a member without one."""

from collections.abc import AsyncIterator

import httpx2
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from escrow.trust import trusted_authorities
from tests.chromium import chromium_path
from tests.pages.member import Visitor
from tests.waiting import PATIENCE_MILLISECONDS, PATIENCE_SECONDS

_FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--no-proxy-server"]

expect.set_options(timeout=PATIENCE_MILLISECONDS)


@pytest_asyncio.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=_FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture
async def visitor() -> AsyncIterator[Visitor]:
    async with httpx2.AsyncClient(
        verify=trusted_authorities(), trust_env=False, timeout=PATIENCE_SECONDS, follow_redirects=True
    ) as http:
        yield Visitor(http)
