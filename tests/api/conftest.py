"""Fixtures of the API tests: a platform on the running stack, and a bare database for the registry."""

from collections.abc import AsyncIterator

import pytest_asyncio

from escrow.ledger.engine import Recorder
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
async def recorder(database: Database) -> AsyncIterator[Recorder]:
    recorder = Recorder(database.dsn)
    yield recorder
    await recorder.close()


@pytest_asyncio.fixture
async def registry(recorder: Recorder) -> Registry:
    return Registry(recorder, PersonalDataBox.from_hex(data_key=DATA_KEY, index_key=INDEX_KEY))
