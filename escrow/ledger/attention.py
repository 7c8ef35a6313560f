"""Who waits for a person: one list of all kinds of objects, whatever says so.

An object says it itself (`attention` in its document), or it stands in the table of those for whom somebody was called
beside it: because they make no progress, or by a process whose object has no word for it.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from escrow.domain.endings import FINAL_STATUSES
from escrow.ledger.engine import Reader, Recorder
from escrow.ledger.progress import ObjectKey
from escrow.ledger.tables import is_unfinished

#: Kind of a line of the bank that cannot be booked: no object yet, and a person is needed for it all the same.
BANK_LINE = "bank_line"
#: Kind of a bank whose list of lines cannot be read, by the number of the platform; on the list after a day of that.
BANK = "bank"
_UNREAD_FOR = "interval '1 day'"


def _may_need_one(kind: str) -> str:
    """Condition that an object may still say that it waits: a collection may after its end, of money that came late."""
    return f"o.kind = '{kind}'" if kind == "pay_in" else is_unfinished(kind, "o.")


_SAY_IT_THEMSELVES = " UNION ALL ".join(
    f"""
    SELECT o.platform_no, o.kind, o.object_no, o.body ->> 'attention' AS reason, o.updated_at AS since
    FROM business_object o
    WHERE {_may_need_one(kind)} AND o.body ->> 'attention' <> '' AND ($1::text IS NULL OR o.platform_no = $1)
    """  # noqa: S608 - our own words
    for kind in FINAL_STATUSES
)
#: All that waits for a person, with the platform as $1, NULL for all of them.
_WAITING = f"""
    SELECT w.platform_no, w.kind, w.object_no, (array_agg(w.reason ORDER BY w.rank))[1] AS reason, min(w.since) AS since
    FROM (
        SELECT said.*, 1 AS rank FROM ({_SAY_IT_THEMSELVES}) said
        UNION ALL
        SELECT a.platform_no, a.object_kind, a.object_no, a.reason, a.since, 2 FROM attention a
        WHERE ($1::text IS NULL OR a.platform_no = $1)
            AND (a.object_kind <> '{BANK}' OR a.since <= books_now(a.platform_no) - {_UNREAD_FOR})
    ) w
    GROUP BY w.platform_no, w.kind, w.object_no
"""  # noqa: S608 - our own words
#: What a collection has that is nobody's yet: each payment's money in suspense, and on its way back.
_OF_ITS_PAYMENTS = """
    SELECT sum(p.balance_fen)::bigint FROM jsonb_array_elements(o.body -> 'payments') paid
    JOIN account p ON p.platform_no = o.platform_no AND p.member_no = '' AND p.purpose IN ('refund', 'suspense')
        AND p.ref = paid ->> 'payment_no'
    WHERE w.kind = 'pay_in'
"""
#: The account on which the money lies that an object holds: its member, its purpose, its reference. A collection holds
#: its payments' money; a line of the bank that is not booked stands for its own amount.
_LIST = f"""
    SELECT w.*, coalesce(a.balance_fen, abs(b.amount_fen), ({_OF_ITS_PAYMENTS}), 0) AS held_fen
    FROM ({_WAITING}) w
    LEFT JOIN bank_line b ON w.kind = '{BANK_LINE}' AND b.platform_no = w.platform_no AND b.bank_serial_no = w.object_no
    LEFT JOIN business_object o ON o.platform_no = w.platform_no AND o.kind = w.kind AND o.object_no = w.object_no
    LEFT JOIN account a ON a.platform_no = w.platform_no
        AND a.member_no = CASE w.kind WHEN 'order' THEN o.body #>> '{{contract,owner_no}}'
            WHEN 'withdrawal' THEN coalesce(o.body ->> 'member_no', '') ELSE '' END
        AND a.purpose = CASE w.kind WHEN 'order' THEN 'escrow' WHEN 'withdrawal' THEN 'payout'
            WHEN 'refund' THEN 'refund' END
        AND a.ref = CASE w.kind WHEN 'refund' THEN o.body #>> '{{direct,payment_no}}' ELSE w.object_no END
    WHERE (w.platform_no, w.kind, w.object_no) > ($2, $3, $4)
    ORDER BY w.platform_no, w.kind, w.object_no LIMIT $5
"""  # noqa: S608 - our own words


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An object that waits for a person, since a moment of the books' time; `held_fen` is the money that it holds."""

    key: ObjectKey
    reason: str
    since: datetime
    held_fen: int


async def waiting_for_a_person(
    reader: Reader, platform_no: str | None = None, *, after: ObjectKey | None = None, limit: int
) -> list[Waiting]:
    """Who waits for a person, in the order of platform, kind and number.

    Args:
        platform_no: one platform, or None for all.
        after: the last one of the page before.

    Raises:
        LedgerUnavailable: no answer.
    """
    begin = ("", "", "") if after is None else (after.platform_no, after.kind, after.object_no)
    rows = await reader.rows(_LIST, platform_no, *begin, limit)
    return [
        Waiting(
            key=ObjectKey(platform_no=row["platform_no"], kind=row["kind"], object_no=row["object_no"]),
            reason=row["reason"],
            since=row["since"],
            held_fen=row["held_fen"],
        )
        for row in rows
    ]


async def waiting_by_platform(reader: Reader) -> dict[str, int]:
    """How many wait for a person, of each platform where somebody does.

    Raises:
        LedgerUnavailable: no answer.
    """
    rows = await reader.rows(f"SELECT platform_no, count(*) AS waiting FROM ({_WAITING}) w GROUP BY 1", None)  # noqa: S608 - our own words
    return {row["platform_no"]: row["waiting"] for row in rows}


async def call_person(recorder: Recorder, key: ObjectKey, reason: str, *, is_late: bool = False) -> None:
    """Put an object on the list; the first call's moment stays, the last one's reason is shown.

    Args:
        is_late: because it makes no progress; it leaves the list by itself when it does again.

    Raises:
        LedgerUnavailable: no answer.
    """
    await recorder.write(
        "INSERT INTO attention AS a (platform_no, object_kind, object_no, reason, since, is_late)"
        " VALUES ($1, $2, $3, $4, books_now($1), $5)"
        " ON CONFLICT (platform_no, object_kind, object_no)"
        " DO UPDATE SET reason = excluded.reason, is_late = excluded.is_late",
        key.platform_no,
        key.kind,
        key.object_no,
        reason,
        is_late,
    )


async def person_came(recorder: Recorder, key: ObjectKey) -> None:
    """Take an object off the list, and forget in how many rounds it was late; what it says itself stays.

    Raises:
        LedgerUnavailable: no answer.
    """
    await recorder.write(
        "WITH called AS (DELETE FROM attention WHERE platform_no = $1 AND object_kind = $2 AND object_no = $3)"
        " DELETE FROM late_object WHERE platform_no = $1 AND object_kind = $2 AND object_no = $3",
        key.platform_no,
        key.kind,
        key.object_no,
    )


async def was_called_late(reader: Reader, key: ObjectKey) -> bool:
    """Whether a person was called for an object because it makes no progress.

    Raises:
        LedgerUnavailable: no answer.
    """
    row = await reader.row(
        "SELECT FROM attention WHERE platform_no = $1 AND object_kind = $2 AND object_no = $3 AND is_late",
        key.platform_no,
        key.kind,
        key.object_no,
    )
    return row is not None


_HELD = text(
    """
    SELECT d.platform_no,
        (SELECT coalesce(sum(a.balance_fen), 0) FROM account a
         WHERE a.platform_no = d.platform_no AND a.purpose = 'escrow')::bigint AS escrow_fen
    FROM platform_day d
    ORDER BY d.platform_no
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformHeld:
    """What one platform holds now: integer fen in escrow, and how many objects wait for a person."""

    platform_no: str
    escrow_fen: int
    needing_attention: int


async def held_and_needing_attention(reader: Reader) -> list[PlatformHeld]:
    """Every platform with its money in escrow and how many of its objects wait for a person.

    Raises:
        LedgerUnavailable: the database cannot be reached.
    """
    async with reader.snapshot() as connection:
        rows = (await connection.execute(_HELD)).all()
    waiting = await waiting_by_platform(reader)
    return [
        PlatformHeld(
            platform_no=row.platform_no,
            escrow_fen=row.escrow_fen,
            needing_attention=waiting.get(row.platform_no, 0),
        )
        for row in rows
    ]
