"""What a member authorises on a hosted page happens once, as shown, and not without its password or code."""

from collections.abc import AsyncIterator

import httpx2
import pytest_asyncio

from tests.api.platforms import PRICE_FEN, PlatformMaker
from tests.pages.member import PASSWORD, Visitor, ask_acceptance, order_to_accept

STAGE_FEN = PRICE_FEN * 30 // 100


@pytest_asyncio.fixture
async def visitor() -> AsyncIterator[Visitor]:
    async with httpx2.AsyncClient(trust_env=False, timeout=30, follow_redirects=True) as http:
        yield Visitor(http)


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
