"""A recording as a file for people: an answer is a few lines, and a list of like things is a table."""

import json
from collections.abc import Mapping
from pathlib import Path

from tests.journeys.as_before.chance import Json

#: Of a line, as far as its parts are not longer by themselves.
_WIDTH = 240
_EACH, _COLUMNS, _ROWS = "each", "columns", "rows"


def read(path: Path) -> dict[str, Json]:
    """The recording that a file holds."""
    recording: dict[str, Json] = _lists(json.loads(path.read_text()))
    return recording


def write(path: Path, recording: Mapping[str, Json]) -> None:
    """Write a recording into a file."""
    path.write_text(_shown(_tables(recording)) + "\n")


def _tables(value: Json) -> Json:
    """The same with lists of like things as tables, which name a field once, and once what it is in each of them."""
    if isinstance(value, Mapping):
        return {key: _tables(part) for key, part in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) < 2 or not all(isinstance(part, dict) and part.keys() == value[0].keys() for part in value):
        return [_tables(part) for part in value]
    first: dict[str, Json] = value[0]
    each = {name: part for name, part in first.items() if all(_alike(other[name], part) for other in value)}
    columns = [name for name in first if name not in each]
    return {_EACH: each, _COLUMNS: columns, _ROWS: [[_tables(part[name]) for name in columns] for part in value]}


def _alike(one: Json, other: Json) -> bool:
    """Whether two plain values are the same, also to JSON, to which true is not 1."""
    return type(one) is type(other) and not isinstance(one, dict | list) and bool(one == other)


def _lists(value: Json) -> Json:
    """Tables as the lists that they were."""
    if isinstance(value, list):
        return [_lists(part) for part in value]
    if not isinstance(value, dict):
        return value
    if list(value) == [_EACH, _COLUMNS, _ROWS]:
        rows = ([_lists(part) for part in row] for row in value[_ROWS])
        return [value[_EACH] | dict(zip(value[_COLUMNS], row, strict=True)) for row in rows]
    return {key: _lists(part) for key, part in value.items()}


def _shown(value: Json, indent: str = "") -> str:
    """JSON in which whatever is short or plain stands on one line, and fields share lines as far as these go."""
    short = json.dumps(value, ensure_ascii=False)
    deeper = indent + " "
    if isinstance(value, dict):
        parts = [(f"{json.dumps(name, ensure_ascii=False)}: ", part) for name, part in value.items()]
    else:
        parts = [("", part) for part in value] if isinstance(value, list) else []
    if len(short) <= _WIDTH or not any(isinstance(part, dict | list) and part for _, part in parts):
        return short
    lines: list[str] = []
    for name, part in parts:
        shown = name + _shown(part, deeper)
        begins_a_line = not lines or "\n" in lines[-1] + shown or (not name and isinstance(part, dict | list))
        if begins_a_line or len(lines[-1]) + len(shown) > _WIDTH:
            lines.append(shown)
        else:
            lines[-1] += f", {shown}"
    inside = f",\n{deeper}".join(lines)
    return f"{{\n{deeper}{inside}\n{indent}}}" if isinstance(value, dict) else f"[{inside}]"
