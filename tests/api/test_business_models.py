"""Both business models from payment to payout, each with what it forbids."""

import asyncpg

from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.platforms.config import PlatformConfig
from escrow.ledger.bank_lines import BankLines
from escrow.ledger.engine import Recorder
from escrow.ledger.invariants import check_invariants
from escrow.ledger.personal_data import PersonalDataBox
from escrow.stack.up import Stack
from tests.api.platforms import PRICE_FEN, Platform, PlatformMaker, created, order_body
from tests.pages.member import withdraw_own
from tests.waiting import until

SELF_OPERATED = {"business_model": "self_operated", "commission_basis_points": 0, "top_up_settlement": "T+0"}
DEPOSIT_FEN = PRICE_FEN * 30 // 100
COMMISSION_FEN = DEPOSIT_FEN * 5 // 100


async def balance_fen(platform: Platform, sub_account_no: str) -> int:
    """What is on a functional sub-account of the platform."""
    functional = (await platform.get("/platform/sub-accounts")).json()["functional"]
    (found_fen,) = [item["balance_fen"] for item in functional if item["sub_account_no"] == sub_account_no]
    return int(found_fen)


async def broken(stack: Stack, platform: Platform) -> set[str]:
    """Names of the invariants that the platform's books break."""
    connection = await asyncpg.connect(stack.postgres.dsn)
    try:
        return {violation.invariant for violation in await check_invariants(connection, platform.number)}
    finally:
        await connection.close()


async def unposted_settlements(stack: Stack, platform: Platform) -> list[str]:
    """Serial numbers of settlement lines that are kept and not booked."""
    box = PersonalDataBox.from_hex(
        data_key=stack.environment["ESCROW_DATA_KEY"], index_key=stack.environment["ESCROW_INDEX_KEY"]
    )
    recorder = Recorder(stack.postgres.dsn)
    try:
        lines = await BankLines(recorder, box).unposted(platform.number, ["settlement"])
    finally:
        await recorder.close()
    return [line.bank_serial_no for line in lines]


async def test_on_a_marketplace_money_comes_through_the_banks_transit_account_and_the_platform_gets_commission_only(
    platform: Platform, stack: Stack
) -> None:
    card = await platform.open_owner()
    await platform.open_contractor()
    await platform.open_order()
    paying = {"request_no": "R-1", "by": "O-1", "method": "acquiring"}
    await created(platform.post("/orders/D-1001/direct-payments", **paying))
    await platform.bank.pay(f"{platform.number}/D-1001:pay:R-1:collect:1")

    async def paid() -> bool:
        return bool((await platform.get("/orders/D-1001")).json()["status"] == "awaiting_start")

    await until(paid, "it is paid")
    assert await balance_fen(platform, "top_up_in_transit") == PRICE_FEN  # on the bank's transit account
    await platform.bank.settle_now(CollectionMethod.ACQUIRING)

    async def settled() -> bool:
        return await balance_fen(platform, "top_up_in_transit") == 0

    await until(settled, "the channel's money is settled")
    await platform.command("D-1001/start", "R-start", "C-1")
    assert await balance_fen(platform, "own") == 0
    # The channel's fee of 0.2 % is owed, or made good already where the commission came before that was tried.
    assert await balance_fen(platform, "fees") in (COMMISSION_FEN, COMMISSION_FEN - PRICE_FEN // 500)
    assert (await platform.balances("C-1"))["available_fen"] == DEPOSIT_FEN - COMMISSION_FEN

    for path, body in (
        ("/orders", order_body("D-2", contractor_no="platform")),
        ("/orders", order_body("D-3", contractor_no=None)),
        ("/payments", {"payment_no": "P-1", "payer_no": "O-1", "amount_fen": 1}),
    ):
        refused = await platform.post(path, **body)
        assert refused.json()["code"] in ("business_model_forbids", "member_unknown"), path
        assert refused.status_code in (409, 422)
    line = await platform.bank.plant_line(
        custody_account_no=platform.custody_account_no, amount_fen=PRICE_FEN, kind="SETTLEMENT", request_no="S-1"
    )
    await platform.top_up(card, 100)
    assert await unposted_settlements(stack, platform) == [line.bank_serial_no]
    (waits,) = (await platform.get("/attention")).json()["waiting"]
    assert (waits["kind"], waits["object_no"], waits["held_fen"]) == ("bank_line", line.bank_serial_no, PRICE_FEN)
    assert "did not pass the bank's transit account" in waits["reason"]
    assert await balance_fen(platform, "own") == 0
    assert await broken(stack, platform) == set()


async def test_a_self_operated_platform_is_paid_in_full_and_withdraws_to_its_own_verified_account(
    platforms: PlatformMaker, stack: Stack
) -> None:
    platform = await platforms.open(PlatformConfig.model_validate(SELF_OPERATED))
    card = await platform.open_owner()
    await platform.open_contractor()
    await platform.top_up(card, PRICE_FEN)
    await platform.open_order(contractor_no=None)
    await platform.command("D-1001/pay", "R-1", "O-1")
    await platform.command("D-1001/start", "R-2", "platform")
    assert (await balance_fen(platform, "own"), await balance_fen(platform, "fees")) == (DEPOSIT_FEN, 0)

    sold_by_another = await platform.post("/orders", **order_body("D-2"))
    assert (sold_by_another.status_code, sold_by_another.json()["code"]) == (409, "business_model_forbids")
    with_commission = {"request_no": "CF-1", "config": {**SELF_OPERATED, "commission_basis_points": 500}}
    answer = await platform.http.put("/v1/platform/configuration", json=with_commission)
    assert (answer.status_code, "commission_basis_points" in answer.text) == (422, True)

    by_itself = await platform.post("/orders", **order_body("D-3", contractor_no=None, withdraw_automatically=True))
    assert (by_itself.status_code, by_itself.json()["code"]) == (409, "business_model_forbids")
    await withdraw_own(platform, DEPOSIT_FEN)

    async def arrived() -> bool:
        return bool((await platform.get("/withdrawals/W-1")).json()["status"] == "paid")

    await until(arrived, "the money arrives")
    assert (await platform.get("/withdrawals/W-1")).json()["account_id"] == "OWN-1"
    assert await broken(stack, platform) == set()
