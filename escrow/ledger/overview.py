"""The few numbers that operators keep an eye on."""

from dataclasses import dataclass

from sqlalchemy import text

from escrow.ledger.attention import waiting_by_platform
from escrow.ledger.engine import Reader

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
