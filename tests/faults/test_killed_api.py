"""SIGKILL of the API's process in the middle of a call, and the same call many times at once: one effect."""

import asyncio
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from escrow.ledger.consents import get_consent
from tests.api.platforms import Platform
from tests.faults import callers
from tests.faults.gates import RECORDS_CONSENT
from tests.faults.house import House
from tests.waiting import until, within_reason

_ACCOUNT_NO = "755912345678900003"
_FUNDS_FEN = 10_000_000
_AT_ONCE = 20
#: What the ledger takes for a withdrawal that nothing disturbs; the bank says at once that it has the payment order.
_WITHDRAWN = {"W-1:hold", "W-1:attempt:1", "W-1:attempt:1:seen:2", "W-1:paid"}


@pytest_asyncio.fixture
async def platform(house: House) -> Platform:
    """A platform whose owner and contractor have money."""
    platform = await house.platforms.open()
    card = await platform.open_owner()
    await callers.open_contractor(platform, _ACCOUNT_NO)
    await platform.top_up(card, _FUNDS_FEN)
    await platform.top_up(_ACCOUNT_NO, _FUNDS_FEN, member_no="C-1")
    return platform


async def kill_api(house: House, calling: asyncio.Task[Any]) -> None:
    """Kill the API while it works on a call, see that the caller got no answer, and start it again."""
    assert not calling.done()
    await house.api.kill()
    with pytest.raises(httpx2.TransportError):
        await calling
    await house.api.start()


@pytest.mark.parametrize("call", ["open", "pay", "withdraw"])
async def test_a_call_whose_api_was_killed_is_repeated_and_done_once(
    house: House, platform: Platform, call: str
) -> None:
    path, body = {
        "open": ("/orders", callers.order("D-1")),
        "pay": ("/orders/D-1/pay", {"request_no": "D-1-pay", "by": "O-1"}),
        "withdraw": ("/withdrawals", {"withdrawal_no": "W-1", "member_no": "C-1", "principal_fen": 10_000}),
    }[call]
    if call == "pay":
        await callers.open_order(platform, "D-1")
    # The posting that the call leads to is kept at the worker's gate: so long, the call is under way.
    house.ledger_gate.keeping = True
    calling = asyncio.create_task(platform.post(path, **body))
    kept = await within_reason(house.ledger_gate.kept.get(), "the call posts")
    await kill_api(house, calling)
    house.ledger_gate.keeping = False
    kept.forward(keep_answer=False)

    first = await callers.insist(platform, path, **body)
    again = await callers.insist(platform, path, **body)
    assert first.get("result") == again.get("result")
    expected = {
        "open": {"D-1:open"},
        "pay": {"D-1:open", "D-1:freeze"},
        "withdraw": _WITHDRAWN,
    }[call]
    taken: set[str] = set()

    async def all_are_taken() -> bool:
        nonlocal taken
        taken = await house.requests_of(platform, "D-1", "W-1")
        return taken == expected

    await until(all_are_taken, f"the ledger takes {expected} and no more", seen=lambda: taken)
    await house.require_sound_books(platform)
    assert await house.payouts_booked(platform) == ({"W-1": 1} if call == "withdraw" else {})


@pytest.mark.parametrize("recorded", [False, True])
async def test_a_call_killed_before_or_after_its_consent_was_recorded_is_repeated_and_done_once(
    house: House, platform: Platform, recorded: bool
) -> None:
    await callers.open_order(platform, "D-1")
    gate = house.api_ledger_gate
    gate.keeping, gate.keeps = True, RECORDS_CONSENT
    calling = asyncio.create_task(platform.post("/orders/D-1/pay", request_no="D-1-pay", by="O-1"))
    kept = await within_reason(gate.kept.get(), "the consent is recorded")
    if recorded:
        kept.forward(keep_answer=True)
        await within_reason(kept.answered.wait(), "the recording is answered")
    await house.api.kill()
    await gate.cut()
    with pytest.raises(httpx2.TransportError):
        await calling
    assert (await get_consent(house.recorder, platform.number, "D-1-pay") is not None) == recorded
    assert await house.requests_of(platform, "D-1") == {"D-1:open"}
    await house.api.start()

    answer = await callers.command(platform, "D-1", "pay")
    assert answer["order"]["paid_fen"] == callers.PRICE_FEN
    assert await house.requests_of(platform, "D-1") == {"D-1:open", "D-1:freeze"}
    await house.require_sound_books(platform)


async def test_the_same_call_many_times_at_once_has_one_effect_and_one_answer(house: House, platform: Platform) -> None:
    async def at_once(path: str, **body: Any) -> list[httpx2.Response]:
        return await asyncio.gather(*(platform.post(path, **body) for _ in range(_AT_ONCE)))

    opened = await at_once("/orders", **callers.order("D-1"))
    assert sorted(answer.status_code for answer in opened) == [200] * (_AT_ONCE - 1) + [201]
    for operation in ("pay", "start"):
        by = "O-1" if operation == "pay" else "C-1"
        given = await at_once(f"/orders/D-1/{operation}", request_no=f"D-1-{operation}", by=by)
        assert [answer.status_code for answer in given] == [200] * _AT_ONCE
        results = [answer.json()["result"] for answer in given]
        assert results == [results[0]] * _AT_ONCE
    withdrawn = await at_once("/withdrawals", withdrawal_no="W-1", member_no="C-1", principal_fen=10_000)
    assert sorted(answer.status_code for answer in withdrawn) == [200] * (_AT_ONCE - 1) + [201]

    async def is_paid() -> bool:
        return await callers.withdrawal_status(platform, "W-1") == "paid"

    await until(is_paid, "the withdrawal is paid")
    assert await house.requests_of(platform, "D-1") == {"D-1:open", "D-1:freeze", "D-1:M1:release:1"}
    assert await house.requests_of(platform, "W-1") == _WITHDRAWN
    assert await house.payouts_booked(platform) == {"W-1": 1}
    contractor = await platform.balances("C-1")
    assert contractor["withdrawable_fen"] == _FUNDS_FEN - 10_000 + callers.DEPOSIT_FEN * 95 // 100
    await house.require_sound_books(platform)
