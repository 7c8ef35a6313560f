"""Two recordings of a story side by side: what is otherwise, answer by answer."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import SequenceMatcher

from tests.journeys.as_before.chance import Json

#: A story takes its time, on a slow machine more; between two of its moments that are set it is never so much.
_TOLERANCE = timedelta(minutes=15)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}|P\d+DT\d+H\d+M")
_PERIOD = re.compile(r"P(\d+)DT(\d+)H(\d+)M")
_ZERO = datetime(2000, 1, 1)  # noqa: DTZ001 - of periods only the distance counts
_NOTHING = "nothing"
_SHOWN_AT_MOST = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is otherwise.

    Args:
        answer: the answer's name, and what was asked.
        path: where in it, as `$.body.milestones[2].status`.
        before, now: as JSON, or `nothing`.
    """

    answer: str
    request: str
    path: str
    before: str
    now: str


def differences(
    before: Mapping[str, Json], now: Mapping[str, Json], *, put_off: Collection[str] = ()
) -> list[Difference]:
    """What is otherwise now, in the order of the story.

    Args:
        put_off: answers whose call was made again, so that something created may be told as already there.
    """
    found = []
    for name in dict.fromkeys([*before, *now]):
        one, other = before.get(name, {}), now.get(name, {})
        if name in put_off and (one.get("status"), other.get("status")) == (201, 200):
            other = {**other, "status": 201}
        request = other.get("request") or one.get("request", "")
        found += [
            Difference(answer=name, request=request, path=path, before=was, now=becomes)
            for path, was, becomes in _in_value("$", one, other)
        ]
    return found


def against_list(
    found: Sequence[Difference], on_purpose: Mapping[tuple[str, str], str]
) -> tuple[list[Difference], list[tuple[str, str]]]:
    """Which differences no entry of a list explains, and which entries explain none.

    Args:
        on_purpose: (answer, path) with the reason; a `*` in either stands for anything.
    """
    explained: dict[int, bool] = {}
    idle = []
    for answer, path in on_purpose:
        ours = [place for place, one in enumerate(found) if _fits(answer, one.answer) and _fits(path, one.path)]
        explained |= dict.fromkeys(ours, True)
        idle += [] if ours else [(answer, path)]
    return [one for place, one in enumerate(found) if place not in explained], idle


def told(found: Sequence[Difference]) -> str:
    """Differences for people, answer by answer."""
    lines: list[str] = []
    for place, one in enumerate(found):
        if place == 0 or found[place - 1].answer != one.answer:
            lines.append(f"{one.answer}: {one.request}")
        lines += [f"  {one.path}", f"    before: {one.before}", f"    now:    {one.now}"]
    return "\n".join(lines)


def _in_value(path: str, before: Json, now: Json) -> Iterator[tuple[str, str, str]]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*before, *now]):
            if key in before and key in now:
                yield from _in_value(f"{path}.{key}", before[key], now[key])
            else:
                yield f"{path}.{key}", _shown_of(before, key), _shown_of(now, key)
    elif isinstance(before, list) and isinstance(now, list):
        yield from _in_list(path, before, now)
    elif type(before) is not type(now) or not _same(before, now):
        yield path, _shown(before), _shown(now)


def _in_list(path: str, before: list[Json], now: list[Json]) -> Iterator[tuple[str, str, str]]:
    """Like parts are found again wherever they stand; the others are compared one by one, as far as there are any."""
    matcher = SequenceMatcher(None, [_likeness(part) for part in before], [_likeness(part) for part in now], False)
    for _, begin, end, new_begin, new_end in matcher.get_opcodes():
        for shift in range(max(end - begin, new_end - new_begin)):
            at, new_at = begin + shift, new_begin + shift
            if at >= end:
                yield f"{path}[{new_at}]", _NOTHING, _shown(now[new_at])
            elif new_at >= new_end:
                yield f"{path}[{at}]", _shown(before[at]), _NOTHING
            else:
                yield from _in_value(f"{path}[{at}]", before[at], now[new_at])


def _same(before: Json, now: Json) -> bool:
    """Whether a plain value is the same; moments and periods in a text may wander a little."""
    if not isinstance(before, str) or before == now:
        return bool(before == now)
    if _MOMENT.sub("", before) != _MOMENT.sub("", now):
        return False
    moments = zip(_MOMENT.findall(before), _MOMENT.findall(now), strict=True)
    return all(abs(_moment(one) - _moment(other)) <= _TOLERANCE for one, other in moments)


def _moment(text: str) -> datetime:
    if period := _PERIOD.fullmatch(text):
        days, hours, minutes = map(int, period.groups())
        return _ZERO + timedelta(days=days, hours=hours, minutes=minutes)
    return datetime.fromisoformat(text)


def _likeness(part: Json) -> str:
    """By what parts of lists are found again: all of them, without moments."""
    return _MOMENT.sub("", json.dumps(part, sort_keys=True, ensure_ascii=False))


def _fits(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None


def _shown_of(part: dict[str, Json], key: str) -> str:
    return _shown(part[key]) if key in part else _NOTHING


def _shown(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_AT_MOST else f"{text[:_SHOWN_AT_MOST]} …"
