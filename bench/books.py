"""Books to measure on: one platform, members with money, orders to freeze it for, consents that allow it."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import asyncpg

from escrow.domain.money import recipes
from escrow.domain.money.funding import FundingLeg
from escrow.domain.money.journal import Basis, Change, Posting
from escrow.domain.requests import derived, operation_hash
from escrow.domain.time.calendars import SHANGHAI
from escrow.ledger.posting import LedgerWriter

PLATFORM_NO: Final = "BENCH"

#: Every member gets so much; each measured posting moves one fen.
_FUNDS_FEN: Final = 10_000_000

#: All consents of the bench say the same; the database compares the hash and uses each number once.
OPERATION_HASH: Final = operation_hash(
    platform_no=PLATFORM_NO, object_kind="order", object_no="any", operation="pay", by="platform", terms={}
)

_RUNS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Book:
    """Where postings go: a member's money is frozen for the order at the same place of the two lists.

    Args:
        owner: connection as the owner of the tables, for what only preparation may do.
    """

    owner: asyncpg.Connection
    members: tuple[str, ...]
    orders: tuple[str, ...]


async def open_book(owner: asyncpg.Connection, writer: LedgerWriter, *, accounts: int = 1000) -> Book:
    """Open the platform and fund its members, half of the accounts; the other half are orders' escrow."""
    today = datetime.now(UTC).astimezone(SHANGHAI).date()
    await owner.execute("INSERT INTO platform_day (platform_no, day) VALUES ($1, $2)", PLATFORM_NO, today)
    book = Book(
        owner,
        members=tuple(f"M-{number}" for number in range(1, accounts // 2 + 1)),
        orders=tuple(f"D-{number}" for number in range(1, accounts // 2 + 1)),
    )
    await owner.execute(
        "INSERT INTO bank_line (platform_no, bank_serial_no, line_no, kind, amount_fen, booked_at, value_date,"
        " balance_after_fen) SELECT $1, 'B-' || n, n, 'inbound', $2, now(), $3, n * $2"
        " FROM generate_series(1::bigint, $4) n",
        PLATFORM_NO,
        _FUNDS_FEN,
        today,
        len(book.members),
    )
    for number, member_no in enumerate(book.members, 1):
        serial_no = f"B-{number}"
        entry = recipes.top_up_credited(
            platform_no=PLATFORM_NO,
            member_no=member_no,
            amount_fen=_FUNDS_FEN,
            bank_serial_no=serial_no,
            effective_date=today,
        )
        await writer.post(
            Posting(
                platform_no=PLATFORM_NO,
                request_no=derived("bank-line", serial_no),
                content={"bank_serial_no": serial_no, "amount_fen": _FUNDS_FEN},
                occurred_at=datetime.now(UTC),
                entry=entry,
                bases=(Basis(kind="bank_line", reference=serial_no),),
            )
        )
    return book


async def freezes(book: Book, count: int, *, hot: bool = False) -> Iterator[Posting]:
    """`count` postings that freeze one fen for a random order, each on a consent of its own.

    Args:
        hot: all of them take from the first member, instead of the order's own.
    """
    run = next(_RUNS)
    await book.owner.execute(
        "INSERT INTO consent (platform_no, consent_no, content_hash, object_kind, object_no, operation, given_by,"
        " terms, operation_hash, method, text_version, expires_at)"
        " SELECT $1, $2 || n, '', 'order', 'any', 'pay', 'platform', '{}', $3, 'platform_key', '1',"
        " now() + interval '1 day' FROM generate_series(1, $4::int) n",
        PLATFORM_NO,
        f"C{run}-",
        OPERATION_HASH,
        count,
    )
    return (_freeze(book, run, number, hot=hot) for number in range(1, count + 1))


def _freeze(book: Book, run: int, number: int, *, hot: bool) -> Posting:
    place = random.randrange(len(book.orders))
    member_no, order_no = book.members[0 if hot else place], book.orders[place]
    return Posting(
        platform_no=PLATFORM_NO,
        request_no=derived(order_no, "freeze", run, number),
        content={"object": f"order/{order_no}", "event_type": "order.paid", "total_fen": 1},
        occurred_at=datetime.now(UTC),
        entry=recipes.order_frozen(
            platform_no=PLATFORM_NO,
            owner_no=member_no,
            order_no=order_no,
            legs=(FundingLeg(source="withdrawable", amount_fen=1),),
        ),
        changes=(
            Change(
                kind="order",
                object_no=order_no,
                event_type="order.paid",
                status="awaiting_start",
                body={"paid_fen": number, "step_due_at": "2026-12-24T00:00:00+08:00", "attention": ""},
            ),
        ),
        bases=(Basis(kind="consent", reference=f"C{run}-{number}", operation_hash=OPERATION_HASH),),
    )
