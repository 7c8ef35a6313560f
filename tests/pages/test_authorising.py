"""What a member authorises on a hosted page happens once, as shown, and not without its password or code."""

import asyncio

import asyncpg

from escrow.stack.up import Stack
from tests.api.platforms import PRICE_FEN, PlatformMaker
from tests.pages.member import (
    PASSWORD,
    Visitor,
    ask_acceptance,
    config,
    form_token,
    newest_code,
    order_to_accept,
    set_password,
)

STAGE_FEN = PRICE_FEN * 30 // 100


async def test_an_acceptance_waits_for_the_owners_password_and_is_then_carried_out_once(
    platforms: PlatformMaker, visitor: Visitor
) -> None:
    platform = await order_to_accept(platforms, visitor, method="payment_password")
    asked = await ask_acceptance(platform)
    assert (await ask_acceptance(platform)) == asked
    before = (await platform.balances("C-1"))["withdrawable_fen"]

    page = await visitor.see(asked["url"])
    for shown in ("D-1001", "55,800.00", "安居装饰有限公司", "水电验收", f"平台{platform.number}"):
        assert shown in page.text
    wrong = await visitor.fill_in(asked["url"], action="confirm", password="not-the-password")
    assert (wrong.status_code, "还可以试 4 次" in wrong.text) == (422, True)
    assert (await platform.balances("C-1"))["withdrawable_fen"] == before

    done = await visitor.fill_in(asked["url"], action="confirm", password=PASSWORD)
    assert "已完成" in done.text
    assert (await platform.balances("C-1"))["withdrawable_fen"] == before + STAGE_FEN * 95 // 100
    again = await platform.post("/orders/D-1001/milestones/2/accept", request_no="R-accept", by="O-1")
    assert (again.status_code, again.json()["result"]["milestone"]) == (200, 2)
    state = (await platform.get(f"/authorizations/{asked['authorization_id']}")).json()
    assert (state["status"], state["url"]) == ("done", None)

    once_more = await visitor.send(asked["url"], action="confirm", password=PASSWORD)
    assert "已完成" in once_more.text
    assert (await platform.balances("C-1"))["withdrawable_fen"] == before + STAGE_FEN * 95 // 100


async def test_a_link_works_once_even_when_sent_by_many_at_once(platforms: PlatformMaker, visitor: Visitor) -> None:
    platform = await order_to_accept(platforms, visitor, method="payment_password")
    asked = await ask_acceptance(platform)
    before = (await platform.balances("C-1"))["withdrawable_fen"]
    await asyncio.gather(*(visitor.fill_in(asked["url"], action="confirm", password=PASSWORD) for _ in range(4)))
    assert (await platform.balances("C-1"))["withdrawable_fen"] == before + STAGE_FEN * 95 // 100
    events = (await platform.get("/events", limit=200)).json()["events"]
    assert [event["event_type"] for event in events].count("member.authorisation_given") == 1


async def test_what_a_member_declines_is_not_done_and_not_asked_again(
    platforms: PlatformMaker, visitor: Visitor
) -> None:
    platform = await order_to_accept(platforms, visitor, method="payment_password")
    asked = await ask_acceptance(platform)
    page = await visitor.fill_in(asked["url"], action="decline")
    assert "已拒绝" in page.text
    for _ in range(2):
        answer = await platform.post("/orders/D-1001/milestones/2/accept", request_no="R-accept", by="O-1")
        assert (answer.status_code, answer.json()["code"]) == (409, "authorisation_declined")
    late = await visitor.send(asked["url"], action="confirm", password=PASSWORD)
    assert "已拒绝" in late.text
    assert (await platform.get("/orders/D-1001")).json()["milestones"][1]["status"] == "in_inspection"


async def test_a_changed_amount_is_not_covered_by_what_was_authorised(
    platforms: PlatformMaker, visitor: Visitor
) -> None:
    platform = await platforms.open(config(authorisation={"withdraw": "payment_password"}))
    card = await platform.open_owner()
    await set_password(platform, visitor)
    await platform.top_up(card, 10_000)
    body = {"withdrawal_no": "W-1", "member_no": "O-1"}
    asked = await platform.post("/withdrawals", **body, principal_fen=5_000)
    assert asked.status_code == 202
    for _ in range(2):
        changed = await platform.post("/withdrawals", **body, principal_fen=6_000)
        assert (changed.status_code, changed.json()["code"]) == (409, "request_no_reused")
        await visitor.fill_in(asked.json()["authorization"]["url"], action="confirm", password=PASSWORD)
    done = await platform.post("/withdrawals", **body, principal_fen=5_000)
    assert (done.status_code, done.json()["principal_fen"]) == (200, 5_000)
    assert (await platform.balances("O-1"))["available_fen"] == 5_000


async def test_an_operation_altered_in_the_books_of_the_link_is_not_authorised(
    platforms: PlatformMaker, visitor: Visitor, stack: Stack
) -> None:
    platform = await order_to_accept(platforms, visitor, method="payment_password")
    asked = await ask_acceptance(platform)
    connection = await asyncpg.connect(stack.postgres.dsn)
    await connection.execute(
        "UPDATE page_link SET content = jsonb_set(content, '{terms,amount_fen}', '1') WHERE link_id = $1",
        asked["authorization_id"],
    )
    await connection.close()
    page = await visitor.fill_in(asked["url"], action="confirm", password=PASSWORD)
    assert page.status_code == 409
    assert (await platform.get(f"/authorizations/{asked['authorization_id']}")).json()["status"] == "pending"


async def test_an_expired_link_is_renewed_by_the_platforms_next_call(
    platforms: PlatformMaker, visitor: Visitor, stack: Stack
) -> None:
    platform = await order_to_accept(platforms, visitor, method="payment_password")
    asked = await ask_acceptance(platform)
    connection = await asyncpg.connect(stack.postgres.dsn)
    expired = "UPDATE page_link SET expires_at = books_now(platform_no) WHERE link_id = $1"
    await connection.execute(expired, asked["authorization_id"])
    await connection.close()
    page = await visitor.send(asked["url"], action="confirm", password=PASSWORD)
    assert "链接已过期" in page.text
    renewed = await ask_acceptance(platform)
    assert renewed["url"] != asked["url"]
    assert (await visitor.see(asked["url"])).status_code == 404
    assert "已完成" in (await visitor.fill_in(renewed["url"], action="confirm", password=PASSWORD)).text


async def test_a_form_from_elsewhere_or_without_its_token_does_nothing(
    platforms: PlatformMaker, visitor: Visitor
) -> None:
    platform = await order_to_accept(platforms, visitor, method="payment_password")
    asked = await ask_acceptance(platform)
    token = form_token(await visitor.see(asked["url"]))
    for form_token_sent, origin in (("", None), ("0" * 64, None), (token, "https://evil.example"), (token, "null")):
        answer = await visitor.send(
            asked["url"], origin=origin, form_token=form_token_sent, action="confirm", password=PASSWORD
        )
        assert answer.status_code == 403
    assert (await ask_acceptance(platform))["status"] == "pending"
    assert "已完成" in (await visitor.send(asked["url"], form_token=token, action="confirm", password=PASSWORD)).text


async def test_an_acceptance_by_sms_code_goes_to_the_members_mobile_and_says_what_it_is_for(
    platforms: PlatformMaker, visitor: Visitor
) -> None:
    platform = await order_to_accept(platforms, visitor, method="sms_code")
    asked = await ask_acceptance(platform)
    await visitor.fill_in(asked["url"], action="send")
    message = (await platform.bank.sms_outbox())[-1]
    assert message.mobile == "13800000001"
    assert all(part in message.text for part in ("验收并付款", "55,800.00", "安居装饰有限公司"))
    first = await newest_code(platform.bank)
    await visitor.fill_in(asked["url"], action="send")
    second = await newest_code(platform.bank)
    if first != second:
        stale = await visitor.fill_in(asked["url"], action="confirm", code=first)
        assert "验证码不正确" in stale.text
    assert "已完成" in (await visitor.fill_in(asked["url"], action="confirm", code=second)).text
    # Codes do not pass through a platform that is not configured so.
    answer = await platform.post(f"/authorizations/{asked['authorization_id']}/sms-codes", request_no="S-1")
    assert (answer.status_code, answer.json()["code"]) == (403, "sms_codes_on_page")


async def test_a_platform_that_may_relays_codes_through_the_api(platforms: PlatformMaker, visitor: Visitor) -> None:
    platform = await order_to_accept(
        platforms, visitor, method="sms_code", sms_codes_by_api=True, functions={"hosted_pages": False}
    )
    asked = await ask_acceptance(platform)
    assert asked["url"] is None
    path = f"/authorizations/{asked['authorization_id']}"
    sent_before = len(await platform.bank.sms_outbox())
    for _ in range(2):
        assert (await platform.post(f"{path}/sms-codes", request_no="S-1")).status_code == 200
    assert len(await platform.bank.sms_outbox()) == sent_before + 1
    code = await newest_code(platform.bank)
    wrong = await platform.post(f"{path}/confirm", code=f"{(int(code) + 1) % 1_000_000:06}")
    assert (wrong.status_code, wrong.json()["details"]) == (409, {"tries_left": 4})
    for _ in range(2):
        assert (await platform.post(f"{path}/confirm", code=code)).json()["status"] == "done"
    answer = await platform.post("/orders/D-1001/milestones/2/accept", request_no="R-accept", by="O-1")
    assert answer.status_code == 200


async def test_an_authorised_command_that_a_rule_refuses_says_so_on_the_page_and_to_the_platform(
    platforms: PlatformMaker, visitor: Visitor
) -> None:
    platform = await platforms.open(config(authorisation={"pay": "payment_password"}))
    await platform.open_owner()
    await platform.open_contractor()
    await set_password(platform, visitor)
    await platform.open_order()
    asked = (await platform.post("/orders/D-1001/pay", request_no="R-1", by="O-1")).json()["authorization"]
    assert "您在7天内未提出异议，视为验收合格" in (await visitor.see(asked["url"])).text
    assert "未能执行" in (await visitor.fill_in(asked["url"], action="confirm", password=PASSWORD)).text
    answer = await platform.post("/orders/D-1001/pay", request_no="R-1", by="O-1")
    assert (answer.status_code, answer.json()["code"]) == (409, "insufficient_balance")


async def test_a_member_closes_its_wallet_by_its_own_password(platforms: PlatformMaker, visitor: Visitor) -> None:
    platform = await platforms.open(config(authorisation={"close_member": "payment_password"}))
    await platform.open_owner()
    await set_password(platform, visitor)
    answer = await platform.post("/members/O-1/close", request_no="CL-1")
    assert answer.status_code == 202
    assert (
        "已完成"
        in (await visitor.fill_in(answer.json()["authorization"]["url"], action="confirm", password=PASSWORD)).text
    )
    assert (await platform.get("/members/O-1")).json()["status"] == "closing"
    assert (await platform.post("/members/O-1/close", request_no="CL-1")).status_code == 200


async def test_what_was_authorised_while_no_worker_runs_is_done_by_the_platforms_next_call(
    platforms: PlatformMaker, visitor: Visitor, stack: Stack
) -> None:
    platform = await order_to_accept(platforms, visitor, method="payment_password")
    asked = await ask_acceptance(platform)
    await stack.worker.kill()
    try:
        page = await visitor.fill_in(asked["url"], action="confirm", password=PASSWORD)
        assert "授权已记录，操作正在执行" in page.text
    finally:
        await stack.worker.start()
    again = await platform.post("/orders/D-1001/milestones/2/accept", request_no="R-accept", by="O-1")
    assert (again.status_code, again.json()["result"]["milestone"]) == (200, 2)
    assert "已完成" in (await visitor.see(asked["url"])).text


async def test_cancelling_shows_what_is_refunded_and_starting_what_is_released(
    platforms: PlatformMaker, visitor: Visitor
) -> None:
    platform = await platforms.open(config(authorisation={"cancel": "sms_code", "start": "sms_code"}))
    await platform.paid_order()
    cancel = (await platform.post("/orders/D-1001/cancel", request_no="R-1", by="O-1")).json()["authorization"]
    assert "186,000.00 元" in (await visitor.see(cancel["url"])).text
    start = (await platform.post("/orders/D-1001/start", request_no="R-2", by="C-1")).json()["authorization"]
    english = await visitor.see(start["url"], lang="en")
    assert "55,800.00 yuan" in english.text
    await visitor.fill_in(cancel["url"], action="send")
    assert "取消订单" in (await platform.bank.sms_outbox())[-1].text
    code = await newest_code(platform.bank)
    assert "已完成" in (await visitor.fill_in(cancel["url"], action="confirm", code=code)).text
    assert (await platform.balances("O-1"))["available_fen"] == PRICE_FEN


async def test_a_payment_without_a_guarantee_waits_for_its_payer(platforms: PlatformMaker, visitor: Visitor) -> None:
    platform = await platforms.open(config(authorisation={"unguaranteed_payment": "payment_password"}))
    card = await platform.open_owner()
    await platform.open_contractor()
    await set_password(platform, visitor)
    await platform.top_up(card, 10_000)
    body = {"payment_no": "P-1", "payer_no": "O-1", "payee_no": "C-1"}
    asked = await platform.post("/payments", **body, amount_fen=2_500)
    assert asked.status_code == 202
    assert (await platform.post("/payments", **body, amount_fen=2_501)).json()["code"] == "request_no_reused"
    page = await visitor.fill_in(asked.json()["authorization"]["url"], action="confirm", password=PASSWORD)
    assert "已完成" in page.text
    assert (await platform.post("/payments", **body, amount_fen=2_500)).status_code == 200
    assert (await platform.balances("C-1"))["available_fen"] == 2_500
