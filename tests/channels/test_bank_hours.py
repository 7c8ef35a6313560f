"""The bank's own working calendar and hours: through the wire with its clock moved, and day by day."""

from datetime import datetime
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
from escrow.domain.rails import Rail
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
            await sandbox.steer.move_clock(to=datetime.fromisoformat(text).replace(tzinfo=SHANGHAI))
            told = {rail.rail: rail.open_now for rail in (await house.bank.capabilities()).rails}
            hvps, local = await _takes(house, Rail.HVPS), await _takes(house, Rail.SHENZHEN_LOCAL)
            assert (told[Rail.HVPS], told[Rail.SHENZHEN_LOCAL]) == (hvps, local)
            assert await _takes(house, Rail.IBPS), "never closes"
            walked.append((text, hvps, local))

    assert walked == _WALK


async def test_in_a_year_nobody_knows_only_the_rails_without_a_calendar_are_open(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path, "--start-at", "2028-03-01T10:00:00+08:00", "--delay-factor", "0") as sandbox:
        house = await House.open(sandbox, "HOME")
        capabilities = await house.bank.capabilities()

        for rail in (Rail.HVPS, Rail.SHENZHEN_LOCAL):
            with pytest.raises(BankDeclined, match="calendar_unknown"):
                await house.bank.submit(house.order(rail=rail))
        for rail in (Rail.IN_BANK, Rail.UNIONPAY, Rail.IBPS, Rail.BEPS):
            await house.bank.submit(house.order(rail=rail))

    closed = {rail.rail: rail.note for rail in capabilities.rails if not rail.open_now}
    assert closed == {Rail.HVPS: "calendar_unknown", Rail.SHENZHEN_LOCAL: "calendar_unknown"}


async def test_the_clock_moves_forward_only(tmp_path: Path) -> None:
    start = datetime.fromisoformat("2026-03-03T10:00:00+08:00")
    async with running_sandbox(tmp_path, "--start-at", start.isoformat()) as sandbox:
        moved = await sandbox.steer.move_clock(to=start.replace(day=4))
        with pytest.raises(Refused, match="moves forward only"):
            await sandbox.steer.move_clock(to=start)
        now = await sandbox.steer.clock()

    assert moved == start.replace(day=4)
    assert now >= moved


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
