"""Nobody guesses a password or a code, not even from fifty connections at once."""

import asyncio

import asyncpg
import httpx2

from escrow.stack.up import Stack
from escrow.trust import trusted_authorities
from tests.api.platforms import Platform, PlatformMaker, created
from tests.pages.member import (
    PASSWORD,
    Visitor,
    ask_acceptance,
    form_token,
    newest_code,
    order_to_accept,
)
from tests.waiting import PATIENCE_SECONDS

CONNECTIONS = 50


async def guess(url: str, token: str, **fields: str) -> httpx2.Response:
    """One guess over a connection of its own."""
    async with httpx2.AsyncClient(
        verify=trusted_authorities(), trust_env=False, timeout=PATIENCE_SECONDS, follow_redirects=True
    ) as http:
        return await Visitor(http).send(url, form_token=token, action="confirm", **fields)


async def test_five_wrong_passwords_lock_even_from_fifty_connections(
    platforms: PlatformMaker, visitor: Visitor
) -> None:
    platform = await order_to_accept(platforms, visitor, method="payment_password")
    asked = await ask_acceptance(platform)
    token = form_token(await visitor.see(asked["url"]))
    answers = await asyncio.gather(
        *(guess(asked["url"], token, password=f"wrong-{number}") for number in range(CONNECTIONS))
    )
    looked_at = [answer for answer in answers if "还可以试" in answer.text]
    locked = [answer for answer in answers if "已锁定 24 小时" in answer.text]
    assert (len(looked_at), len(locked)) == (4, CONNECTIONS - 4)  # the fifth is looked at and locks
    right = await guess(asked["url"], token, password=PASSWORD)
    assert "已锁定 24 小时" in right.text
    assert (await ask_acceptance(platform))["status"] == "pending"
    events = (await platform.get("/events", limit=200)).json()["events"]
    assert [event["event_type"] for event in events].count("member.payment_password_locked") == 1


async def test_a_lock_ends_after_its_time_and_a_right_password_forgets_wrong_ones(
    platforms: PlatformMaker, visitor: Visitor, stack: Stack
) -> None:
    platform = await order_to_accept(platforms, visitor, method="payment_password")
    asked = await ask_acceptance(platform)
    for _ in range(5):
        await visitor.fill_in(asked["url"], action="confirm", password="wrong-one")
    connection = await asyncpg.connect(stack.postgres.dsn)
    locked_for = await connection.fetchval(
        "SELECT locked_until - books_now($1) FROM payment_password WHERE platform_no = $1", platform.number
    )
    assert 23 * 3600 < locked_for.total_seconds() <= 24 * 3600
    ended = "UPDATE payment_password SET locked_until = books_now($1) WHERE platform_no = $1"
    await connection.execute(ended, platform.number)
    await connection.close()
    wrong = await visitor.fill_in(asked["url"], action="confirm", password="wrong-two")
    assert "还可以试 4 次" in wrong.text
    assert "已完成" in (await visitor.fill_in(asked["url"], action="confirm", password=PASSWORD)).text


async def test_a_reset_by_code_ends_a_lock_and_a_change_needs_the_old_password(
    platforms: PlatformMaker, visitor: Visitor
) -> None:
    platform = await order_to_accept(platforms, visitor, method="payment_password")
    asked = await ask_acceptance(platform)
    for _ in range(5):
        await visitor.fill_in(asked["url"], action="confirm", password="wrong-one")
    reset = await link(platform, "PL-reset", "reset")
    await visitor.fill_in(reset, action="send")
    new = {"new_password": "second-8!", "repeat_password": "second-8!"}
    code = await newest_code(platform.bank)
    assert "支付密码已保存" in (await visitor.fill_in(reset, action="confirm", code=code, **new)).text
    change = await link(platform, "PL-change", "change")
    third = {"new_password": "third-9!", "repeat_password": "third-9!"}
    wrong = await visitor.fill_in(change, action="confirm", password=PASSWORD, **third)
    assert "还可以试 4 次" in wrong.text
    assert "支付密码已保存" in (await visitor.fill_in(change, action="confirm", password="second-8!", **third)).text
    assert "已完成" in (await visitor.fill_in(asked["url"], action="confirm", password="third-9!")).text


async def test_a_code_has_five_tries_even_from_fifty_connections(platforms: PlatformMaker, visitor: Visitor) -> None:
    platform = await order_to_accept(platforms, visitor, method="sms_code")
    asked = await ask_acceptance(platform)
    sent = await visitor.fill_in(asked["url"], action="send")
    code = await newest_code(platform.bank)
    wrong = [f"{(int(code) + 1 + number) % 1_000_000:06}" for number in range(CONNECTIONS)]
    answers = await asyncio.gather(*(guess(asked["url"], form_token(sent), code=number) for number in wrong))
    assert sum("还可以试" in answer.text for answer in answers) == 5
    assert sum("验证码已失效" in answer.text for answer in answers) == CONNECTIONS - 5
    assert "验证码已失效" in (await guess(asked["url"], form_token(sent), code=code)).text
    for _ in range(2):
        await visitor.fill_in(asked["url"], action="send")
    newest, before = await newest_code(platform.bank), len(await platform.bank.sms_outbox())
    assert "验证码发送次数已用完" in (await visitor.fill_in(asked["url"], action="send")).text
    assert len(await platform.bank.sms_outbox()) == before
    assert "已完成" in (await visitor.fill_in(asked["url"], action="confirm", code=newest)).text


async def test_a_member_gets_ten_codes_a_day_however_many_links_ask(platforms: PlatformMaker, visitor: Visitor) -> None:
    platform = await platforms.open()
    await platform.open_owner()
    before = len(await platform.bank.sms_outbox())
    urls = [await link(platform, f"PL-{number}", "set") for number in range(6)]
    await asyncio.gather(*(visitor.fill_in(url, action="send") for url in urls * 3))
    assert len(await platform.bank.sms_outbox()) == before + 10


async def test_a_password_that_is_easily_guessed_is_not_taken_and_costs_no_code(
    platforms: PlatformMaker, visitor: Visitor
) -> None:
    platform = await platforms.open()
    await platform.open_owner()
    url = await link(platform, "PL-1", "set")
    await visitor.fill_in(url, action="send")
    code = await newest_code(platform.bank)
    for password, said in (
        ("12345", "密码须为"),
        ("x" * 65, "密码须为"),
        ("888888", "过于简单"),
        ("345678", "过于简单"),
        ("00000001", "过于简单"),  # stands in the member's mobile number
        ("135792", ""),
    ):
        repeated = {"new_password": password, "repeat_password": password if said else "other"}
        page = await visitor.fill_in(url, action="confirm", code=code, **repeated)
        assert page.status_code == 422
        assert (said or "两次输入的新密码不一致") in page.text, password
    good = {"new_password": PASSWORD, "repeat_password": PASSWORD}
    assert "支付密码已保存" in (await visitor.fill_in(url, action="confirm", code=code, **good)).text
    late = await visitor.send(url, action="confirm", code=code, **good)
    assert "支付密码已保存" in late.text
    second = await platform.post("/members/O-1/payment-password-links", request_no="PL-2", purpose="set")
    assert (second.status_code, second.json()["code"]) == (409, "payment_password_set")


async def link(platform: Platform, request_no: str, purpose: str) -> str:
    """Address of a page for the owner's password."""
    made = await created(platform.post("/members/O-1/payment-password-links", request_no=request_no, purpose=purpose))
    url: str = made["url"]
    return url
