"""The platform's own money leaves when its contact person gives the code of its mobile on a page, and not otherwise."""

from pathlib import Path

from playwright.async_api import Page

from tests.api.platforms import CONTACT_MOBILE, Platform, PlatformMaker
from tests.pages.member import Visitor, config, contact_authorises, newest_code
from tests.pages.test_in_a_browser import desktop, folder, phone, picture

__all__ = ["desktop", "folder", "phone"]

ASKED = {"withdrawal_no": "W-1", "principal_fen": 1_234_500}


async def asked_to_withdraw(platform: Platform) -> tuple[str, str]:
    """A platform with money of its own asks for it; number and page of the authorisation."""
    await platform.own_money_comes(2_000_000)
    waits = await platform.post("/withdrawals", **ASKED)
    assert waits.status_code == 202, waits.text
    authorization = waits.json()["authorization"]
    assert (authorization["member_no"], authorization["method"]) == (None, "sms_code")
    return authorization["authorization_id"], authorization["url"]


async def test_the_platforms_own_money_waits_for_the_code_of_its_contact_person(
    platforms: PlatformMaker, visitor: Visitor
) -> None:
    platform = await platforms.open(config(withdrawal_fee_fen=100))
    authorization_id, url = await asked_to_withdraw(platform)
    assert await platform.own_fen() == 2_000_000

    page = await visitor.see(url)
    masked = f"****{platform.own_account_no[-4:]}"
    for shown in ("平台自有资金提现", "W-1", "12,345.00 元", "另收手续费", "1.00 元", masked, CONTACT_MOBILE[-4:]):
        assert shown in page.text
    assert platform.own_account_no not in page.text
    sent = await visitor.fill_in(url, action="send")
    assert "验证码已发送" in sent.text
    code = await newest_code(platform.bank, CONTACT_MOBILE)
    wrong = await visitor.fill_in(url, action="confirm", code=f"{(int(code) + 1) % 1_000_000:06}")
    assert (wrong.status_code, "还可以试 4 次" in wrong.text) == (422, True)
    assert await platform.own_fen() == 2_000_000

    assert "已完成" in (await visitor.fill_in(url, action="confirm", code=code)).text
    assert await platform.own_fen() == 2_000_000 - 1_234_500 - 100
    again = await platform.post("/withdrawals", **ASKED)
    assert (again.status_code, again.json()["account_id"]) == (200, "OWN-1")
    assert (await platform.get(f"/authorizations/{authorization_id}")).json()["status"] == "done"
    events = (await platform.get("/events", limit=200)).json()["events"]
    told = [event for event in events if event["event_type"] == "platform.authorisation_given"]
    assert [event["body"]["authorisation"]["object_no"] for event in told] == ["W-1"]


async def test_the_platform_never_relays_the_code_of_its_contact_person(
    platforms: PlatformMaker, visitor: Visitor
) -> None:
    platform = await platforms.open(config(sms_codes_by_api=True))
    authorization_id, url = await asked_to_withdraw(platform)
    path = f"/authorizations/{authorization_id}"
    await visitor.fill_in(url, action="send")
    code = await newest_code(platform.bank, CONTACT_MOBILE)
    for answer in (
        await platform.post(f"{path}/sms-codes", request_no="S-1"),
        await platform.post(f"{path}/confirm", code=code),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "sms_codes_on_page")
    assert await platform.own_fen() == 2_000_000


async def test_without_hosted_pages_the_platforms_own_money_stays_and_the_refusal_says_what_to_do(
    platforms: PlatformMaker,
) -> None:
    platform = await platforms.open(config(functions={"hosted_pages": False}, sms_codes_by_api=True))
    await platform.own_money_comes(2_000_000)
    refused = await platform.post("/withdrawals", **ASKED)
    assert (refused.status_code, refused.json()["code"]) == (403, "function_off")
    assert refused.json()["details"] == {"function": "hosted_pages"}
    assert "set functions.hosted_pages to true" in refused.text
    body = {"request_no": "CF-1", "config": {"functions": {"hosted_pages": True}}}
    assert (await platform.http.put("/v1/platform/configuration", json=body)).status_code == 201
    waits = await platform.post("/withdrawals", **ASKED)
    assert "已完成" in (await contact_authorises(platform, waits.json()["authorization"]["url"])).text


async def test_a_contact_person_that_declines_or_has_no_mobile_keeps_the_money_where_it_is(
    platforms: PlatformMaker, visitor: Visitor
) -> None:
    platform = await platforms.open(config())
    _, url = await asked_to_withdraw(platform)
    changed = await platform.post("/withdrawals", **{**ASKED, "principal_fen": 1_234_501})
    assert (changed.status_code, changed.json()["code"]) == (409, "request_no_reused")
    assert "已拒绝" in (await visitor.fill_in(url, action="decline")).text
    declined = await platform.post("/withdrawals", **ASKED)
    assert (declined.status_code, declined.json()["code"]) == (409, "authorisation_declined")
    assert await platform.own_fen() == 2_000_000

    nobody = await platforms.open(config(), contact_mobile=None)
    await nobody.own_money_comes(2_000_000)
    refused = await nobody.post("/withdrawals", **ASKED)
    assert (refused.status_code, refused.json()["code"]) == (409, "no_mobile")


async def test_the_contact_person_authorises_on_a_phone_in_chinese_and_on_a_desktop_in_english(
    platforms: PlatformMaker, phone: Page, desktop: Page, folder: Path
) -> None:
    platform = await platforms.open(config(withdrawal_fee_fen=100))
    _, url = await asked_to_withdraw(platform)
    await phone.goto(url)
    await phone.get_by_role("button", name="发送验证码").click()
    await phone.get_by_label("短信验证码").fill(await newest_code(platform.bank, CONTACT_MOBILE))
    await picture(phone, folder, "platform-withdrawal")
    await desktop.goto(url)
    await desktop.get_by_text("Withdraw the platform's own money").wait_for()
    await desktop.get_by_text("12,345.00 yuan").wait_for()
    await desktop.get_by_label("SMS code").fill(await newest_code(platform.bank, CONTACT_MOBILE))
    await picture(desktop, folder, "platform-withdrawal-en")
    await desktop.get_by_role("button", name="Authorise").click()
    await desktop.get_by_text("The operation was carried out").wait_for()
    assert await platform.own_fen() == 2_000_000 - 1_234_500 - 100
