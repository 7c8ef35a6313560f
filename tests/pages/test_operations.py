"""Whatever a member can authorise is one value, and one function carries it out for the endpoint and for the page."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from api.carrying_out import CARRIED_OUT_BY
from api.dependencies import Services
from api.main import create_app
from escrow.domain.operations.of_link import Operation
from escrow.domain.platforms.authorisations import AuthorisedOperation
from escrow.settings import Settings
from escrow.stack.up import Stack
from tests.api.payers import mandate_body
from tests.api.platforms import CONTACT_MOBILE, Platform, PlatformMaker, card_number, order_body
from tests.pages.member import PASSWORD, Visitor, config, newest_code, set_password

PRICE_FEN = 100_000
MINE, THEIRS = "O-1", "C-1"

#: What a platform asks for, one after the other: for each operation that can be authorised at least one row.
ASKED: tuple[tuple[AuthorisedOperation, str, str, Mapping[str, Any]], ...] = (
    (AuthorisedOperation.PAY, "POST", "/orders/D-1/pay", {"request_no": "R-1", "by": MINE, "note": "all of it"}),
    (AuthorisedOperation.START, "POST", "/orders/D-1/start", {"request_no": "R-2", "by": THEIRS}),
    (AuthorisedOperation.COMPLETE, "POST", "/orders/D-1/milestones/2/complete", {"request_no": "R-3", "by": THEIRS}),
    (
        AuthorisedOperation.RECTIFY,
        "POST",
        "/orders/D-1/milestones/2/rectify",
        {"request_no": "R-4", "by": MINE, "note": "a tap drips"},
    ),
    (AuthorisedOperation.COMPLETE, "POST", "/orders/D-1/milestones/2/complete", {"request_no": "R-5", "by": THEIRS}),
    (AuthorisedOperation.ACCEPT, "POST", "/orders/D-1/milestones/2/accept", {"request_no": "R-6", "by": MINE}),
    (AuthorisedOperation.CANCEL, "POST", "/orders/D-2/cancel", {"request_no": "R-7", "by": MINE, "note": "too dear"}),
    (
        AuthorisedOperation.DIRECT_PAYMENT,
        "POST",
        "/orders/D-3/direct-payments",
        {
            "request_no": "R-8",
            "by": MINE,
            "method": "gateway",
            "expires_in_minutes": 20,
            "return_url": "https://platform.example/paid",
        },
    ),
    (
        AuthorisedOperation.DIRECT_PAYMENT,
        "POST",
        "/orders/D-3/direct-payments",
        {"request_no": "R-9", "by": MINE, "method": "quick", "account_id": "A-O-1"},
    ),
    (
        AuthorisedOperation.BATCH_PAYMENT,
        "POST",
        "/batch-payments",
        {
            "batch_no": "B-1",
            "payer_no": MINE,
            "orders": [{"order_no": number, "amount_fen": PRICE_FEN} for number in ("D-4", "D-5")],
        },
    ),
    (
        AuthorisedOperation.BATCH_PAYMENT,
        "POST",
        "/batch-payments",
        {
            "batch_no": "B-2",
            "payer_no": MINE,
            "orders": [{"order_no": "D-6", "amount_fen": PRICE_FEN}],
            "collection": {"method": "qr_alipay", "expires_in_minutes": 25},
        },
    ),
    (
        AuthorisedOperation.UNGUARANTEED_PAYMENT,
        "POST",
        "/payments",
        {"payment_no": "P-1", "payer_no": MINE, "payee_no": THEIRS, "amount_fen": 2_500},
    ),
    (
        AuthorisedOperation.WITHDRAW,
        "POST",
        "/withdrawals",
        {"withdrawal_no": "W-1", "member_no": MINE, "account_id": "A-O-1", "principal_fen": 5_000},
    ),
    (
        AuthorisedOperation.PLATFORM_WITHDRAW,
        "POST",
        "/withdrawals",
        {"withdrawal_no": "W-2", "account_id": "OWN-1", "principal_fen": 7_000},
    ),
    (AuthorisedOperation.SIGN_MANDATE, "POST", "/members/O-1/mandates", mandate_body()),
    (
        AuthorisedOperation.BIND_ACCOUNT,
        "POST",
        "/members/O-1/bank-accounts",
        {
            "account_id": "A-2",
            "account_no": card_number(),
            "account_name": "王小明",
            "is_corporate": False,
            "cnaps_code": "102100099996",
            "bank_name": "中国银行",
        },
    ),
    (AuthorisedOperation.UNBIND_ACCOUNT, "DELETE", "/members/O-1/bank-accounts/A-2?request_no=7", {}),
    (AuthorisedOperation.CLOSE_MEMBER, "POST", "/members/O-9/close", {"request_no": "CL-1"}),
)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[Operation]:
    """Every operation that is given to a function which carries it out, by whomever, and is then carried out."""
    seen: list[Operation] = []
    for kind, carries_out in CARRIED_OUT_BY.items():
        watched = _watched(carries_out, seen)
        monkeypatch.setattr(sys.modules[carries_out.__module__], carries_out.__name__, watched)
        monkeypatch.setitem(CARRIED_OUT_BY, kind, watched)
    return seen


def _watched(carries_out: Callable[..., Awaitable[object]], seen: list[Operation]) -> Callable[..., Awaitable[object]]:
    async def watched(services: Services, platform_no: str, operation: Operation, *, remote_address: str) -> object:
        seen.append(operation)
        return await carries_out(services, platform_no, operation, remote_address=remote_address)

    return watched


@pytest_asyncio.fixture
async def api(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx2.AsyncClient]:
    """One more API on the stack, in this process."""
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    app = create_app(Settings())
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1", follow_redirects=True
        ) as http,
    ):
        yield http


async def everybody_authorises(platforms: PlatformMaker, visitor: Visitor) -> Platform:
    """Members with passwords and money, a platform with money of its own, and orders that wait to be paid."""
    by_password = dict.fromkeys(AuthorisedOperation, "payment_password")
    platform = await platforms.open(config())
    card = await platform.open_owner()
    await platform.open_contractor()
    await platform.open_owner("O-9")
    for member_no, mobile in ((MINE, "13800000001"), (THEIRS, "13800000002"), ("O-9", "13800000001")):
        await set_password(platform, visitor, member_no, mobile=mobile)
    await platform.top_up(card, 5 * PRICE_FEN)
    await platform.own_money_comes(10_000)
    asks_everybody = config(authorisation=by_password | {AuthorisedOperation.PLATFORM_WITHDRAW: "sms_code"})
    await platform.registry.platforms.configure(platform.number, asks_everybody)
    for number in range(1, 7):
        await platform.open_order(**order_body(f"D-{number}", total_fen=PRICE_FEN))
    return platform


async def authorised(platform: Platform, member: Visitor, authorization: dict[str, Any]) -> httpx2.Response:
    """What a page says once its member has proven itself there."""
    if authorization["method"] == "payment_password":
        return await member.fill_in(authorization["url"], action="confirm", password=PASSWORD)
    await member.fill_in(authorization["url"], action="send")
    code = await newest_code(platform.bank, CONTACT_MOBILE)
    return await member.fill_in(authorization["url"], action="confirm", code=code)


async def test_endpoint_and_page_give_the_same_value_to_the_same_function_for_every_operation(
    platforms: PlatformMaker, visitor: Visitor, api: httpx2.AsyncClient, given: list[Operation]
) -> None:
    platform = await everybody_authorises(platforms, visitor)
    member, key = Visitor(api), {"Authorization": platform.http.headers["Authorization"]}
    kinds = set()
    for operation, method, path, body in ASKED:
        asked = await api.request(method, f"/v1{path}", json=dict(body) or None, headers=key)
        assert asked.status_code == 202, f"{operation}: {asked.text}"
        page = await authorised(platform, member, asked.json()["authorization"])
        assert page.status_code == 200, f"{operation}: {page.text}"
        by_endpoint, by_page = given
        assert type(by_endpoint) is type(by_page), operation
        assert by_endpoint == by_page, operation
        assert by_endpoint.authorised_as is operation

        again = await api.request(method, f"/v1{path}", json=dict(body) or None, headers=key)
        assert again.status_code in (200, 201), f"{operation}: {again.text}"
        assert given == [by_endpoint] * 3
        kinds.add(type(by_endpoint))
        given.clear()
    assert kinds == set(CARRIED_OUT_BY)


def test_every_operation_that_can_be_authorised_has_a_row() -> None:
    assert {operation for operation, *_ in ASKED} == set(AuthorisedOperation)
