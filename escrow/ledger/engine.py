"""Connections to the books: always as the application's role, never as the owner of the tables."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from pydantic_core import from_json
from sqlalchemy import event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.errors import LedgerUnavailable

Sessions = async_sessionmaker[AsyncSession]

#: Role of the application: it reads the books and posts through `post_batch`, no more.
APPLICATION_ROLE: Final = "escrow_app"

#: What a lost or refused connection raises; whether the statement was committed is then not known.
CONNECTION_LOST: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
)

#: A connection that lay idle for longer is asked whether it is alive before it is used.
_TRUSTED_IDLE_SECONDS = 5.0


async def connect(dsn: str, *, answer_seconds: float | None = None) -> asyncpg.Connection:
    """Open a connection that acts as the application's role.

    Args:
        dsn: any PostgreSQL URL whose user is the application's role or a member of it.
        answer_seconds: how long a statement may take before the connection counts as lost.

    Raises:
        One of `CONNECTION_LOST` when the server cannot be reached.
    """
    return await asyncpg.connect(
        dsn, command_timeout=answer_seconds, server_settings={"role": APPLICATION_ROLE, "timezone": "UTC"}
    )


def sqlalchemy_url(dsn: str) -> str:
    """The same URL with the driver that SQLAlchemy is to use (asyncpg)."""
    parts = urlsplit(dsn)
    if not parts.scheme.startswith("postgres"):
        raise ValueError("the database URL must start with postgresql://")
    # urlunsplit drops the empty authority of `postgresql:///name`, which SQLAlchemy needs.
    return urlunsplit(parts._replace(scheme="postgresql+asyncpg", netloc=parts.netloc or "@"))


class Reader:
    """Pooled read access, whose connections write nothing; connects when first used, so the database may still be away.

    Args:
        dsn: database URL; every connection acts as the application's role.
        answer_seconds: how long one statement may take.
        pool_size: connections kept open: of each kind, through SQLAlchemy and straight to the driver.
    """

    def __init__(self, dsn: str, *, answer_seconds: float = 10.0, pool_size: int = 5) -> None:
        self._pools = _Pools(dsn, answer_seconds, pool_size, {"default_transaction_read_only": "on"})
        reading = self._pools.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._reading: Sessions = async_sessionmaker(reading, class_=AsyncSession, expire_on_commit=False)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A session for reading: each statement by itself, without the two round trips that a transaction costs.

        Raises:
            LedgerUnavailable: the database cannot be reached or the connection was lost.
        """
        async with _ledger_errors(), self._reading() as session:
            yield session

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """A connection whose statements all see the books at one moment.

        Raises:
            LedgerUnavailable: as for `session`.
        """
        async with _ledger_errors(), self._pools.engine.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield connection

    async def row(self, statement: str, *values: Any) -> asyncpg.Record | None:
        """The first row of one statement, None when there is none; jsonb comes and goes as Python.

        Straight to the driver, for what every command does: it takes a twentieth of the processor time of a session.

        Raises:
            LedgerUnavailable: as for `session`.
        """
        return next(iter(await self.rows(statement, *values)), None)

    async def rows(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        """All rows of one statement; else as `row`."""
        async with _ledger_errors():
            return await self._pools.fetch(statement, *values)

    async def close(self) -> None:
        """Close all connections."""
        await self._pools.close()


class Recorder(Reader):
    """A reader that also writes rows beside the books: consents, bank lines, the registry's, the lists of the rounds.

    Money and objects move by postings alone, which the database sees to.
    """

    def __init__(self, dsn: str, *, answer_seconds: float = 10.0, pool_size: int = 5) -> None:
        super().__init__(dsn, answer_seconds=answer_seconds, pool_size=pool_size)
        # Half as many: what is written is short, and a server has a hundred connections for all processes.
        self._written = _Pools(dsn, answer_seconds, (pool_size + 1) // 2, {})
        self._writing: Sessions = async_sessionmaker(self._written.engine, class_=AsyncSession, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session in one transaction, committed at the end of the block.

        Raises:
            LedgerUnavailable: as for `session`; whether it was committed is then not known.
        """
        async with _ledger_errors(), self._writing() as session, session.begin():
            yield session

    async def write(self, statement: str, *values: Any) -> asyncpg.Record | None:
        """The first row that one statement returns, committed by itself; else as `row`.

        Raises:
            LedgerUnavailable: as for `session`; whether it was committed is then not known.
        """
        async with _ledger_errors():
            return next(iter(await self._written.fetch(statement, *values)), None)

    async def close(self) -> None:
        """Close all connections."""
        await super().close()
        await self._written.close()


class _Pools:
    """SQLAlchemy's connections and the driver's own, so many each, as the application's role and with `settings`."""

    def __init__(self, dsn: str, answer_seconds: float, pool_size: int, settings: Mapping[str, str]) -> None:
        self._settings = {"role": APPLICATION_ROLE, "timezone": "UTC", **settings}
        self.engine = create_async_engine(
            sqlalchemy_url(dsn),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=answer_seconds,
            connect_args={
                "timeout": answer_seconds,
                "command_timeout": answer_seconds,
                "server_settings": self._settings,
            },
        )
        _watch_idle_connections(self.engine)
        self._dsn, self._answer_seconds, self._pool_size = dsn, answer_seconds, pool_size
        self._direct: asyncpg.Pool | None = None
        self._making_direct = asyncio.Lock()

    async def fetch(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        async with (await self._pool()).acquire(timeout=self._answer_seconds) as connection:
            return await connection.fetch(statement, *values)

    async def _pool(self) -> asyncpg.Pool:
        async with self._making_direct:
            if self._direct is None:
                self._direct = await asyncpg.create_pool(
                    self._dsn,
                    min_size=0,  # the database may still be away
                    max_size=self._pool_size,
                    timeout=self._answer_seconds,
                    command_timeout=self._answer_seconds,
                    server_settings=self._settings,
                    init=_speak_json,
                    reset=_nothing_to_reset,
                )
            return self._direct

    async def close(self) -> None:
        await self.engine.dispose()
        if self._direct is not None:
            await self._direct.close()


async def _speak_json(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=from_json)


async def _nothing_to_reset(connection: asyncpg.Connection) -> None:
    """Single statements leave nothing in a connection; the pool's own reset would cost a round trip after each."""


def _watch_idle_connections(engine: AsyncEngine) -> None:
    """Replace dead connections when they are taken out, so that a restart of the database costs no caller anything.

    The driver knows at once when the server closes a connection, so only one that lay idle, over which a network may
    have lost a peer without a word, is asked: asking before every use (`pool_pre_ping`) costs two round trips each.
    """
    dialect = engine.dialect

    @event.listens_for(engine.sync_engine, "checkin")
    def _remember(dbapi_connection: DBAPIConnection | None, record: Any) -> None:
        record.info["idle_since"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def _check(dbapi_connection: DBAPIConnection, record: Any, proxy: Any) -> None:
        if dbapi_connection.driver_connection.is_closed():
            raise DisconnectionError
        idle_seconds = time.monotonic() - record.info.get("idle_since", time.monotonic())
        if idle_seconds > _TRUSTED_IDLE_SECONDS:
            try:
                dialect.do_ping(dbapi_connection)
            except dialect.loaded_dbapi.Error as error:
                raise DisconnectionError from error


@asynccontextmanager
async def _ledger_errors() -> AsyncIterator[None]:
    try:
        yield
    except (*CONNECTION_LOST, PoolTimeoutError) as error:
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
