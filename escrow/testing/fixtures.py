"""The fixtures: the stack of the session, a platform of its own for each test, and the client."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from escrow.testing.plugin import begin_of_stories, keeper_of, platform_file_of

if TYPE_CHECKING:
    from escrow.testing.client import Escrow
    from escrow.testing.members import PlatformUnderTest
    from escrow.testing.stacks import StackUnderTest


@pytest.fixture(scope="session")
def escrow_stack(request: pytest.FixtureRequest) -> "StackUnderTest":
    """A whole stack for the session, or the one that `--escrow-url` names."""
    return keeper_of(request.config).stack(request.session)


@pytest.fixture
def escrow_begins_at(request: pytest.FixtureRequest) -> datetime:
    """The moment at which the test's platform begins; override it for a test that needs a certain one."""
    return begin_of_stories(request.config)


@pytest.fixture
def escrow_platform_file(request: pytest.FixtureRequest) -> Path | None:
    """The platform file that the test's platform is opened from; override it, or set the ini value of that name."""
    return platform_file_of(request.config)


@pytest.fixture
def escrow_platform(
    escrow_stack: "StackUnderTest", escrow_platform_file: Path | None, escrow_begins_at: datetime
) -> "PlatformUnderTest":
    """A platform of its own for the test, with clocks of its own."""
    from escrow.registry.platforms.file import read_platform_file

    file = None if escrow_platform_file is None else read_platform_file(escrow_platform_file)
    return escrow_stack.background.run(escrow_stack.open_platform(file, escrow_begins_at))


@pytest_asyncio.fixture
async def escrow(escrow_stack: "StackUnderTest", escrow_platform: "PlatformUnderTest") -> AsyncIterator["Escrow"]:
    """The client of the test's platform; when the test is done, its books must be sound and equal to the bank's."""
    from escrow.testing.client import Escrow

    client = Escrow(escrow_platform)
    try:
        yield client
        wrong = await escrow_stack.what_is_wrong(escrow_platform)
        if wrong:
            raise AssertionError("the books do not hold:\n" + "\n".join(wrong))
    finally:
        await client.aclose()
