"""Servers that a whole process of tests shares: whoever needs a platform or a database of its own gets it from them."""

import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest_asyncio

from escrow.stack.postgres import PostgresServer
from escrow.stack.processes import Member
from escrow.stack.up import Ports, Stack
from tests.beginning import beginning
from tests.postgres import running_server

if TYPE_CHECKING:
    from tests.api.platforms import PlatformMaker

#: So seldom does a worker have rounds made where a test says itself when they are, and its setting for that.
RARELY = timedelta(hours=12)
ROUNDS_ARE_RARE: Mapping[str, str] = {"ESCROW_ROUNDS_SECONDS": str(RARELY.total_seconds())}


def set_for(member: Member, settings: Mapping[str, str]) -> None:
    """A member has other settings from its next start."""
    member.command = replace(member.command, environment={**member.command.environment, **settings})


@asynccontextmanager
async def running_stack(
    *, of_worker: Mapping[str, str] | None = None, of_bank: Sequence[str] = ()
) -> AsyncIterator[Stack]:
    """PostgreSQL, Temporal, the bank, the API and one worker, each a process, ended with the block.

    Args:
        of_worker: settings that the worker has beside the usual ones.
        of_bank: what the bank is told at its start beside the usual.
    """
    with tempfile.TemporaryDirectory(prefix="stack-") as folder:
        stack = Stack(Path(folder), ports=Ports())
        set_for(stack.worker, of_worker or {})
        stack.bank.command = replace(stack.bank.command, argv=[*stack.bank.command.argv, *of_bank])
        async with stack:
            yield stack


@asynccontextmanager
async def making_platforms(stack: Stack) -> "AsyncIterator[PlatformMaker]":
    """Opens platforms on a stack; its connections end with the block."""
    from tests.api.platforms import PlatformMaker  # all of the API: two seconds that many sessions need not wait

    maker = PlatformMaker(stack, beginning())
    try:
        yield maker
    finally:
        await maker.close()


@pytest_asyncio.fixture(scope="session")
async def stack() -> AsyncIterator[Stack]:
    """The stack of all tests that need no other than a platform of their own, which has its own clock."""
    async with running_stack() as running:
        yield running


@pytest_asyncio.fixture(scope="session")
async def platforms(stack: Stack) -> "AsyncIterator[PlatformMaker]":
    async with making_platforms(stack) as maker:
        yield maker


@pytest_asyncio.fixture(scope="session")
async def server() -> AsyncIterator[PostgresServer]:
    """PostgreSQL alone, for databases of the tests' own."""
    # Killing the server loses nothing that the operating system has; only a power cut would need the syncs.
    async with running_server(fsync="off") as server:
        yield server
