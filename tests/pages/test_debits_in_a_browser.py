"""A mandate is signed and a quick payment's code typed in a real browser, on a phone and on a desktop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest_asyncio
from playwright.async_api import Page, expect

from escrow.trust import trusted_authorities
from tests.api.payers import CODE, MOBILE, card_of, debit_body, mandate_body, open_payer, sign_mandate
from tests.api.platforms import Platform, PlatformMaker, created
from tests.pages.member import PASSWORD, Visitor, config, form_token, newest_code
from tests.pages.test_in_a_browser import desktop, folder, phone, picture
from tests.waiting import PATIENCE_MILLISECONDS, PATIENCE_SECONDS, until

__all__ = ["desktop", "folder", "phone"]

CONNECTIONS = 50
QUICK = {"top_up_no": "T-1", "member_no": "O-1", "method": "quick", "account_id": "A-O-1", "amount_fen": 123_456}
ANOTHER_MOBILE = "13800000077"


@pytest_asyncio.fixture
async def guessers() -> AsyncIterator[list[Visitor]]:
    """Fifty browsers, each over a connection of its own."""
    async with AsyncExitStack() as opened:
        clients = [
            await opened.enter_async_context(
                httpx2.AsyncClient(
                    verify=trusted_authorities(), trust_env=False, timeout=PATIENCE_SECONDS, follow_redirects=True
                )
            )
            for _ in range(CONNECTIONS)
        ]
        yield [Visitor(client) for client in clients]


async def payer_of(platforms: PlatformMaker, mobile: str = MOBILE, **more: object) -> Platform:
    """A platform with these settings, and a payer."""
    platform = await platforms.open(config(**more))
    await open_payer(platform, mobile=mobile)
    return platform


async def password_of(platform: Platform, visitor: Visitor) -> None:
    """The payer sets its password."""
    link = await created(platform.post("/members/O-1/payment-password-links", request_no="PL-1", purpose="set"))
    await visitor.fill_in(link["url"], action="send")
    code = await newest_code(platform.bank, MOBILE)
    saved = await visitor.fill_in(
        link["url"], action="confirm", code=code, new_password=PASSWORD, repeat_password=PASSWORD
    )
    assert "支付密码已保存" in saved.text


async def top_up_is(platform: Platform, status: str) -> None:
    """The top-up gets into a status."""

    async def does() -> bool:
        return bool((await platform.get("/top-ups/T-1")).json()["status"] == status)

    await until(does, f"the top-up is {status}")


async def test_a_mandate_is_signed_on_a_phone_by_password(
    platforms: PlatformMaker, visitor: Visitor, phone: Page, folder: Path
) -> None:
    platform = await payer_of(platforms)
    await password_of(platform, visitor)
    await platform.registry.platforms.configure(
        platform.number, config(authorisation={"sign_mandate": "payment_password"})
    )
    body = mandate_body()
    asked = await platform.post("/members/O-1/mandates", **body)
    assert asked.status_code == 202
    changed = await platform.post("/members/O-1/mandates", **{**body, "per_day_fen": 999_999})
    assert (changed.status_code, changed.json()["code"]) == (409, "request_no_reused")
    before = await platform.post("/top-ups", **debit_body("T-0"))
    assert (before.status_code, before.json()["code"]) == (422, "mandate_unknown")

    card = card_of("622202")
    await phone.goto(asked.json()["authorization"]["url"])
    for shown in (f"{card[:4]}****{card[-4:]}", "1,000.00 元", "2,000.00 元", body["last_day"], "mandate-1", "随时"):
        await phone.get_by_text(shown).wait_for()
    await picture(phone, folder, "mandate")
    await phone.get_by_label("支付密码").fill(PASSWORD)
    await phone.get_by_role("button", name="确认授权").click()
    await phone.get_by_text("操作已执行").wait_for()

    again = await platform.post("/members/O-1/mandates", **body)
    assert (again.status_code, again.json()["status"]) == (200, "active")
    await created(platform.post("/top-ups", **debit_body()))
    await top_up_is(platform, "paid")
    assert card not in (await platform.get("/events", limit=200)).text


async def test_a_mandate_is_signed_on_a_desktop_by_code_and_a_declined_one_is_none(
    platforms: PlatformMaker, desktop: Page, folder: Path
) -> None:
    platform = await payer_of(platforms, ANOTHER_MOBILE, authorisation={"sign_mandate": "sms_code"})
    declined = await platform.post("/members/O-1/mandates", **mandate_body("M-2"))
    await desktop.goto(declined.json()["authorization"]["url"])
    await desktop.get_by_role("button", name="Decline").click()
    await desktop.get_by_role("heading", name="Declined").wait_for()
    answer = await platform.post("/members/O-1/mandates", **mandate_body("M-2"))
    assert (answer.status_code, answer.json()["code"]) == (409, "authorisation_declined")

    asked = await platform.post("/members/O-1/mandates", **mandate_body())
    await desktop.goto(asked.json()["authorization"]["url"])
    await desktop.get_by_role("button", name="Send me a code").click()
    await desktop.get_by_text("You can revoke this through the platform at any time").wait_for()
    await desktop.get_by_label("SMS code").fill(await newest_code(platform.bank, ANOTHER_MOBILE))
    await picture(desktop, folder, "mandate-en")
    await desktop.get_by_role("button", name="Authorise").click()
    await desktop.get_by_text("The operation was carried out").wait_for()
    listed = (await platform.get("/members/O-1/mandates")).json()["mandates"]
    assert [(item["mandate_no"], item["status"]) for item in listed] == [("M-1", "active")]


async def test_the_code_of_a_quick_payment_is_typed_on_a_phone(
    platforms: PlatformMaker, phone: Page, folder: Path
) -> None:
    platform = await payer_of(platforms)
    opened = await created(platform.post("/top-ups", **QUICK))
    await phone.goto(opened["cashier_url"])
    await phone.get_by_text("尾号为 5506").wait_for()
    await phone.get_by_label("短信验证码").fill("000000")
    await phone.get_by_role("button", name="确认付款").click()
    await phone.get_by_role("alert").get_by_text("还可以试 2 次").wait_for()
    await picture(phone, folder, "quick")
    await phone.get_by_role("button", name="重新发送验证码").click()
    await phone.get_by_label("短信验证码").fill(CODE)
    await phone.get_by_role("button", name="确认付款").click()
    await expect(phone.locator("h1")).to_have_text("付款成功", timeout=PATIENCE_MILLISECONDS)
    assert await phone.locator("input").count() == 0
    await top_up_is(platform, "paid")


async def test_the_code_of_a_quick_payment_for_an_order_is_typed_on_a_desktop(
    platforms: PlatformMaker, desktop: Page, folder: Path
) -> None:
    platform = await payer_of(platforms, ANOTHER_MOBILE)
    await platform.open_contractor()
    await platform.open_order(total_fen=4_000_000)
    opened = await created(
        platform.post("/orders/D-1001/direct-payments", request_no="R-1", by="O-1", method="quick", account_id="A-O-1")
    )
    await desktop.goto(opened["cashier_url"])
    await desktop.get_by_text("Quick payment").wait_for()
    await picture(desktop, folder, "quick-en")
    await desktop.get_by_label("SMS code").fill(await newest_code(platform.bank, ANOTHER_MOBILE))
    await desktop.get_by_role("button", name="Pay now").click()
    await expect(desktop.locator("h1")).to_have_text("Paid", timeout=PATIENCE_MILLISECONDS)

    async def paid() -> bool:
        return bool((await platform.get("/orders/D-1001")).json()["status"] == "awaiting_start")

    await until(paid, "it is paid")


async def test_an_owner_authorises_a_debit_for_its_order_by_password(
    platforms: PlatformMaker, visitor: Visitor
) -> None:
    platform = await payer_of(platforms)
    await platform.open_contractor()
    await sign_mandate(platform, per_debit_fen=5_000_000, per_day_fen=5_000_000)
    await password_of(platform, visitor)
    await platform.registry.platforms.configure(
        platform.number, config(authorisation={"direct_payment": "payment_password"})
    )
    await platform.open_order(total_fen=4_000_000)
    paying = {"request_no": "R-1", "by": "O-1", "method": "direct_debit", "mandate_no": "M-1"}
    asked = await platform.post("/orders/D-1001/direct-payments", **paying)
    assert asked.status_code == 202
    url = asked.json()["authorization"]["url"]
    page = (await visitor.see(url)).text
    assert all(shown in page for shown in ("银行代扣", "M-1", "40,000.00 元"))
    assert "已授权" in (await visitor.fill_in(url, action="confirm", password=PASSWORD)).text

    async def paid() -> bool:
        return bool((await platform.get("/orders/D-1001")).json()["status"] == "awaiting_start")

    await until(paid, "it is paid")
    again = await platform.post("/orders/D-1001/direct-payments", **paying)
    assert (again.status_code, again.json()["debit_channel"]) == (200, "UNIONPAY_DEBIT")


async def test_fifty_guesses_on_the_page_are_three_and_no_form_of_elsewhere_counts(
    platforms: PlatformMaker, visitor: Visitor, guessers: list[Visitor]
) -> None:
    platform = await payer_of(platforms)
    url = (await created(platform.post("/top-ups", **QUICK)))["cashier_url"]
    token = form_token(await visitor.see(url))
    foreign = await visitor.send(url, origin="https://elsewhere.example", form_token=token, action="confirm", code=CODE)
    assert foreign.status_code == 403
    assert (await visitor.send(url, form_token="0" * 64, action="confirm", code=CODE)).status_code == 403

    answers = await asyncio.gather(
        *(
            guesser.send(url, form_token=token, action="confirm", code=f"{number:06d}")
            for number, guesser in enumerate(guessers)
        )
    )
    assert sum("还可以试" in answer.text for answer in answers) == 2
    await top_up_is(platform, "failed")
    late = await visitor.send(url, form_token=token, action="confirm", code=CODE)
    assert "付款未能完成" in late.text
    assert (await platform.balances("O-1"))["available_fen"] == 0


async def test_a_page_that_asks_for_a_code_does_not_reload_while_it_is_typed(
    platforms: PlatformMaker, visitor: Visitor
) -> None:
    platform = await payer_of(platforms)
    page = await visitor.see((await created(platform.post("/top-ups", **QUICK)))["cashier_url"])
    assert "refresh" not in page.headers
    assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
    assert page.headers["cache-control"] == "no-store"
    assert "<script" not in page.text
    assert MOBILE not in page.text
