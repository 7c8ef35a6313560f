"""Connections to the database: the application always acts as its own role, never as the owner of the tables."""

from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg

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
