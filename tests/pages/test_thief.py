"""A thief with the platform's key, while a member looks at a page: what was shown is what happens, or nothing does."""

from typing import Any

from tests.api.platforms import Platform, PlatformMaker, card_number, created
from tests.api.test_batch_payments import batch_body, orders_wait, statuses
from tests.pages.member import PASSWORD, Visitor, config, set_password

ASKED = {"withdrawal_no": "W-1", "member_no": "O-1", "principal_fen": 5_000}
TERMS = {"top_up_settlement": "T+0", "authorisation": {"withdraw": "payment_password"}, "withdrawal_fee_fen": 100}


async def asked_to_withdraw(platforms: PlatformMaker, visitor: Visitor) -> tuple[Platform, str]:
    """An owner with 100 yuan is asked for its password to a withdrawal of 50; the page's address."""
    platform = await platforms.open(config(**TERMS))
    card = await platform.open_owner()
    await set_password(platform, visitor)
    await platform.top_up(card, 10_000)
    asked = await platform.post("/withdrawals", **ASKED)
    assert asked.status_code == 202, asked.text
    return platform, asked.json()["authorization"]["url"]


async def reconfigured(platform: Platform, **changes: Any) -> None:
    """The thief changes the terms with the platform's key."""
    body = {"request_no": "CF-1", "config": TERMS | changes}
    answer = await platform.http.put("/v1/platform/configuration", json=body)
    assert answer.status_code == 201, answer.text


async def test_a_member_is_shown_the_fee_and_pays_no_other(platforms: PlatformMaker, visitor: Visitor) -> None:
    platform, url = await asked_to_withdraw(platforms, visitor)
    assert "另收手续费" in (await visitor.see(url)).text
    await reconfigured(platform, withdrawal_fee_fen=5_000)

    page = await visitor.fill_in(url, action="confirm", password=PASSWORD)

    assert "未能执行" in page.text
    again = await platform.post("/withdrawals", **ASKED)
    assert (again.status_code, again.json()["code"]) == (409, "fee_differs")
    assert (await platform.balances("O-1"))["withdrawable_fen"] == 10_000


async def test_a_fee_that_changes_later_does_not_make_a_repeat_another_request(
    platforms: PlatformMaker, visitor: Visitor
) -> None:
    platform, url = await asked_to_withdraw(platforms, visitor)
    await visitor.fill_in(url, action="confirm", password=PASSWORD)
    await reconfigured(platform, withdrawal_fee_fen=5_000)

    again = await platform.post("/withdrawals", **ASKED)

    assert (again.status_code, again.json()["fee_fen"]) == (200, 100)
    assert (await platform.balances("O-1"))["withdrawable_fen"] == 4_900


async def test_money_goes_to_the_account_that_the_member_was_shown(platforms: PlatformMaker, visitor: Visitor) -> None:
    platform, url = await asked_to_withdraw(platforms, visitor)
    other = {"account_id": "A-2", "account_no": card_number(), "account_name": "王小明", "is_corporate": False}
    await created(platform.post("/members/O-1/bank-accounts", **other, make_default=True))

    await visitor.fill_in(url, action="confirm", password=PASSWORD)

    done = await platform.post("/withdrawals", **ASKED)
    assert (done.status_code, done.json()["account_id"]) == (200, "A-O-1")


async def test_what_is_switched_off_meanwhile_is_not_done_through_a_page(
    platforms: PlatformMaker, visitor: Visitor
) -> None:
    platform, url = await asked_to_withdraw(platforms, visitor)
    await reconfigured(platform, functions={"withdrawal": False})

    page = await visitor.fill_in(url, action="confirm", password=PASSWORD)

    assert "未能执行" in page.text
    assert (await platform.balances("O-1"))["withdrawable_fen"] == 10_000


async def test_a_list_of_orders_is_not_paid_through_a_page_where_that_is_off_by_then(
    platforms: PlatformMaker, visitor: Visitor
) -> None:
    terms = {"top_up_settlement": "T+0", "authorisation": {"batch_payment": "payment_password"}}
    platform = await platforms.open(config(**terms))
    await orders_wait(platform, 60_000)
    await set_password(platform, visitor)
    asked = await platform.post("/batch-payments", **batch_body())
    assert asked.status_code == 202, asked.text
    body = {"request_no": "CF-1", "config": terms | {"functions": {"batch_payment": False}}}
    changed = await platform.http.put("/v1/platform/configuration", json=body)
    assert changed.status_code == 201, changed.text

    page = await visitor.fill_in(asked.json()["authorization"]["url"], action="confirm", password=PASSWORD)

    assert "未能执行" in page.text
    assert set((await statuses(platform)).values()) == {"awaiting_payment"}
    assert (await platform.balances("O-1"))["available_fen"] == 60_000
