"""What is unfinished, and what of it is late: found by the books alone, whatever runs on Temporal.

An object is late when one of its deadlines has passed and nothing happened, or when a party has said something to it,
be it the contract by which it is to be opened, that nobody has answered. What a channel is to end, when it may take its
time, is late when it has taken a day and no operator was called (`OPERATOR_AFTER`); a batch, when it still waits for a
collection of which nothing comes any more. A collection that has ended has a process as long as it is looked at for
payments that come late: that is unfinished too, and so is what has ended and somebody is still to be told of, which is
late when that deadline has passed. What is on the list of those who wait for a person because it is late is not found
again; neither is a deadline that an operator was called for since it passed.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from escrow.domain.collections.batch_payments import BATCH_PAYMENT, batch_pay_in_no
from escrow.domain.collections.state import LONGEST_OPEN, OPERATOR_AFTER, WATCHED_FOR
from escrow.domain.endings import DONE_AT_ONCE, DUE_BY_OURSELVES, ENDED_BY_DEADLINES, FINAL_STATUSES, TOLD_OF
from escrow.domain.platforms.sms_texts import TEXT_CLOCK
from escrow.ledger.engine import Reader
from escrow.ledger.tables import is_unfinished

#: So long, by the books' time, things may take that are under way.
LATE_AFTER = timedelta(minutes=1)
#: An object that is late for so long has been looked after, or the looking after has failed.
OVERDUE_AFTER = timedelta(minutes=10)

#: The kinds that a process brings to an end, quoted.
KINDS_IN_SQL = ", ".join(f"'{kind}'" for kind in (*FINAL_STATUSES, *DONE_AT_ONCE))
#: The kinds that are unfinished while a deadline of theirs stands, quoted.
BY_DEADLINES_IN_SQL = ", ".join(f"'{kind}'" for kind in ENDED_BY_DEADLINES)
_TEXT_IS_DUE = f"name = '{TEXT_CLOCK}'"
_MOMENTS = """
    SELECT d.platform_no, books_now(d.platform_no) AS moment
    FROM platform_day d WHERE $1::text IS NULL OR d.platform_no = $1
"""


def unfinished_in_sql(row: str, kinds: Iterable[str] = FINAL_STATUSES) -> str:
    """Condition that an object is of one of these kinds and has not ended.

    Args:
        row: the alias of `business_object` in the statement, with its dot.
    """
    return " OR ".join(f"({is_unfinished(kind, row)})" for kind in kinds)


def goes_on_in_sql(row: str) -> str:
    """Condition that an object has a process: it has not ended, or something is still to be done after its end.

    Payments that come late are looked for, or somebody is told.

    Args:
        row: the alias of `business_object` in the statement, with its dot; one that is found by its key.
    """
    watched = f"{row}kind = 'pay_in' AND {_watched_until(row)} > books_now({row}platform_no)"
    told = f"""EXISTS (SELECT FROM deadline t WHERE t.platform_no = {row}platform_no AND t.object_kind = {row}kind
        AND t.object_no = {row}object_no AND t.{_TEXT_IS_DUE})"""
    return f"{unfinished_in_sql(row)} OR ({watched}) OR {told}"


def _moment(row: str, name: str) -> str:
    return f"nullif({row}body ->> '{name}', '')::timestamptz"


def _watched_until(row: str) -> str:
    return _moment(row, "watched_until")


#: Collections that have ended and are looked at for payments that come late; one platform is $3, NULL for all of them.
_WATCHED = f"""
    SELECT o.platform_no, o.object_no FROM (
        SELECT d.platform_no, books_now(d.platform_no) AS moment
        FROM platform_day d WHERE $3::text IS NULL OR d.platform_no = $3) m
    JOIN business_object o ON o.platform_no = m.platform_no AND o.kind = 'pay_in'
        AND o.created_at > m.moment - interval '{(LONGEST_OPEN + WATCHED_FOR).total_seconds()} seconds'
    WHERE {_watched_until("o.")} > m.moment
"""  # noqa: S608 - our own words


def _of_a_channel(since: str) -> str:
    return f"{since} + interval '{OPERATOR_AFTER.total_seconds()} seconds'"


#: The collection `p` that is to pay the batch `o`.
_COLLECTS = f"""p.platform_no = o.platform_no AND p.kind = 'pay_in'
            AND p.object_no = o.object_no || '{batch_pay_in_no("")}'"""
#: Of an unfinished object `o` that has no deadline of ours: since when it is late, NULL for not at all, and why. As
#: `overdue_at` of collections and refunds says; what goes back and is not even held, by its last step.
_OVERDUE: Mapping[str, tuple[str, str]] = {
    "pay_in": (
        _of_a_channel(f"""coalesce(
            (jsonb_path_query_first(o.body, '$.returns[*] ? (@.outcome == "held").held_at') #>> '{{}}')::timestamptz,
            CASE WHEN o.status <> ALL ('{{{",".join(FINAL_STATUSES["pay_in"])}}}')
                THEN {_moment("o.", "expires_at")} END,
            o.updated_at)"""),
        "nothing has ended it, and no operator was called",
    ),
    "refund": (
        _of_a_channel(f"coalesce({_moment('o.', 'begun_at')}, o.created_at)"),
        "nothing has ended it, and no operator was called",
    ),
    BATCH_PAYMENT: (
        f"""CASE WHEN NOT EXISTS (SELECT FROM business_object p WHERE {_COLLECTS} AND ({goes_on_in_sql("p.")}))
            THEN coalesce((SELECT greatest(p.updated_at, {_watched_until("p.")}) FROM business_object p
                WHERE {_COLLECTS}), o.created_at) END""",  # noqa: S608 - our own words
        "nothing collects for it any more",
    ),
}


def overdue_rows(moments: str, late: str) -> str:
    """Statement for what is late without a deadline of ours.

    Args:
        moments: statement for the platforms to look at, each with its `moment`.
        late: the interval by which it is late, in SQL.
    """
    return " UNION ALL ".join(
        f"""
        SELECT o.platform_no, o.kind AS object_kind, o.object_no, {since} AS since, '{why}' AS why
        FROM ({moments}) m JOIN business_object o ON o.platform_no = m.platform_no AND {is_unfinished(kind, "o.")}
        WHERE coalesce(o.body ->> 'attention', '') = '' AND {since} < m.moment - {late}
        """  # noqa: S608 - our own words
        for kind, (since, why) in _OVERDUE.items()
    )


def late_rows(after: timedelta, *, at_most: int) -> str:
    """Statement for what is late by more than `after`, the longest first; $1 is the platform, NULL for all of them."""
    late = f"interval '{after.total_seconds()} seconds'"
    unknown = """NOT EXISTS (SELECT FROM attention a WHERE a.is_late AND a.platform_no = {0}.platform_no
                AND a.object_kind = {0}.object_kind AND a.object_no = {0}.object_no)"""
    return f"""
    SELECT l.platform_no, l.kind, l.object_no, min(l.since) AS since, min(l.why) AS why
    FROM (
        SELECT m.platform_no, found.*
        FROM ({_MOMENTS}) m CROSS JOIN LATERAL (
            SELECT d.object_kind AS kind, d.object_no, d.due_at AS since,
                format('the deadline %s has passed', d.name) AS why
            FROM deadline d LEFT JOIN business_object o
                ON o.platform_no = d.platform_no AND o.kind = d.object_kind AND o.object_no = d.object_no
            WHERE d.platform_no = m.platform_no AND d.due_at < m.moment - {late} AND {unknown.format("d")} AND (
                ({unfinished_in_sql("o.", DUE_BY_OURSELVES)})
                AND NOT (coalesce(o.body ->> 'attention', '') <> '' AND o.updated_at >= d.due_at)
                OR (d.object_kind IN ({BY_DEADLINES_IN_SQL}) OR d.{_TEXT_IS_DUE})
                AND NOT EXISTS (SELECT FROM attention a WHERE a.since >= d.due_at AND a.platform_no = d.platform_no
                    AND a.object_kind = d.object_kind AND a.object_no = d.object_no))
            ORDER BY d.due_at LIMIT {at_most}) found
        UNION ALL
        SELECT c.platform_no, c.object_kind, c.object_no, c.recorded_at, format('%s is not answered', c.operation)
        FROM consent c JOIN ({_MOMENTS}) m ON m.platform_no = c.platform_no
        WHERE c.asked AND c.answered_at IS NULL AND c.recorded_at < m.moment - {late}
            AND c.object_kind IN ({KINDS_IN_SQL}) AND {unknown.format("c")}
        UNION ALL
        SELECT v.* FROM ({overdue_rows(_MOMENTS, late)}) v WHERE {unknown.format("v")}
    ) l
    GROUP BY l.platform_no, l.kind, l.object_no ORDER BY 4, 1, 2, 3 LIMIT {at_most}
    """  # noqa: S608 - our own words


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectKey:
    """Names one object; it may not stand in the books yet."""

    platform_no: str
    kind: str
    object_no: str

    def __str__(self) -> str:
        return f"{self.kind} {self.object_no} of {self.platform_no}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """An object that makes no progress `since` a moment of the books' time."""

    key: ObjectKey
    since: datetime
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """An object with its status, None where it is not opened yet, and whether something is still to happen to it.

    Args:
        is_asked: something was said to it that is not answered.
    """

    key: ObjectKey
    status: str | None
    has_ended: bool
    is_asked: bool


async def late_objects(reader: Reader, platform_no: str | None = None, *, limit: int) -> list[Late]:
    """What is late by a minute, the longest first.

    Raises:
        LedgerUnavailable: no answer.
    """
    rows = await reader.rows(late_rows(LATE_AFTER, at_most=limit), platform_no)
    return [
        Late(
            key=ObjectKey(platform_no=row["platform_no"], kind=row["kind"], object_no=row["object_no"]),
            since=row["since"],
            why=row["why"],
        )
        for row in rows
    ]


def _going_on(kind: str) -> str:
    """Statement for what of a kind has not ended; one platform is $3, NULL for all of them."""
    by_deadlines = f"""
        SELECT DISTINCT platform_no, object_no FROM deadline
        WHERE object_kind = '{kind}' AND ($3::text IS NULL OR platform_no = $3)
    """  # noqa: S608 - our own words
    if kind in ENDED_BY_DEADLINES:
        return by_deadlines
    by_status = f"""
        SELECT platform_no, object_no FROM business_object
        WHERE {is_unfinished(kind)} AND ($3::text IS NULL OR platform_no = $3)
    """  # noqa: S608 - our own words
    if kind in TOLD_OF:
        return f"{by_status} UNION {by_deadlines} AND {_TEXT_IS_DUE}"
    return f"{by_status} UNION {_WATCHED}" if kind == "pay_in" else by_status


async def unfinished_objects(
    reader: Reader,
    kinds: Collection[str],
    *,
    platform_no: str | None = None,
    after: ObjectKey | None = None,
    limit: int,
) -> list[ObjectKey]:
    """What has not ended, in the order of kind, platform and number; fewer than `limit` means that this was the last.

    Args:
        kinds: those to look for; others are unknown here.
        platform_no: one platform, or None for all.
        after: the last object of the page before.

    Raises:
        LedgerUnavailable: no answer.
    """
    found: list[ObjectKey] = []
    for kind in sorted(set(kinds) & {*FINAL_STATUSES, *ENDED_BY_DEADLINES}):
        if after is not None and kind < after.kind:
            continue
        begins = after if after is not None and after.kind == kind else None
        rows = await reader.rows(
            f"""
            SELECT f.* FROM ({_going_on(kind)}) f
            WHERE (f.platform_no, f.object_no) > ($1, $2) ORDER BY f.platform_no, f.object_no LIMIT $4
            """,  # noqa: S608 - our own words
            begins.platform_no if begins else "",
            begins.object_no if begins else "",
            platform_no,
            limit - len(found),
        )
        found += [ObjectKey(platform_no=row["platform_no"], kind=kind, object_no=row["object_no"]) for row in rows]
        if len(found) == limit:
            break
    return found


async def objects_numbered(reader: Reader, object_no: str, platform_no: str | None = None) -> list[Named]:
    """Every object of this number that a process brings to an end, opened or asked to be.

    Raises:
        LedgerUnavailable: no answer.
    """
    rows = await reader.rows(
        f"""
        SELECT f.* FROM (
            SELECT p.platform_no, k.kind, o.status, NOT ({goes_on_in_sql("o.")}) AS has_ended, EXISTS (
                SELECT FROM consent c WHERE c.object_no = $1 AND c.object_kind = k.kind
                    AND c.platform_no = p.platform_no AND c.asked AND c.answered_at IS NULL) AS is_asked
            FROM platform_day p CROSS JOIN unnest(ARRAY[{KINDS_IN_SQL}]) AS k(kind)
            LEFT JOIN business_object o ON o.platform_no = p.platform_no AND o.kind = k.kind AND o.object_no = $1
            WHERE $2::text IS NULL OR p.platform_no = $2) f
        WHERE f.status IS NOT NULL OR f.is_asked
        ORDER BY f.platform_no, f.kind
        """,  # noqa: S608 - our own words
        object_no,
        platform_no,
    )
    return [
        Named(
            key=ObjectKey(platform_no=row["platform_no"], kind=row["kind"], object_no=object_no),
            status=row["status"],
            has_ended=row["status"] is not None and row["has_ended"],
            is_asked=row["is_asked"],
        )
        for row in rows
    ] + await _of_members_numbered(reader, object_no, platform_no)


async def _of_members_numbered(reader: Reader, object_no: str, platform_no: str | None) -> list[Named]:
    """What looks after members under this number, a closing by its member's too."""
    rows = await reader.rows(
        f"""
        SELECT f.* FROM (
            SELECT DISTINCT d.platform_no, d.object_kind AS kind, d.object_no, NULL AS status FROM deadline d
            WHERE d.object_kind IN ({BY_DEADLINES_IN_SQL}) AND (
                d.object_no = $1 OR d.object_kind = 'member_closing' AND split_part(d.object_no, '/', 1) = $1)
            UNION ALL
            SELECT o.platform_no, o.kind, o.object_no, o.status FROM business_object o
            WHERE o.kind IN ({BY_DEADLINES_IN_SQL}) AND o.object_no = $1 AND NOT EXISTS (
                SELECT FROM deadline d WHERE d.platform_no = o.platform_no AND d.object_kind = o.kind
                    AND d.object_no = o.object_no)) f
        WHERE $2::text IS NULL OR f.platform_no = $2
        ORDER BY f.platform_no, f.kind, f.object_no
        """,  # noqa: S608 - our own words
        object_no,
        platform_no,
    )
    return [
        Named(
            key=ObjectKey(platform_no=row["platform_no"], kind=row["kind"], object_no=row["object_no"]),
            status=row["status"],
            has_ended=row["status"] is not None,
            is_asked=False,
        )
        for row in rows
    ]
