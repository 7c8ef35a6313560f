"""The moment at which a story begins, from any day that the machine may have."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.domain.time.calendars import SHANGHAI, CalendarUnknown, WorkingCalendar
from escrow.sandbox.moments import WORDS, begin_of_story

#: A Sunday, 13:03 in Shanghai.
SUNDAY = datetime(2026, 11, 29, 5, 3, tzinfo=UTC)


def shown(text: str, now: datetime = SUNDAY) -> str:
    return f"{begin_of_story(text, now):%a %Y-%m-%d %H:%M %z}"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("", "Tue 2026-12-01 10:00 +0800"),
        ("sunday-dawn", "Sun 2026-12-06 06:15 +0800"),
        ("month-end-23:59", "Mon 2026-11-30 23:59 +0800"),
        ("make-up-saturday", "Sat 2026-10-10 10:00 +0800"),
        ("eve-of-national-day", "Wed 2026-09-30 10:00 +0800"),
        ("friday-17:14", "Fri 2026-12-04 17:14 +0800"),
        ("year-end", "Thu 2026-12-31 23:00 +0800"),
        ("2026-12-06T06:15", "Sun 2026-12-06 06:15 +0800"),
        ("2026-12-06T06:15+00:00", "Sun 2026-12-06 14:15 +0800"),
        ("2026-12-06", "Sun 2026-12-06 10:00 +0800"),
    ],
)
def test_a_text_means_a_moment_in_shanghai(text: str, moment: str) -> None:
    assert shown(text) == moment


@settings(max_examples=50)
@given(st.datetimes(datetime(2024, 1, 1), datetime(2031, 1, 1), timezones=st.just(SHANGHAI)))  # noqa: DTZ001 - hypothesis takes naive bounds
def test_by_default_it_is_an_ordinary_morning_whatever_today_is(now: datetime) -> None:
    begin, calendar = begin_of_story("", now), WorkingCalendar()
    assert (begin.hour, begin.minute) == (10, 0)
    days = [begin.date() + timedelta(days=offset) for offset in (-1, 0, 1)]
    assert all(calendar.is_working_day(day) and day.weekday() < 5 for day in days)
    calendar.is_working_day(begin.date() + timedelta(days=97))
    if now < datetime(2027, 5, 1, tzinfo=SHANGHAI):
        assert now.date() < begin.date() <= now.date() + timedelta(days=20)


@settings(max_examples=100)
@given(st.sampled_from(sorted(WORDS)), st.dates(date(2024, 1, 1), date(2031, 1, 1)))
def test_every_word_has_a_moment_whatever_today_is(word: str, today: date) -> None:
    begin = begin_of_story(word, datetime(today.year, today.month, today.day, tzinfo=SHANGHAI))
    assert begin.tzinfo is SHANGHAI
    for days in range(181):  # a warranty's end and what follows it
        WorkingCalendar().is_working_day(begin.date() + timedelta(days=days))


def test_a_day_after_which_nobody_knows_the_working_days_is_not_begun_on() -> None:
    assert shown("year-end", datetime(2026, 12, 30, tzinfo=SHANGHAI)) == "Thu 2026-12-31 23:00 +0800"
    last_of_the_year = datetime(2026, 12, 31, tzinfo=SHANGHAI)
    with pytest.raises(CalendarUnknown):
        WorkingCalendar().is_working_day(date(2028, 1, 1))
    assert shown("year-end", last_of_the_year) == "Thu 2026-12-31 23:00 +0800"


def test_the_day_after_a_holiday_is_not_ordinary() -> None:
    spring_festival = datetime(2026, 2, 14, 9, 0, tzinfo=SHANGHAI)
    assert shown("", spring_festival) == "Wed 2026-02-25 10:00 +0800"


@pytest.mark.parametrize(
    ("text", "said"), [("sundaydawn", "did you mean sunday-dawn?"), ("tomorrow at noon", "say one of sunday-dawn, ")]
)
def test_what_means_nothing_is_refused_with_what_would(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        begin_of_story(text, SUNDAY)


def test_a_moment_of_no_zone_is_not_now() -> None:
    with pytest.raises(ValueError, match="aware"):
        begin_of_story("", SUNDAY.replace(tzinfo=None))
