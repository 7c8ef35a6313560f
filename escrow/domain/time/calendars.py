"""Working days in China and the opening hours that depend on them. Everything is Asia/Shanghai."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

import chinese_calendar

from escrow.domain.errors import Refused
from escrow.domain.time.calendar_data import PROVISIONAL_DAYS_OFF

SHANGHAI = ZoneInfo("Asia/Shanghai")
_SATURDAY = 5


class CalendarUnknown(Refused):
    """Nobody has said which days of that year are working days; `details["day"]` is the first one asked for."""

    def __init__(self, day: date) -> None:
        super().__init__(
            "calendar_unknown",
            f"No working-day calendar is known for {day.year}; configure its days off and make-up days.",
            {"day": day.isoformat()},
        )


class CalendarSource(StrEnum):
    """How well a year's working days are known."""

    PUBLISHED = "published"
    PROVISIONAL = "provisional"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingCalendar:
    """Working days: the configured ones, else the published calendar, else a provisional year.

    Args:
        overrides: day → whether it is a working day; goes before everything else, in any year.
    """

    overrides: Mapping[date, bool] = field(default_factory=dict)

    def is_working_day(self, day: date) -> bool:
        """Whether banks' working-day systems run on `day`, make-up Saturdays and Sundays included.

        Raises:
            CalendarUnknown: no source knows the year.
        """
        if day in self.overrides:
            return self.overrides[day]
        published = _published(day)
        if published is not None:
            return published
        if day.year not in PROVISIONAL_DAYS_OFF:
            raise CalendarUnknown(day)
        return day.weekday() < _SATURDAY and day not in PROVISIONAL_DAYS_OFF[day.year]


def calendar_source(year: int) -> CalendarSource:
    """How well the working days of `year` are known without overrides; start-up warns unless published."""
    if _published(date(year, 1, 1)) is not None:
        return CalendarSource.PUBLISHED
    return CalendarSource.PROVISIONAL if year in PROVISIONAL_DAYS_OFF else CalendarSource.UNKNOWN


def _published(day: date) -> bool | None:
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:  # the package's way to say that it has no data for the year
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningHours:
    """Hours on working days, Asia/Shanghai, from `opens` up to but not at `closes`.

    Args:
        opens: when it opens; on the calendar day before the working day if `opens_evening_before`.
        closes: when it closes on the working day.
        opens_evening_before: the large-value system takes a working day's payments from the evening of the
            natural day before: Monday's from Sunday, so Friday evening is closed unless Saturday is worked.
    """

    opens: time
    closes: time
    opens_evening_before: bool = False

    def window_of(self, working_day: date) -> tuple[datetime, datetime]:
        """Start and end of the window that belongs to `working_day`."""
        first = working_day - timedelta(days=1) if self.opens_evening_before else working_day
        return (
            datetime.combine(first, self.opens, tzinfo=SHANGHAI),
            datetime.combine(working_day, self.closes, tzinfo=SHANGHAI),
        )


def end_of_working_days(day: date, count: int, calendar: WorkingCalendar) -> datetime:
    """End of the `count`-th working day after `day`: midnight in Shanghai.

    Raises:
        CalendarUnknown: the answer depends on a year that no source knows.
    """
    while count > 0:
        day += timedelta(days=1)
        count -= calendar.is_working_day(day)
    return datetime.combine(day + timedelta(days=1), time(0), tzinfo=SHANGHAI)


def next_opening(hours: OpeningHours | None, now: datetime, calendar: WorkingCalendar) -> datetime:
    """Return `now` in Shanghai time if open now, else the start of the next window.

    Args:
        hours: None for what is always open.
        now: timezone-aware.

    Raises:
        CalendarUnknown: the answer depends on a year that no source knows.
        ValueError: `now` is naive.
    """
    if now.tzinfo is None:
        raise ValueError("now must be timezone-aware")
    local = now.astimezone(SHANGHAI)
    if hours is None:
        return local
    day = local.date()
    while True:
        if calendar.is_working_day(day):
            start, end = hours.window_of(day)
            if local < end:
                return max(local, start)
        day += timedelta(days=1)
