"""What the OpenAPI document says, and a check of every answer against it."""

import re
from typing import Any

import httpx2

from api.main import create_app
from escrow.settings import Settings


def openapi() -> dict[str, Any]:
    """The document as the API serves it."""
    settings = Settings.model_validate(
        {
            "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
            "bank_url": "http://127.0.0.1:1",
            "bank_key": "k",
            "data_key": "11" * 32,
            "index_key": "22" * 32,
        }
    )
    return create_app(settings).openapi()


DOCUMENT = openapi()

#: Every operation as (METHOD, path template).
OPERATIONS: dict[tuple[str, str], dict[str, Any]] = {
    (method.upper(), path): operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


def operation_of(method: str, path: str) -> tuple[str, str] | None:
    """The operation that a request path belongs to."""
    for known_method, template in OPERATIONS:
        pattern = re.sub(r"\\\{account\\\}", ".+", re.escape(template))
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", pattern)
        if known_method == method and re.fullmatch(pattern, path):
            return known_method, template
    return None


def codes_of(operation: dict[str, Any], status: int) -> set[str]:
    """Problem codes that an operation's description lists for a status."""
    content = operation["responses"].get(str(status), {}).get("content", {})
    return set(content.get("application/problem+json", {}).get("examples", {}))


async def check_documented(response: httpx2.Response) -> None:
    """Fail when an answer's status or problem code is not in the description of its operation."""
    request = response.request
    found = operation_of(request.method, request.url.path)
    if found is None:
        return
    operation = OPERATIONS[found]
    assert str(response.status_code) in operation["responses"], f"{found}: {response.status_code} is not described"
    if response.status_code >= 400:
        await response.aread()
        code = response.json()["code"]
        assert response.headers["content-type"] == "application/problem+json"
        assert code in codes_of(operation, response.status_code), f"{found}: {code} is not described"
