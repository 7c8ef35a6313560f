"""Accounts are bound and unbound, and orders paid through a channel, when the member has authorised exactly that."""

from typing import Any

import asyncpg

from escrow.stack.up import Stack
from tests.api.platforms import PRICE_FEN, Platform, PlatformMaker, card_number, created
from tests.pages.member import PASSWORD, Visitor, config, newest_code, set_password
from tests.pages.searching import everything, long_secret
from tests.waiting import until

BINDING = {"account_id": "A-2", "account_name": "王小明", "is_corporate": False, "bank_name": "中国银行"}
PAYING = {"request_no": "R-1", "by": "O-1", "method": "qr_alipay"}


async def owner_who_authorises(platforms: PlatformMaker, visitor: Visitor, **authorisation: str) -> Platform:
    """A platform with these authorisations, and an owner with a password."""
    platform = await platforms.open(config())
    await platform.open_owner()
    await set_password(platform, visitor)
    await platform.registry.platforms.configure(platform.number, config(authorisation=authorisation))
    return platform


async def bound(platform: Platform) -> list[str]:
    """Numbers of the owner's bound accounts."""
    listed = (await platform.get("/members/O-1/bank-accounts")).json()["bank_accounts"]
    return [account["account_id"] for account in listed if account["status"] == "bound"]


async def test_an_account_is_bound_when_its_member_has_authorised_just_this_one(
    platforms: PlatformMaker, visitor: Visitor, stack: Stack
) -> None:
    platform = await owner_who_authorises(platforms, visitor, bind_account="payment_password")
    card = card_number()
    binding: dict[str, Any] = {**BINDING, "account_no": card}
    asked = await platform.post("/members/O-1/bank-accounts", **binding)
    assert asked.status_code == 202
    url = asked.json()["authorization"]["url"]
    page = await visitor.see(url)
    masked = f"{card[:4]}****{card[-4:]}"
    assert all(shown in page.text for shown in ("绑定银行账户", masked, "中国银行", "个人银行卡", "王** (O-1)"))
    assert (await visitor.see(url, lang="en")).text.count("Personal card") == 1

    for changed in ({"account_no": card_number()}, {"bank_name": "农业银行"}, {"make_default": True}):
        other = await platform.post("/members/O-1/bank-accounts", **{**binding, **changed})
        assert (other.status_code, other.json()["code"]) == (409, "request_no_reused")
    assert await bound(platform) == ["A-O-1"]

    assert "操作已执行" in (await visitor.fill_in(url, action="confirm", password=PASSWORD)).text
    assert await bound(platform) == ["A-O-1", "A-2"]
    again = await platform.post("/members/O-1/bank-accounts", **binding)
    assert (again.status_code, again.json()["account_no_masked"]) == (200, masked)
    assert "操作已执行" in (await visitor.send(url, action="confirm", password=PASSWORD)).text
    assert await bound(platform) == ["A-O-1", "A-2"]
    places = await everything(stack, visitor.answers, platform_no=platform.number)
    assert long_secret("the card", card).found_in(places) == []


async def test_a_binding_that_a_rule_forbids_is_refused_before_anybody_is_asked(
    platforms: PlatformMaker, visitor: Visitor
) -> None:
    platform = await owner_who_authorises(platforms, visitor, bind_account="payment_password")
    card = card_number()
    cases = (
        ({"account_name": "李雷", "account_no": card}, "account_name_differs"),
        ({"account_no": card[:-1] + str((int(card[-1]) + 1) % 10)}, "account_no_invalid"),
        ({"account_no": card, "cnaps_code": "102100099997"}, "cnaps_code_invalid"),
    )
    for changes, code in cases:
        answer = await platform.post("/members/O-1/bank-accounts", **{**BINDING, **changes})
        assert answer.json()["code"] == code
    absent = await platform.post("/members/O-404/bank-accounts", **BINDING, account_no=card)
    assert absent.status_code == 404
    assert (await platform.post("/members/O-1/bank-accounts", **BINDING, account_no=card)).status_code == 202


async def test_what_stands_in_the_link_of_a_binding_cannot_be_exchanged(
    platforms: PlatformMaker, visitor: Visitor, stack: Stack
) -> None:
    platform = await owner_who_authorises(platforms, visitor, bind_account="payment_password")
    mine = await platform.post("/members/O-1/bank-accounts", **BINDING, account_no=card_number())
    other = {**BINDING, "account_id": "A-3", "account_no": card_number()}
    thiefs = await platform.post("/members/O-1/bank-accounts", **other)
    ids = [answer.json()["authorization"]["authorization_id"] for answer in (mine, thiefs)]
    connection = await asyncpg.connect(stack.postgres.dsn)
    exchange = (
        "UPDATE page_link SET content = jsonb_set(content, '{carry_out,sealed}',"
        " (SELECT content #> '{carry_out,sealed}' FROM page_link WHERE link_id = $2)) WHERE link_id = $1"
    )
    await connection.execute(exchange, *ids)
    await connection.close()
    await visitor.fill_in(mine.json()["authorization"]["url"], action="confirm", password=PASSWORD)
    assert await bound(platform) == ["A-O-1"]


async def test_unbinding_waits_for_the_members_code_and_a_declined_one_is_asked_again_by_another_number(
    platforms: PlatformMaker, visitor: Visitor
) -> None:
    platform = await owner_who_authorises(platforms, visitor, unbind_account="sms_code")
    path = "/v1/members/O-1/bank-accounts/A-O-1"
    asked = await platform.http.delete(path)
    assert asked.status_code == 202
    assert "已拒绝" in (await visitor.fill_in(asked.json()["authorization"]["url"], action="decline")).text
    assert (await platform.http.delete(path)).json()["code"] == "authorisation_declined"
    url = (await platform.http.delete(path, params={"request_no": "2"})).json()["authorization"]["url"]
    assert "解除绑定银行账户" in (await visitor.see(url)).text
    await visitor.fill_in(url, action="send")
    assert "解除绑定银行账户" in (await platform.bank.sms_outbox())[-1].text
    assert await bound(platform) == ["A-O-1"]
    code = await newest_code(platform.bank)
    assert "操作已执行" in (await visitor.fill_in(url, action="confirm", code=code)).text
    assert await bound(platform) == []
    for params in ({}, {"request_no": "2"}, {"request_no": "3"}):
        again = await platform.http.delete(path, params=params)
        assert (again.status_code, again.json()["status"]) == (200, "unbound")


async def test_an_account_in_use_is_not_unbound_although_it_was_authorised(
    platforms: PlatformMaker, visitor: Visitor
) -> None:
    platform = await owner_who_authorises(platforms, visitor, unbind_account="payment_password")
    card = card_number()
    await created(platform.post("/members/O-1/bank-accounts", **{**BINDING, "account_no": card}, make_default=True))
    await platform.top_up(card, 200_000)
    asked = await platform.http.delete("/v1/members/O-1/bank-accounts/A-2")
    await platform.bank.set_bank_health("DOWN")
    try:
        await created(platform.post("/withdrawals", withdrawal_no="W-1", member_no="O-1", principal_fen=5_000))
        page = await visitor.fill_in(asked.json()["authorization"]["url"], action="confirm", password=PASSWORD)
    finally:
        await platform.bank.set_bank_health("UP")
    assert "未能执行" in page.text
    kept = await platform.http.delete("/v1/members/O-1/bank-accounts/A-2")
    assert (kept.status_code, kept.json()["code"]) == (409, "account_in_use")
    assert "A-2" in await bound(platform)


async def order_to_pay(platforms: PlatformMaker, visitor: Visitor) -> tuple[Platform, str]:
    """An order whose direct payment waits for its owner's password; the page's address."""
    platform = await platforms.open(config(authorisation={"direct_payment": "payment_password"}))
    await platform.open_owner()
    await platform.open_contractor()
    await set_password(platform, visitor)
    await platform.open_order()
    asked = await platform.post("/orders/D-1001/direct-payments", **PAYING)
    assert asked.status_code == 202
    return platform, asked.json()["authorization"]["url"]


async def test_a_direct_payment_waits_for_its_owner_and_is_then_paid_at_the_cashier(
    platforms: PlatformMaker, visitor: Visitor
) -> None:
    platform, url = await order_to_pay(platforms, visitor)
    page = await visitor.see(url)
    for shown in ("D-1001", "186,000.00", "安居装饰有限公司", "支付宝扫码", "视为验收合格"):
        assert shown in page.text
    assert (await platform.get("/orders/D-1001/direct-payments/R-1")).status_code == 404

    done = await visitor.fill_in(url, action="confirm", password=PASSWORD)
    assert "请继续付款" in done.text
    paying = await platform.post("/orders/D-1001/direct-payments", **PAYING)
    assert paying.status_code == 200
    assert paying.json()["cashier_url"].removeprefix(url.split("/pages/")[0]) in done.text
    number = f"{platform.number}/D-1001:pay:R-1:collect:1"

    async def awaits() -> bool:
        shown = (await platform.get("/orders/D-1001/direct-payments/R-1")).json()
        return bool(shown["status"] == "awaiting_payer")

    await until(awaits, "the payer is awaited")
    await platform.bank.pay(number)

    async def paid() -> bool:
        return bool((await platform.get("/orders/D-1001")).json()["status"] == "awaiting_start")

    await until(paid, "it is paid")
    assert "操作已执行" in (await visitor.see(url)).text


async def test_an_authorised_direct_payment_pays_by_no_other_method_and_never_from_the_balance(
    platforms: PlatformMaker, visitor: Visitor
) -> None:
    platform, url = await order_to_pay(platforms, visitor)
    card = card_number()
    await created(platform.post("/members/O-1/bank-accounts", **{**BINDING, "account_no": card}))
    await platform.top_up(card, PRICE_FEN)
    by_another = await platform.post("/orders/D-1001/direct-payments", **{**PAYING, "method": "qr_wechat"})
    assert (by_another.status_code, by_another.json()["code"]) == (409, "request_no_reused")
    await visitor.fill_in(url, action="confirm", password=PASSWORD)
    for path, body in (
        ("direct-payments", {**PAYING, "method": "qr_wechat"}),
        ("pay", {"request_no": "R-1", "by": "O-1"}),
    ):
        answer = await platform.post(f"/orders/D-1001/{path}", **body)
        assert (answer.status_code, answer.json()["code"]) == (409, "request_no_reused")
    assert (await platform.balances("O-1"))["available_fen"] == PRICE_FEN
