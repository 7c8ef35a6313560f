"""A platform's configuration over HTTP: versions, repeats, what the key may not open, and what running orders keep."""

import asyncio
from typing import Any

import asyncpg
import pytest

from escrow.domain.platforms.config import PlatformConfig
from escrow.stack.up import Stack
from tests.api.platforms import PRICE_FEN, Platform, PlatformMaker, order_body

PATH = "/v1/platform/configuration"


async def put(platform: Platform, request_no: str, **config: Any) -> tuple[int, dict[str, Any]]:
    """Set the configuration; status and body of the answer."""
    answer = await platform.http.put(PATH, json={"request_no": request_no, "config": config})
    return answer.status_code, answer.json()


async def test_every_change_is_a_version_with_its_event_and_none_is_ever_lost(platform: Platform) -> None:
    first = (await platform.get("/platform/configuration")).json()
    assert (first["version"], first["recorded_by"]) == (1, "operator")
    assert await put(platform, "CF-1", inspection_days=5) == (201, (await platform.http.get(PATH)).json())
    status, third = await put(platform, "CF-2", inspection_days=6, functions={"qr_qq": False})
    assert (status, third["version"], third["recorded_by"], third["request_no"]) == (201, 3, "platform", "CF-2")
    assert third["config"]["functions"]["qr_qq"] is False

    versions = (await platform.get("/platform/configuration/versions")).json()["versions"]
    assert [(item["version"], item["config"]["inspection_days"]) for item in versions] == [(3, 6), (2, 5), (1, 7)]
    assert (await platform.get("/platform/configuration/versions", before=3, limit=1)).json()["versions"] == [
        versions[1]
    ]
    assert (await platform.get("/platform/configuration/versions/2")).json() == versions[1]
    assert (await platform.get("/platform/configuration/versions/4")).status_code == 404
    events = (await platform.get("/events", limit=100)).json()["events"]
    configured = [event for event in events if event["event_type"] == "platform.configured"]
    assert [event["body"]["config_version"] for event in configured] == [2, 3]


async def test_a_repeat_is_answered_as_the_first_time_even_when_the_configuration_is_another_by_now(
    platform: Platform,
) -> None:
    _, first = await put(platform, "CF-1", inspection_days=5)
    await put(platform, "CF-2", inspection_days=6)
    assert await put(platform, "CF-1", inspection_days=5) == (200, first)
    assert (await platform.http.get(PATH)).json()["config"]["inspection_days"] == 6
    status, problem = await put(platform, "CF-1", inspection_days=4)
    assert (status, problem["code"]) == (409, "request_no_reused")


async def test_the_same_request_from_many_connections_makes_one_version(platform: Platform) -> None:
    answers = await asyncio.gather(*(put(platform, "CF-1", inspection_days=5) for _ in range(12)))
    assert sorted(status for status, _ in answers) == [200] * 11 + [201]
    assert {body["version"] for _, body in answers} == {2}


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"functions": {"qr_wechat": 0}}, "body.config.functions.qr_wechat"),
        ({"sms_texts": {"large_withdrawal": "{password}"}}, "body.config.sms_texts.large_withdrawal"),
        ({"comission": 3}, "body.config.comission"),
        ({"authorisation": {"platform_withdraw": "none"}}, "body.config.authorisation.platform_withdraw"),
        ({"authorisation": {"platform_withdraw": "payment_password"}}, "body.config.authorisation.platform_withdraw"),
    ],
)
async def test_a_wrong_document_is_refused_and_the_field_named(
    platform: Platform, config: dict[str, Any], field: str
) -> None:
    status, problem = await put(platform, "CF-1", **config)
    assert (status, problem["code"]) == (422, "invalid_request")
    assert [error["field"] for error in problem["errors"]] == [field]
    assert (await platform.http.get(PATH)).json()["version"] == 1


async def test_the_platforms_key_requires_authorisations_but_does_not_drop_them(platform: Platform) -> None:
    assert (await put(platform, "CF-1", authorisation={"withdraw": "sms_code"}))[0] == 201
    status, problem = await put(platform, "CF-2")
    assert (status, problem["code"]) == (403, "operator_only")
    assert problem["details"]["fields"] == ["authorisation.withdraw"]
    assert await put(platform, "CF-2") == (status, problem)
    assert (await platform.http.get(PATH)).json()["version"] == 2


@pytest.mark.parametrize(
    "config",
    [
        {"business_model": "self_operated", "commission_basis_points": 0},
        {"sms_codes_by_api": True},
        {"embedding_origins": ["https://evil.example"]},
        {"return_url": "https://evil.example/back"},
        {"identity_required_for_withdrawal": False},
    ],
)
async def test_what_members_money_is_behind_only_an_operator_opens(platform: Platform, config: dict[str, Any]) -> None:
    status, problem = await put(platform, "CF-1", **config)
    assert (status, problem["code"]) == (403, "operator_only")
    await platform.registry.platforms.configure(platform.number, PlatformConfig.model_validate(config))
    assert (await platform.http.get(PATH)).json()["recorded_by"] == "operator"


async def test_a_running_order_keeps_what_it_began_with(platform: Platform) -> None:
    await platform.paid_order()
    await put(
        platform,
        "CF-1",
        commission_basis_points=900,
        release_settlement="T+1",
        authorisation={"accept": "sms_code", "start": "payment_password"},
    )
    started = await platform.command("D-1001/start", "R-1", "C-1")
    assert started["result"]["commission_fen"] == PRICE_FEN * 30 // 100 * 5 // 100
    assert (await platform.balances("C-1"))["pending_fen"] == 0
    await platform.command("D-1001/milestones/2/complete", "R-2", "C-1")
    await platform.command("D-1001/milestones/2/accept", "R-3", "O-1")


async def test_an_order_opened_before_a_limit_was_set_is_answered_as_the_first_time(platform: Platform) -> None:
    await platform.open_owner()
    await platform.open_contractor()
    first = await platform.open_order()
    await put(platform, "CF-1", limits={"payment_fen": 1})
    again = await platform.post("/orders", **order_body())
    assert (again.status_code, again.json()) == (200, first)
    other = await platform.post("/orders", **order_body(total_fen=PRICE_FEN - 100))
    assert (other.status_code, other.json()["code"]) == (409, "request_no_reused")


async def test_an_order_of_the_new_configuration_needs_the_authorisation(platform: Platform) -> None:
    await put(platform, "CF-1", authorisation={"pay": "payment_password"})
    await platform.open_owner()
    await platform.open_contractor()
    await platform.open_order()
    answer = await platform.post("/orders/D-1001/pay", request_no="R-1", by="O-1")
    assert (answer.status_code, answer.json()["code"]) == (409, "payment_password_not_set")
    answer = await platform.post("/orders/D-1001/consents", request_no="R-2", by="O-1", operation="pay")
    assert (answer.status_code, answer.json()["code"]) == (403, "authorisation_required")
    assert answer.json()["details"] == {"operation": "pay", "method": "payment_password"}


async def test_a_configuration_of_the_time_when_the_key_alone_withdrew_is_read_as_it_must_be_now(
    platform: Platform, stack: Stack
) -> None:
    connection = await asyncpg.connect(stack.postgres.dsn)
    try:
        await connection.execute(
            "INSERT INTO platform_config (platform_no, version, document, recorded_at, recorded_by, request_no)"
            " SELECT platform_no, 2, jsonb_set(document, '{authorisation,platform_withdraw}', '\"none\"'), recorded_at,"
            " recorded_by, '' FROM platform_config WHERE platform_no = $1",
            platform.number,
        )
    finally:
        await connection.close()
    found = (await platform.http.get(PATH)).json()
    assert (found["version"], found["config"]["authorisation"]["platform_withdraw"]) == (2, "sms_code")


async def test_each_business_model_forbids_the_others_payee(platforms: PlatformMaker) -> None:
    marketplace = await platforms.open()
    await marketplace.open_owner()
    answer = await marketplace.post("/orders", **order_body(contractor_no="platform"))
    assert (answer.status_code, answer.json()["code"]) == (409, "business_model_forbids")
    own_shop = await platforms.open(
        PlatformConfig.model_validate({"business_model": "self_operated", "commission_basis_points": 0})
    )
    await own_shop.open_owner()
    await own_shop.open_contractor()
    answer = await own_shop.post("/orders", **order_body())
    assert (answer.status_code, answer.json()["code"]) == (409, "business_model_forbids")
    assert "commission_basis_points" in (await own_shop.http.put(PATH, json={
        "request_no": "CF-1", "config": {"business_model": "self_operated", "commission_basis_points": 1},
    })).text  # fmt: skip
