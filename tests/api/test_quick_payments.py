"""Quick payments over HTTP: the payer's bank sends a code, the platform relays it where configured."""

import asyncio
from datetime import timedelta

import pytest

from escrow.domain.orders.operations import pay_terms
from escrow.domain.platforms.config import PlatformConfig
from escrow.ledger.consents import NewConsent, record_consent
from tests.api.payers import CODE, open_payer
from tests.api.platforms import PRICE_FEN, Platform, PlatformMaker, created
from tests.waiting import until

CONNECTIONS = 50
OPENING = {"top_up_no": "T-1", "member_no": "O-1", "method": "quick", "account_id": "A-O-1", "amount_fen": 10_000}


async def relaying(platforms: PlatformMaker) -> Platform:
    """A platform that relays codes, with a payer."""
    platform = await platforms.open(
        PlatformConfig.model_validate({"sms_codes_by_api": True, "top_up_settlement": "T+0"})
    )
    await open_payer(platform)
    return platform


async def test_the_right_code_tops_the_member_up(platforms: PlatformMaker) -> None:
    platform = await relaying(platforms)
    opened = await created(platform.post("/top-ups", **OPENING))
    assert (opened["status"], opened["interaction"]["kind"]) == ("awaiting_payer", "sms_code")
    assert opened["interaction"]["code_expires_at"]

    wrong = await platform.post("/top-ups/T-1/confirm", request_no="R-1", code="000000")
    assert (wrong.json()["outcome"], wrong.json()["tries_left"]) == ("wrong", 2)
    assert (await platform.post("/top-ups/T-1/confirm", request_no="R-1", code="000000")).json() == wrong.json()
    other = await platform.post("/top-ups/T-1/confirm", request_no="R-1", code=CODE)
    assert (other.status_code, other.json()["code"]) == (409, "request_no_reused")
    right = await platform.post("/top-ups/T-1/confirm", request_no="R-2", code=CODE)
    assert (right.status_code, right.json()["outcome"]) == (200, "accepted")
    assert right.json()["payment"]["status"] == "paid"
    assert (await platform.post("/top-ups/T-1/confirm", request_no="R-2", code=CODE)).json()["outcome"] == "accepted"
    late = await platform.post("/top-ups/T-1/confirm", request_no="R-3", code=CODE)
    assert (late.status_code, late.json()["code"]) == (409, "code_not_awaited")
    assert (await platform.balances("O-1"))["available_fen"] == 10_000


async def test_a_code_whose_answer_was_lost_is_told_as_right_once_the_payment_went_on(platforms: PlatformMaker) -> None:
    platform = await relaying(platforms)
    await created(platform.post("/top-ups", **OPENING))
    codes = platform.registry.collection_codes
    await codes.count_try(platform.number, "T-1", "R-lost", CODE, is_awaited=True)
    assert (await platform.post("/top-ups/T-1/confirm", request_no="R-2", code=CODE)).json()["outcome"] == "accepted"

    lost = await platform.post("/top-ups/T-1/confirm", request_no="R-lost", code=CODE)

    assert (lost.status_code, lost.json()["outcome"], lost.json()["payment"]["status"]) == (200, "accepted", "paid")
    assert (await platform.balances("O-1"))["available_fen"] == 10_000


async def test_three_wrong_codes_end_it_even_from_fifty_connections(platforms: PlatformMaker) -> None:
    platform = await relaying(platforms)
    await created(platform.post("/top-ups", **OPENING))

    answers = await asyncio.gather(
        *(
            platform.post("/top-ups/T-1/confirm", request_no=f"R-{number}", code=f"{number:06d}")
            for number in range(CONNECTIONS)
        )
    )

    compared = sorted(answer.json()["outcome"] for answer in answers if answer.status_code == 200)
    assert compared == ["exhausted", "wrong", "wrong"]
    refused = {answer.json()["code"] for answer in answers if answer.status_code == 409}
    assert refused <= {"code_tries_spent", "code_not_awaited"}

    async def failed() -> bool:
        return bool((await platform.get("/top-ups/T-1")).json()["status"] == "failed")

    await until(failed, "it fails")
    assert (await platform.post("/top-ups/T-1/confirm", request_no="R-99", code=CODE)).status_code == 409
    assert (await platform.balances("O-1"))["available_fen"] == 0


async def test_at_most_five_codes_are_sent_and_a_repeat_sends_none(platforms: PlatformMaker) -> None:
    platform = await relaying(platforms)
    await created(platform.post("/top-ups", **OPENING))

    async def sent() -> int:
        outbox = await platform.bank.sms_outbox()
        return sum(message.req_seq.startswith(f"{platform.number}/T-1:") for message in outbox)

    for number in (1, 1, 2, 3, 4):
        answer = await platform.post("/top-ups/T-1/sms-codes", request_no=f"S-{number}")
        assert answer.status_code == 200, answer.text
    assert await sent() == 5
    over = await platform.post("/top-ups/T-1/sms-codes", request_no="S-5")
    assert (over.status_code, over.json()["code"]) == (409, "sms_code_limit")
    assert await sent() == 5
    assert (await platform.post("/top-ups/T-1/confirm", request_no="R-1", code=CODE)).json()["outcome"] == "accepted"


async def test_an_order_is_paid_by_quick_payment(platforms: PlatformMaker) -> None:
    platform = await relaying(platforms)
    await platform.open_contractor()
    await platform.open_order(total_fen=1_000_000)
    body = {"request_no": "R-1", "by": "O-1", "method": "quick", "account_id": "A-O-1"}
    await created(platform.post("/orders/D-1001/direct-payments", **body))
    await platform.post("/orders/D-1001/direct-payments/R-1/sms-codes", request_no="S-1")
    right = await platform.post("/orders/D-1001/direct-payments/R-1/confirm", request_no="R-2", code=CODE)
    assert right.json()["outcome"] == "accepted", right.text

    async def paid() -> bool:
        return bool((await platform.get("/orders/D-1001")).json()["status"] == "awaiting_start")

    await until(paid, "it is paid")


async def test_codes_are_entered_on_the_page_unless_the_platform_may_relay_them(platform: Platform) -> None:
    await open_payer(platform)
    await created(platform.post("/top-ups", **OPENING))
    for path, body in (("sms-codes", {}), ("confirm", {"code": CODE})):
        answer = await platform.post(f"/top-ups/T-1/{path}", request_no="R-1", **body)
        assert (answer.status_code, answer.json()["code"]) == (403, "sms_codes_on_page")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"account_id": None}, (422, "card_required")),
        ({"account_id": "A-9"}, (409, "account_not_bound")),
        ({"account_id": "A-O-2"}, (409, "account_not_bound")),
        ({"account_id": "A-C-1", "member_no": "C-1"}, (422, "card_required")),
        ({"mandate_no": "M-1"}, (422, "invalid_request")),
    ],
)
async def test_only_the_members_own_bound_card_pays(
    platform: Platform, changes: dict[str, str | None], expected: tuple[int, str]
) -> None:
    await open_payer(platform)
    await open_payer(platform, "O-2", prefix="621700")
    await platform.open_contractor()
    answer = await platform.post("/top-ups", **{**OPENING, **changes})
    assert (answer.status_code, answer.json()["code"]) == expected


async def test_nobody_is_debited_on_a_repeat_that_comes_when_the_consent_to_pay_is_over(
    platforms: PlatformMaker,
) -> None:
    platform = await relaying(platforms)
    await platform.open_contractor()
    await platform.open_order()
    # As far as a first call came whose process died between the two consents that a debit takes.
    await record_consent(
        platform.registry.recorder,
        NewConsent(
            platform_no=platform.number,
            consent_no="PAY-1",
            object_kind="order",
            object_no="D-1001",
            operation="pay",
            given_by="O-1",
            terms=pay_terms(total_fen=PRICE_FEN, inspection_days=7, method="quick"),
            valid_for=timedelta(hours=1),
        ),
    )
    skipped = await platform.post("/sandbox/skip", request_no="S-1", hours=2)
    assert skipped.status_code == 200, skipped.text

    late = await platform.post(
        "/orders/D-1001/direct-payments", request_no="PAY-1", by="O-1", method="quick", account_id="A-O-1"
    )

    assert (late.status_code, late.json()["code"]) == (409, "basis_expired")
    assert (await platform.get("/orders/D-1001")).json()["status"] == "awaiting_payment"
