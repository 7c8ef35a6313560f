"""Values that somebody makes up for whatever our code takes or answers: by annotation, so that nothing is forgotten."""

import dataclasses
import importlib
import inspect
import pkgutil
import types
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

import escrow.domain

#: What stands in fields of these names, where anything else would not even be read.
_NAMED: Mapping[str, Any] = {"payment_no": "20260303QR_WECHAT0000000001", "request_no": "R-1", "deadline": "start"}
_PLAIN: Mapping[Any, Any] = {
    int: 3,
    bool: True,
    date: date(2026, 3, 3),
    timedelta: timedelta(days=400),
    datetime: datetime(2020, 1, 1, tzinfo=UTC),
    type(None): None,
}


def made_up(annotation: Any, name: str = "") -> Any:
    """Some value of a type; of an enumeration the last one, which mostly is an end."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return parts[0]
    if origin in (Union, types.UnionType):
        return made_up(parts[0], name)
    if origin is tuple:
        return tuple(made_up(part, name) for part in parts if part is not Ellipsis)
    if origin is list:
        return [made_up(parts[0], name)]
    if origin is not None and issubclass(origin, Mapping):
        return {}
    if getattr(annotation, "__metadata__", None):  # a type with something said of it
        return made_up(annotation.__origin__, name)
    if annotation is Any:
        return {}
    if annotation is str:
        return _NAMED.get(name, "W-1")
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if issubclass(annotation, Enum):
        return list(annotation)[-1]
    if annotation.__name__ == "AwareDatetime":
        return _PLAIN[datetime]
    return annotation(**{field: made_up(hint, field) for field, hint in fields_of(annotation).items()})


def fields_of(kind: type) -> dict[str, Any]:
    """The fields of a payload or command, with their types."""
    if issubclass(kind, BaseModel):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    assert dataclasses.is_dataclass(kind)
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def command_types() -> set[type]:
    """Every class in the domain that is a command to some object: it says what it uses up, and under which number."""
    found: set[type] = set()
    for module in pkgutil.walk_packages(escrow.domain.__path__, "escrow.domain."):
        for _, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            is_command = callable(getattr(kind, "own_no", None)) and not getattr(kind, "_is_protocol", False)
            if kind.__module__ == module.name and is_command and not kind.__subclasses__():
                found.add(kind)
    return found


def parameters_of(activity: Callable[..., Any]) -> dict[str, Any]:
    """What an activity takes, with its types; it is bound to its object."""
    hints = get_type_hints(activity)
    return {name: hints[name] for name in inspect.signature(activity).parameters}


def answer_of(activity: Callable[..., Any]) -> Any:
    """The type of what an activity answers."""
    return get_type_hints(activity)["return"]
