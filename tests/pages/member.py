"""A member with a browser of its own making: reads its text messages, fills in the pages' forms over plain HTTP."""

import re
from dataclasses import dataclass, field
from typing import Any

import httpx2

from escrow.channels.sandbox_bank.steering import SandboxSteering
from escrow.domain.platforms.config import PlatformConfig, Settlement
from escrow.trust import trusted_authorities
from tests.api.platforms import CONTACT_MOBILE, PRICE_FEN, Platform, PlatformMaker, created
from tests.waiting import PATIENCE_SECONDS

PASSWORD = "canary-7Qx!29"
_FORM_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]{64})"')


def config(**changes: Any) -> PlatformConfig:
    """A configuration with money that can be paid at once, and some authorisations."""
    return PlatformConfig.model_validate({"top_up_settlement": Settlement.T_PLUS_0, **changes})


@dataclass
class Visitor:
    """Somebody at the pages, without a platform's key."""

    http: httpx2.AsyncClient
    answers: list[httpx2.Response] = field(default_factory=list)

    async def see(self, url: str, **query: str) -> httpx2.Response:
        return self._kept(await self.http.get(url, params=query))

    async def fill_in(self, url: str, **fields: str) -> httpx2.Response:
        """Load the page and send its form; the page that follows."""
        return await self.send(url, form_token=form_token(await self.see(url)), **fields)

    async def send(self, url: str, *, origin: str | None = None, **fields: str) -> httpx2.Response:
        headers = {"Origin": origin or "/".join(url.split("/")[:3])}
        return self._kept(await self.http.post(url, data=fields, headers=headers))

    def _kept(self, answer: httpx2.Response) -> httpx2.Response:
        self.answers.append(answer)
        return answer


def form_token(page: httpx2.Response) -> str:
    """The token in a page's forms; empty for a page without a form."""
    found = _FORM_TOKEN.search(page.text)
    return found[1] if found else ""


async def newest_code(bank: SandboxSteering, mobile: str = "13800000001") -> str:
    """The code in the newest text message that carries one."""
    for message in reversed(await bank.sms_outbox()):
        found = re.search(r"验证码(\d{6})", message.text)
        if found and message.mobile == mobile:
            return found[1]
    raise AssertionError("no code was sent")


async def set_password(
    platform: Platform,
    visitor: Visitor,
    member_no: str = "O-1",
    password: str = PASSWORD,
    mobile: str = "13800000001",
) -> str:
    """The member sets its password by a link and a code; the link."""
    link = await created(
        platform.post(f"/members/{member_no}/payment-password-links", request_no=f"PL-{member_no}", purpose="set")
    )
    sent = await visitor.fill_in(link["url"], action="send")
    assert sent.status_code == 200, sent.text
    saved = await visitor.fill_in(
        link["url"],
        action="confirm",
        code=await newest_code(platform.bank, mobile),
        new_password=password,
        repeat_password=password,
    )
    assert "支付密码已保存" in saved.text, saved.text
    url: str = link["url"]
    return url


async def contact_authorises(platform: Platform, url: str) -> httpx2.Response:
    """The platform's contact person reads its text message and gives the code on the page; what the page then says."""
    async with httpx2.AsyncClient(
        verify=trusted_authorities(), trust_env=False, timeout=PATIENCE_SECONDS, follow_redirects=True
    ) as http:
        contact = Visitor(http)
        await contact.fill_in(url, action="send")
        return await contact.fill_in(url, action="confirm", code=await newest_code(platform.bank, CONTACT_MOBILE))


async def withdraw_own(platform: Platform, principal_fen: int, *, withdrawal_no: str = "W-1") -> dict[str, Any]:
    """The platform withdraws its own money, which its contact person authorises; the withdrawal."""
    asked = {"withdrawal_no": withdrawal_no, "principal_fen": principal_fen}
    waits = await platform.post("/withdrawals", **asked)
    assert waits.status_code == 202, waits.text
    page = await contact_authorises(platform, waits.json()["authorization"]["url"])
    assert "已完成" in page.text, page.text
    done = await platform.post("/withdrawals", **asked)
    assert done.status_code == 200, done.text
    withdrawal: dict[str, Any] = done.json()
    return withdrawal


async def order_to_accept(platforms: PlatformMaker, visitor: Visitor, *, method: str, **more: Any) -> Platform:
    """A platform whose owners authorise acceptance, with an order whose second milestone waits for that."""
    platform = await platforms.open(config(authorisation={"accept": method}, **more))
    card = await platform.open_owner()
    await platform.open_contractor()
    if method == "payment_password":
        await set_password(platform, visitor)
    await platform.top_up(card, PRICE_FEN)
    await platform.open_order()
    await platform.command("D-1001/pay", "R-pay", "O-1")
    await platform.command("D-1001/start", "R-start", "C-1")
    await platform.command("D-1001/milestones/2/complete", "R-complete", "C-1")
    return platform


async def ask_acceptance(platform: Platform, request_no: str = "R-accept") -> dict[str, Any]:
    """The platform asks that the owner accept; the authorisation it is pointed to."""
    answer = await platform.post("/orders/D-1001/milestones/2/accept", request_no=request_no, by="O-1")
    assert answer.status_code == 202, answer.text
    authorization: dict[str, Any] = answer.json()["authorization"]
    return authorization
