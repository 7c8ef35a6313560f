"""Orders over HTTP, on the whole stack."""

from tests.api.platforms import PRICE_FEN, Platform, eventually


async def test_an_order_goes_from_contract_to_release_and_to_the_bank(platform: Platform) -> None:
    await platform.paid_order(withdraw_automatically=True)
    assert (await platform.balances("O-1"))["in_escrow_fen_by_order"] == {"D-1001": PRICE_FEN}
    started = await platform.command("D-1001/start", "R-start", "C-1")
    assert started["result"]["released_fen"] == 5_580_000 * 95 // 100
    await platform.command("D-1001/milestones/2/complete", "R-2c", "C-1")
    accepted = await platform.command("D-1001/milestones/2/accept", "R-2a", "O-1")
    assert accepted["order"]["status"] == "in_progress"
    assert accepted["order"]["held_fen"] == PRICE_FEN * 40 // 100

    async def both_paid() -> bool:
        found = (await platform.get("/withdrawals")).json()["withdrawals"]
        return [withdrawal["status"] for withdrawal in found] == ["paid", "paid"]

    await eventually(both_paid)
    view = (await platform.get("/platform")).json()
    assert sum(view["balances_fen"].values()) == 0
