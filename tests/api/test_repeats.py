"""Every write is idempotent: the same call is answered as the first time, the same number takes no other content."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from tests.api.documented import OPERATIONS
from tests.api.payers import mandate_body
from tests.api.platforms import PRICE_FEN, Platform, created, order_body
from tests.api.test_account_verifications import own_money
from tests.api.test_suspense import stranger_transfers

#: One row for each write that creates something: path, body, and a field with another value. What a path leaves open
#: is known only on the way.
CREATIONS: Mapping[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "/v1/members": (
        "/members",
        {"member_no": "O-9", "kind": "person", "name": "李雷", "mobile": "13800000009"},
        {"mobile": "13800000008"},
    ),
    "/v1/members/{member_no}/bank-accounts": (
        "/members/O-1/bank-accounts",
        {
            "account_id": "A-9",
            "account_no": "6216261000000000018",
            "account_name": "王小明",
            "is_corporate": False,
        },
        {"bank_name": "中国银行"},
    ),
    "/v1/members/{member_no}/bank-accounts/{account_id}/verify/micro-deposit": (
        "/members/O-1/bank-accounts/A-9/verify/micro-deposit",
        {"request_no": "V-8", "consent": {"text_version": "1", "address": "203.0.113.7"}},
        {"consent": {"text_version": "2", "address": "203.0.113.7"}},
    ),
    "/v1/members/{member_no}/bank-accounts/{account_id}/verify/unionpay": (
        "/members/O-1/bank-accounts/A-O-1/verify/unionpay",
        {
            "request_no": "V-9",
            "consent": {"text_version": "1", "address": "203.0.113.7"},
            "mobile": "13800000001",
        },
        {"mobile": "13800000002"},
    ),
    "/v1/members/{member_no}/identity-checks": (
        "/members/O-9/identity-checks",
        {
            "request_no": "IC-9",
            "id_no": "11010119900307555X",
            "consent": {"text_version": "1", "address": "203.0.113.7"},
        },
        {"consent": {"text_version": "2", "address": "203.0.113.7"}},
    ),
    "/v1/members/{member_no}/payment-password-links": (
        "/members/O-9/payment-password-links",
        {"request_no": "PL-9", "purpose": "set"},
        {"purpose": "reset"},
    ),
    "/v1/members/{member_no}/mandates": (
        "/members/O-1/mandates",
        mandate_body("M-9"),
        {"per_debit_fen": 99_999},
    ),
    "/v1/orders": ("/orders", order_body("D-9"), {"total_fen": PRICE_FEN + 100}),
    "/v1/orders/{order_no}/consents": (
        "/orders/D-1001/consents",
        {"request_no": "R-9", "by": "O-1", "operation": "pay"},
        {"operation": "cancel"},
    ),
    "/v1/orders/{order_no}/direct-payments": (
        "/orders/D-1001/direct-payments",
        {"request_no": "R-10", "by": "O-1", "method": "qr_wechat"},
        {"method": "qr_alipay"},
    ),
    "/v1/batch-payments": (
        "/batch-payments",
        {
            "batch_no": "B-9",
            "payer_no": "O-1",
            "orders": [{"order_no": "D-1001", "amount_fen": PRICE_FEN}],
            "collection": {"method": "qr_qq"},
        },
        {"collection": {"method": "qr_alipay"}},
    ),
    "/v1/payments": (
        "/payments",
        {"payment_no": "P-9", "payer_no": "O-1", "payee_no": "C-1", "amount_fen": 100},
        {"amount_fen": 101},
    ),
    "/v1/suspense/{credit_no}/assignments": (
        "/suspense/{credit_no}/assignments",
        {"assignment_no": "AS-9", "member_no": "O-1", "amount_fen": 4_000},
        {"amount_fen": 4_001},
    ),
    "/v1/suspense/{credit_no}/returns": (
        "/suspense/{credit_no}/returns",
        {"return_no": "SR-9", "amount_fen": 1_000},
        {"amount_fen": 1_001},
    ),
    "/v1/suspense/assignments/{assignment_no}/reversals": (
        "/suspense/assignments/AS-9/reversals",
        {"reversal_no": "RV-9", "amount_fen": 3_000},
        {"amount_fen": 3_001},
    ),
    "/v1/top-ups": (
        "/top-ups",
        {"top_up_no": "T-9", "member_no": "O-1", "amount_fen": 100, "method": "qr_wechat"},
        {"amount_fen": 101},
    ),
    "/v1/withdrawals": (
        "/withdrawals",
        {"withdrawal_no": "W-9", "member_no": "O-1", "principal_fen": 5_000},
        {"principal_fen": 5_001},
    ),
}


#: What goes on changing by itself after the first answer.
MOVING = {
    "status",
    "reason",
    "ended_at",
    "payer_bank",
    "attempts",
    "reasons",
    "rail",
    "sequence_no",
    "result",
    "source",
    "as_of",
    "answered_at",
}


def test_every_creating_write_has_its_row() -> None:
    # The configuration is set with PUT: its repeats are in test_configuration, those of a sandbox in test_sandbox.
    creating = {
        path for (method, path), operation in OPERATIONS.items() if method == "POST" and "201" in operation["responses"]
    }
    assert creating - {"/v1/sandbox/platforms"} == set(CREATIONS)


async def _furnished(platform: Platform) -> dict[str, tuple[str, dict[str, Any], dict[str, Any]]]:
    """A platform with what the rows name; the rows with whole paths."""
    card = await platform.open_owner()
    await platform.open_contractor()
    await platform.top_up(card, 100_000)
    await platform.open_order()
    await own_money(platform)
    credit_no = await stranger_transfers(platform)
    return {
        template: (path.format(credit_no=credit_no), body, other) for template, (path, body, other) in CREATIONS.items()
    }


async def test_a_repeated_write_is_answered_200_and_other_content_409(platform: Platform) -> None:
    for template, (path, body, other) in (await _furnished(platform)).items():
        first = await created(platform.post(path, **body))
        again = await platform.post(path, **body)
        assert again.status_code == 200, template
        steady = set(first) - MOVING
        assert {name: again.json()[name] for name in steady} == {name: first[name] for name in steady}
        changed = await platform.post(path, **{**body, **other})
        assert (changed.status_code, changed.json()["code"]) == (409, "request_no_reused"), template


async def test_the_same_write_sent_by_many_at_once_is_done_once(platform: Platform) -> None:
    for template, (path, body, _) in (await _furnished(platform)).items():
        answers = await asyncio.gather(*(platform.post(path, **body) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 201], template


@pytest.mark.parametrize("template", sorted(CREATIONS))
async def test_an_unknown_field_is_refused_by_name(platform: Platform, template: str) -> None:
    path, body, _ = CREATIONS[template]
    answer = await platform.post(path.format(credit_no="L-1"), **body, amuont_fen=1)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid_request")
    assert [error["field"] for error in problem["errors"]] == ["body.amuont_fen"]


@pytest.mark.parametrize("command", ["pay", "start", "cancel", "milestones/2/complete", "milestones/2/accept"])
async def test_an_unknown_field_of_a_command_is_refused(platform: Platform, command: str) -> None:
    answer = await platform.post(f"/orders/D-1001/{command}", request_no="R-1", by="O-1", amount_fen=1)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.amount_fen")


@pytest.mark.parametrize("path", ["/members", "/orders", "/withdrawals", "/accounts", "/events", "/statements"])
async def test_an_unknown_query_parameter_is_refused(platform: Platform, path: str) -> None:
    answer = await platform.get(path, stauts="paid", member_no="O-1", first_day="2026-01-01", last_day="2026-01-31")
    assert answer.status_code == 422
    assert "query.stauts" in [error["field"] for error in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("principal_fen", 0),
        ("principal_fen", -1),
        ("principal_fen", 1.5),
        ("principal_fen", "100"),
        ("principal_fen", 2**63),
        ("withdrawal_no", "W:1"),
        ("withdrawal_no", "W 1"),
        ("withdrawal_no", "提现1"),
        ("member_no", ""),
        ("member_no", "a" * 65),
    ],
)
async def test_what_is_no_amount_or_number_is_refused(platform: Platform, field: str, value: object) -> None:
    body = {"withdrawal_no": "W-1", "member_no": "O-1", "principal_fen": 100, field: value}
    answer = await platform.post("/withdrawals", **body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [f"body.{field}"]


async def test_what_is_sent_is_not_repeated_in_the_refusal(platform: Platform) -> None:
    secret = "6216261000000000018x"
    answer = await platform.post(
        "/members/O-1/bank-accounts", account_id="A", account_no=secret, account_name="王小明", is_corporate=False
    )
    assert answer.status_code == 422
    assert secret not in answer.text


@pytest.mark.parametrize("text", ["nul\x00", "line\nbreak", "\ud800"])
async def test_text_that_the_books_cannot_hold_is_refused(platform: Platform, text: str) -> None:
    answer = await platform.http.post(
        "/v1/members",
        content=('{"member_no":"O-1","kind":"person","name":"王' + _escaped(text) + '"}').encode(),
        headers={"Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def _escaped(text: str) -> str:
    return "".join(f"\\u{ord(char):04x}" for char in text)


async def test_an_unknown_path_and_a_wrong_method_are_problems_too(platform: Platform) -> None:
    unknown = await platform.get("/nonsense")
    wrong = await platform.http.delete("/v1/orders")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")


async def test_a_long_list_is_read_in_pages(platform: Platform) -> None:
    for number in range(7):
        await created(platform.post("/members", member_no=f"M-{number}", kind="person", name="张三"))
    seen: list[str] = []
    while True:
        page = (await platform.get("/members", after=seen[-1] if seen else "", limit=3)).json()["members"]
        seen += [member["member_no"] for member in page]
        if len(page) < 3:
            break
    assert seen == [f"M-{number}" for number in range(7)]
