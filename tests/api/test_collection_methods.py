"""Each way to pay in, over HTTP: what the payer has to do, that it is credited once, and the switch that ends it."""

from typing import Any

import pytest

from bank_sandbox.cards import CHECKED_BANKS, PREFIXES
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.platforms.config import PlatformConfig
from tests.api.payers import CODE, MOBILE, NAME, card_of, open_payer, sign_mandate
from tests.api.platforms import Platform, PlatformMaker, created
from tests.api.test_account_verifications import CONSENT
from tests.waiting import until

#: What the answer tells the payer to do, and where it stands; a debit asks nothing of anybody.
INTERACTIONS = {
    CollectionMethod.ACQUIRING: ("redirect", "url"),
    CollectionMethod.GATEWAY: ("redirect", "url"),
    CollectionMethod.WECHAT_APP: ("app", "app_parameters"),
    CollectionMethod.QR_WECHAT: ("qr", "qr_content"),
    CollectionMethod.QR_ALIPAY: ("qr", "qr_content"),
    CollectionMethod.QR_QQ: ("qr", "qr_content"),
    CollectionMethod.QUICK: ("sms_code", "code_expires_at"),
    CollectionMethod.DIRECT_DEBIT: None,
}
HOW: dict[CollectionMethod, dict[str, str]] = {
    CollectionMethod.QUICK: {"account_id": "A-O-1"},
    CollectionMethod.DIRECT_DEBIT: {"mandate_no": "M-1"},
}


def how(method: CollectionMethod) -> dict[str, Any]:
    """What a call says of its method."""
    return {"method": method.value, **HOW.get(method, {})}


def test_every_method_has_its_interaction() -> None:
    assert set(INTERACTIONS) == set(CollectionMethod)


@pytest.mark.parametrize("method", INTERACTIONS, ids=str)
async def test_each_method_asks_for_its_own_action_and_is_credited_once(
    platforms: PlatformMaker, method: CollectionMethod
) -> None:
    relaying = {"sms_codes_by_api": True, "top_up_settlement": "T+0"}
    platform = await platforms.open(PlatformConfig.model_validate(relaying))
    await open_payer(platform)
    if method is CollectionMethod.DIRECT_DEBIT:
        await sign_mandate(platform)
    body = {"top_up_no": "T-1", "member_no": "O-1", "amount_fen": 10_000, **how(method)}
    opened = await created(platform.post("/top-ups", **body))

    action = INTERACTIONS[method]
    if action is None:
        assert opened["interaction"] is None or opened["interaction"]["kind"] == "none"
    else:
        kind, told = action
        assert opened["interaction"]["kind"] == kind
        assert opened["interaction"][told]
    if method is CollectionMethod.QUICK:
        await platform.post("/top-ups/T-1/confirm", request_no="R-1", code=CODE)
    elif action is not None:
        await platform.bank.pay(f"{platform.number}/T-1:collect:1")

    async def paid() -> bool:
        return bool((await platform.get("/top-ups/T-1")).json()["status"] == "paid")

    await until(paid, "it is paid")
    assert (await platform.balances("O-1"))["available_fen"] == 10_000
    again = await platform.post("/top-ups", **body)
    assert (again.status_code, again.json()["status"]) == (200, "paid")


@pytest.mark.parametrize("method", INTERACTIONS, ids=str)
async def test_a_method_that_is_switched_off_collects_for_nothing(
    platforms: PlatformMaker, method: CollectionMethod
) -> None:
    platform = await platforms.open(PlatformConfig.model_validate({"functions": {method.value: False}}))
    await open_payer(platform)
    await platform.open_contractor()
    await platform.open_order()
    calls: dict[str, dict[str, Any]] = {
        "/top-ups": {"top_up_no": "T-1", "member_no": "O-1", "amount_fen": 100},
        "/orders/D-1001/direct-payments": {"request_no": "R-1", "by": "O-1"},
    }
    for path, body in calls.items():
        answer = await platform.post(path, **body, **how(method))
        assert (answer.status_code, answer.json()["code"]) == (403, "function_off"), path
        assert answer.json()["details"] == {"function": method.value}


async def test_with_transfers_switched_off_those_of_bound_accounts_wait_in_suspense(platforms: PlatformMaker) -> None:
    platform = await platforms.open(PlatformConfig.model_validate({"functions": {"offline_transfer": False}}))
    card = await platform.open_owner()
    transfer: dict[str, Any] = {"amount_fen": 10_000, "account_no": card, "account_name": "王小明"}
    line = await platform.bank.transfer(custody_account_no=platform.custody_account_no, **transfer)

    async def waits() -> bool:
        listed = (await platform.get("/suspense")).json()["credits"]
        return bool(listed == [{"credit_no": line.bank_serial_no, "left_fen": 10_000}])

    await until(waits, "the money waits")
    assert (await platform.balances("O-1"))["available_fen"] == 0


async def test_cards_of_the_fourteen_banks_are_verified_and_those_of_a_fifteenth_refused(platform: Platform) -> None:
    assert len(CHECKED_BANKS) == 14
    await open_payer(platform)
    for number, bank in enumerate([*sorted(CHECKED_BANKS), "PAB"], start=1):
        prefix = "621626" if bank == "PAB" else PREFIXES[bank][0]
        binding = {"account_id": bank, "account_no": card_of(prefix, 770_000 + number), "account_name": NAME}
        await created(platform.post("/members/O-1/bank-accounts", **binding, is_corporate=False))
        verify = f"/members/O-1/bank-accounts/{bank}/verify"
        asking = {"request_no": f"V-{bank}", "consent": CONSENT, "mobile": MOBILE}
        begun = await created(platform.post(f"{verify}/unionpay", **asking))
        if bank == "PAB":
            assert (begun["status"], begun["reason"]) == ("failed", "card_bank_not_supported")
            continue
        typed = await platform.post(f"{verify}/V-{bank}/confirm-code", request_no=f"T-{bank}", code=CODE)
        assert typed.json()["verification"]["status"] == "verified", bank
        shown = (await platform.get(f"/members/O-1/bank-accounts/{bank}")).json()
        assert shown["verification"] == "unionpay", bank
