"""One bank for the tests that disturb nobody else, and accounts of their own under it."""

import itertools
from collections.abc import AsyncIterator

import pytest

from tests.channels.receiver import Receiver, running_receiver
from tests.channels.statements import House
from tests.sandbox import Sandbox, running_sandbox
from tests.sandbox import sandbox as sandbox

#: A Tuesday morning on which every rail is open.
TUESDAY_MORNING = "2026-03-03T10:00:00+08:00"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    """Takes the shared bank's notices."""
    async with running_receiver() as running:
        yield running


@pytest.fixture(scope="session")
async def shared_bank(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> AsyncIterator[Sandbox]:
    """A bank in a hurry, whose clock no test moves."""
    options = ["--start-at", TUESDAY_MORNING, "--notice-url", receiver.url, "--delay-factor", "0.5"]
    options += ["--closing-grace-seconds", "0.8", "--late-seconds", "0.4", "--slow-seconds", "0.4"]
    options += ["--reorder-seconds", "0.6"]
    async with running_sandbox(tmp_path_factory.mktemp("bank"), *options) as running:
        yield running


@pytest.fixture
async def house(shared_bank: Sandbox) -> House:
    """A fresh custody account with 10,000,000.00 yuan at the shared bank."""
    return await House.open(shared_bank, f"P{next(_numbers)}")
