"""Limits of a day: what each payment or withdrawal uses is kept, one member's uses one at a time."""

from collections.abc import Mapping

from sqlalchemy.dialects.postgresql import insert

from escrow.domain.platforms.rules import require_limit
from escrow.domain.time.calendars import SHANGHAI
from escrow.ledger.books_time import books_now_within
from escrow.ledger.engine import Reader
from escrow.ledger.transactions import one_at_a_time, run, transaction
from escrow.registry.tables import LimitUseRow

#: What ended so used nothing of the limit.
_CAME_TO_NOTHING = ["closed_unpaid", "refused", "failed"]


async def use_of_day(
    reader: Reader,
    *,
    platform_no: str,
    member_no: str,
    kind: str,
    object_no: str,
    amount_fen: int,
    limit_fen: int | None,
    name: str,
) -> None:
    """Count one amount against a member's limit of a day, as `uses_of_day` counts many.

    Raises:
        Refused: `limit_exceeded`; nothing is counted.
    """
    await uses_of_day(
        reader,
        platform_no=platform_no,
        member_no=member_no,
        kind=kind,
        amounts_fen={object_no: amount_fen},
        limit_fen=limit_fen,
        name=name,
    )


async def uses_of_day(
    reader: Reader,
    *,
    platform_no: str,
    member_no: str,
    kind: str,
    amounts_fen: Mapping[str, int],
    limit_fen: int | None,
    name: str,
) -> None:
    """Count amounts against a member's limit of the day in Shanghai, all or none; an object counts once, the last time.

    Args:
        kind: kind of the objects that use it: `order`, `withdrawal` or another kind of payment.
        amounts_fen: by the objects' numbers.
        limit_fen: the limit in fen, None for none: then nothing is kept.
        name: field of the configuration that sets it, e.g. `limits.withdrawals_per_day_fen`.

    Raises:
        Refused: `limit_exceeded`; nothing is counted.
    """
    if limit_fen is None:
        return
    async with transaction(reader) as session:
        await one_at_a_time(session, f"limit/{platform_no}/{member_no}/{kind}")
        day = (await books_now_within(session, platform_no)).astimezone(SHANGHAI).date()
        uses = [
            LimitUseRow(
                platform_no=platform_no,
                kind=kind,
                object_no=object_no,
                member_no=member_no,
                day=day,
                amount_fen=amount_fen,
            )
            for object_no, amount_fen in amounts_fen.items()
        ]
        await session.exec(
            insert(LimitUseRow)
            .values([use.model_dump() for use in uses])
            .on_conflict_do_update(index_elements=["platform_no", "kind", "object_no"], set_={"day": day})
        )
        used = await run(
            session,
            "SELECT coalesce(sum(u.amount_fen), 0)::numeric AS fen FROM limit_use u LEFT JOIN business_object b "
            "ON b.platform_no = u.platform_no AND b.kind = u.kind AND b.object_no = u.object_no "
            "WHERE u.platform_no = :platform_no AND u.member_no = :member_no AND u.kind = :kind AND u.day = :day "
            "AND coalesce(b.status, '') <> ALL(:nothing)",
            platform_no=platform_no,
            member_no=member_no,
            kind=kind,
            day=day,
            nothing=_CAME_TO_NOTHING,
        )
        require_limit(limit_fen, int(used[0].fen), name=name)
