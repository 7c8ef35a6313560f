"""Postings for the ledger tests: a platform with its day, money in, and the rest of an order's life."""

import itertools
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import asyncpg

from escrow.domain.money import recipes
from escrow.domain.money.journal import Basis, Change, DeadlineChange, JournalEntry, Posting, Receipt
from escrow.domain.requests import operation_hash
from escrow.ledger.posting import LedgerWriter

HOME = "HOME"
DAY = date(2026, 3, 2)
#: The day before: closed, so its pending money may mature.
CLOSED = date(2026, 3, 1)
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
_NUMBERS = itertools.count(1)


def fresh(prefix: str) -> str:
    """A number not used before in this session."""
    return f"{prefix}-{next(_NUMBERS)}"


async def open_day(owner: asyncpg.Connection, platform_no: str = HOME, day: date = DAY) -> None:
    """Give the platform its first accounting day."""
    await owner.execute("INSERT INTO platform_day (platform_no, day) VALUES ($1, $2)", platform_no, day)


async def booked_by_bank(
    owner: asyncpg.Connection,
    amount_fen: int,
    *,
    platform_no: str = HOME,
    kind: str = "inbound",
    request_no: str = "",
) -> str:
    """Serial number of a custody line of `amount_fen` that the bank booked just now, for that number of ours."""
    serial_no = fresh("B")
    await owner.execute(
        "INSERT INTO bank_line (platform_no, bank_serial_no, line_no, kind, amount_fen, booked_at, value_date,"
        " balance_after_fen, request_no) VALUES ($1, $2, $3, $4, $5, now(), $6, 0, $7)",
        platform_no,
        serial_no,
        int(serial_no.removeprefix("B-")),
        kind,
        amount_fen,
        DAY,
        request_no,
    )
    return serial_no


async def a_consent(
    owner: asyncpg.Connection,
    consent_no: str,
    *,
    object_no: str,
    object_kind: str = "order",
    terms: Mapping[str, Any] | None = None,
    platform_no: str = HOME,
    asked: bool = False,
) -> str:
    """Record a consent about an order, or another object; gives the hash of its operation."""
    digest = operation_hash(
        platform_no=platform_no, object_kind=object_kind, object_no=object_no, operation="any", by="O-1",
        terms=terms or {},
    )  # fmt: skip
    await owner.execute(
        "INSERT INTO consent (platform_no, consent_no, content_hash, object_kind, object_no, operation, given_by,"
        " terms, operation_hash, method, text_version, expires_at, asked) VALUES"
        " ($1, $2, '', $3, $4, 'any', 'O-1', $5::jsonb, $6, '', '', now() + interval '1 hour', $7)",
        platform_no,
        consent_no,
        object_kind,
        object_no,
        json.dumps(terms or {}),
        digest,
        asked,
    )
    return digest


def posting(
    *,
    entry: JournalEntry | None = None,
    bases: tuple[Basis, ...] = (),
    changes: tuple[Change, ...] = (),
    deadlines: tuple[DeadlineChange, ...] = (),
    request_no: str = "",
    content: Mapping[str, Any] | None = None,
    platform_no: str = HOME,
    occurred_at: datetime = NOON,
) -> Posting:
    """A posting under a fresh request number unless one is given."""
    number = request_no or fresh("r")
    return Posting(
        platform_no=platform_no,
        request_no=number,
        content={"request": number} if content is None else content,
        occurred_at=occurred_at,
        entry=entry,
        bases=bases,
        changes=changes,
        deadlines=deadlines,
    )


async def top_up(
    owner: asyncpg.Connection,
    writer: LedgerWriter,
    member_no: str,
    amount_fen: int,
    *,
    pending_day: date | None = None,
    platform_no: str = HOME,
) -> Receipt:
    """Bank line and credit of `amount_fen` to the member."""
    serial_no = await booked_by_bank(owner, amount_fen, platform_no=platform_no)
    entry = recipes.top_up_credited(
        platform_no=platform_no,
        member_no=member_no,
        amount_fen=amount_fen,
        bank_serial_no=serial_no,
        effective_date=DAY,
        pending_day=pending_day,
    )
    bases = (Basis(kind="bank_line", reference=serial_no),)
    return await writer.post(posting(entry=entry, bases=bases, platform_no=platform_no))


def matured(member_no: str, amount_fen: int, *, day: date = CLOSED, **more: Any) -> Posting:
    """Pending money of a closed day becomes withdrawable: the simplest recipe without a consent."""
    entry = recipes.pending_matured(platform_no=HOME, member_no=member_no, day=day, amount_fen=amount_fen)
    return posting(entry=entry, bases=(Basis(kind="none"),), **more)
