"""Fixtures of the workflow tests: one database and one bank for the session, a fresh story for each test."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

import pytest

from escrow.domain.platform_config import PlatformConfig
from escrow.stack.postgres import PostgresServer
from tests.postgres import Database, new_database
from tests.sandbox import Sandbox, running_sandbox
from tests.stage import TUESDAY_MORNING
from tests.story import Story, told


@pytest.fixture(scope="session")
async def database(server: PostgresServer) -> Database:
    """Books of many platforms, one for each story at the shared bank."""
    return await new_database(server)


@pytest.fixture(scope="session")
async def shared_bank(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    """A bank whose clock no test moves."""
    options = ["--start-at", TUESDAY_MORNING, "--closing-grace-seconds", "0.5", "--late-seconds", "0.3"]
    async with running_sandbox(tmp_path_factory.mktemp("bank"), *options) as running:
        yield running


@pytest.fixture
async def story(database: Database, shared_bank: Sandbox) -> AsyncIterator[Story]:
    async with told(database, shared_bank) as story:
        yield story


StoryUnder = Callable[[PlatformConfig], AbstractAsyncContextManager[Story]]


@pytest.fixture
def story_under(database: Database, shared_bank: Sandbox) -> StoryUnder:
    """Begins a story on a platform with another configuration than the default."""
    return lambda config: told(database, shared_bank, config)


@pytest.fixture
async def todays_bank(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    """A bank whose day is that of the books."""
    now = datetime.now(ZoneInfo("Asia/Shanghai")).isoformat(timespec="seconds")
    async with running_sandbox(tmp_path_factory.mktemp("bank"), "--start-at", now) as running:
        yield running


class StoryAt(Protocol):
    """Begins a story at a bank of its own, whose clock the story may move."""

    def __call__(self, start_at: str, *options: str) -> AbstractAsyncContextManager[Story]:
        """`start_at` is what the bank's clock shows first; the options are the bank's."""


@pytest.fixture
def story_at(server: PostgresServer, tmp_path: Path) -> StoryAt:
    @asynccontextmanager
    async def begin(start_at: str, *options: str) -> AsyncIterator[Story]:
        async with (
            running_sandbox(tmp_path / "bank", "--start-at", start_at, *options) as bank,
            told(await new_database(server), bank) as story,
        ):
            yield story

    return begin
