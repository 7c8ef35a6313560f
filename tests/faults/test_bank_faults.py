"""What goes wrong at the bank: every withdrawal and top-up ends right by itself, and both books are equal."""

import asyncio
from datetime import datetime, time, timedelta
from typing import Any

import pytest_asyncio

from escrow.domain.time.calendars import SHANGHAI, WorkingCalendar
from tests.api.platforms import Platform
from tests.faults import callers
from tests.faults.house import House
from tests.waiting import until

_FUNDS_FEN = 10_000_000
_ACCOUNT_NO = "755912345678900002"
#: Longer than a stuck payout takes at the bank.
_STUCK = timedelta(minutes=11)
_RETURN = timedelta(days=2, minutes=1)


@pytest_asyncio.fixture
async def platform(house: House) -> Platform:
    """A platform whose contractor has money to withdraw."""
    platform = await house.platforms.open()
    await callers.open_contractor(platform, _ACCOUNT_NO)
    await platform.top_up(_ACCOUNT_NO, _FUNDS_FEN, member_no="C-1")
    return platform


async def in_banking_hours(house: House, platform: Platform) -> None:
    """The account's clock at the bank shows ten o'clock of its next working morning, when every rail is open."""
    now, calendar = (await house.steer.clock(platform.custody_account_no)).astimezone(SHANGHAI), WorkingCalendar()
    days = (now.date() + timedelta(days=ahead) for ahead in range(15))
    mornings = (datetime.combine(day, time(10), SHANGHAI) for day in days if calendar.is_working_day(day))
    await house.steer.move_clock(platform.custody_account_no, to=next(morning for morning in mornings if morning > now))


async def ended(platform: Platform, withdrawal_no: str) -> dict[str, Any]:
    """The withdrawal once it has ended."""

    async def has_ended() -> bool:
        return await callers.withdrawal_status(platform, withdrawal_no) in ("paid", "failed")

    await until(has_ended, "the withdrawal ends")
    withdrawal: dict[str, Any] = (await platform.get(f"/withdrawals/{withdrawal_no}")).json()
    return withdrawal


async def test_a_payout_that_the_bank_disturbs_is_paid_once_or_given_back(house: House, platform: Platform) -> None:
    await in_banking_hours(house, platform)
    once = ("declined", "failed_later", "timeout_not_booked")
    for scenario in once:
        await house.steer.next_suffers(scenario)
        await callers.withdraw(platform, f"once-{scenario}", 10_000)
        if scenario != once[-1]:
            await ended(platform, f"once-{scenario}")
    await until(lambda: _was_sent(house, platform, f"once-{once[-1]}:payout:1"), "the payment order is sent")
    by_amount = {
        90_001: "paid", 90_003: "failed", 90_004: "paid", 90_006: "paid", 90_007: "paid", 90_008: "paid",
        90_009: "paid", 90_010: "paid", 90_011: "paid", 90_012: "failed", 90_013: "paid",
    }  # fmt: skip
    await asyncio.gather(*(callers.withdraw(platform, f"W-{amount_fen}", amount_fen) for amount_fen in by_amount))
    await until(lambda: _bank_has(house, platform, "W-90004:payout:1"), "the bank has the payment order")
    await house.steer.move_clock(platform.custody_account_no, by=_STUCK)
    numbers = [f"W-{amount_fen}" for amount_fen in by_amount] + [f"once-{scenario}" for scenario in once]
    found = dict(zip(numbers, await asyncio.gather(*(ended(platform, number) for number in numbers)), strict=True))

    expected = {f"W-{amount_fen}": status for amount_fen, status in by_amount.items()}
    expected |= {f"once-{scenario}": "paid" for scenario in once}
    assert {number: withdrawal["status"] for number, withdrawal in found.items()} == expected
    assert await house.payouts_booked(platform) == {no: 1 for no, status in expected.items() if status == "paid"}
    rails = {number: [attempt["rail"] for attempt in found[number]["attempts"]] for number in numbers}
    assert rails["once-timeout_not_booked"] == ["ibps", "ibps"], "a payment order that never arrived is sent again"
    assert rails["once-declined"] == rails["once-failed_later"] == ["ibps", "hvps"]
    assert rails["W-90001"] == rails["W-90011"] == ["ibps"], "a payment order without an answer is not sent again"
    await house.require_sound_books(platform)
    paid_fen = 3 * 10_000 + sum(amount_fen for amount_fen, status in by_amount.items() if status == "paid")
    assert (await platform.balances("C-1"))["withdrawable_fen"] == _FUNDS_FEN - paid_fen


async def test_a_payout_that_comes_back_after_two_days_waits_in_suspense(house: House, platform: Platform) -> None:
    await callers.withdraw(platform, "W-90005", 90_005)
    assert (await ended(platform, "W-90005"))["status"] == "paid"
    await house.steer.move_clock(platform.custody_account_no, by=_RETURN)
    await house.require_sound_books(platform)
    accounts = (await platform.get("/accounts", purpose="suspense")).json()["accounts"]
    assert [account["balance_fen"] for account in accounts] == [90_005]


async def test_transfers_whose_notices_are_lost_late_repeated_or_wrong_are_credited_once(
    house: House, platform: Platform
) -> None:
    amounts_fen = {"notice_dropped": 1_001, "notice_late": 1_002, "notice_twice": 1_003, "notice_wrong_amount": 1_004}
    for scenario, amount_fen in amounts_fen.items():
        await house.steer.next_suffers(scenario, "transfer")
        await house.steer.transfer(
            custody_account_no=platform.custody_account_no,
            amount_fen=amount_fen,
            account_no=_ACCOUNT_NO,
            account_name="安居装饰有限公司",
        )
    credited_fen = _FUNDS_FEN + sum(amounts_fen.values())

    async def credited() -> bool:
        return bool((await platform.balances("C-1"))["withdrawable_fen"] == credited_fen)

    await until(credited, "all transfers are credited")
    await until(lambda: _all_notices_are_out(house), "all notices are out")
    await house.require_sound_books(platform)
    assert await credited()


async def test_while_the_bank_is_away_everything_waits_and_then_goes_on_by_itself(
    house: House, platform: Platform
) -> None:
    await house.steer.next_suffers("stuck")
    await callers.withdraw(platform, "W-sent", 10_000)
    await until(lambda: _bank_has(house, platform, "W-sent:payout:1"), "the bank has the payment order")
    await asyncio.gather(house.bank.kill(), house.bank_gate.close())
    await callers.withdraw(platform, "W-new", 20_000)
    await asyncio.sleep(10)
    assert await callers.withdrawal_status(platform, "W-new") == "held"
    await asyncio.gather(house.bank.start(), house.bank_gate.open())
    await house.steer.move_clock(platform.custody_account_no, by=_STUCK)
    for number in ("W-sent", "W-new"):
        withdrawal = await ended(platform, number)
        assert withdrawal["status"] == "paid"
        assert len(withdrawal["attempts"]) == 1
    assert await house.payouts_booked(platform) == {"W-sent": 1, "W-new": 1}
    await house.require_sound_books(platform)


async def _was_sent(house: House, platform: Platform, request_no: str) -> bool:
    """Whether a payment order is on its way to the bank, which may never take it in."""
    number = f'"{platform.number}/{request_no}"'.encode()
    return any(call.method == "POST" and number in call.body for call in house.bank_gate.passed)


async def _bank_has(house: House, platform: Platform, request_no: str) -> bool:
    """Whether the bank has taken a payment order in."""
    return any(payout["reqSeq"] == f"{platform.number}/{request_no}" for payout in await house.steer.payouts())


async def _all_notices_are_out(house: House) -> bool:
    return all(notice["state"] in ("delivered", "dropped") for notice in await house.steer.notices())
