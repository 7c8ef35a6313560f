"""Fixtures of the page tests: a whole stack of real processes and a member at each size of screen."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.api.conftest import platforms, stack
from tests.chromium import chromium_path

__all__ = ["browser", "platforms", "stack"]


@pytest_asyncio.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=["--no-proxy-server"])
        yield browser
        await browser.close()
