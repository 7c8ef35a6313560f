"""A real PostgreSQL for the tests: one server a session, one fresh database a test that asks for it."""

import itertools
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from escrow.migrations.migrate import migrate
from escrow.stack.postgres import PostgresServer

_NUMBERS = itertools.count(1)
#: Folders of the servers that have a migrated database to copy from.
_WITH_TEMPLATE: set[Path] = set()
_TEMPLATE = "books_template"


@dataclass(frozen=True, slots=True)
class Database:
    """One database of the server: `dsn` as its owner, `superuser_dsn` for what only the tests may do."""

    dsn: str
    superuser_dsn: str


@asynccontextmanager
async def running_server(**settings: str) -> AsyncIterator[PostgresServer]:
    """A server on a temporary folder, ended with the block whatever happens in it."""
    with tempfile.TemporaryDirectory(prefix="ledger-") as folder:
        server = PostgresServer(Path(folder) / "pg", settings=settings)
        await server.start()
        try:
            yield server
        finally:
            await server.stop()


async def new_database(server: PostgresServer, *, migrated: bool = True) -> Database:
    """A fresh database owned by the server's owner role; a migrated one is copied from the first of its server."""
    if not migrated:
        return await _create(server, f"books_{next(_NUMBERS)}")
    if server.folder not in _WITH_TEMPLATE:
        await migrate((await _create(server, _TEMPLATE)).dsn, sandbox=True)
        _WITH_TEMPLATE.add(server.folder)
    return await _create(server, f"books_{next(_NUMBERS)}", template=_TEMPLATE)


@asynccontextmanager
async def fresh_database(server: PostgresServer) -> AsyncIterator[Database]:
    """A migrated database of a block's own; it is gone after the block, with whoever is still connected."""
    database = await new_database(server)
    try:
        yield database
    finally:
        await _at_server(server, f'DROP DATABASE "{urlsplit(database.dsn).path[1:]}" WITH (FORCE)')


async def is_waited_for(locker: asyncpg.Connection) -> bool:
    """Whether some other session waits for a lock that this one holds."""
    waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
    return bool(await locker.fetchval(waiting))


async def waiting_sessions(connection: asyncpg.Connection) -> int:
    """How many sessions of this database wait for a lock; in a transaction the first answer would be kept."""
    waiting = """SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0"""
    return int(await connection.fetchval(waiting))


async def _create(server: PostgresServer, name: str, *, template: str = "template1") -> Database:
    # Copied as files it does not go through the write-ahead log, which is several times as much work.
    await _at_server(
        server, f'CREATE DATABASE "{name}" OWNER "{server.owner}" TEMPLATE "{template}" STRATEGY = FILE_COPY'
    )
    return Database(dsn=_named(server.dsn, name), superuser_dsn=_named(server.superuser_dsn, name))


async def _at_server(server: PostgresServer, statement: str) -> None:
    connection = await asyncpg.connect(server.superuser_dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _named(dsn: str, name: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))
