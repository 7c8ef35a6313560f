"""The moment at which a story begins: an ordinary working morning unless told otherwise, whatever today is."""

import difflib
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from itertools import chain

from escrow.domain.time.calendars import SHANGHAI, CalendarSource, CalendarUnknown, WorkingCalendar, calendar_source

#: A story lives through a contract with its warranty; the working days until then should be known.
_KNOWN_AHEAD = timedelta(days=180)
_MORNING = time(10)
_DAY = timedelta(days=1)
#: How far a day is looked for ahead, and then back: the published calendars begin in 2004.
_AHEAD_DAYS, _BACK_DAYS = 800, 10_000
_FRIDAY, _SATURDAY, _SUNDAY = 4, 5, 6
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def begin_of_story(text: str, now: datetime, calendar: WorkingCalendar = WorkingCalendar()) -> datetime:
    """The moment that a text means, in Shanghai.

    Args:
        text: empty for the next ordinary working day at 10:00: neither made up nor next to a day off; one of `WORDS`;
            or an ISO moment, of Shanghai when it names no zone; a date alone means 10:00.
        now: timezone-aware; "next" and "nearest" are counted from here.

    Raises:
        ValueError: the text means nothing, or `now` is naive.
    """
    if now.tzinfo is None:
        raise ValueError("now must be timezone-aware")
    today = now.astimezone(SHANGHAI).date()
    wanted = text.strip()
    if not wanted:
        return _at(_next(today, calendar, lambda day: _is_ordinary(day, calendar)), _MORNING)
    if wanted in WORDS:
        return WORDS[wanted](today, calendar)
    try:
        moment = datetime.fromisoformat(wanted)
    except ValueError:
        close = difflib.get_close_matches(wanted, WORDS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"say one of {', '.join(WORDS)}, or a time: 2026-12-06T06:15"
        raise ValueError(f"{wanted!r} is no moment: {hint}") from None
    if _DATE.fullmatch(wanted):
        return _at(moment.date(), _MORNING)
    return moment.astimezone(SHANGHAI) if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)


def _at(day: date, hour: time) -> datetime:
    return datetime.combine(day, hour, tzinfo=SHANGHAI)


def _ahead(today: date) -> Iterator[date]:
    return (today + count * _DAY for count in range(1, _AHEAD_DAYS))


def _back(today: date) -> Iterator[date]:
    return (today - count * _DAY for count in range(_BACK_DAYS))


def _next(today: date, calendar: WorkingCalendar, fits: Callable[[date], bool]) -> date:
    """The first day after today that fits, else the last before: no calendar reaches far ahead."""
    return next(day for day in chain(_ahead(today), _back(today)) if _known_and(fits, day, calendar))


def _nearest(today: date, calendar: WorkingCalendar, fits: Callable[[date], bool]) -> date:
    """The day that fits and is the fewest days away; of two equally near ones the later."""
    found = [
        next((day for day in days if _known_and(fits, day, calendar)), None) for days in (_ahead(today), _back(today))
    ]
    return min((day for day in found if day is not None), key=lambda day: abs(day - today))


def _known_and(fits: Callable[[date], bool], day: date, calendar: WorkingCalendar) -> bool:
    """Whether a day fits and a story can be lived through from there; not, when that depends on an unknown year."""
    try:
        calendar.is_working_day(day + _KNOWN_AHEAD)
        return fits(day)
    except CalendarUnknown:
        return False


def _is_ordinary(day: date, calendar: WorkingCalendar) -> bool:
    around = (day - _DAY, day, day + _DAY)
    return all(calendar.is_working_day(near) and near.weekday() < _SATURDAY for near in around)


def _is_published(day: date) -> bool:
    return calendar_source(day.year) is CalendarSource.PUBLISHED


def _sunday_dawn(today: date, calendar: WorkingCalendar) -> datetime:
    def fits(day: date) -> bool:
        return day.weekday() == _SUNDAY and not calendar.is_working_day(day)

    return _at(_next(today, calendar, fits), time(6, 15))


def _month_end(today: date, calendar: WorkingCalendar) -> datetime:
    return _at(_next(today, calendar, lambda day: (day + _DAY).day == 1), time(23, 59))


def _make_up_saturday(today: date, calendar: WorkingCalendar) -> datetime:
    def fits(day: date) -> bool:
        return day.weekday() == _SATURDAY and _is_published(day) and calendar.is_working_day(day)

    return _at(_nearest(today, calendar, fits), _MORNING)


def _eve_of_national_day(today: date, calendar: WorkingCalendar) -> datetime:
    def fits(day: date) -> bool:
        return (day.month, day.day) == (9, 30) and _is_published(day)

    return _at(_nearest(today, calendar, fits), _MORNING)


def _friday_before_closing(today: date, calendar: WorkingCalendar) -> datetime:
    def fits(day: date) -> bool:
        return day.weekday() == _FRIDAY and calendar.is_working_day(day)

    return _at(_next(today, calendar, fits), time(17, 14))


def _year_end(today: date, calendar: WorkingCalendar) -> datetime:
    return _at(_next(today, calendar, lambda day: (day.month, day.day) == (12, 31)), time(23))


#: The moments that have a name: those at which programs about money and days go wrong.
WORDS: dict[str, Callable[[date, WorkingCalendar], datetime]] = {
    "sunday-dawn": _sunday_dawn,
    "month-end-23:59": _month_end,
    "make-up-saturday": _make_up_saturday,
    "eve-of-national-day": _eve_of_national_day,
    "friday-17:14": _friday_before_closing,
    "year-end": _year_end,
}
