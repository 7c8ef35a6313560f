"""Fixtures of the API tests: a whole stack of real processes, and a bare database for the registry."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from escrow.ledger.engine import Reader
from escrow.ledger.personal_data import PersonalDataBox
from escrow.ledger.registry import Registry
from escrow.stack.postgres import PostgresServer
from escrow.stack.up import Ports, Stack
from tests.api.platforms import Platform, PlatformMaker
from tests.beginning import beginning
from tests.postgres import Database, new_database, running_server

DATA_KEY = "11" * 32
INDEX_KEY = "22" * 32


@pytest_asyncio.fixture(scope="session")
async def stack() -> AsyncIterator[Stack]:
    """PostgreSQL, Temporal, the bank, the API and one worker, each a process."""
    with tempfile.TemporaryDirectory(prefix="api-") as folder:
        async with Stack(Path(folder), ports=Ports()) as stack:
            yield stack


@pytest_asyncio.fixture(scope="session")
async def platforms(stack: Stack) -> AsyncIterator[PlatformMaker]:
    maker = PlatformMaker(stack, beginning())
    yield maker
    await maker.close()


@pytest_asyncio.fixture
async def platform(platforms: PlatformMaker) -> Platform:
    return await platforms.open()


@pytest_asyncio.fixture(scope="session")
async def server() -> AsyncIterator[PostgresServer]:
    async with running_server() as server:
        yield server


@pytest_asyncio.fixture
async def database(server: PostgresServer) -> Database:
    return await new_database(server)


@pytest_asyncio.fixture
async def reader(database: Database) -> AsyncIterator[Reader]:
    reader = Reader(database.dsn)
    yield reader
    await reader.close()


@pytest_asyncio.fixture
async def registry(reader: Reader) -> Registry:
    return Registry(reader, PersonalDataBox.from_hex(data_key=DATA_KEY, index_key=INDEX_KEY))
