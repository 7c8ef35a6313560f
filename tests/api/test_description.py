"""The OpenAPI document is good enough to integrate from."""

import re

import pytest

from api.catalogue import CATALOGUE
from tests.api.documented import DOCUMENT, OPERATIONS, codes_of

ALL = sorted(OPERATIONS)
#: Opens a platform on a sandbox, so nobody has a key yet.
WITHOUT_A_KEY = {("POST", "/v1/sandbox/platforms")}
OF_PLATFORMS = [key for key in ALL if key[1].startswith("/v1/") and key not in WITHOUT_A_KEY]


@pytest.mark.parametrize("key", ALL, ids=" ".join)
def test_every_operation_says_what_it_does(key: tuple[str, str]) -> None:
    operation = OPERATIONS[key]
    assert len(operation["summary"]) >= 5
    assert len(operation["description"]) >= 20
    assert operation["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}
    assert operation["operationId"]


@pytest.mark.parametrize("key", OF_PLATFORMS, ids=" ".join)
def test_every_operation_of_a_platform_lists_its_problems_with_examples(key: tuple[str, str]) -> None:
    operation = OPERATIONS[key]
    assert "unauthorized" in codes_of(operation, 401)
    assert "ledger_unavailable" in codes_of(operation, 503)
    assert "invalid_request" in codes_of(operation, 422)
    assert operation["security"]
    if re.search(r"\{(member|order|withdrawal)_no\}|\{account_id\}", key[1]):
        assert "not_found" in codes_of(operation, 404)


@pytest.mark.parametrize("key", [key for key in OF_PLATFORMS if key[0] == "POST"], ids=" ".join)
def test_every_write_says_what_a_repeat_answers(key: tuple[str, str]) -> None:
    operation = OPERATIONS[key]
    assert "request_no_reused" in codes_of(operation, 409)
    assert {"200"} <= set(operation["responses"])


def test_every_listed_code_is_in_the_catalogue_and_every_catalogued_one_is_listed() -> None:
    listed = {
        code
        for operation in OPERATIONS.values()
        for status in operation["responses"]
        for code in codes_of(operation, int(status))
    }
    assert listed <= set(CATALOGUE)
    # The first is answered outside of any operation; a no of the bank itself reaches no caller of today's endpoints.
    outside = {"method_not_allowed", "bank_declined"}
    assert set(CATALOGUE) - listed == outside


def test_every_field_that_is_sent_or_answered_in_fen_says_so() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    amounts = [
        (name, field, description)
        for name, schema in schemas.items()
        for field, description in schema.get("properties", {}).items()
        if field.endswith("_fen")
    ]
    assert len(amounts) > 15
    for name, field, description in amounts:
        amount = description.get("additionalProperties", description)
        kinds = {amount.get("type"), *(part.get("type") for part in amount.get("anyOf", ()))}
        assert "integer" in kinds, f"{name}.{field}"
        assert "number" not in kinds, f"{name}.{field}"


def test_every_body_that_is_sent_refuses_unknown_fields() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    bodies = {
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[-1]
        for (_, path), operation in OPERATIONS.items()
        if "requestBody" in operation and path.startswith("/v1/")
    }
    assert len(bodies) >= 5
    for name in bodies:
        assert schemas[name]["additionalProperties"] is False, name
