"""Top-ups over HTTP: the payer gets something to do, the bank's own notices do the rest."""

import pytest

from escrow.domain.collections.terms import PAYER_ACTS_ELSEWHERE
from escrow.domain.platforms.config import PlatformConfig
from tests.api.platforms import Platform, PlatformMaker, created
from tests.waiting import until


async def opened(platform: Platform, top_up_no: str = "T-1", **changes: object) -> dict[str, object]:
    """A top-up of a hundred yuan that waits for its payer."""
    body = {"top_up_no": top_up_no, "member_no": "O-1", "method": "qr_wechat", "amount_fen": 10_000, **changes}
    return await created(platform.post("/top-ups", **body))


async def test_a_scanned_code_tops_a_member_up(platform: Platform) -> None:
    await platform.open_owner()
    top_up = await opened(platform)
    assert top_up["status"] == "awaiting_payer"
    assert str(top_up["interaction"]["qr_content"]).startswith("http")  # type: ignore[index]  # JSON

    await platform.bank.pay(f"{platform.number}/T-1:collect:1")

    async def credited() -> bool:
        return bool((await platform.balances("O-1"))["available_fen"] == 10_000)

    await until(credited, "all transfers are credited")
    shown = (await platform.get("/top-ups/T-1")).json()
    assert (shown["status"], shown["interaction"]) == ("paid", None)
    assert [(payment["amount_fen"], payment["outcome"]) for payment in shown["payments"]] == [(10_000, "credited")]
    assert (await platform.balances("O-1"))["withdrawable_fen"] == 0
    assert [item["top_up_no"] for item in (await platform.get("/top-ups", status="paid")).json()["top_ups"]] == ["T-1"]


async def test_the_same_top_up_again_is_the_first_one(platform: Platform) -> None:
    await platform.open_owner()
    first = await opened(platform)
    body = {"top_up_no": "T-1", "member_no": "O-1", "method": "qr_wechat", "amount_fen": 10_000}
    again = await platform.post("/top-ups", **body)
    assert (again.status_code, again.json()) == (200, first)
    other = await platform.post("/top-ups", **{**body, "amount_fen": 10_001})
    assert (other.status_code, other.json()["code"]) == (409, "request_no_reused")


@pytest.mark.parametrize("method", sorted(PAYER_ACTS_ELSEWHERE))
async def test_a_method_that_is_switched_off_collects_nothing(platforms: PlatformMaker, method: str) -> None:
    platform = await platforms.open(PlatformConfig.model_validate({"functions": {method: False}}))
    await platform.open_owner()
    for _ in range(2):
        answer = await platform.post("/top-ups", top_up_no="T-1", member_no="O-1", method=method, amount_fen=100)
        assert (answer.status_code, answer.json()["code"]) == (403, "function_off")
        assert answer.json()["details"] == {"function": method}
    assert (await platform.get("/top-ups/T-1")).status_code == 404


async def test_a_channel_that_declines_says_why(platform: Platform) -> None:
    await platform.open_owner()
    top_up = await opened(platform, amount_fen=90_003)
    assert top_up["status"] == "failed"
    assert top_up["reason"]


async def test_nobody_tops_up_a_stranger(platform: Platform) -> None:
    answer = await platform.post("/top-ups", top_up_no="T-1", member_no="O-9", method="qr_qq", amount_fen=100)
    assert (answer.status_code, answer.json()["code"]) == (422, "member_unknown")


async def test_another_platforms_top_up_does_not_exist(platforms: PlatformMaker, platform: Platform) -> None:
    await platform.open_owner()
    await opened(platform)
    stranger = await platforms.open()
    assert (await stranger.get("/top-ups/T-1")).status_code == 404
