"""Working days, make-up days, and when working-day rails are open."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.domain.time.calendar_data import PROVISIONAL_DAYS_OFF
from escrow.domain.time.calendars import (
    SHANGHAI,
    CalendarSource,
    CalendarUnknown,
    OpeningHours,
    WorkingCalendar,
    calendar_source,
    end_of_working_days,
    next_opening,
)
from escrow.domain.withdrawals.rails import Rail, rail_rules_on

CALENDAR = WorkingCalendar()
HOURS = {rule.rail: rule.hours for rule in rail_rules_on(date(2026, 1, 1))}
HVPS, SHENZHEN = HOURS[Rail.HVPS], HOURS[Rail.SHENZHEN_LOCAL]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def opening(hours: OpeningHours | None, text: str) -> datetime:
    return next_opening(hours, at(text), CALENDAR)


def test_friday_evening_waits_for_the_evening_before_monday() -> None:
    assert opening(HVPS, "2026-06-05 17:14:59") == at("2026-06-05 17:14:59")
    for friday_or_later in ("2026-06-05 17:15", "2026-06-05 20:30", "2026-06-06 12:00", "2026-06-07 20:29:59"):
        assert opening(HVPS, friday_or_later) == at("2026-06-07 20:30")
    assert opening(HVPS, "2026-06-07 20:30") == at("2026-06-07 20:30")
    assert opening(HVPS, "2026-06-08 03:00") == at("2026-06-08 03:00")


def test_a_working_evening_closes_for_three_hours_and_a_quarter() -> None:
    assert opening(HVPS, "2026-06-09 17:15") == at("2026-06-09 20:30")
    assert opening(HVPS, "2026-06-09 20:30") == at("2026-06-09 20:30")


def test_friday_evening_is_open_when_saturday_is_made_up() -> None:
    for saturday in (date(2026, 2, 14), date(2026, 2, 28), date(2026, 5, 9), date(2026, 10, 10)):
        assert saturday.weekday() == 5
        assert CALENDAR.is_working_day(saturday)
        friday = saturday - timedelta(days=1)
        evening = datetime.combine(friday, time(20, 30), tzinfo=SHANGHAI)
        assert next_opening(HVPS, evening, CALENDAR) == evening
        noon = datetime.combine(saturday, time(12, 0), tzinfo=SHANGHAI)
        assert next_opening(SHENZHEN, noon, CALENDAR) == noon


def test_national_day_closes_for_a_week_and_reopens_the_evening_before_work() -> None:
    assert [CALENDAR.is_working_day(date(2026, 10, day)) for day in range(1, 9)] == [False] * 7 + [True]
    assert opening(HVPS, "2026-09-30 20:30") == at("2026-10-07 20:30")
    assert opening(SHENZHEN, "2026-09-30 16:30") == at("2026-10-08 08:30")


def test_what_has_no_hours_is_open_in_every_year() -> None:
    assert opening(None, "2030-01-01 03:00") == at("2030-01-01 03:00")


def test_a_year_that_nobody_knows_is_said_to_be_unknown() -> None:
    with pytest.raises(CalendarUnknown) as caught:
        opening(HVPS, "2030-06-05 12:00")
    assert caught.value.code == "calendar_unknown"
    assert caught.value.details == {"day": "2030-06-05"}
    assert [calendar_source(year) for year in (2003, 2004, 2026, 2027, 2030)] == [
        CalendarSource.UNKNOWN,
        CalendarSource.PUBLISHED,
        CalendarSource.PUBLISHED,
        CalendarSource.PROVISIONAL,
        CalendarSource.UNKNOWN,
    ]


def test_the_last_known_evening_depends_on_the_first_unknown_day() -> None:
    assert opening(HVPS, "2027-12-31 16:00") == at("2027-12-31 16:00")
    with pytest.raises(CalendarUnknown):
        opening(HVPS, "2027-12-31 20:30")


def test_an_override_goes_before_every_source_in_any_year() -> None:
    calendar = WorkingCalendar(overrides={date(2030, 6, 5): True, date(2026, 6, 8): False, date(2027, 1, 1): True})
    assert calendar.is_working_day(date(2030, 6, 5))
    assert not calendar.is_working_day(date(2026, 6, 8))
    assert calendar.is_working_day(date(2027, 1, 1))
    assert next_opening(HVPS, at("2026-06-05 20:30"), calendar) == at("2026-06-08 20:30")


def test_the_provisional_year_holds_the_statutory_holidays_and_makes_up_those_on_weekends() -> None:
    days_off = PROVISIONAL_DAYS_OFF[2027]
    assert {date(2027, 2, 6), date(2027, 4, 5), date(2027, 6, 9), date(2027, 9, 15), date(2027, 10, 1)} <= set(days_off)
    on_weekends = [day for day in days_off if day.weekday() >= 5]
    made_up = [day for day, reason in days_off.items() if reason.startswith("made up for")]
    assert len(made_up) == len(on_weekends) == 6
    assert all(day.weekday() < 5 for day in made_up)
    assert len(days_off) - len(made_up) == 13
    assert not CALENDAR.is_working_day(date(2027, 2, 10))
    assert CALENDAR.is_working_day(date(2027, 2, 11))


@given(
    now=st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 20), timezones=st.sampled_from([UTC, SHANGHAI])),  # noqa: DTZ001 - naive bounds
    hours=st.sampled_from([HVPS, SHENZHEN]),
)
def test_the_next_opening_is_open_and_nothing_before_it_is(now: datetime, hours: OpeningHours) -> None:
    found = next_opening(hours, now, CALENDAR)
    assert found >= now
    days = [found.date() + timedelta(days=offset) for offset in range(2)]
    inside = [
        day
        for day in days
        if CALENDAR.is_working_day(day) and hours.window_of(day)[0] <= found < hours.window_of(day)[1]
    ]
    assert len(inside) == 1
    for minutes in (0, 1, 60, 600, 1_440, 2_880):
        earlier = now + timedelta(minutes=minutes)
        if earlier < found:
            assert next_opening(hours, earlier, CALENDAR) == found


def test_a_naive_time_is_an_error() -> None:
    with pytest.raises(ValueError, match="timezone-aware"):
        next_opening(HVPS, datetime(2026, 6, 5, 12), CALENDAR)  # noqa: DTZ001 - what is under test


def test_seven_working_days_after_a_payout_count_neither_its_day_nor_a_holiday() -> None:
    # 2026-09-30 is the Wednesday before the national holiday of 1-7 October; the 10th is a make-up Saturday.
    end = end_of_working_days(date(2026, 9, 30), 7, WorkingCalendar())
    assert end == datetime(2026, 10, 16, tzinfo=SHANGHAI)
    assert end_of_working_days(date(2026, 3, 3), 7, WorkingCalendar()) == datetime(2026, 3, 13, tzinfo=SHANGHAI)
