"""One house for all fault tests, and the tables that they print at the end of the session."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.house import House, running_house

_TABLES: list[str] = []


@pytest_asyncio.fixture(scope="session")
async def house() -> AsyncIterator[House]:
    async with running_house() as running:
        yield running


@pytest_asyncio.fixture(autouse=True)
async def open_gates(house: House) -> AsyncIterator[None]:
    """After each test, also one that failed, everybody runs and nothing is kept or disturbed."""
    yield
    await house.mend()


@pytest.fixture
def tables() -> list[str]:
    """What is to be printed when all tests are done."""
    return _TABLES


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the tables, whether or not the tests passed."""
    for table in _TABLES:
        terminalreporter.write_line("")
        terminalreporter.write_line(table)
