"""Two platforms, two keys: on every endpoint the other's objects are answered like objects that do not exist."""

from collections.abc import Mapping
from typing import Any

import pytest_asyncio

from escrow.domain.platforms.authorisations import Authorisation, AuthorisationMethod
from escrow.domain.platforms.config import PlatformConfig, Settlement
from tests.api.documented import OPERATIONS
from tests.api.payers import mandate_body
from tests.api.platforms import Platform, PlatformMaker, created, order_body
from tests.api.test_suspense import stranger_transfers

#: Without a platform's key: who runs the service, and the bank, which signs.
WITHOUT_KEY = {
    ("GET", "/health"),
    ("GET", "/ready"),
    ("GET", "/metrics"),
    ("POST", "/bank/notices"),
    ("POST", "/v1/sandbox/platforms"),
}

COMMAND = {"request_no": "X-1", "by": "O-1"}
BINDING = {"account_id": "X-1", "account_no": "6216261000000000018", "account_name": "王小明", "is_corporate": False}

IDENTITY = {
    "request_no": "X-1",
    "id_no": "341126197709218366",
    "consent": {"text_version": "1", "address": "203.0.113.7"},
}

VERIFY = "/v1/members/{member_no}/bank-accounts/{account_id}/verify"
VERIFICATION = {"member_no": "O-1", "account_id": "A-O-1", "verification_no": "V-1"}

DIRECT = "/v1/orders/{order_no}/direct-payments/{payment_request_no}"
DIRECT_PAYMENT = {"order_no": "D-2001", "payment_request_no": "R-direct"}

#: How a stranger names an object: path parameters, query and body, by the other's numbers.
NAMED: Mapping[tuple[str, str], dict[str, Any]] = {
    ("GET", "/v1/members/{member_no}"): {"path": {"member_no": "O-1"}},
    ("GET", "/v1/members/{member_no}/balances"): {"path": {"member_no": "O-1"}},
    ("POST", "/v1/members/{member_no}/close"): {"path": {"member_no": "O-1"}, "body": {"request_no": "X-1"}},
    ("POST", "/v1/members/{member_no}/identity-checks"): {"path": {"member_no": "O-1"}, "body": IDENTITY},
    ("GET", "/v1/members/{member_no}/identity-checks"): {"path": {"member_no": "O-1"}},
    ("GET", "/v1/members/{member_no}/identity-checks/{check_no}"): {"path": {"member_no": "O-1", "check_no": "IC-O-1"}},
    ("POST", "/v1/members/{member_no}/payment-password-links"): {
        "path": {"member_no": "O-1"},
        "body": {"request_no": "X-1", "purpose": "set"},
    },
    ("POST", "/v1/members/{member_no}/bank-accounts"): {"path": {"member_no": "O-1"}, "body": BINDING},
    ("GET", "/v1/members/{member_no}/bank-accounts"): {"path": {"member_no": "O-1"}},
    ("GET", "/v1/members/{member_no}/bank-accounts/{account_id}"): {
        "path": {"member_no": "O-1", "account_id": "A-O-1"}
    },
    ("DELETE", "/v1/members/{member_no}/bank-accounts/{account_id}"): {
        "path": {"member_no": "O-1", "account_id": "A-O-1"}
    },
    ("POST", f"{VERIFY}/micro-deposit"): {
        "path": {"member_no": "O-1", "account_id": "A-O-1"},
        "body": {"request_no": "X-1", "consent": IDENTITY["consent"]},
    },
    ("POST", f"{VERIFY}/unionpay"): {
        "path": {"member_no": "O-1", "account_id": "A-O-1"},
        "body": {"request_no": "X-1", "consent": IDENTITY["consent"], "mobile": "13800000001"},
    },
    ("GET", f"{VERIFY}/{{verification_no}}"): {"path": VERIFICATION},
    ("POST", f"{VERIFY}/{{verification_no}}/resend"): {"path": VERIFICATION, "body": {"request_no": "X-1"}},
    ("POST", f"{VERIFY}/{{verification_no}}/confirm-amount"): {
        "path": VERIFICATION,
        "body": {"request_no": "X-1", "amount_fen": 1, "reference": "AAAAA"},
    },
    ("POST", f"{VERIFY}/{{verification_no}}/confirm-code"): {
        "path": VERIFICATION,
        "body": {"request_no": "X-1", "code": "111111"},
    },
    ("GET", "/v1/orders/{order_no}"): {"path": {"order_no": "D-1001"}},
    ("POST", "/v1/orders/{order_no}/pay"): {"path": {"order_no": "D-1001"}, "body": COMMAND},
    ("POST", "/v1/orders/{order_no}/start"): {"path": {"order_no": "D-1001"}, "body": COMMAND},
    ("POST", "/v1/orders/{order_no}/cancel"): {"path": {"order_no": "D-1001"}, "body": COMMAND},
    ("POST", "/v1/orders/{order_no}/milestones/{number}/complete"): {
        "path": {"order_no": "D-1001", "number": "2"},
        "body": COMMAND,
    },
    ("POST", "/v1/orders/{order_no}/milestones/{number}/accept"): {
        "path": {"order_no": "D-1001", "number": "2"},
        "body": COMMAND,
    },
    ("POST", "/v1/orders/{order_no}/milestones/{number}/rectify"): {
        "path": {"order_no": "D-1001", "number": "2"},
        "body": COMMAND,
    },
    ("POST", "/v1/orders/{order_no}/consents"): {
        "path": {"order_no": "D-1001"},
        "body": {**COMMAND, "operation": "pay"},
    },
    ("GET", "/v1/authorizations/{authorization_id}"): {"path": {"authorization_id": "AU-1"}},
    ("POST", "/v1/authorizations/{authorization_id}/sms-codes"): {
        "path": {"authorization_id": "AU-1"},
        "body": {"request_no": "X-1"},
    },
    ("POST", "/v1/authorizations/{authorization_id}/confirm"): {
        "path": {"authorization_id": "AU-1"},
        "body": {"code": "000000"},
    },
    ("POST", "/v1/orders/{order_no}/direct-payments"): {
        "path": {"order_no": "D-2001"},
        "body": {**COMMAND, "method": "qr_qq"},
    },
    ("GET", "/v1/orders/{order_no}/direct-payments/{request_no}"): {
        "path": {"order_no": "D-2001", "request_no": "R-direct"}
    },
    ("POST", "/v1/top-ups"): {
        "body": {"top_up_no": "X-1", "member_no": "O-1", "method": "qr_qq", "amount_fen": 1},
    },
    ("GET", "/v1/top-ups/{top_up_no}"): {"path": {"top_up_no": "T-1"}},
    ("POST", "/v1/top-ups/{top_up_no}/sms-codes"): {"path": {"top_up_no": "T-1"}, "body": {"request_no": "X-1"}},
    ("POST", "/v1/top-ups/{top_up_no}/confirm"): {
        "path": {"top_up_no": "T-1"},
        "body": {"request_no": "X-1", "code": "111111"},
    },
    ("POST", f"{DIRECT}/sms-codes"): {"path": DIRECT_PAYMENT, "body": {"request_no": "X-1"}},
    ("POST", f"{DIRECT}/confirm"): {"path": DIRECT_PAYMENT, "body": {"request_no": "X-1", "code": "111111"}},
    ("POST", "/v1/members/{member_no}/mandates"): {
        "path": {"member_no": "O-1"},
        "body": mandate_body("X-1"),
    },
    ("GET", "/v1/members/{member_no}/mandates"): {"path": {"member_no": "O-1"}},
    ("GET", "/v1/members/{member_no}/mandates/{mandate_no}"): {"path": {"member_no": "O-1", "mandate_no": "M-1"}},
    ("POST", "/v1/members/{member_no}/mandates/{mandate_no}/revoke"): {
        "path": {"member_no": "O-1", "mandate_no": "M-1"},
        "body": {"request_no": "X-1"},
    },
    ("POST", "/v1/payments"): {
        "body": {"payment_no": "X-1", "payer_no": "O-1", "payee_no": "C-1", "amount_fen": 1},
    },
    ("GET", "/v1/payments/{payment_no}"): {"path": {"payment_no": "PAY-1"}},
    ("POST", "/v1/batch-payments"): {
        "body": {"batch_no": "X-1", "payer_no": "O-1", "orders": [{"order_no": "D-2001", "amount_fen": 1}]},
    },
    ("GET", "/v1/batch-payments/{batch_no}"): {"path": {"batch_no": "B-1"}},
    ("POST", "/v1/suspense/{credit_no}/assignments"): {
        "path": {"credit_no": "CR-1"},
        "body": {"assignment_no": "X-1", "member_no": "O-1", "amount_fen": 1},
    },
    ("POST", "/v1/suspense/{credit_no}/returns"): {
        "path": {"credit_no": "CR-1"},
        "body": {"return_no": "X-1", "amount_fen": 1},
    },
    ("GET", "/v1/suspense/assignments/{assignment_no}"): {"path": {"assignment_no": "AS-1"}},
    ("POST", "/v1/suspense/assignments/{assignment_no}/reversals"): {
        "path": {"assignment_no": "AS-1"},
        "body": {"reversal_no": "X-1", "amount_fen": 1},
    },
    ("GET", "/v1/withdrawals/{withdrawal_no}"): {"path": {"withdrawal_no": "W-1"}},
    ("GET", "/v1/accounts/{account}/history"): {"path": {"account": "O-1/withdrawable"}},
    ("GET", "/v1/statements"): {
        "query": {"member_no": "O-1", "first_day": "2020-01-01", "last_day": "2099-12-31"},
    },
    ("POST", "/v1/orders"): {"body": order_body("X-1")},
    ("POST", "/v1/sandbox/skip"): {"body": {"request_no": "X-1", "order_no": "D-1001"}},
    ("POST", "/v1/withdrawals"): {
        "body": {"withdrawal_no": "X-1", "member_no": "O-1", "account_id": "A-O-1", "principal_fen": 1},
    },
}

#: Lists and the caller's own platform: they name nothing of another's, and must show nothing of it.
LISTS = {
    ("GET", "/v1/sandbox/clock"),
    ("GET", "/v1/sandbox/sms"),
    ("GET", "/v1/platform/sub-accounts"),
    ("GET", "/v1/members"),
    ("GET", "/v1/orders"),
    ("GET", "/v1/withdrawals"),
    ("GET", "/v1/top-ups"),
    ("GET", "/v1/suspense"),
    ("GET", "/v1/attention"),
    ("GET", "/v1/accounts"),
    ("GET", "/v1/events"),
    ("GET", "/v1/platform"),
    ("GET", "/v1/platform/configuration"),
    ("GET", "/v1/platform/configuration/versions"),
    ("GET", "/v1/platform/configuration/versions/{version}"),
}

#: Opens an object or sets the configuration under the caller's own key; what the other has of it stays as it is.
OPENS = {("POST", "/v1/members"), ("PUT", "/v1/platform/configuration")}


@pytest_asyncio.fixture(scope="session")
async def rich(platforms: PlatformMaker) -> Platform:
    """A platform with one of everything."""
    platform = await platforms.open(
        PlatformConfig(
            top_up_settlement=Settlement.T_PLUS_0,
            authorisation=Authorisation(cancel=AuthorisationMethod.SMS_CODE),
            sms_codes_by_api=True,
        )
    )
    await platform.paid_order()
    card = await platform.open_owner("O-2")
    await platform.top_up(card, 100_000, "O-2")
    answer = await platform.post("/withdrawals", withdrawal_no="W-1", member_no="O-2", principal_fen=5_000)
    assert answer.status_code == 201, answer.text
    await _collect_and_assign(platform)
    await created(platform.post("/members/O-1/mandates", **mandate_body()))
    check = {"request_no": "V-1", "consent": IDENTITY["consent"], "mobile": "13800000001"}
    await created(platform.post("/members/O-1/bank-accounts/A-O-1/verify/unionpay", **check))
    return platform


async def _collect_and_assign(platform: Platform) -> None:
    """What channels collect, a payment, and money in suspense of which a part is assigned."""
    method = {"method": "qr_qq"}
    await created(platform.post("/top-ups", top_up_no="T-1", member_no="O-2", amount_fen=100, **method))
    await platform.open_order("D-2001")
    await created(platform.post("/orders/D-2001/direct-payments", request_no="R-direct", by="O-1", **method))
    await created(platform.post("/payments", payment_no="PAY-1", payer_no="O-2", payee_no="C-1", amount_fen=1))
    paid = [{"order_no": "D-2002", "amount_fen": 10_000}]
    await platform.open_order("D-2002", owner_no="O-2", total_fen=10_000)
    await created(platform.post("/batch-payments", batch_no="B-1", payer_no="O-2", orders=paid))
    credit_no = await stranger_transfers(platform)
    assigned = {"assignment_no": "AS-1", "member_no": "C-1", "amount_fen": 1}
    await created(platform.post(f"/suspense/{credit_no}/assignments", **assigned))


def test_every_endpoint_has_its_row() -> None:
    assert set(OPERATIONS) == set(NAMED) | LISTS | OPENS | WITHOUT_KEY


async def _ask(platform: Platform, key: tuple[str, str], numbers: Mapping[str, str]) -> tuple[int, str]:
    """Status and body of one call, with the numbers taken out of both."""
    method, path = key
    row = NAMED[key]

    def told(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: told(item) for name, item in value.items()}
        return numbers.get(value, value) if isinstance(value, str) else value

    for name, value in row.get("path", {}).items():
        filled = "/".join(told(part) for part in value.split("/"))
        path = path.replace(f"{{{name}}}", filled)
    answer = await platform.http.request(method, path, json=told(row.get("body")), params=told(row.get("query")))
    text = answer.text
    for absent in sorted(numbers.values(), key=len, reverse=True):
        text = text.replace(absent, "…")
    for own in sorted(numbers, key=len, reverse=True):
        text = text.replace(own, "…")
    return answer.status_code, text


async def test_anothers_objects_are_answered_like_objects_that_do_not_exist(
    rich: Platform, platforms: PlatformMaker
) -> None:
    stranger, newcomer = await platforms.open(), await platforms.open()
    absent = {
        "O-1": "O-404",
        "IC-O-1": "IC-404",
        "A-O-1": "A-404",
        "V-1": "V-404",
        "D-1001": "D-404",
        "W-1": "W-404",
        "C-1": "C-404",
        "M-1": "M-404",
    }
    present = {number: number for number in absent}
    asked = await rich.post("/orders/D-1001/cancel", request_no="R-cancel", by="O-1")
    present["AU-1"], absent["AU-1"] = asked.json()["authorization"]["authorization_id"], "0" * 32
    more = {
        "D-2001": "D-404",
        "R-direct": "R-404",
        "T-1": "T-404",
        "PAY-1": "PAY-404",
        "B-1": "B-404",
        "AS-1": "AS-404",
    }
    present, absent = present | {number: number for number in more}, absent | more
    present["CR-1"], absent["CR-1"] = (await rich.get("/suspense")).json()["credits"][0]["credit_no"], "CR-404"
    for key in NAMED:
        of_another = await _ask(stranger, key, present)
        of_nobody = await _ask(newcomer, key, absent)
        assert of_another == of_nobody, key
        own = await _ask(rich, key, present) if key[0] == "GET" else None
        assert own is None or own != of_another, f"{key}: the owner of the object does not see it either"


async def test_lists_show_nothing_of_another_platform(rich: Platform, platforms: PlatformMaker) -> None:
    stranger = await platforms.open()
    for method, path in LISTS:
        answer = await stranger.http.request(method, path.format(version=1))
        assert answer.status_code == 200
        for number in ("O-1", "C-1", "D-1001", "W-1", rich.number + '"', rich.custody_account_no):
            assert number not in answer.text, f"{path} shows {number}"


async def test_a_strangers_calls_changed_nothing(rich: Platform) -> None:
    order = (await rich.get("/orders/D-1001")).json()
    assert (order["status"], order["sequence_no"]) == ("awaiting_start", 2)
    assert (await rich.get("/members/O-1/bank-accounts/A-O-1")).json()["status"] == "bound"
    assert (await rich.get("/members/O-2/balances")).json()["available_fen"] == 84_999


async def test_the_same_numbers_live_side_by_side_on_two_platforms(rich: Platform, platforms: PlatformMaker) -> None:
    other = await platforms.open()
    await other.open_owner("O-1")
    await other.open_contractor("C-1")
    opened = await other.open_order("D-1001")
    assert opened["status"] == "awaiting_payment"
    assert (await rich.get("/orders/D-1001")).json()["status"] == "awaiting_start"


async def test_no_key_a_wrong_key_and_a_revoked_key_are_answered_alike(platform: Platform) -> None:
    issued = await platform.registry.platforms.issue_key(platform.number)
    await platform.registry.platforms.revoke_key(platform.number, issued.key_id)
    texts = set()
    for header in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": f"Bearer {issued.key}"}):
        platform.http.headers.pop("Authorization", None)
        for method, path in set(OPERATIONS) - WITHOUT_KEY:
            filled = path.format(
                member_no="O-1",
                order_no="D-1",
                account_id="A",
                verification_no="V",
                withdrawal_no="W",
                top_up_no="T",
                payment_no="P",
                batch_no="B",
                credit_no="CR",
                assignment_no="AS",
                request_no="R",
                payment_request_no="R",
                mandate_no="M",
                number=1,
                account="own",
                check_no="IC",
                version=1,
                authorization_id="0" * 32,
            )
            answer = await platform.http.request(method, filled, json={}, headers=header)
            assert answer.status_code == 401, f"{method} {path}"
            assert answer.headers["www-authenticate"] == "Bearer"
            texts.add(answer.text)
    assert len(texts) == 1
