"""SIGKILL of the worker before and after the bank was called for a member who is debited: nothing happens twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

import pytest

from escrow.domain.platforms.config import PlatformConfig
from tests.api.payers import CODE, debit_body, mandate_body, open_payer
from tests.api.platforms import Platform
from tests.faults import callers
from tests.faults.gates import KeptCall
from tests.faults.house import House
from tests.faults.matrix import Point
from tests.telling import told
from tests.waiting import until, within_reason
from workflows.messages import collection_workflow_id

#: Activities that call the bank for such a member.
ACTIVITIES = frozenset(
    {"register_mandate", "deregister_mandate", "look_after_collection", "check_payer_code", "send_payer_code"}
)
#: Each step that does so: method and path of the call, and whose number it carries.
CALLS = {
    "register_mandate": ("POST", "/gateway/mandates", "M-register:mandate"),
    "deregister_mandate": ("POST", "/gateway/mandates/revoke", "M-deregister:mandate"),
    "choose_debit_channel": ("GET", "/gateway/collections/capabilities", ""),
    "submit_debit": ("POST", "/gateway/collections", "T-submit:collect:1"),
    "submit_debit_elsewhere": ("POST", "/gateway/collections", "T-elsewhere:collect:2"),
    "open_quick_payment": ("POST", "/gateway/collections", "T-open:collect:1"),
    "check_payer_code": ("POST", "/gateway/collections/confirm", "T-check:collect:1"),
    "send_payer_code": ("POST", "/gateway/collections/code", "T-send:collect:1"),
}
_AMOUNT_FEN = 10_000
#: What ends paid, with the code typed where one is asked for.
_PAID = ("T-choose", "T-submit", "T-elsewhere", "T-open", "T-check", "T-send")


def recognised(platform: Platform, activity: str) -> Callable[[KeptCall], bool]:
    """How to tell the call of an activity."""
    method, path, number = CALLS[activity]
    named = f"{platform.number}/{number}"

    def known(call: KeptCall) -> bool:
        target, _, query = unquote(call.target).partition("?")
        says = not number or named in query or f'"{named}"'.encode() in call.body
        return (call.method, target) == (method, path) and says

    return known


class Cast:
    """Mandates and top-ups of one platform, each there for one activity."""

    def __init__(self, house: House, platform: Platform) -> None:
        self.house = house
        self.platform = platform
        self.calling: list[asyncio.Task[Any]] = []

    async def prepare(self) -> None:
        """Bring everything to the step before."""
        await open_payer(self.platform)
        caps = {"per_debit_fen": 1_000_000, "per_day_fen": 1_000_000}
        for number in ("M-1", "M-deregister"):
            await callers.insist(self.platform, "/members/O-1/mandates", **mandate_body(number, **caps))
        for number in ("T-check", "T-send"):
            await self._quick(number)
            await self._is(number, "awaiting_payer")

    async def bring_to_the_gate(self, activity: str) -> KeptCall:
        """Have an activity call the bank; its call is kept at the gate."""
        gate, known = self.house.bank_gate, recognised(self.platform, activity)
        before = gate.trap
        gate.trap = lambda call: before(call) or known(call)
        start: dict[str, Callable[[], Awaitable[Any]]] = {
            "register_mandate": lambda: callers.insist(
                self.platform, "/members/O-1/mandates", **mandate_body("M-register")
            ),
            "deregister_mandate": lambda: callers.insist(
                self.platform, "/members/O-1/mandates/M-deregister/revoke", request_no="R-deregister"
            ),
            "choose_debit_channel": lambda: self._debit("T-choose"),
            "submit_debit": lambda: self._debit("T-submit"),
            "submit_debit_elsewhere": lambda: self._debit("T-elsewhere"),
            "open_quick_payment": lambda: self._quick("T-open"),
            "check_payer_code": lambda: self._type("T-check", "R-check"),
            "send_payer_code": lambda: callers.insist(self.platform, "/top-ups/T-send/sms-codes", request_no="S-send"),
        }
        if activity == "submit_debit_elsewhere":
            await self.house.steer.next_suffers("declined", "collection")
        self.calling.append(asyncio.create_task(_called(start[activity]())))
        kept = await until(lambda: [call for call in gate.kept if known(call)], f"{activity} calls the bank")
        return kept[0]

    async def lead_to_end(self) -> None:
        """Every call is answered at last, every code typed, everything ended."""
        await asyncio.gather(*self.calling)
        await self._is("T-open", "awaiting_payer", "paid")
        for number in ("T-open", "T-check", "T-send"):
            await self._type(number, f"R-{number.removeprefix('T-')}")
        for number in _PAID:
            await self._wake(number)
            await self._is(number, "paid")

        async def mandates_ended() -> bool:
            found = (await self.platform.get("/members/O-1/mandates")).json()["mandates"]
            shown = {item["mandate_no"]: (item["status"], item["bank_knows_the_end"]) for item in found}
            return shown["M-register"] == ("active", False) and shown["M-deregister"] == ("revoked", True)

        await until(mandates_ended, "the mandates stand as they should")

    async def _debit(self, number: str) -> Any:
        return await callers.insist(self.platform, "/top-ups", **debit_body(number, _AMOUNT_FEN))

    async def _quick(self, number: str) -> Any:
        body = {"top_up_no": number, "member_no": "O-1", "method": "quick", "account_id": "A-O-1"}
        return await callers.insist(self.platform, "/top-ups", **body, amount_fen=_AMOUNT_FEN)

    async def _type(self, number: str, request_no: str) -> Any:
        return await callers.insist(self.platform, f"/top-ups/{number}/confirm", request_no=request_no, code=CODE)

    async def _is(self, number: str, *statuses: str) -> None:
        async def does() -> bool:
            answer = await self.platform.get(f"/top-ups/{number}")
            return answer.is_success and answer.json()["status"] in statuses

        await until(does, f"{number} is {' or '.join(statuses)}")

    async def _wake(self, number: str) -> None:
        handle = (await self.house.temporal()).get_workflow_handle(collection_workflow_id(self.platform.number, number))
        await told(handle, "bank_notice", {"notice_id": f"test-{number}", "kind": "collection"})


async def _called(call: Awaitable[Any]) -> Any:
    return await call


@asynccontextmanager
async def relaying_platform(house: House) -> AsyncIterator[Platform]:
    """A platform that relays codes; the bank tells nobody anything meanwhile."""
    config = PlatformConfig.model_validate({"sms_codes_by_api": True, "top_up_settlement": "T+0"})
    await house.steer.send_notices_to("")
    yield await house.platforms.open(config)
    await house.steer.send_notices_to(f"{house.stack.api_url}/bank/notices")


@pytest.mark.parametrize("point", list(Point))
async def test_a_worker_killed_around_a_debit_leaves_every_member_debited_once(house: House, point: Point) -> None:
    async with relaying_platform(house) as platform:
        cast = Cast(house, platform)
        await cast.prepare()
        # The choice of a channel names nobody: it is kept last, when no other is made any more.
        order = [activity for activity in CALLS if activity != "choose_debit_channel"] + ["choose_debit_channel"]
        kept = [await cast.bring_to_the_gate(activity) for activity in order]
        if point is Point.UNDER_WAY:  # the bank has the calls and looks at them after the kill
            await house.steer.set_bank_health("SLOW")
        if point is not Point.BEFORE:
            for call in kept:
                call.forward(keep_answer=True)
        if point is Point.AFTER:
            await within_reason(asyncio.gather(*(call.answered.wait() for call in kept)), "the bank answers all calls")
        await house.kill_worker()
        await house.steer.set_bank_health("UP")
        await house.worker.start()
        await cast.lead_to_end()

        for number in _PAID:
            paid = [
                payment
                for attempt in (1, 2, 3)
                for payment in (
                    await house.at_bank.collections.query(
                        f"{platform.number}/{number}:collect:{attempt}", custody_account_no=platform.custody_account_no
                    )
                ).payments
            ]
            assert [payment.amount_fen for payment in paid] == [_AMOUNT_FEN], f"{number} was not debited once"
        assert (await platform.balances("O-1"))["available_fen"] == len(_PAID) * _AMOUNT_FEN
        await house.require_sound_books(platform)
