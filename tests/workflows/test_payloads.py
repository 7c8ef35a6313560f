"""Whatever passes through Temporal may carry a field that its reader does not know: old and new workers run at once."""

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict
from temporalio import activity, workflow

import activities
from activities.bank_lines import LineRef
from activities.identity import CheckRef
from escrow.domain.collections.view import CollectionView, PaymentSeen
from tests.histories.test_replay import workflow_types
from workflows.messages import CollectionRef, PartyMessage


def _handlers() -> Iterator[Callable[..., Any]]:
    """All that is called through Temporal: runs, updates, signals, queries, activities."""
    for each in workflow_types().values():
        definition = workflow._Definition.must_from_class(each)
        yield definition.run_fn
        yield from (signal.fn for signal in definition.signals.values())
        yield from (query.fn for query in definition.queries.values())
        yield from (update.fn for update in definition.updates.values())
    for module in pkgutil.iter_modules(activities.__path__):
        for value in vars(importlib.import_module(f"activities.{module.name}")).values():
            if isinstance(value, type) and value.__module__.startswith("activities"):
                yield from (
                    member
                    for member in vars(value).values()
                    if callable(member) and activity._Definition.from_callable(member) is not None
                )


def _models(hint: Any, seen: set[Any]) -> None:
    """Add the models that are in a type, those inside of others too."""
    if hint in seen:
        return
    if isinstance(hint, type) and (issubclass(hint, BaseModel) or dataclasses.is_dataclass(hint)):
        seen.add(hint)
        for inside in get_type_hints(hint).values():
            _models(inside, seen)
    for part in get_args(hint):
        _models(part, seen)


def _forbidding(seen: set[Any]) -> set[str]:
    return {
        item.__name__
        for item in seen
        if issubclass(item, BaseModel) and item.model_config.get("extra", "ignore") == "forbid"
    }


def test_no_payload_forbids_what_a_newer_version_adds() -> None:
    seen: set[Any] = set()
    for handler in _handlers():
        for hint in get_type_hints(handler).values():
            _models(hint, seen)

    assert {LineRef, CheckRef, CollectionRef, PartyMessage, CollectionView, PaymentSeen} <= seen
    assert _forbidding(seen) == set()


def test_one_that_forbids_it_inside_of_another_is_seen() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(extra="forbid")

    seen: set[Any] = set()
    _models(list[tuple[Strict, ...]] | None, seen)

    assert _forbidding(seen) == {"Strict"}
