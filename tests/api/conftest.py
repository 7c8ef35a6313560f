"""Fixtures of the API tests: a platform on the running stack, and a bare database for the registry."""

from collections.abc import AsyncIterator

import pytest_asyncio

from escrow.ledger.engine import Reader
from escrow.ledger.personal_data import PersonalDataBox
from escrow.registry.registry import Registry
from escrow.stack.postgres import PostgresServer
from tests.api.platforms import Platform, PlatformMaker
from tests.postgres import Database, fresh_database

DATA_KEY = "11" * 32
INDEX_KEY = "22" * 32


@pytest_asyncio.fixture
async def platform(platforms: PlatformMaker) -> Platform:
    return await platforms.open()


@pytest_asyncio.fixture
async def database(server: PostgresServer) -> AsyncIterator[Database]:
    async with fresh_database(server) as database:
        yield database


@pytest_asyncio.fixture
async def reader(database: Database) -> AsyncIterator[Reader]:
    reader = Reader(database.dsn)
    yield reader
    await reader.close()


@pytest_asyncio.fixture
async def registry(reader: Reader) -> Registry:
    return Registry(reader, PersonalDataBox.from_hex(data_key=DATA_KEY, index_key=INDEX_KEY))
