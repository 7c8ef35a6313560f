"""One bank for the tests that disturb nobody else, and accounts of their own under it."""

import itertools
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.channels.receiver import PostRoom, Receiver, running_post_room
from tests.channels.statements import House
from tests.sandbox import Sandbox, running_sandbox
from tests.sandbox import sandbox as sandbox

#: A Tuesday morning on which every rail is open.
TUESDAY_MORNING = "2026-03-03T10:00:00+08:00"
#: How long the shared bank waits for a number that it was asked about.
CLOSING_GRACE = timedelta(minutes=10)
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
async def post_room() -> AsyncIterator[PostRoom]:
    """Takes the shared bank's notices."""
    async with running_post_room() as running:
        yield running


@pytest.fixture(scope="session")
async def shared_bank(tmp_path_factory: pytest.TempPathFactory, post_room: PostRoom) -> AsyncIterator[Sandbox]:
    """A bank in a hurry where time passes by itself; what tests wait for by moving a clock takes long there."""
    options = ["--start-at", TUESDAY_MORNING, "--notice-url", post_room.url, "--delay-factor", "0.5"]
    options += ["--closing-grace-seconds", str(CLOSING_GRACE.total_seconds()), "--late-seconds", "0.4"]
    options += ["--slow-seconds", "0.4", "--reorder-seconds", "10"]
    async with running_sandbox(tmp_path_factory.mktemp("bank"), *options) as running:
        yield running


@pytest.fixture
async def house(shared_bank: Sandbox) -> House:
    """A fresh custody account with 10,000,000.00 yuan at the shared bank."""
    return await House.open(shared_bank, f"P{next(_numbers)}")


@pytest.fixture
def receiver(house: House, post_room: PostRoom) -> Receiver:
    """Takes the notices about the house's account."""
    return post_room.about(house.account_no)
