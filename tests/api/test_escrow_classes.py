"""What a member has in escrow is told by class, over all of its orders, and adds up."""

import asyncpg

from escrow.ledger.invariants import check_invariants
from escrow.stack.up import Stack
from tests.api.platforms import PRICE_FEN, Platform, created
from tests.waiting import until

_PLAN = """
EXPLAIN (FORMAT JSON) SELECT a.purpose, a.ref, a.balance_fen, o.body -> 'funding' AS funding FROM account a
LEFT JOIN business_object o ON a.purpose = 'escrow'
AND o.platform_no = a.platform_no AND o.kind = 'order' AND o.object_no = a.ref
WHERE a.platform_no = $1 AND a.member_no = $2 AND a.balance_fen <> 0
"""


async def classes(platform: Platform, member_no: str = "O-1") -> tuple[int, dict[str, int]]:
    """The member's escrow, and its classes."""
    balances = await platform.balances(member_no)
    by_class: dict[str, int] = balances["in_escrow_fen_by_class"]
    assert sum(by_class.values()) == balances["in_escrow_fen"]
    assert balances["frozen_fen"] == 0
    return balances["in_escrow_fen"], by_class


async def test_escrow_is_told_by_where_it_came_from_while_it_is_released_and_refunded(
    platform: Platform, stack: Stack
) -> None:
    await platform.paid_order()
    assert await classes(platform) == (PRICE_FEN, _told(balance=PRICE_FEN))
    await platform.open_order("D-2001")
    paying = {"request_no": "R-1", "by": "O-1", "method": "qr_alipay"}
    await created(platform.post("/orders/D-2001/direct-payments", **paying))
    await platform.bank.pay(f"{platform.number}/D-2001:pay:R-1:collect:1")

    async def paid() -> bool:
        return bool((await platform.get("/orders/D-2001")).json()["status"] == "awaiting_start")

    await until(paid, "it is paid")
    assert await classes(platform) == (2 * PRICE_FEN, _told(balance=PRICE_FEN, direct=PRICE_FEN))

    deposit_fen = PRICE_FEN * 30 // 100
    await platform.command("D-2001/start", "R-start", "C-1")
    await platform.command("D-1001/cancel", "R-cancel", "C-1")
    rest_fen = PRICE_FEN - deposit_fen
    assert await classes(platform) == (rest_fen, _told(direct=rest_fen))
    assert await classes(platform, "C-1") == (0, _told())
    connection = await asyncpg.connect(stack.postgres.dsn)
    try:
        assert await check_invariants(connection, platform.number) == []
    finally:
        await connection.close()


async def test_the_books_are_asked_by_index(platform: Platform, stack: Stack) -> None:
    await platform.paid_order()
    connection = await asyncpg.connect(stack.postgres.dsn)
    try:
        await connection.execute("SET enable_seqscan = off")
        plan = await connection.fetchval(_PLAN, platform.number, "O-1")
    finally:
        await connection.close()
    assert "Seq Scan" not in plan
    assert "account_key" in plan
    assert "business_object_pkey" in plan


def _told(*, balance: int = 0, direct: int = 0) -> dict[str, int]:
    return {"paid_from_balance": balance, "paid_directly": direct, "subsidy": 0}
