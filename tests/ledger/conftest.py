"""Fixtures of the ledger tests: fresh books for each test."""

from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio

from escrow.ledger.engine import Recorder
from escrow.ledger.posting import LedgerWriter
from escrow.stack.postgres import PostgresServer
from tests.postgres import Database, fresh_database


@pytest_asyncio.fixture
async def database(server: PostgresServer) -> AsyncIterator[Database]:
    async with fresh_database(server) as database:
        yield database


@pytest_asyncio.fixture
async def owner(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the owner of the tables, who may do what the application may not."""
    connection = await asyncpg.connect(database.dsn)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def writer(database: Database) -> AsyncIterator[LedgerWriter]:
    writer = await LedgerWriter.start(database.dsn)
    yield writer
    await writer.close()


@pytest_asyncio.fixture
async def recorder(database: Database) -> AsyncIterator[Recorder]:
    recorder = Recorder(database.dsn)
    yield recorder
    await recorder.close()
