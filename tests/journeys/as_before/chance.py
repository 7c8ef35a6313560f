"""What is chance in an answer and is taken out of it, so that two tellings of a story can be compared."""

import re
from collections.abc import Mapping
from typing import Any

Json = Any

#: Fields that nobody chose: places in lists, numbers of rows, secrets.
_DRAWN = frozenset({"cursor", "next_after", "entry_id", "authorization_id", "custody_account_no_masked"})
#: Fields with numbers that the bank or a channel gave; these also stand inside of other numbers and sentences.
_GIVEN = frozenset({"bank_serial_no", "credit_no", "payment_no", "settlement_no"})
_PATTERNS = (
    (re.compile(r"https?://[^\s\"]+"), "<address>"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{64}\b|\b[0-9a-f]{32}\b"), "<id>"),
    # Numbers that are made of an account's row.
    (re.compile(r"\b(bank_charge_covered|pending_matured):\d+:\d+"), r"\1:<id>"),
    (re.compile(r"验证码\d{6}"), "验证码<code>"),
    # Seconds pass by themselves.
    (re.compile(r"(\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}):\d{2}(\.\d+)?"), r"\1"),
)
_PERIOD = re.compile(r"P(\d+)DT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?")
_MINUTES_OF_A_DAY = 24 * 60


def without_chance(value: Json, *, platform_no: str) -> Json:
    """The same without platform number, secrets, given numbers, and seconds.

    Args:
        value: all answers together, since a number that is given in one of them stands in others.
    """
    words = dict.fromkeys(_given_in(value), "<given>") | {platform_no: "HOME"}
    known = re.compile("|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)))

    def plain(text: str) -> str:
        text = known.sub(lambda found: words[found[0]], text)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return _PERIOD.sub(_to_the_minute, text)

    def part_of(part: Json, name: str = "") -> Json:
        match part:
            case dict():
                return {plain(key): part_of(inner, key) for key, inner in part.items()}
            case list():
                return [part_of(inner, name) for inner in part]
            case _ if name in _DRAWN and part:
                return f"<{name}>"
            case str():
                return plain(part)
        return part

    return part_of(value)


def _given_in(value: Json, name: str = "") -> set[str]:
    if isinstance(value, Mapping):
        return {number for key, part in value.items() for number in _given_in(part, key)}
    if isinstance(value, list):
        return {number for part in value for number in _given_in(part, name)}
    return {value} if value and name in _GIVEN and isinstance(value, str) else set()


def _to_the_minute(found: re.Match[str]) -> str:
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    minutes += 60 * hours + _MINUTES_OF_A_DAY * days + round(seconds / 60)
    days, minutes = divmod(minutes, _MINUTES_OF_A_DAY)
    return f"P{days}DT{minutes // 60}H{minutes % 60}M"
