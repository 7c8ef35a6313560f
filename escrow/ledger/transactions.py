"""Posting inside a transaction of the registry: the object's event and its personal row are one commit."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy import Row, text
from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.money.journal import Posting, Receipt
from escrow.ledger.engine import Reader
from escrow.ledger.posting import post_on


@asynccontextmanager
async def transaction(reader: Reader) -> AsyncIterator[AsyncSession]:
    """A session in a transaction, committed at the end.

    Raises:
        LedgerUnavailable: the database cannot be reached; whether the transaction was committed is not known.
    """
    async with reader.transaction() as session:
        # SQLAlchemy begins the transaction with the first statement that it executes itself, and `post_within`
        # uses the driver's connection: without this the posting would be committed alone.
        await run(session, "SELECT 1")
        yield session


async def one_at_a_time(session: AsyncSession, name: str) -> None:
    """Let only one transaction at a time pass under this name, until it ends."""
    await run(session, "SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))", name=name)


async def run(session: AsyncSession, sql: str, **parameters: Any) -> Sequence[Row[Any]]:
    """Run one statement in the session's transaction; its rows, if it has any."""
    result = await (await session.connection()).execute(text(sql), parameters)
    return result.all() if result.returns_rows else []


async def post_within(session: AsyncSession, posting: Posting) -> Receipt:
    """Post one posting in the transaction of `session`.

    Raises:
        Refused: a rule says no; the transaction is then aborted.
    """
    return (await post_on(await driver_of(session), [posting]))[0]


async def driver_of(session: AsyncSession) -> asyncpg.Connection:
    """The driver's connection of a session, in the session's transaction."""
    raw = await (await session.connection()).get_raw_connection()
    connection: asyncpg.Connection | None = raw.driver_connection
    if connection is None:
        raise RuntimeError("the session has no connection")
    return connection
