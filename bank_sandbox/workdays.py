"""Which days the payment systems work, and when: China's calendar with its holidays and make-up days.

Source of 2004–2026: the package `chinesecalendar` (State Council notices). 2027 is provisional until the
State Council publishes its arrangement: statutory days on their lunar dates, those on weekends moved to the next
working days, no make-up days.
Hours: PBOC office notice of 2018 on the large-value system: open from 20:30 of the preceding calendar day to 17:15.
All times are Asia/Shanghai.
"""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import chinese_calendar

SHANGHAI = ZoneInfo("Asia/Shanghai")

_PROVISIONAL_2027 = frozenset(
    {
        date(2027, 1, 1),
        *(date(2027, 2, day) for day in range(5, 11)),
        date(2027, 4, 5),
        *(date(2027, 5, day) for day in range(1, 5)),
        date(2027, 6, 9),
        date(2027, 9, 15),
        *(date(2027, 10, day) for day in range(1, 6)),
    }
)

_EVENING_OPENING = time(20, 30)
_LARGE_VALUE_CLOSING = time(17, 15)
_LOCAL_OPENING = time(8, 30)
_LOCAL_CLOSING = time(16, 30)


class CalendarUnknown(Exception):
    """Nobody has published which days of that year are working days."""


def is_working_day(day: date) -> bool:
    """Whether payment systems work on `day`.

    Raises:
        CalendarUnknown: the year is not in the calendar.
    """
    if day.year == 2027:
        return day.weekday() < 5 and day not in _PROVISIONAL_2027
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError as error:
        raise CalendarUnknown(f"no calendar for {day.year}") from error


def large_value_is_open(moment: datetime) -> bool:
    """Whether the large-value system takes payments at `moment` (aware, any zone)."""
    local = moment.astimezone(SHANGHAI)
    if local.time() >= _EVENING_OPENING:
        return is_working_day(local.date() + timedelta(days=1))
    return local.time() < _LARGE_VALUE_CLOSING and is_working_day(local.date())


def shenzhen_local_is_open(moment: datetime) -> bool:
    """Whether Shenzhen's local clearing takes payments at `moment` (aware, any zone)."""
    local = moment.astimezone(SHANGHAI)
    return _LOCAL_OPENING <= local.time() < _LOCAL_CLOSING and is_working_day(local.date())
