"""Fixtures of the workflow tests: one PostgreSQL and one bank for the session, a fresh story for each test."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest

from escrow.domain.platform_config import PlatformConfig
from escrow.stack.postgres import PostgresServer
from tests.postgres import running_server
from tests.sandbox import Sandbox, running_sandbox
from tests.stage import TUESDAY_MORNING
from tests.story import Story, told


@pytest.fixture(scope="session")
async def server() -> AsyncIterator[PostgresServer]:
    async with running_server() as running:
        yield running


@pytest.fixture(scope="session")
async def shared_bank(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    """A bank whose clock no test moves."""
    options = ["--start-at", TUESDAY_MORNING, "--closing-grace-seconds", "0.5", "--late-seconds", "0.3"]
    async with running_sandbox(tmp_path_factory.mktemp("bank"), *options) as running:
        yield running


@pytest.fixture
async def story(server: PostgresServer, shared_bank: Sandbox) -> AsyncIterator[Story]:
    async with told(server, shared_bank) as story:
        yield story


@pytest.fixture
def story_under(
    server: PostgresServer, shared_bank: Sandbox
) -> Callable[[PlatformConfig], AbstractAsyncContextManager[Story]]:
    """Begins a story on a platform with another configuration than the default."""
    return lambda config: told(server, shared_bank, config)
