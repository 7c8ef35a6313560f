"""Fixtures of the workflow tests: one database and one bank for the session, a fresh story for each test."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import pytest

from escrow.domain.platforms.config import PlatformConfig
from escrow.stack.postgres import PostgresServer
from escrow.stack.up import Stack
from tests.beginning import beginning
from tests.postgres import Database, new_database
from tests.sandbox import Sandbox, running_sandbox
from tests.servers import ROUNDS_ARE_RARE, running_stack
from tests.story import Story, told
from tests.workflows.house_of_rounds import BANK_TAKES

#: So long is stuck what the bank is made to be stuck with: longer than any story of the kind lasts.
STUCK = timedelta(days=2)


@pytest.fixture(scope="session")
async def database(server: PostgresServer) -> Database:
    """Books of many platforms, one for each story at the shared bank."""
    return await new_database(server)


@pytest.fixture(scope="session")
async def bank_of_all_stories(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    """A bank at which each story has an account of its own, with a clock of its own."""
    options = ["--closing-grace-seconds", "0.5", "--late-seconds", "0.3"]
    options += ["--stuck-seconds", str(STUCK.total_seconds())]
    async with running_sandbox(tmp_path_factory.mktemp("bank"), *options) as running:
        yield running


@pytest.fixture
async def shared_bank(bank_of_all_stories: Sandbox) -> AsyncIterator[Sandbox]:
    """The bank of all stories; whatever a story made of its services, the next one finds them well."""
    yield bank_of_all_stories
    await bank_of_all_stories.steer.reset()


@pytest.fixture
async def story(database: Database, shared_bank: Sandbox) -> AsyncIterator[Story]:
    async with told(database, shared_bank, begins_at=beginning()) as story:
        yield story


StoryUnder = Callable[[PlatformConfig], AbstractAsyncContextManager[Story]]


@pytest.fixture
def story_under(database: Database, shared_bank: Sandbox) -> StoryUnder:
    """Begins a story on a platform with another configuration than the default."""
    return lambda config: told(database, shared_bank, config, begins_at=beginning())


StoryAt = Callable[[str], AbstractAsyncContextManager[Story]]


@pytest.fixture
def story_at(database: Database, shared_bank: Sandbox) -> StoryAt:
    """Begins a story at a moment of its own."""
    return lambda moment: told(database, shared_bank, begins_at=beginning(moment))


@pytest.fixture(scope="module")
async def broken_stack() -> AsyncIterator[Stack]:
    """A stack of its own, since what looks after all processes is broken on it; its tests say when rounds are made.

    What was made to wait for its bank does so until they let `BANK_TAKES` pass, however slowly they come to it. What a
    slow machine loses on its way to the bank does not: nobody lets time pass for it.
    """
    seconds = str(BANK_TAKES.total_seconds())
    of_bank = ("--lost-seconds", seconds, "--stuck-seconds", seconds)
    async with running_stack(of_worker=ROUNDS_ARE_RARE, of_bank=of_bank) as stack:
        yield stack
