"""Days off in years for which no calendar has been published: provisional, to be overridden when it is.

Derived from the regulation on public holidays as amended for 2025 (New Year 1 day, Spring Festival 4 with its
eve, Qingming 1, Labour Day 2, Dragon Boat 1, Mid-Autumn 1, National Day 3; a holiday on a weekend is made up on
the next working days) and the lunar calendar. The yearly notice of the State Council moves further days and
names make-up Saturdays and Sundays; those cannot be derived and are missing here.
"""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

_2027: Mapping[date, str] = {
    date(2027, 1, 1): "New Year",
    date(2027, 2, 5): "Spring Festival, the eve",
    date(2027, 2, 6): "Spring Festival, first day of the first month, a Saturday",
    date(2027, 2, 7): "Spring Festival, second day, a Sunday",
    date(2027, 2, 8): "Spring Festival, third day",
    date(2027, 2, 9): "made up for 6 February",
    date(2027, 2, 10): "made up for 7 February",
    date(2027, 4, 5): "Qingming",
    date(2027, 5, 1): "Labour Day, a Saturday",
    date(2027, 5, 2): "Labour Day, a Sunday",
    date(2027, 5, 3): "made up for 1 May",
    date(2027, 5, 4): "made up for 2 May",
    date(2027, 6, 9): "Dragon Boat, fifth day of the fifth month",
    date(2027, 9, 15): "Mid-Autumn, fifteenth day of the eighth month",
    date(2027, 10, 1): "National Day",
    date(2027, 10, 2): "National Day, a Saturday",
    date(2027, 10, 3): "National Day, a Sunday",
    date(2027, 10, 4): "made up for 2 October",
    date(2027, 10, 5): "made up for 3 October",
}

#: Year → its days off besides weekends, with the reason.
PROVISIONAL_DAYS_OFF: Mapping[int, Mapping[date, str]] = MappingProxyType({2027: _2027})
