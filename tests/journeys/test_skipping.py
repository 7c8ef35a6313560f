"""Time is let pass for one platform of a whole stack: what falls due happens, and all that waits stays usable."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg

from escrow.domain.platforms.config import PlatformConfig, Settlement
from escrow.domain.transfers.moves import TransferKind
from escrow.sandbox.skipping import KINDS
from escrow.stack.up import Stack
from tests.api.platforms import PRICE_FEN, Platform, PlatformMaker, created
from tests.api.test_top_ups import opened
from tests.beginning import beginning
from tests.waiting import until
from workflows import messages
from workflows.messages import account_verification_workflow_id, mandate_workflow_id

_LARGE_FEN = 200_000_000


async def skip(platform: Platform, **how: Any) -> datetime:
    answer = await platform.post("/sandbox/skip", request_no=f"skip-{uuid4().hex}", **how)
    assert answer.status_code == 200, answer.text
    return datetime.fromisoformat(answer.json()["now"])


async def status_of(platform: Platform, path: str) -> str:
    return str((await platform.get(path)).json()["status"])


async def test_a_withdrawal_that_waits_for_a_rail_is_brought_to_its_end(platforms: PlatformMaker) -> None:
    # After closing time on a Friday no rail carries two million; the large-value system opens on Sunday evening.
    platform = await platforms.open(begins_at=beginning("2026-06-05T18:14"))
    card = await platform.open_owner()
    await platform.open_contractor()
    await platform.top_up(card, _LARGE_FEN)
    paid_over = {"payment_no": "P-1", "payer_no": "O-1", "payee_no": "C-1", "amount_fen": _LARGE_FEN}
    await created(platform.post("/payments", **paid_over))
    await created(platform.post("/withdrawals", withdrawal_no="W-1", member_no="C-1", principal_fen=_LARGE_FEN))

    async def queued() -> bool:
        return await status_of(platform, "/withdrawals/W-1") == "queued"

    await until(queued, "no rail is open")
    now = await skip(platform, withdrawal_no="W-1")
    assert (now.strftime("%A"), now.hour, now.minute) == ("Sunday", 20, 30)

    async def paid() -> bool:
        return await status_of(platform, "/withdrawals/W-1") == "paid"

    await until(paid, "the withdrawal is paid")


async def test_after_a_skip_a_top_up_is_opened_and_paid_as_before(platform: Platform) -> None:
    await platform.open_owner()
    await skip(platform, days=1)
    top_up = await opened(platform)
    assert top_up["status"] == "awaiting_payer"
    await platform.bank.pay(f"{platform.number}/T-1:collect:1")

    async def credited() -> bool:
        return int((await platform.balances("O-1"))["available_fen"]) == 10_000

    await until(credited, "the top-up is credited")


async def test_a_top_up_that_nobody_pays_expires_in_skipped_time(platform: Platform) -> None:
    await platform.open_owner()
    await opened(platform)
    await skip(platform, hours=2)

    async def closed() -> bool:
        return await status_of(platform, "/top-ups/T-1") == "closed"

    await until(closed, "the unpaid top-up is closed")


async def test_silence_counts_for_every_order_of_the_platform_and_for_none_of_another(
    platform: Platform, platforms: PlatformMaker
) -> None:
    other = await platforms.open()
    for each in (platform, other):
        await each.paid_order("D-1")
    card = await platform.open_owner("O-2")
    await platform.top_up(card, PRICE_FEN, "O-2")
    await platform.open_order("D-2", owner_no="O-2")
    await platform.command("D-2/pay", "D-2-pay", "O-2")
    for each, order_no in ((platform, "D-1"), (platform, "D-2"), (other, "D-1")):
        await each.command(f"{order_no}/start", f"{order_no}-start", "C-1")
        await each.command(f"{order_no}/milestones/2/complete", f"{order_no}-2", "C-1")

    await skip(platform, days=7, minutes=1)

    async def stage(each: Platform, order_no: str) -> str:
        return str((await each.get(f"/orders/{order_no}")).json()["milestones"][1]["status"])

    assert [await stage(platform, order_no) for order_no in ("D-1", "D-2")] == ["released", "released"]
    assert await stage(other, "D-1") == "in_inspection"
    reminded = [text for text in (await platform.get("/sandbox/sms")).json()["items"] if "已报完工" in text["text"]]
    assert len(reminded) == 2, "each owner was reminded once"


async def test_an_order_is_skipped_from_one_of_its_moments_to_the_next(platform: Platform) -> None:
    await platform.paid_order("D-1", withdraw_automatically=True)
    await platform.command("D-1/start", "D-1-start", "C-1")
    for milestone in (2, 3):
        await platform.command(f"D-1/milestones/{milestone}/complete", f"D-1-{milestone}", "C-1")
        await skip(platform, order_no="D-1")
        accepted_at = await skip(platform, order_no="D-1")
    # After the reminder and the silence of each stage only the warranty is left.
    now = await skip(platform, order_no="D-1")
    order = (await platform.get("/orders/D-1")).json()
    assert order["status"] == "settled", order
    assert timedelta(days=90) <= now - accepted_at + timedelta(minutes=1) < timedelta(days=90, minutes=5)


async def test_pending_money_matures_on_the_way(platforms: PlatformMaker) -> None:
    platform = await platforms.open(PlatformConfig(top_up_settlement=Settlement.T_PLUS_1))
    card = await platform.open_owner()
    await platform.top_up(card, 5_000)
    assert (await platform.balances("O-1"))["withdrawable_fen"] == 0
    await skip(platform, days=1)
    assert (await platform.balances("O-1"))["withdrawable_fen"] == 5_000


async def test_one_skip_at_a_time_and_none_beyond_the_known_calendars(platform: Platform, stack: Stack) -> None:
    connection = await asyncpg.connect(stack.postgres.dsn)
    try:
        await connection.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", f"skip/{platform.number}")
        answer = await platform.post("/sandbox/skip", request_no="S-1", days=1)
        assert (answer.status_code, answer.json()["code"]) == (503, "skip_under_way")
    finally:
        await connection.close()
    assert (await platform.post("/sandbox/skip", request_no="S-1", days=1)).status_code == 200
    far = await platform.post("/sandbox/skip", request_no="S-2", until="2099-01-01T00:00:00+08:00")
    assert far.json()["code"] == "calendar_unknown"


def test_every_workflow_of_a_platform_is_skipped() -> None:
    """All but the watch over the custody account, which looks every minute whatever the time."""
    ids = [
        messages.order_workflow_id("HOME", "1"),
        messages.withdrawal_workflow_id("HOME", "1"),
        messages.direct_refund_workflow_id("HOME", "1"),
        messages.identity_check_workflow_id("HOME", "1"),
        messages.member_closing_workflow_id("HOME", "1", "1"),
        messages.batch_payment_workflow_id("HOME", "1"),
        mandate_workflow_id("HOME", "1"),
        messages.collection_workflow_id("HOME", "1"),
        account_verification_workflow_id("HOME", "1"),
        *(messages.transfer_workflow_id("HOME", kind, "1") for kind in TransferKind),
    ]
    assert sorted(each.split("/")[0] for each in ids) == sorted(KINDS)
    assert all(each.split("/")[1] == "HOME" for each in ids)
