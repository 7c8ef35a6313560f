"""One house for all fault tests."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.faults.house import House, running_house


@pytest_asyncio.fixture(scope="session")
async def house() -> AsyncIterator[House]:
    async with running_house() as running:
        yield running


@pytest_asyncio.fixture(autouse=True)
async def open_gates(house: House) -> AsyncIterator[None]:
    """After each test, also one that failed, everybody runs and nothing is kept or disturbed."""
    yield
    await house.mend()
