"""Mandates over HTTP: signed, used for top-ups and orders within what was signed, revoked, and refused beyond."""

import asyncio
from typing import Any

import pytest

from escrow.domain.platforms.config import PlatformConfig, Settlement
from tests.api.payers import NAME, debit_body, mandate_body, open_payer, sign_mandate
from tests.api.platforms import Platform, PlatformMaker, created
from tests.channels.numbers import card_of as card_with
from tests.waiting import until

PRICE_FEN = 100_000
_PLAN = [
    {"name": "定金", "kind": "start", "share": "30%"},
    {"name": "竣工验收", "kind": "acceptance", "share": "70%"},
]


async def top_up_is(platform: Platform, status: str, number: str = "T-1") -> dict[str, object]:
    """The top-up gets into a status; how it is then."""
    shown: dict[str, object] = {}

    async def does() -> bool:
        shown.update((await platform.get(f"/top-ups/{number}")).json())
        return shown["status"] == status

    await until(does, f"{number} is {status}")
    return shown


async def mandate_is(platform: Platform, path: str, status: str, reason: str = "") -> None:
    """The mandate gets into a status; an answer of the bank may be lost and asked for again meanwhile."""

    async def does() -> bool:
        shown = (await platform.get(path)).json()
        return (shown["status"], shown["reason"]) == (status, reason)

    await until(does, f"{path} is {status} {reason}")


async def test_a_member_is_debited_under_its_mandate_and_nobody_has_to_do_anything(platform: Platform) -> None:
    await open_payer(platform)
    mandate = await sign_mandate(platform)
    assert (mandate["payer_bank"], mandate["text_version"], mandate["reason"]) == ("ICBC", "mandate-1", "")

    opened = await created(platform.post("/top-ups", **debit_body()))
    assert opened["status"] in ("processing", "paid")
    paid = await top_up_is(platform, "paid")

    assert paid["debit_channel"] == "UNIONPAY_DEBIT"
    assert [line.split(":")[0] for line in paid["debit_route"]] == ["OWN_BANK", "UNIONPAY_DEBIT", "NETS_DEBIT"]  # type: ignore[attr-defined]  # JSON
    assert [(item["amount_fen"], item["fee_fen"], item["outcome"]) for item in paid["payments"]] == [  # type: ignore[attr-defined]  # JSON
        (10_000, 100, "credited")
    ]
    assert (await platform.balances("O-1"))["available_fen"] == 10_000
    listed = (await platform.get("/members/O-1/mandates")).json()["mandates"]
    assert [item["mandate_no"] for item in listed] == ["M-1"]


async def test_a_debit_beyond_what_was_signed_is_refused_with_its_reason(platform: Platform) -> None:
    await open_payer(platform)
    await open_payer(platform, "O-2", prefix="621700")
    await sign_mandate(platform)
    await sign_mandate(platform, "M-2", "O-2")
    for number, changes, expected, details in (
        ("T-1", {"mandate_no": None}, (422, "mandate_required"), {}),
        ("T-2", {"mandate_no": "M-9"}, (422, "mandate_unknown"), {}),
        ("T-3", {"mandate_no": "M-2"}, (422, "mandate_unknown"), {}),
        ("T-4", {"amount_fen": 100_001}, (409, "mandate_cap_exceeded"), {"cap": "per_debit", "limit_fen": 100_000}),
    ):
        for _ in range(2):  # a repeat is answered as the first time
            answer = await platform.post("/top-ups", **debit_body(number, **changes))
            problem = answer.json()
            assert (answer.status_code, problem["code"]) == expected
            assert details.items() <= (problem.get("details") or {}).items()
        assert (await platform.get(f"/top-ups/{number}")).status_code == 404
    for number in ("T-5", "T-6"):
        await created(platform.post("/top-ups", **debit_body(number, 100_000)))
        await top_up_is(platform, "paid", number)
    over = await platform.post("/top-ups", **debit_body("T-7", 1))
    assert (over.status_code, over.json()["details"]["cap"]) == (409, "per_day")


async def test_a_revoked_mandate_is_debited_no_more_and_the_bank_is_told(platform: Platform) -> None:
    await open_payer(platform)
    await sign_mandate(platform)
    in_use = await platform.http.delete("/v1/members/O-1/bank-accounts/A-O-1")
    assert (in_use.status_code, in_use.json()["code"]) == (409, "mandate_in_force")

    for _ in range(2):
        revoked = await platform.post("/members/O-1/mandates/M-1/revoke", request_no="R-1")
        assert (revoked.status_code, revoked.json()["status"]) == (200, "revoked")
    answer = await platform.post("/top-ups", **debit_body())
    assert (answer.status_code, answer.json()["code"]) == (409, "mandate_not_in_force")
    assert answer.json()["details"]["status"] == "revoked"

    async def told() -> bool:
        return bool((await platform.get("/members/O-1/mandates/M-1")).json()["bank_knows_the_end"])

    await until(told, "it is told")
    assert (await platform.http.delete("/v1/members/O-1/bank-accounts/A-O-1")).status_code == 200


async def test_an_order_is_paid_by_direct_debit_and_refunded_the_same_way(platform: Platform) -> None:
    await open_payer(platform)
    await platform.open_contractor()
    await platform.open_order(total_fen=PRICE_FEN, milestones=_PLAN)
    await sign_mandate(platform)
    # Other money on the account, since the bank takes its charge at once and refunds from what is there.
    await created(platform.post("/top-ups", **debit_body()))
    paying = {"request_no": "R-1", "by": "O-1", "method": "direct_debit"}
    without = await platform.post("/orders/D-1001/direct-payments", **paying)
    assert (without.status_code, without.json()["code"]) == (422, "mandate_required")

    await created(platform.post("/orders/D-1001/direct-payments", **{**paying, "request_no": "R-2"}, mandate_no="M-1"))

    async def order_is_paid() -> bool:
        return bool((await platform.get("/orders/D-1001")).json()["status"] == "awaiting_start")

    await until(order_is_paid, "the order is paid")
    await platform.command("D-1001/cancel", "R-3", "C-1")

    async def given_back() -> bool:
        balances = (await platform.get("/platform")).json()["balances_fen"]
        return bool(balances["refund"] == 0 and balances["escrow"] == 0)

    await until(given_back, "the money goes back")
    assert (await platform.balances("O-1"))["available_fen"] == 10_000


async def test_the_bank_can_refuse_a_mandate_and_no_one_signs_for_a_business_or_a_stranger(platform: Platform) -> None:
    await open_payer(platform, "O-2", prefix="629999")  # of a bank that nobody knows
    await platform.open_contractor()
    refused = await created(platform.post("/members/O-2/mandates", **mandate_body(account_id="A-O-2")))
    assert (refused["status"], refused["reason"]) == ("refused", "card_bank_not_supported")
    for suffix, status, reason in (("9003", "refused", "payer_declined"), ("9001", "active", "")):
        await created(
            platform.post(
                "/members/O-2/bank-accounts",
                account_id=f"A-{suffix}",
                account_no=card_with("622202", suffix),
                account_name=NAME,
                is_corporate=False,
            )
        )
        body = mandate_body(f"M-{suffix}", account_id=f"A-{suffix}")
        await created(platform.post("/members/O-2/mandates", **body))
        await mandate_is(platform, f"/members/O-2/mandates/M-{suffix}", status, reason)
    wrong: list[tuple[str, dict[str, Any], tuple[int, str]]] = [
        ("C-1", {"account_id": "A-C-1"}, (422, "card_required")),
        ("O-2", {"account_id": "A-C-1"}, (409, "account_not_bound")),
        ("O-9", {}, (404, "not_found")),
        ("O-2", {"account_id": "A-O-2", "per_day_fen": 1}, (422, "invalid_request")),
        ("O-2", {"account_id": "A-O-2", "last_day": "2026-01-01"}, (409, "mandate_not_in_force")),
    ]
    for number, (member_no, changes, expected) in enumerate(wrong):
        answer = await platform.post(f"/members/{member_no}/mandates", **mandate_body(f"MX-{number}", **changes))
        assert (answer.status_code, answer.json()["code"]) == expected


async def test_one_mandate_is_not_debited_above_its_days_cap_by_twenty_at_once(platform: Platform) -> None:
    await open_payer(platform)
    await sign_mandate(platform)
    await asyncio.gather(*(platform.post("/top-ups", **debit_body(f"T-{number}", 70_000)) for number in range(20)))

    async def all_ended() -> bool:
        shown = (await platform.get("/top-ups")).json()["top_ups"]
        return all(item["status"] in ("paid", "failed") for item in shown)

    await until(all_ended, "all have ended")
    shown = (await platform.get("/top-ups")).json()["top_ups"]
    assert [item["status"] for item in shown].count("paid") == 2
    assert {item["reason_code"] for item in shown if item["status"] == "failed"} <= {"mandate_cap_exceeded"}
    assert (await platform.balances("O-1"))["available_fen"] == 140_000


@pytest.mark.parametrize("method", ["direct_debit", "quick"])
async def test_a_method_that_is_switched_off_debits_nobody(platforms: PlatformMaker, method: str) -> None:
    platform = await platforms.open(
        PlatformConfig.model_validate({"functions": {method: False}, "top_up_settlement": Settlement.T_PLUS_0})
    )
    await open_payer(platform)
    how = {"mandate_no": "M-1"} if method == "direct_debit" else {"account_id": "A-O-1"}
    answer = await platform.post("/top-ups", top_up_no="T-1", member_no="O-1", method=method, amount_fen=1, **how)
    assert (answer.status_code, answer.json()["code"]) == (403, "function_off")
