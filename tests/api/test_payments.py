"""Unguaranteed payments: at once, once, never from nothing, and pending money stays pending."""

import asyncio

import pytest

from escrow.domain.platforms.config import PlatformConfig
from tests.api.platforms import Platform, PlatformMaker, created

PAYMENT = {"payment_no": "P-1", "payer_no": "O-1", "payee_no": "C-1", "amount_fen": 3_000}


async def with_money(platform: Platform, amount_fen: int = 10_000) -> Platform:
    """Owner with money and contractor."""
    card = await platform.open_owner()
    await platform.open_contractor()
    await platform.top_up(card, amount_fen)
    return platform


async def test_a_payment_reaches_the_payee_at_once_and_once(platform: Platform) -> None:
    await with_money(platform)
    first = await created(platform.post("/payments", **PAYMENT))
    assert (first["payee_no"], first["amount_fen"], first["settlement"]) == ("C-1", 3_000, "T+0")
    again = await platform.post("/payments", **PAYMENT)
    assert (again.status_code, again.json()) == (200, first)
    assert (await platform.get("/payments/P-1")).json() == first
    assert (await platform.balances("O-1"))["available_fen"] == 7_000
    assert (await platform.balances("C-1"))["withdrawable_fen"] == 3_000
    other = await platform.post("/payments", **{**PAYMENT, "amount_fen": 1})
    assert (other.status_code, other.json()["code"]) == (409, "request_no_reused")


@pytest.mark.parametrize("pending_at", ["payer", "payee"])
async def test_money_that_is_pending_or_becomes_so_cannot_be_withdrawn_today(
    platforms: PlatformMaker, pending_at: str
) -> None:
    config = {"top_up_settlement": "T+1"} if pending_at == "payer" else {"top_up_settlement": "T+0"}
    settlement = "T+0" if pending_at == "payer" else "T+1"
    platform = await with_money(
        await platforms.open(PlatformConfig.model_validate({**config, "unguaranteed_settlement": settlement}))
    )
    paid = await created(platform.post("/payments", **PAYMENT))
    assert paid["settlement"] == settlement
    balances = await platform.balances("C-1")
    assert (balances["withdrawable_fen"], balances["available_fen"]) == (0, 3_000)


async def test_more_than_is_there_is_refused_until_it_is_there(platform: Platform) -> None:
    card = await platform.open_owner()
    await platform.open_contractor()
    await platform.top_up(card, 10_000)
    asked = {**PAYMENT, "amount_fen": 10_001}
    refused = await platform.post("/payments", **asked)
    assert (refused.status_code, refused.json()["code"]) == (409, "insufficient_balance")
    assert (await platform.post("/payments", **asked)).json() == refused.json()
    assert (await platform.get("/payments/P-1")).status_code == 404
    await platform.top_up(card, 10_001)
    assert (await created(platform.post("/payments", **asked)))["amount_fen"] == 10_001


async def test_many_at_once_spend_no_more_than_there_is(platform: Platform) -> None:
    await with_money(platform)
    answers = await asyncio.gather(
        *(platform.post("/payments", **{**PAYMENT, "payment_no": f"P-{number}"}) for number in range(10))
    )
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 7
    assert (await platform.balances("O-1"))["available_fen"] == 1_000
    assert (await platform.balances("C-1"))["available_fen"] == 9_000


async def test_who_is_paid_is_a_matter_of_the_business_model(platforms: PlatformMaker, platform: Platform) -> None:
    await with_money(platform)
    nobody = {name: value for name, value in PAYMENT.items() if name != "payee_no"}
    refused = await platform.post("/payments", **nobody)
    assert (refused.status_code, refused.json()["code"]) == (409, "business_model_forbids")
    shop = await with_money(
        await platforms.open(
            PlatformConfig.model_validate(
                {"business_model": "self_operated", "commission_basis_points": 0, "top_up_settlement": "T+0"}
            )
        )
    )
    assert (await shop.post("/payments", **PAYMENT)).json()["code"] == "business_model_forbids"
    assert (await created(shop.post("/payments", **{**nobody, "payment_no": "P-2"})))["payee_no"] is None
    assert (await shop.get("/platform")).json()["balances_fen"]["own"] == 3_000


async def test_limits_and_authorisations_bind_payments_too(platforms: PlatformMaker) -> None:
    limited = await with_money(
        await platforms.open(
            PlatformConfig.model_validate(
                {"top_up_settlement": "T+0", "limits": {"payment_fen": 3_000, "payments_per_day_fen": 5_000}}
            )
        )
    )
    assert (await limited.post("/payments", **{**PAYMENT, "amount_fen": 3_001})).json()["code"] == "limit_exceeded"
    await created(limited.post("/payments", **{**PAYMENT, "payment_no": "P-2"}))
    assert (await limited.post("/payments", **{**PAYMENT, "payment_no": "P-3"})).json()["code"] == "limit_exceeded"
    guarded = await platforms.open(
        PlatformConfig.model_validate({"authorisation": {"unguaranteed_payment": "payment_password"}})
    )
    await guarded.open_owner()
    answer = await guarded.post("/payments", **PAYMENT)
    assert (answer.status_code, answer.json()["code"]) == (409, "payment_password_not_set")
