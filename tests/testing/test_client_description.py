"""The client says nothing that the API's description does not: paths, fields and answers are compared with it."""

from collections.abc import Iterator
from types import UnionType
from typing import Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

from escrow.testing import calls
from escrow.testing.calls import Call
from tests.api.documented import DOCUMENT, OPERATIONS

CALLS: dict[str, Call[Any]] = {name: found for name, found in vars(calls).items() if isinstance(found, Call)}


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        found: dict[str, Any] = DOCUMENT["components"]["schemas"][name]
        return found
    return schema


def operation_of(call: Call[Any]) -> dict[str, Any]:
    return OPERATIONS[call.method, call.path]


def parts_of(model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel] | None]]:
    """Names of an answer's fields, each with the answer inside it, if any."""
    for name, field in model.model_fields.items():
        inside = field.annotation
        while get_origin(inside) in (tuple, Union, UnionType):
            inside = next(part for part in get_args(inside) if part is not type(None))
        yield name, inside if isinstance(inside, type) and issubclass(inside, BaseModel) else None


def compare(model: type[BaseModel], schema: dict[str, Any], where: str) -> None:
    properties = resolved(schema)["properties"]
    for name, inside in parts_of(model):
        assert name in properties, f"{where} has no {name}"
        if inside is not None:
            part = properties[name]
            options = [part, *part.get("anyOf", []), *([part["items"]] if "items" in part else [])]
            (inner,) = [resolved(option) for option in options if "properties" in resolved(option)]
            compare(inside, inner, f"{where}.{name}")


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_call_is_described(name: str) -> None:
    call = CALLS[name]
    operation = operation_of(call)
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body is None:
        assert not call.fields
    else:
        schema = resolved(body)
        assert call.fields <= set(schema["properties"])
        assert set(schema.get("required", [])) <= call.fields
    assert call.query <= {item["name"] for item in operation.get("parameters", []) if item["in"] == "query"}
    success = next(found for status, found in operation["responses"].items() if status in ("200", "201"))
    compare(call.answer, success["content"]["application/json"]["schema"], call.path)


def test_a_wrong_field_is_found() -> None:
    class Wrong(BaseModel):
        order_no: str
        colour: str

    operation = OPERATIONS["GET", "/v1/orders/{order_no}"]
    with pytest.raises(AssertionError, match="colour"):
        compare(Wrong, operation["responses"]["200"]["content"]["application/json"]["schema"], "an order")
