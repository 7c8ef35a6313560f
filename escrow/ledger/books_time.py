"""The one time that decides: the database's, and so much more as a platform's story runs ahead of it.

Where money is real no story has a clock, and the books' time is the database's.
"""

from collections.abc import Awaitable
from datetime import datetime

import asyncpg
from sqlalchemy import ColumnElement, DateTime, func
from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.ledger.engine import Reader, Recorder
from escrow.ledger.posting import as_ours, driver_of, run


async def books_now(reader: Reader, platform_no: str) -> datetime:
    """The books' present moment for a platform, in UTC.

    Raises:
        LedgerUnavailable: the database cannot be reached.
    """
    moment: datetime = (await _told(reader.row("SELECT books_now($1) AS moment", platform_no)))["moment"]
    return moment


async def books_now_within(session: AsyncSession, platform_no: str) -> datetime:
    """The same in a transaction of the caller's: the moment at which that began, so that its rows agree."""
    moment: datetime = (await run(session, "SELECT books_now(:no) AS moment", no=platform_no))[0].moment
    return moment


def books_time_of(platform_no: str) -> ColumnElement[datetime]:
    """The books' present moment as a value in a statement; `platform_no` may be a column of it."""
    return func.books_now(platform_no, type_=DateTime(timezone=True))


async def is_sandbox(reader: Reader) -> bool:
    """Whether the owner of the books has marked them as a sandbox, in which stories have clocks of their own."""
    return await reader.row("SELECT 1 FROM sandbox_stack") is not None


async def begin_story(session: AsyncSession, platform_no: str, first_moment: datetime) -> None:
    """Let the story of a platform begin at any moment, timezone-aware, in the transaction that opens it.

    Raises:
        Refused: `no_sandbox`, or `story_begun` once anything was posted for the platform.
    """
    try:
        await (await driver_of(session)).execute("SELECT begin_story($1, $2)", platform_no, first_moment)
    except asyncpg.PostgresError as error:
        raise as_ours(error) from error


async def move_story(recorder: Recorder, platform_no: str, to_moment: datetime) -> datetime:
    """Move a platform's clock forward to a moment, timezone-aware; one that is past is none. Answers what it shows.

    Raises:
        Refused: `no_sandbox`.
    """
    moved = recorder.write("SELECT move_story($1, $2) AS moment", platform_no, to_moment)
    moment: datetime = (await _told(moved))["moment"]
    return moment


async def _told(asked: Awaitable[asyncpg.Record | None]) -> asyncpg.Record:
    try:
        row = await asked
    except asyncpg.PostgresError as error:
        raise as_ours(error) from error
    assert row is not None  # noqa: S101 - a SELECT without FROM has one row
    return row
