"""What came true and can come true once only, with the request that made it so."""

from collections.abc import Sequence

from escrow.ledger.engine import Reader


async def claimed(reader: Reader, platform_no: str, names: Sequence[str]) -> dict[str, str]:
    """Request numbers by name, of those names that are claimed."""
    rows = await reader.rows(
        "SELECT name, request_no FROM claim WHERE platform_no = $1 AND name = ANY($2::text[])", platform_no, list(names)
    )
    return {row["name"]: row["request_no"] for row in rows}
