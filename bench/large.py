"""The same work on a small and on a large book: ten thousand lines and ten million, in two databases of one server."""

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from bench.books import PLATFORM_NO, Book, freezes
from bench.postings import PREPARED_PER_SECOND, ledger_server, postings_per_second
from escrow.domain.time.calendars import SHANGHAI
from escrow.ledger.engine import Recorder
from escrow.ledger.history import member_history
from escrow.ledger.posting import LedgerWriter
from escrow.migrations.migrate import migrate
from escrow.stack.postgres import PostgresServer

SMALL_LINES: Final = 10_000
LARGE_LINES: Final = 10_000_000
#: Every member has two lines a day for so long: a statement is as long in either book, only the book around it grows.
_DAYS: Final = 50
_LINES_PER_MEMBER: Final = 2 * _DAYS
_FUNDS_FEN: Final = 1_000_000
#: As many as the small book has.
_PAIRS_MEASURED: Final = SMALL_LINES // _LINES_PER_MEMBER
_STATEMENT_DAYS: Final = 30
_STATEMENTS_PER_ROUND: Final = 100
_ONE_DAY = (Path(__file__).parent / "large_book.sql").read_text(encoding="utf-8")


@dataclass
class Sizes:
    """What was measured on one of the two books, by round."""

    lines: int = 0
    load_seconds: float = 0
    postings_per_second: list[float] = field(default_factory=list)
    statement_ms: list[float] = field(default_factory=list)


async def measure_sizes(*, rounds: int, seconds: float) -> tuple[Sizes, Sizes]:
    """Fill both books, then interleaved rounds of postings (8 callers, 200 accounts) and statements."""
    small, large = Sizes(), Sizes()
    async with (
        ledger_server() as server,
        _books(server, SMALL_LINES, small) as in_small,
        _books(server, LARGE_LINES, large) as in_large,
    ):
        for _ in range(rounds):
            await in_small.measure(small, seconds)
            await in_large.measure(large, seconds)
    return small, large


@dataclass(frozen=True)
class _Books:
    book: Book
    writer: LedgerWriter
    recorder: Recorder
    members: int
    last_day: date

    async def measure(self, sizes: Sizes, seconds: float) -> None:
        """One round."""
        postings = await freezes(self.book, round(PREPARED_PER_SECOND * seconds))
        sizes.postings_per_second.append(await postings_per_second(self.writer, postings, callers=8, seconds=seconds))
        sizes.statement_ms.append(median([await self._statement_ms() for _ in range(_STATEMENTS_PER_ROUND)]))

    async def _statement_ms(self) -> float:
        member_no = f"M-{random.randint(1, self.members)}"
        first_day = self.last_day - timedelta(days=_STATEMENT_DAYS - 1)
        began = time.perf_counter()
        statement = await member_history(
            self.recorder, PLATFORM_NO, member_no, first_day=first_day, last_day=self.last_day
        )
        elapsed_ms = (time.perf_counter() - began) * 1000
        if len(statement.lines) != 2 * _STATEMENT_DAYS or statement.opening_fen != _FUNDS_FEN:
            raise RuntimeError(f"the statement of {member_no} is wrong")
        return elapsed_ms


@asynccontextmanager
async def _books(server: PostgresServer, lines: int, sizes: Sizes) -> AsyncIterator[_Books]:
    dsn = await _new_database(server, f"lines_{lines}")
    owner = await asyncpg.connect(dsn)
    members = lines // _LINES_PER_MEMBER
    began = time.perf_counter()
    last_day = await _fill(owner, members)
    sizes.load_seconds = time.perf_counter() - began
    sizes.lines = await owner.fetchval("SELECT count(*) FROM entry_line")
    writer, recorder = await LedgerWriter.start(dsn), Recorder(dsn)
    pairs = range(1, _PAIRS_MEASURED + 1)
    book = Book(owner, tuple(f"M-{number}" for number in pairs), tuple(f"D-{number}" for number in pairs))
    yield _Books(book=book, writer=writer, recorder=recorder, members=members, last_day=last_day)
    await writer.close()
    await recorder.close()
    await owner.close()


async def _new_database(server: PostgresServer, name: str) -> str:
    connection = await asyncpg.connect(server.superuser_dsn)
    await connection.execute(f'CREATE DATABASE "{name}" OWNER "{server.owner}"')
    await connection.close()
    dsn = urlunsplit(urlsplit(server.dsn)._replace(path=f"/{name}"))
    await migrate(dsn)
    return dsn


async def _fill(owner: asyncpg.Connection, members: int) -> date:
    """Book all days; the last closed one. The open day is the one after it, today."""
    today = datetime.now(UTC).astimezone(SHANGHAI).date()
    first_day = today - timedelta(days=_DAYS + 1)
    await owner.execute("INSERT INTO platform_day (platform_no, day) VALUES ($1, $2)", PLATFORM_NO, first_day)
    await _open_accounts(owner, members)
    await _fund(owner, members, first_day)
    for number in range(1, _DAYS + 1):
        day = first_day + timedelta(days=number)
        first_entry_id = members * number
        async with owner.transaction():
            await owner.execute("UPDATE platform_day SET day = $2 WHERE platform_no = $1", PLATFORM_NO, day)
            await owner.execute(_ONE_DAY, PLATFORM_NO, number, day, members, first_entry_id)
            await owner.execute(_LINES_OF_DAY, PLATFORM_NO, number, day, first_entry_id, _FUNDS_FEN)
    await owner.execute("SELECT setval('entry_id_seq', $1)", members * (_DAYS + 1))
    await owner.execute("UPDATE platform_day SET day = $2 WHERE platform_no = $1", PLATFORM_NO, today)
    await owner.execute("VACUUM (ANALYZE)")
    return today - timedelta(days=1)


async def _open_accounts(owner: asyncpg.Connection, members: int) -> None:
    paid = _DAYS % 2
    await owner.execute(
        "INSERT INTO account (platform_no, purpose, balance_fen, version) VALUES ($1, 'custody', $2, $3)",
        PLATFORM_NO,
        -members * _FUNDS_FEN,
        members,
    )
    await owner.execute(
        "INSERT INTO account (platform_no, member_no, purpose, ref, balance_fen, min_balance_fen, version)"
        " SELECT $1, 'M-' || n, kind.purpose, CASE WHEN kind.purpose = 'escrow' THEN 'D-' || n ELSE '' END,"
        " kind.balance_fen, 0, kind.version FROM generate_series(1::bigint, $2::bigint) n,"
        " (VALUES ('withdrawable', $3::bigint, $4::bigint), ('escrow', $5, $6)) AS kind(purpose, balance_fen, version)",
        PLATFORM_NO,
        members,
        _FUNDS_FEN - paid,
        _DAYS + 1,
        paid,
        _DAYS,
    )
    await owner.execute(
        "INSERT INTO business_object (platform_no, kind, object_no, sequence_no, status, body, created_at, updated_at)"
        " SELECT $1, 'order', 'D-' || n, $3, 'awaiting_start', '{\"paid_fen\": 1}', now(), now()"
        " FROM generate_series(1::bigint, $2::bigint) n",
        PLATFORM_NO,
        members,
        _DAYS,
    )


async def _fund(owner: asyncpg.Connection, members: int, day: date) -> None:
    async with owner.transaction():
        await owner.execute(
            "INSERT INTO entry (id, platform_no, request_no, recipe, bank_serial_no, accounting_day, effective_date,"
            " occurred_at) SELECT n, $1, 'bank-line:B-' || n, 'top_up_credited', 'B-' || n, $3, $3, now()"
            " FROM generate_series(1::bigint, $2::bigint) n",
            PLATFORM_NO,
            members,
            day,
        )
        await owner.execute(
            "INSERT INTO entry_line (account_id, accounting_day, version, entry_id, amount_fen, balance_after_fen)"
            " SELECT a.id, $2::date, e.id, e.id, -$3::bigint, -$3 * e.id FROM account a, entry e"
            " WHERE a.platform_no = $1 AND a.purpose = 'custody'"
            " UNION ALL SELECT a.id, $2, 1, substr(a.member_no, 3)::bigint, $3, $3 FROM account a"
            " WHERE a.platform_no = $1 AND a.purpose = 'withdrawable'",
            PLATFORM_NO,
            day,
            _FUNDS_FEN,
        )


#: Lines of one day; members and their accounts were opened in the same order, so entry and account are found by number.
_LINES_OF_DAY: Final = """
INSERT INTO entry_line (account_id, accounting_day, version, entry_id, amount_fen, balance_after_fen)
SELECT a.id, $3::date, CASE a.purpose WHEN 'escrow' THEN $2::int ELSE $2 + 1 END,
    $4::bigint + substr(a.member_no, 3)::bigint,
    CASE WHEN (a.purpose = 'escrow') = ($2 % 2 = 1) THEN 1 ELSE -1 END,
    CASE a.purpose WHEN 'escrow' THEN $2 % 2 ELSE $5::bigint - $2 % 2 END
FROM account a WHERE a.platform_no = $1 AND a.purpose IN ('withdrawable', 'escrow')
"""
