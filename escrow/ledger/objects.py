"""Business objects (orders, withdrawals, members …) as they stand, and the events that led there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, func, tuple_
from sqlalchemy import cast as sql_cast
from sqlalchemy.types import Text
from sqlmodel import col, select

from escrow.domain.decisions import Stored
from escrow.domain.errors import Refused
from escrow.ledger.engine import Reader
from escrow.ledger.tables import BusinessObjectRow, EventRow


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessObject:
    """State of one object; `sequence_no` is the number of its last event, `body` holds no personal data."""

    platform_no: str
    kind: str
    object_no: str
    sequence_no: int
    status: str
    body: dict[str, Any]
    created_at: datetime
    updated_at: datetime

    def as_stored(self) -> Stored:
        """The same for the rules that decide about it."""
        return Stored(
            platform_no=self.platform_no,
            object_no=self.object_no,
            version=self.sequence_no,
            status=self.status,
            body=self.body,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change of one object: `body` is the change, `sequence_no` runs per object without a gap.

    `cursor` continues the platform's feed after this event.
    """

    platform_no: str
    kind: str
    object_no: str
    sequence_no: int
    event_type: str
    status: str
    body: dict[str, Any]
    occurred_at: datetime
    recorded_at: datetime
    request_no: str
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedStep:
    """One change of an object in short: when it happened, under which request number, and some of its facts.

    `recorded_at` is the database's own time; `moved_money`: whether its transaction posted an entry.
    """

    request_no: str
    event_type: str
    occurred_at: datetime
    recorded_at: datetime
    moved_money: bool
    facts: dict[str, Any]


async def get_object(reader: Reader, platform_no: str, kind: str, object_no: str) -> BusinessObject | None:
    """One object, None when the platform has none of this kind and number."""
    row = await reader.row(
        "SELECT platform_no, kind, object_no, sequence_no, status, body, created_at, updated_at FROM business_object"
        " WHERE platform_no = $1 AND kind = $2 AND object_no = $3",
        platform_no,
        kind,
        object_no,
    )
    return None if row is None else BusinessObject(**row)


async def known_object(reader: Reader, platform_no: str, kind: str, object_no: str) -> BusinessObject:
    """One object that must be there.

    Raises:
        Refused: `not_found`.
    """
    found = await get_object(reader, platform_no, kind, object_no)
    if found is None:
        raise Refused("not_found", f"There is no {kind.replace('_', ' ')} {object_no}.")
    return found


async def list_objects(
    reader: Reader, platform_no: str, kind: str, *, status: str | None = None, after: str = "", limit: int = 50
) -> list[BusinessObject]:
    """Objects with numbers above `after`, ascending, optionally of one status."""
    query = select(BusinessObjectRow).where(
        BusinessObjectRow.platform_no == platform_no,
        BusinessObjectRow.kind == kind,
        BusinessObjectRow.object_no > after,
    )
    if status is not None:
        query = query.where(BusinessObjectRow.status == status)
    async with reader.session() as session:
        rows = (await session.exec(query.order_by(col(BusinessObjectRow.object_no)).limit(limit))).all()
    return [_object(row) for row in rows]


async def object_events(
    reader: Reader, platform_no: str, kind: str, object_no: str, *, after_sequence_no: int = 0, limit: int = 100
) -> list[Event]:
    """Events of one object after a sequence number, ascending."""
    query = (
        select(EventRow)
        .where(
            EventRow.platform_no == platform_no,
            EventRow.kind == kind,
            EventRow.object_no == object_no,
            EventRow.sequence_no > after_sequence_no,
        )
        .order_by(col(EventRow.sequence_no))
        .limit(limit)
    )
    async with reader.session() as session:
        return [_event(row) for row in (await session.exec(query)).all()]


async def recorded_steps(
    reader: Reader, platform_no: str, kind: str, object_no: str, *, facts: Sequence[str]
) -> list[RecordedStep]:
    """All changes of one object, the first one first.

    Args:
        facts: top-level keys of each change to be read along; None where the change says nothing of it.
    """
    rows = await reader.rows(
        "SELECT request_no, event_type, occurred_at, event.recorded_at, entry_id IS NOT NULL AS moved_money,"
        " (SELECT coalesce(jsonb_object_agg(key, body -> key), '{}') FROM unnest($4::text[]) AS key) AS facts"
        " FROM event JOIN request USING (platform_no, request_no)"
        " WHERE platform_no = $1 AND kind = $2 AND object_no = $3 ORDER BY sequence_no",
        platform_no,
        kind,
        object_no,
        list(facts),
    )
    return [RecordedStep(**row) for row in rows]


async def event_feed(reader: Reader, platform_no: str, *, after: str = "", limit: int = 100) -> list[Event]:
    """All events of a platform in an order that never changes; none is passed over, however late it commits.

    Args:
        after: cursor of the last event already read.

    Raises:
        ValueError: `after` is no cursor.
    """
    transaction, _, number = (after or "0.0").partition(".")
    # Events of transactions still running are not there yet; those after the oldest of them must wait for it.
    oldest_running = sql_cast(sql_cast(func.pg_snapshot_xmin(func.pg_current_snapshot()), Text), BigInteger)
    query = (
        select(EventRow)
        .where(
            EventRow.platform_no == platform_no,
            EventRow.recorded_tx < oldest_running,
            tuple_(col(EventRow.recorded_tx), col(EventRow.id)) > tuple_(int(transaction), int(number)),
        )
        .order_by(col(EventRow.recorded_tx), col(EventRow.id))
        .limit(limit)
    )
    async with reader.session() as session:
        return [_event(row) for row in (await session.exec(query)).all()]


def _object(row: BusinessObjectRow) -> BusinessObject:
    return BusinessObject(
        platform_no=row.platform_no,
        kind=row.kind,
        object_no=row.object_no,
        sequence_no=row.sequence_no,
        status=row.status,
        body=row.body,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _event(row: EventRow) -> Event:
    return Event(
        platform_no=row.platform_no,
        kind=row.kind,
        object_no=row.object_no,
        sequence_no=row.sequence_no,
        event_type=row.event_type,
        status=row.status,
        body=row.body,
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        request_no=row.request_no,
        cursor=f"{row.recorded_tx}.{row.id}",
    )
