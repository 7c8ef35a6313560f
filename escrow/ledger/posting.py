"""Posting: the one way anything is written to the books.

One writer per process holds one connection. It takes whatever waits, at most 64 postings and without a timer, and
hands them to the database's `post_batch` in one round trip: accounts, lines, objects, events, deadlines and the use
of bases commit together or not at all. A batch that holds a refusal or a repeat is sent again one by one, so that
each posting gets its own answer.

What writes rows of its own, such as personal data, posts inside its transaction: the event and the row are one commit.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Self

import asyncpg
import structlog
from sqlalchemy import Row, text
from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.errors import EscrowError, LedgerUnavailable, Refused
from escrow.domain.money.journal import Posting, Receipt
from escrow.ledger.batches import (
    batch_document,
    deadlines_moved,
    deadlines_stood_on,
    objects_stood_on,
    objects_written,
)
from escrow.ledger.engine import CONNECTION_LOST, Recorder, connect

_REFUSAL: Final = "ES001"
_AMOUNT_OUT_OF_RANGE: Final = "22003"
_LARGEST_BATCH: Final = 64
_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


async def post_on(connection: asyncpg.Connection, postings: Sequence[Posting]) -> list[Receipt]:
    """Post all of `postings` or none on a connection of the caller's, in the caller's transaction if there is one.

    Raises:
        Refused: a rule says no; nothing of this call is written, a surrounding transaction is aborted.
    """
    try:
        answer = await connection.fetchval("SELECT post_batch($1::jsonb)::text", batch_document(postings))
    except asyncpg.PostgresError as error:
        raise as_ours(error) from error
    receipts = json.loads(answer)
    return [
        Receipt(
            request_no=posting.request_no,
            entry_id=entry_id,
            accounting_day=date.fromisoformat(day),
            repeated=receipts["repeated"],
            answer=receipts.get("answer"),
        )
        for posting, entry_id, day in zip(postings, receipts["entry_ids"], receipts["days"], strict=True)
    ]


def as_ours(error: asyncpg.PostgresError) -> Exception:
    """What the database refused by a rule as our error; anything else as it is."""
    if error.sqlstate == _REFUSAL:
        details: dict[str, Any] = json.loads(error.detail or "{}")
        return Refused(str(error.constraint_name), error.message, details)
    if error.sqlstate == _AMOUNT_OUT_OF_RANGE:
        return Refused("amount_out_of_range", "An amount or balance would not fit into 64 bits of fen.")
    return error


@dataclass(frozen=True, slots=True)
class _Waiting:
    posting: Posting
    answer: asyncio.Future[Receipt]


class LedgerWriter:
    """The batch writer of one process; make it with `start`, end it with `close`.

    Args:
        dsn: database URL; the connection acts as the application's role.
        retry_seconds: how long a posting is sent again while the database is away or restarting.
        answer_seconds: how long one batch may take before its connection counts as lost.
    """

    def __init__(self, dsn: str, *, retry_seconds: float = 5.0, answer_seconds: float = 10.0) -> None:
        self._dsn = dsn
        self._retry_seconds = retry_seconds
        self._answer_seconds = answer_seconds
        self._waiting: deque[_Waiting] = deque()
        self._woken = asyncio.Event()
        self._connection: asyncpg.Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    @classmethod
    async def start(cls, dsn: str, *, retry_seconds: float = 5.0, answer_seconds: float = 10.0) -> Self:
        """Make a writer. It connects with its first posting, so the database may still be away."""
        writer = cls(dsn, retry_seconds=retry_seconds, answer_seconds=answer_seconds)
        writer._task = asyncio.create_task(writer._run(), name="ledger-writer")
        return writer

    async def post(self, posting: Posting) -> Receipt:
        """Write one posting; returns once it is committed.

        A posting that was sent and not answered, because the database went away or the caller gave up waiting, may
        or may not have been committed: send it again under the same request number.

        Raises:
            Refused: a rule says no; its code says which.
            LedgerUnavailable: no answer within `retry_seconds`; the outcome is not known.
        """
        if self._closing or self._task is None or self._task.done():
            raise LedgerUnavailable("ledger_unavailable", "The ledger writer of this process is closed.")
        answer: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(posting, answer))
        self._woken.set()
        return await answer

    async def close(self) -> None:
        """Write what waits, then end."""
        self._closing = True
        self._woken.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while self._waiting or not self._closing:
            if not self._waiting:
                self._woken.clear()
                await self._woken.wait()
                continue
            await self._write(self._next_batch())
            # One turn of the loop lets the callers just answered post again, so that batches fill without a timer.
            await asyncio.sleep(0)
        await self._disconnect()

    def _next_batch(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        moved: set[tuple[str, str]] = set()
        written: set[tuple[str, str, str]] = set()
        read: set[tuple[str, str, str]] = set()
        while self._waiting and len(batch) < _LARGEST_BATCH:
            waiting = self._waiting[0]
            if moved and not moved.isdisjoint(deadlines_stood_on(waiting.posting)):
                break
            writes, reads = objects_written(waiting.posting), objects_stood_on(waiting.posting)
            if not (written.isdisjoint(reads) and read.isdisjoint(writes)):
                break
            self._waiting.popleft()
            if not waiting.answer.done():  # done: the caller gave up before it was sent
                batch.append(waiting)
                moved |= deadlines_moved(waiting.posting)
                written |= writes
                read |= reads
        return batch

    async def _write(self, batch: Sequence[_Waiting]) -> None:
        if not batch:
            return
        try:
            receipts = await self._post_with_retries([waiting.posting for waiting in batch])
        except (EscrowError, asyncpg.PostgresError) as error:
            if len(batch) > 1 and not isinstance(error, LedgerUnavailable):
                for waiting in batch:
                    await self._write([waiting])
                return
            for waiting in batch:
                _settle(waiting.answer, error)
        else:
            for waiting, receipt in zip(batch, receipts, strict=True):
                _settle(waiting.answer, receipt)

    async def _post_with_retries(self, postings: Sequence[Posting]) -> list[Receipt]:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._retry_seconds
        pause_seconds = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return await post_on(await self._connected(), postings)
            except (*CONNECTION_LOST, asyncpg.DeadlockDetectedError, asyncpg.SerializationError) as error:
                await self._disconnect()
                if loop.time() + pause_seconds > until:
                    raise LedgerUnavailable(
                        "ledger_unavailable", "The ledger does not answer; repeat the same request."
                    ) from error
                _log.warning("ledger_connection_lost", error=type(error).__name__, postings=len(postings))
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            async with asyncio.timeout(self._answer_seconds):
                self._connection = await connect(self._dsn, answer_seconds=self._answer_seconds)
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*CONNECTION_LOST):
                await connection.close(timeout=1)


def _settle(answer: asyncio.Future[Receipt], outcome: Receipt | Exception) -> None:
    if answer.done():
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)


@asynccontextmanager
async def transaction(recorder: Recorder) -> AsyncIterator[AsyncSession]:
    """A session in a transaction, committed at the end.

    Raises:
        LedgerUnavailable: the database cannot be reached; whether the transaction was committed is not known.
    """
    async with recorder.transaction() as session:
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
