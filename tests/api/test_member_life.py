"""A member's life over HTTP: opened, checked against the register, verified, paid out, closed."""

import asyncio
from typing import Any

import pytest

from escrow.ledger.tables import ConsentRow
from tests.api.platforms import Platform, card_number, created
from tests.waiting import until

PERSON = {"id_no": "341126197709218366", "consent": {"text_version": "2026-03", "address": "203.0.113.7"}}
TEST_NAME = "全渠道"


async def open_person(platform: Platform, name: str = TEST_NAME) -> None:
    await created(platform.post("/members", member_no="O-1", kind="person", name=name))


async def checked(platform: Platform, request_no: str, **body: Any) -> dict[str, Any]:
    """Ask for a check and wait for its outcome."""
    asked = await created(platform.post("/members/O-1/identity-checks", request_no=request_no, **body))
    assert asked["status"] == "asked"

    async def answered() -> bool:
        return bool((await platform.get(f"/members/O-1/identity-checks/{request_no}")).json()["status"] != "asked")

    await until(answered, "it is answered")
    answer: dict[str, Any] = (await platform.get(f"/members/O-1/identity-checks/{request_no}")).json()
    return answer


async def test_a_member_withdraws_only_once_its_identity_is_verified(platform: Platform) -> None:
    await open_person(platform)
    card = card_number()
    account = {"account_id": "A-1", "account_no": card, "account_name": TEST_NAME, "is_corporate": False}
    await created(platform.post("/members/O-1/bank-accounts", **account))
    await platform.top_up(card, 10_000)
    member = (await platform.get("/members/O-1")).json()
    assert (member["status"], "withdraw" in member["may"]) == ("open", False)
    asked = {"member_no": "O-1", "principal_fen": 1_000}
    refused = await platform.post("/withdrawals", withdrawal_no="W-1", **asked)
    assert (refused.status_code, refused.json()["code"]) == (409, "identity_required")

    check = await checked(platform, "IC-1", **PERSON)
    assert (check["status"], check["result"], check["source"]) == ("verified", "match", "sandbox register of persons")
    member = (await platform.get("/members/O-1")).json()
    assert (member["status"], member["identity"]["request_no"], "withdraw" in member["may"]) == (
        "verified",
        "IC-1",
        True,
    )
    assert (await platform.post("/withdrawals", withdrawal_no="W-2", **asked)).status_code == 201


async def test_a_check_is_asked_for_once_and_its_consent_is_kept_with_text_and_address(platform: Platform) -> None:
    await open_person(platform)
    first = await checked(platform, "IC-1", **PERSON)
    again = await platform.post("/members/O-1/identity-checks", request_no="IC-1", **PERSON)
    assert (again.status_code, again.json()) == (200, first)
    other = await platform.post(
        "/members/O-1/identity-checks", request_no="IC-1", **{**PERSON, "id_no": "110101198503071016"}
    )
    assert (other.status_code, other.json()["code"]) == (409, "request_no_reused")
    listed = (await platform.get("/members/O-1/identity-checks")).json()["identity_checks"]
    assert listed == [first]
    async with platform.registry.recorder.session() as session:
        evidence = await session.get_one(ConsentRow, (platform.number, "IC-1"))
    assert (evidence.given_by, evidence.operation) == ("O-1", "check_identity")
    assert (evidence.text_version, evidence.remote_address) == ("2026-03", "203.0.113.7")
    assert str(PERSON["id_no"]) not in str(evidence)


@pytest.mark.parametrize(
    ("changes", "code", "fields"),
    [
        ({"id_no": "341126197709218367"}, "identity_no_invalid", ["id_no"]),
        ({"id_no": "110101209901010016"}, "identity_no_invalid", ["id_no"]),
        (
            {"legal_representative": {"name": "李雷", "id_no": "341126197709218366"}},
            "identity_parts",
            None,
        ),
    ],
)
async def test_what_is_mistyped_is_not_asked(
    platform: Platform, changes: dict[str, Any], code: str, fields: list[str] | None
) -> None:
    await open_person(platform)
    answer = await platform.post("/members/O-1/identity-checks", request_no="IC-1", **{**PERSON, **changes})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json().get("details", {}).get("fields") == fields
    assert (await platform.get("/members/O-1/identity-checks")).json()["identity_checks"] == []


async def test_a_verified_member_is_not_made_another_person(platform: Platform) -> None:
    await open_person(platform)
    await checked(platform, "IC-1", **PERSON)
    answer = await platform.post(
        "/members/O-1/identity-checks", request_no="IC-2", **{**PERSON, "id_no": "110101198503071016"}
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "identity_fixed")


async def test_a_refused_member_makes_no_contract(platform: Platform) -> None:
    await open_person(platform, name="冒名者")
    await platform.open_contractor()
    assert (await checked(platform, "IC-1", **PERSON))["status"] == "refused"
    answer = await platform.post("/orders", **order())
    assert (answer.status_code, answer.json()["code"]) == (409, "member_state")


def order() -> dict[str, Any]:
    milestone = {"name": "竣工验收", "kind": "acceptance", "share": "100%"}
    return {
        "order_no": "D-1",
        "owner_no": "O-1",
        "contractor_no": "C-1",
        "total_fen": 100,
        "milestones": [milestone],
    }


async def test_a_member_closes_and_then_refuses_everything(platform: Platform) -> None:
    await platform.open_owner()
    await platform.open_contractor()
    await platform.open_order()
    blocked = await platform.post("/members/O-1/close", request_no="CL-1")
    assert (blocked.status_code, blocked.json()["code"]) == (409, "member_not_closable")
    assert blocked.json()["details"]["obstacles"] == [{"what": "order", "order_no": "D-1001"}]
    await platform.command("D-1001/cancel", "R-1", "O-1")
    # The old request stays refused; a new one begins.
    assert (await platform.post("/members/O-1/close", request_no="CL-1")).json() == blocked.json()
    begun = await asyncio.gather(*(platform.post("/members/O-1/close", request_no="CL-2") for _ in range(5)))
    assert {answer.status_code for answer in begun} == {200}
    assert {(answer.json()["status"], answer.json()["closing"]["request_no"]) for answer in begun} == {
        ("closing", "CL-2")
    }

    async def closed() -> bool:
        return bool((await platform.get("/members/O-1")).json()["status"] == "closed")

    await until(closed, "the member is closed")
    assert (await platform.get("/members/O-1")).json()["may"] == []
    assert [a["status"] for a in (await platform.get("/members/O-1/bank-accounts")).json()["bank_accounts"]] == [
        "unbound"
    ]
    assert (await platform.post("/members/O-1/close", request_no="CL-2")).status_code == 200
    new_account = {"account_id": "A-9", "account_no": card_number(), "account_name": "王小明", "is_corporate": False}
    for path, body in (
        ("/members/O-1/close", {"request_no": "CL-3"}),
        ("/members/O-1/bank-accounts", new_account),
        ("/members/O-1/identity-checks", {"request_no": "IC-9", **PERSON}),
        ("/withdrawals", {"withdrawal_no": "W-1", "member_no": "O-1", "principal_fen": 1}),
        ("/orders", order()),
    ):
        answer = await platform.post(path, **body)
        assert (answer.status_code, answer.json()["code"]) == (409, "member_state"), path
    unbound = await platform.http.delete("/v1/members/O-1/bank-accounts/A-O-1")
    assert (unbound.status_code, unbound.json()["code"]) == (409, "member_state")
