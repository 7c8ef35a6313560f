"""The bank's own working calendar and hours: through the wire with its clock moved, and day by day."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bank_sandbox.workdays import (
    SHANGHAI,
    CalendarUnknown,
    is_working_day,
    large_value_is_open,
    shenzhen_local_is_open,
)
from escrow.domain.errors import BankDeclined, Refused
from escrow.domain.withdrawals.payouts import PayoutStatus
from escrow.domain.withdrawals.rails import Rail
from tests.channels.conftest import CLOSING_GRACE, TUESDAY_MORNING
from tests.channels.statements import House
from tests.sandbox import running_sandbox

#: Around the make-up Saturday after National Day 2026: time, HVPS open, Shenzhen local open.
_WALK = [
    ("2026-10-09 08:29", True, False),
    ("2026-10-09 08:30", True, True),
    ("2026-10-09 16:30", True, False),
    ("2026-10-09 17:14", True, False),
    ("2026-10-09 17:15", False, False),
    ("2026-10-09 20:29", False, False),
    ("2026-10-09 20:30", True, False),  # a Friday evening that belongs to a worked Saturday
    ("2026-10-10 10:00", True, True),  # the make-up Saturday
    ("2026-10-10 20:30", False, False),
    ("2026-10-11 12:00", False, False),
    ("2026-10-11 20:30", True, False),  # Sunday evening belongs to Monday
    ("2026-10-12 10:00", True, True),
    ("2026-10-16 20:30", False, False),  # an ordinary Friday evening
    ("2026-12-31 20:30", False, False),  # before New Year's Day
    ("2027-02-04 20:30", False, False),  # before the eve of Spring Festival
    ("2027-02-08 10:00", False, False),
    ("2027-02-10 20:30", True, False),
    ("2027-02-11 10:00", True, True),
]


async def _takes(house: House, rail: Rail) -> bool:
    """Whether the bank takes a payment now; any other refusal than "closed" is an error."""
    try:
        await house.bank.submit(house.order(rail=rail))
    except BankDeclined as declined:
        if declined.code != "rail_closed":
            raise
        return False
    return True


async def test_the_bank_takes_payments_by_its_hours_on_working_and_make_up_days(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--start-at", "2026-10-09T08:00:00+08:00", "--delay-factor", "0") as sandbox:
        house = await House.open(sandbox, "HOME")
        walked = []
        for text, _, _ in _WALK:
            await house.waits_until(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI))
            told = {rail.rail: rail.open_now for rail in (await house.capabilities()).rails}
            hvps, local = await _takes(house, Rail.HVPS), await _takes(house, Rail.SHENZHEN_LOCAL)
            assert (told[Rail.HVPS], told[Rail.SHENZHEN_LOCAL]) == (hvps, local)
            assert await _takes(house, Rail.IBPS), "never closes"
            walked.append((text, hvps, local))

    assert walked == _WALK


async def test_in_a_year_nobody_knows_only_the_rails_without_a_calendar_are_open(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--start-at", "2028-03-01T10:00:00+08:00", "--delay-factor", "0") as sandbox:
        house = await House.open(sandbox, "HOME")
        capabilities = await house.capabilities()

        for rail in (Rail.HVPS, Rail.SHENZHEN_LOCAL):
            with pytest.raises(BankDeclined, match="calendar_unknown"):
                await house.bank.submit(house.order(rail=rail))
        for rail in (Rail.IN_BANK, Rail.UNIONPAY, Rail.IBPS, Rail.BEPS):
            await house.bank.submit(house.order(rail=rail))

    closed = {rail.rail: rail.note for rail in capabilities.rails if not rail.open_now}
    assert closed == {Rail.HVPS: "calendar_unknown", Rail.SHENZHEN_LOCAL: "calendar_unknown"}


async def test_accounts_of_one_bank_live_at_moments_of_their_own(tmp_path: Path) -> None:
    sunday_dawn = "2027-03-07T05:30:00+08:00"
    async with running_sandbox(tmp_path) as sandbox:
        sunday = await House.open(sandbox, "SUNDAY", start_at=sunday_dawn)
        tuesday = await House.open(sandbox, "TUESDAY", start_at=TUESDAY_MORNING)
        open_now = [
            {known.rail for known in (await house.capabilities()).rails if known.open_now}
            for house in (sunday, tuesday)
        ]
        assert (await _takes(sunday, Rail.HVPS), await _takes(tuesday, Rail.HVPS)) == (False, True)
        stuck = [house.order(190_004, Rail.IBPS) for house in (sunday, tuesday)]
        for house, order in zip((sunday, tuesday), stuck, strict=True):
            await house.bank.submit(order)

        moved = await tuesday.lets_pass(timedelta(minutes=10))
        with pytest.raises(Refused, match="moves forward only"):
            await tuesday.waits_until(moved - timedelta(seconds=1))
        statuses = [
            (await house.query(order.request_no)).status for house, order in zip((sunday, tuesday), stuck, strict=True)
        ]
        clocks = [await house.now() for house in (sunday, tuesday)]
        sandbox.kill()
        await sandbox.start()
        clocks_after = [await house.now() for house in (sunday, tuesday)]
        await sunday.lets_pass(timedelta(minutes=10))
        last_lines = [(await house.lines())[-2] for house in (sunday, tuesday)]

    assert open_now[1] - open_now[0] == {Rail.HVPS, Rail.SHENZHEN_LOCAL}
    assert statuses == [PayoutStatus.PROCESSING, PayoutStatus.SUCCEEDED]
    for now, after in zip(clocks, clocks_after, strict=True):
        assert now <= after < now + timedelta(days=1)
    assert [line.request_no for line in last_lines] == [order.request_no for order in stuck]
    assert [line.booked_at.date().isoformat() for line in last_lines] == ["2027-03-07", "2026-03-03"]


async def test_an_account_begins_once_and_by_default_at_the_banks_own_time(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--start-at", TUESDAY_MORNING) as sandbox:
        house = await House.open(sandbox, "HOME")
        now = await house.now()
        again = await House.open(sandbox, "HOME", start_at="2027-03-07T05:30:00+08:00")
        still = await again.now()

    assert again.account_no == house.account_no
    assert (now.date().isoformat(), still.date().isoformat()) == ("2026-03-03", "2026-03-03")


async def test_what_an_account_does_not_know_is_closed_by_its_own_clock(house: House) -> None:
    other = await House.open(house.sandbox, f"{house.platform_no}-other")
    order = house.order()
    assert not (await house.query(order.request_no)).final

    await other.lets_pass(CLOSING_GRACE)
    assert not (await house.query(order.request_no)).final
    assert not (await other.query(order.request_no)).final
    await house.lets_pass(CLOSING_GRACE)
    assert (await house.query(order.request_no)).final


async def test_a_known_number_is_asked_for_without_its_account_and_an_unknown_one_is_not(house: House) -> None:
    order = house.order(rail=Rail.IN_BANK)
    paid = await house.bank.submit(order)

    assert await house.bank.query(order.request_no) == paid
    with pytest.raises(BankDeclined, match="custody_account_unknown"):
        await house.bank.query(house.order().request_no)


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        ("2026-01-01", False),
        ("2026-02-14", True),  # a make-up Saturday before Spring Festival
        ("2026-09-20", True),  # a make-up Sunday before National Day
        ("2026-10-01", False),
        ("2026-10-10", True),
        ("2027-01-01", False),
        ("2027-02-05", False),
        ("2027-02-11", True),
        ("2027-05-04", False),
        ("2027-10-06", True),
    ],
)
def test_working_days_follow_the_published_calendar_and_a_provisional_2027(day: str, worked: bool) -> None:
    assert is_working_day(datetime.fromisoformat(day).date()) is worked


def test_hours_in_an_unknown_year_are_unknown() -> None:
    moment = datetime(2028, 3, 1, 10, tzinfo=SHANGHAI)

    with pytest.raises(CalendarUnknown):
        large_value_is_open(moment)
    with pytest.raises(CalendarUnknown):
        shenzhen_local_is_open(moment)


async def test_a_clock_that_is_as_late_by_itself_is_left_alone(house: House) -> None:
    steer, began_at = house.sandbox.steer, await house.sandbox.steer.clock(house.account_no)

    await steer.move_clock_up_to(house.account_no, began_at - timedelta(days=1))
    assert timedelta(0) <= await steer.clock(house.account_no) - began_at < timedelta(days=1)
    await steer.move_clock_up_to(house.account_no, began_at + timedelta(days=1))
    assert await steer.clock(house.account_no) >= began_at + timedelta(days=1)

    with pytest.raises(Refused, match="404"):
        await steer.move_clock_up_to("15000000009999", began_at)
