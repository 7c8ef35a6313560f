"""Reading the books: one SQLModel engine per process, acting as the application's role."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.errors import LedgerUnavailable
from escrow.ledger.connections import APPLICATION_ROLE, CONNECTION_LOST, sqlalchemy_url

Sessions = async_sessionmaker[AsyncSession]


class Reader:
    """Pooled read access; connects when first used, so the database may still be away when it is made.

    Args:
        dsn: database URL; every connection acts as the application's role.
        answer_seconds: how long one statement may take.
        pool_size: connections kept open.
    """

    def __init__(self, dsn: str, *, answer_seconds: float = 10.0, pool_size: int = 5) -> None:
        self._engine = create_async_engine(
            sqlalchemy_url(dsn),
            pool_size=pool_size,
            pool_pre_ping=True,  # a restart of the database must not cost the first caller of each connection
            connect_args={
                "timeout": answer_seconds,
                "command_timeout": answer_seconds,
                "server_settings": {"role": APPLICATION_ROLE, "timezone": "UTC"},
            },
        )
        self.sessions: Sessions = async_sessionmaker(self._engine, class_=AsyncSession, expire_on_commit=False)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A session for reading.

        Raises:
            LedgerUnavailable: the database cannot be reached or the connection was lost.
        """
        async with _ledger_errors(), self.sessions() as session:
            yield session

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """A read-only connection whose statements all see the books at one moment.

        Raises:
            LedgerUnavailable: as for `session`.
        """
        async with _ledger_errors(), self._engine.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield connection

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()


@asynccontextmanager
async def _ledger_errors() -> AsyncIterator[None]:
    try:
        yield
    except CONNECTION_LOST as error:
        raise LedgerUnavailable("ledger_unavailable", "The ledger does not answer; repeat the request.") from error
    except DBAPIError as error:
        # SQLAlchemy wraps the driver's error twice; the innermost says whether the connection was lost.
        innermost = error.orig.__cause__ if error.orig is not None else None
        if error.connection_invalidated or isinstance(innermost, CONNECTION_LOST):
            raise LedgerUnavailable("ledger_unavailable", "The ledger does not answer; repeat the request.") from error
        raise


async def ping(reader: Reader) -> None:
    """Return when the database answers.

    Raises:
        LedgerUnavailable: it does not.
    """
    async with reader.session() as session:
        await (await session.connection()).execute(text("SELECT 1"))
