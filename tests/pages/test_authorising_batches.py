"""A list of orders that its owner authorises on the hosted page: shown whole, bound to exactly this list, paid once."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from tests.api.platforms import Platform, PlatformMaker
from tests.api.test_batch_payments import batch_body, orders_wait, outcomes, statuses
from tests.pages.member import PASSWORD, Visitor, config, newest_code, set_password
from tests.pages.test_in_a_browser import folder, phone, picture

__all__ = ["folder", "phone"]


async def asked(platform: Platform, **body: Any) -> dict[str, Any]:
    """The platform asks for a batch that its owner has to authorise; the authorisation it is pointed to."""
    answer = await platform.post("/batch-payments", **batch_body(**body))
    assert answer.status_code == 202, answer.text
    authorization: dict[str, Any] = answer.json()["authorization"]
    return authorization


async def with_password(platforms: PlatformMaker, visitor: Visitor, **authorisation: str) -> Platform:
    """Three orders and money for them, on a platform whose owners authorise by password."""
    platform = await platforms.open(config(authorisation=authorisation))
    await orders_wait(platform, 60_000)
    await set_password(platform, visitor)
    return platform


async def test_the_page_shows_orders_payees_total_and_the_list_and_the_password_pays_them_all(
    platforms: PlatformMaker, visitor: Visitor, phone: Page, folder: Path
) -> None:
    platform = await with_password(platforms, visitor, batch_payment="payment_password")
    authorization = await asked(platform)
    assert (authorization["operation"], authorization["object_no"]) == ("batch_payment", "B-1")

    page = await visitor.see(authorization["url"])
    for shown in ("批量支付", "订单数", "收款方数", "600.00 元", "订单 D-2", "200.00 元 · 安居装饰有限公司", "7天内"):
        assert shown in page.text, shown
    english = await visitor.see(authorization["url"], lang="en")
    for shown in ("Pay a list of orders", "<dt>Orders</dt><dd>3</dd>", "<dt>Payees</dt><dd>2</dd>", "Order D-3"):
        assert shown in english.text, shown
    assert set((await statuses(platform)).values()) == {"awaiting_payment"}

    await phone.goto(authorization["url"])
    await picture(phone, folder, "batch")
    await phone.fill("#password", PASSWORD)
    await phone.click("button[value=confirm]")
    await phone.get_by_text("已完成").wait_for()
    done = await platform.post("/batch-payments", **batch_body())
    assert (done.status_code, outcomes(done.json())) == (200, dict.fromkeys(("D-1", "D-2", "D-3"), "frozen"))
    state = (await platform.get(f"/authorizations/{authorization['authorization_id']}")).json()
    assert state["status"] == "done"


async def test_another_list_is_not_covered_by_what_was_authorised(platforms: PlatformMaker, visitor: Visitor) -> None:
    platform = await with_password(platforms, visitor, batch_payment="payment_password")
    authorization = await asked(platform)
    for other in (batch_body("D-1", "D-2"), batch_body(collection={"method": "qr_qq"})):
        changed = await platform.post("/batch-payments", **other)
        assert (changed.status_code, changed.json()["code"]) == (409, "request_no_reused")
    await visitor.fill_in(authorization["url"], action="confirm", password=PASSWORD)
    changed = await platform.post("/batch-payments", **batch_body("D-1", "D-2"))
    assert (changed.status_code, changed.json()["code"]) == (409, "request_no_reused")
    assert set((await statuses(platform)).values()) == {"awaiting_start"}


async def test_an_order_paid_before_the_owner_authorises_lets_nothing_be_paid(
    platforms: PlatformMaker, visitor: Visitor
) -> None:
    platform = await with_password(platforms, visitor, batch_payment="payment_password")
    authorization = await asked(platform)
    await platform.command("D-1/cancel", "R-1", "C-1")

    page = await visitor.fill_in(authorization["url"], action="confirm", password=PASSWORD)

    assert "未能执行" in page.text
    refused = await platform.post("/batch-payments", **batch_body())
    assert (refused.status_code, refused.json()["code"]) == (409, "order_state")
    assert (await platform.balances("O-1"))["available_fen"] == 60_000


@pytest.mark.parametrize(("single", "way"), [("pay", {}), ("direct_payment", {"collection": {"method": "qr_alipay"}})])
async def test_a_batch_is_no_way_around_what_one_of_its_orders_would_need(
    platforms: PlatformMaker, visitor: Visitor, single: str, way: dict[str, Any]
) -> None:
    platform = await with_password(platforms, visitor, **{single: "payment_password"})

    authorization = await asked(platform, **way)

    ended = await visitor.fill_in(authorization["url"], action="confirm", password=PASSWORD)
    assert ("/pages/cashier/" in ended.text) == bool(way)
    batch = await platform.post("/batch-payments", **batch_body(**way))
    assert batch.status_code == 200
    expected = "frozen" if single == "pay" else "waiting"
    assert set(outcomes(batch.json()).values()) == {expected}


async def test_a_code_authorises_a_batch_and_names_its_total(platforms: PlatformMaker, visitor: Visitor) -> None:
    platform = await platforms.open(config(authorisation={"batch_payment": "sms_code"}))
    await orders_wait(platform, 60_000)
    authorization = await asked(platform)
    await visitor.fill_in(authorization["url"], action="send")
    text = (await platform.bank.sms_outbox())[-1].text
    assert "600.00" in text
    assert "3个订单" in text

    code = await newest_code(platform.bank)
    page = await visitor.fill_in(authorization["url"], action="confirm", code=code)

    assert "已完成" in page.text
    assert (await platform.balances("O-1"))["in_escrow_fen"] == 60_000
