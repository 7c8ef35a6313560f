"""Switches and limits: every endpoint of a function that is off answers 403, and no limit is passed in parallel."""

import asyncio
from typing import Any

import pytest

from api.platforms.functions import NOW, OF_THE_ORDER
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.platforms.functions import Function
from tests.api.documented import OPERATIONS, codes_of
from tests.api.payers import mandate_body
from tests.api.platforms import PRICE_FEN, Platform, PlatformMaker, order_body

IDENTITY = {"id_no": "341126197709218366", "consent": {"text_version": "1", "address": "203.0.113.7"}}

#: Money that was topped up can be withdrawn at once.
AT_ONCE = {"top_up_settlement": "T+0"}

#: How each endpoint of a function is called.
CALLS: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/v1/orders"): order_body("D-2"),
    ("POST", "/v1/orders/{order_no}/pay"): {"request_no": "F-1", "by": "O-1"},
    ("POST", "/v1/orders/{order_no}/consents"): {"request_no": "F-2", "by": "O-1", "operation": "pay"},
    ("POST", "/v1/orders/{order_no}/direct-payments"): {"request_no": "F-5", "by": "O-1", "method": "qr_wechat"},
    ("POST", "/v1/payments"): {"payment_no": "P-1", "payer_no": "O-1", "payee_no": "C-1", "amount_fen": 100},
    ("POST", "/v1/batch-payments"): {
        "batch_no": "B-1",
        "payer_no": "O-1",
        "orders": [{"order_no": "D-1001", "amount_fen": PRICE_FEN}],
    },
    ("POST", "/v1/members/{member_no}/mandates"): mandate_body(),
    ("POST", "/v1/withdrawals"): {"withdrawal_no": "W-1", "member_no": "O-1", "principal_fen": 100},
    ("POST", "/v1/members/{member_no}/identity-checks"): {"request_no": "F-3", **IDENTITY},
    ("POST", "/v1/members/{member_no}/bank-accounts/{account_id}/verify/micro-deposit"): {
        "request_no": "F-5",
        "consent": IDENTITY["consent"],
    },
    ("POST", "/v1/members/{member_no}/bank-accounts/{account_id}/verify/unionpay"): {
        "request_no": "F-6",
        "consent": IDENTITY["consent"],
        "mobile": "13800000001",
    },
    ("POST", "/v1/members/{member_no}/payment-password-links"): {"request_no": "F-4", "purpose": "set"},
}
SWITCHED = [(function, endpoint) for table in (NOW, OF_THE_ORDER) for function in table for endpoint in table[function]]

#: `auto_withdraw_allowed` is no function of its own: it is a term that an order asks for. Which function a top-up
#: belongs to is said by its method.
TERMS = {("POST", "/v1/orders"), ("POST", "/v1/top-ups")}

#: Governs what a call's method says: see `test_collection_methods`.
OF_THE_METHOD = {Function(method.value) for method in CollectionMethod}
#: Off, it refuses no call: transfers of the payers' own wait in suspense.
WITHOUT_ENDPOINT = {Function.OFFLINE_TRANSFER}


def test_every_function_has_a_row() -> None:
    assert {function for function, _ in SWITCHED} | OF_THE_METHOD | WITHOUT_ENDPOINT == set(Function)


def test_the_table_is_what_the_endpoints_describe() -> None:
    described = {key for key, operation in OPERATIONS.items() if "function_off" in codes_of(operation, 403)}
    assert {endpoint for _, endpoint in SWITCHED} | TERMS == described
    assert set(CALLS) == {endpoint for _, endpoint in SWITCHED}


@pytest.mark.parametrize(("function", "endpoint"), SWITCHED, ids=str)
async def test_a_switched_off_function_answers_403_on_every_endpoint_of_it(
    platform: Platform, function: Function, endpoint: tuple[str, str]
) -> None:
    await platform.open_owner()
    await platform.open_contractor()
    off = {"functions": {function.value: False}}
    await platform.http.put("/v1/platform/configuration", json={"request_no": "CF-1", "config": off})
    method, path = endpoint
    if "{order_no}" in path:
        await platform.open_order()
    path = path.format(order_no="D-1001", member_no="O-1", account_id="A-O-1")
    answer = await platform.http.request(method, path, json=CALLS[endpoint])
    assert (answer.status_code, answer.json()["code"]) == (403, "function_off")
    assert answer.json()["details"] == {"function": function.value}


async def test_a_running_order_keeps_the_functions_it_began_with(platform: Platform) -> None:
    card = await platform.open_owner()
    await platform.open_contractor()
    await platform.top_up(card, PRICE_FEN)
    await platform.open_order()
    off = {"functions": {"balance_payment": False, "guaranteed_payment": False}}
    await platform.http.put("/v1/platform/configuration", json={"request_no": "CF-1", "config": off})
    await platform.command("D-1001/pay", "R-1", "O-1")
    await platform.command("D-1001/start", "R-2", "C-1")
    answer = await platform.post("/orders", **order_body("D-2"))
    assert (answer.status_code, answer.json()["code"]) == (403, "function_off")


async def test_one_payment_and_one_withdrawal_stay_below_their_limits(platforms: PlatformMaker) -> None:
    limits = {"payment_fen": PRICE_FEN, "withdrawal_fen": 1_000}
    platform = await platforms.open(PlatformConfig.model_validate({**AT_ONCE, "limits": limits}))
    card = await platform.open_owner()
    await platform.open_contractor()
    await platform.top_up(card, 10_000)
    await platform.open_order("D-1")
    over = await platform.post("/orders", **order_body("D-2", total_fen=PRICE_FEN + 1))
    assert (over.status_code, over.json()["code"]) == (409, "limit_exceeded")
    assert over.json()["details"] == {"limit": "limits.payment_fen", "limit_fen": PRICE_FEN}
    # What an order would withdraw by itself must fit too.
    by_itself = await platform.post("/orders", **order_body("D-3", withdraw_automatically=True))
    assert by_itself.json()["details"]["limit"] == "limits.withdrawal_fen"
    asked = {"member_no": "O-1", "principal_fen": 1_001}
    refused = await platform.post("/withdrawals", withdrawal_no="W-1", **asked)
    assert (refused.status_code, refused.json()["code"]) == (409, "limit_exceeded")
    assert (await platform.post("/withdrawals", withdrawal_no="W-1", **asked)).json() == refused.json()


async def test_a_days_limit_is_not_passed_by_fifty_withdrawals_at_once(platforms: PlatformMaker) -> None:
    platform = await platforms.open(
        PlatformConfig.model_validate({**AT_ONCE, "limits": {"withdrawals_per_day_fen": 1_000}})
    )
    card = await platform.open_owner()
    await platform.top_up(card, 100_000)
    answers = await asyncio.gather(
        *(
            platform.post("/withdrawals", withdrawal_no=f"W-{number}", member_no="O-1", principal_fen=300)
            for number in range(50)
        )
    )
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [201] * 3 + [409] * 47
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"limit_exceeded"}


async def test_a_days_payments_are_limited_and_a_repeat_counts_once(platforms: PlatformMaker) -> None:
    limits = {"payments_per_day_fen": PRICE_FEN + 1}
    platform = await platforms.open(PlatformConfig.model_validate({**AT_ONCE, "limits": limits}))
    card = await platform.open_owner()
    await platform.open_contractor()
    await platform.top_up(card, 2 * PRICE_FEN)
    for order_no in ("D-1", "D-2"):
        await platform.open_order(order_no)
    await platform.command("D-1/pay", "R-1", "O-1")
    assert (await platform.post("/orders/D-1/pay", request_no="R-1", by="O-1")).status_code == 200
    answer = await platform.post("/orders/D-2/pay", request_no="R-2", by="O-1")
    assert (answer.status_code, answer.json()["code"]) == (409, "limit_exceeded")
    assert answer.json()["details"] == {"limit": "limits.payments_per_day_fen", "limit_fen": PRICE_FEN + 1}
