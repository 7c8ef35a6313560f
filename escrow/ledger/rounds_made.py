"""What rounds leave in the books: how often an object was found late, how far they looked, when they were last made."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from escrow.domain.endings import DUE_BY_OURSELVES, ENDED_BY_DEADLINES
from escrow.domain.platforms.sms_texts import TEXT_CLOCK
from escrow.ledger.engine import Reader, Recorder
from escrow.ledger.progress import (
    BY_DEADLINES_IN_SQL,
    KINDS_IN_SQL,
    LATE_AFTER,
    ObjectKey,
    goes_on_in_sql,
    overdue_rows,
    unfinished_objects,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRound:
    """When rounds were last made, by the database's own clock, and after which object the sweep goes on; None: begins.

    `unfinished` is whether there is anything to look after; `seconds_ago` is None when no round was ever made.
    """

    seconds_ago: float | None
    unfinished: bool


async def count_late(recorder: Recorder, key: ObjectKey, *, round_begun_at: datetime) -> int:
    """In how many rounds, one after another, this object was found late, this one included.

    Args:
        round_begun_at: tells rounds apart, timezone-aware: one that is made twice, because its worker was killed in the
            middle, counts once. Whether it comes to its end does not matter.
    """
    row = await recorder.write(
        """
        INSERT INTO late_object AS l (platform_no, object_kind, object_no, rounds, round_begun_at)
        VALUES ($1, $2, $3, 1, $4)
        ON CONFLICT (platform_no, object_kind, object_no) DO UPDATE SET
            rounds = l.rounds + (l.round_begun_at <> excluded.round_begun_at)::integer,
            round_begun_at = excluded.round_begun_at
        RETURNING rounds
        """,
        key.platform_no,
        key.kind,
        key.object_no,
        round_begun_at,
    )
    assert row is not None  # noqa: S101 - it was inserted or updated
    rounds: int = row["rounds"]
    return rounds


_DUE_BY_OURSELVES = ", ".join(f"'{kind}'" for kind in (*DUE_BY_OURSELVES, *ENDED_BY_DEADLINES))
_OVERDUE = overdue_rows("SELECT platform_no, books_now(platform_no) AS moment FROM platform_day", "$1::interval")
#: Of the row `l` of a table of objects: neither has a deadline passed, nor a channel's day, nor is anything unanswered.
_GOES_ON = f"""
    NOT EXISTS (SELECT FROM deadline d WHERE d.platform_no = l.platform_no AND d.object_kind = l.object_kind
        AND (d.object_kind IN ({_DUE_BY_OURSELVES}) OR d.name = '{TEXT_CLOCK}') AND d.object_no = l.object_no
        AND d.due_at < books_now(l.platform_no) - $1::interval)
    AND NOT EXISTS (SELECT FROM consent c WHERE c.object_no = l.object_no AND c.object_kind = l.object_kind
        AND c.platform_no = l.platform_no AND c.asked AND c.answered_at IS NULL)
    AND NOT EXISTS (SELECT FROM ({_OVERDUE}) v WHERE v.platform_no = l.platform_no AND v.object_kind = l.object_kind
        AND v.object_no = l.object_no)
"""  # noqa: S608 - our own words
_HAS_ENDED = f"""
    (l.object_kind IN ({BY_DEADLINES_IN_SQL}) AND NOT EXISTS (SELECT FROM deadline d WHERE d.platform_no = l.platform_no
        AND d.object_kind = l.object_kind AND d.object_no = l.object_no)
    OR EXISTS (SELECT FROM business_object o WHERE o.platform_no = l.platform_no AND o.kind = l.object_kind
        AND o.object_no = l.object_no AND o.kind IN ({KINDS_IN_SQL}) AND NOT ({goes_on_in_sql("o.")})))
"""  # noqa: S608 - our own words


async def forget_what_goes_on(recorder: Recorder) -> None:
    """Whatever was late and is not any more needs neither counting nor, for that, a person; nor does what has ended.

    Raises:
        LedgerUnavailable: no answer.
    """
    await recorder.write(f"DELETE FROM late_object l WHERE {_GOES_ON}", LATE_AFTER)  # noqa: S608 - our own words
    await recorder.write(
        f"DELETE FROM attention l WHERE {_GOES_ON} AND (l.is_late OR {_HAS_ENDED})",  # noqa: S608 - our own words
        LATE_AFTER,
    )


async def swept_to(reader: Reader) -> ObjectKey | None:
    """The object up to which the last round has looked through what is unfinished, None to begin anew."""
    row = await reader.row("SELECT swept_to FROM last_round")
    if row is None or not row["swept_to"]:
        return None
    kind, platform_no, object_no = row["swept_to"]
    return ObjectKey(platform_no=platform_no, kind=kind, object_no=object_no)


async def round_was_made(recorder: Recorder, swept: ObjectKey | None) -> None:
    """Write down that a round was made now, and as far as which object it has looked, None for all of them.

    Raises:
        LedgerUnavailable: no answer.
    """
    await recorder.write(
        "INSERT INTO last_round (made_at, swept_to) VALUES (now(), $1)"
        " ON CONFLICT (is_last) DO UPDATE SET made_at = excluded.made_at, swept_to = excluded.swept_to",
        [] if swept is None else [swept.kind, swept.platform_no, swept.object_no],
    )


async def last_round(reader: Reader, kinds: Collection[str]) -> LastRound:
    """How long ago the last round was made, and whether there is anything unfinished of the kinds to go round for."""
    row = await reader.row("SELECT extract(epoch FROM now() - made_at)::float8 AS seconds FROM last_round")
    found = await unfinished_objects(reader, kinds, limit=1)
    return LastRound(seconds_ago=None if row is None else row["seconds"], unfinished=bool(found))
