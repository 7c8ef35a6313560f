"""Request numbers and content hashes: the one idempotency of the system is (platform, request number)."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import rfc8785

#: Numbers given by platforms. The colon is ours: it separates the parts of derived request numbers.
PLATFORM_NUMBER_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}$"
#: How consents and contracts name the platform where it is itself the party.
PLATFORM_ITSELF = "platform"
_PLATFORM_NUMBER = re.compile(PLATFORM_NUMBER_PATTERN)


def is_platform_number(text: str) -> bool:
    """Whether `text` may be given by a platform as a member, order, withdrawal or request number."""
    return _PLATFORM_NUMBER.fullmatch(text) is not None


def derived(*parts: str | int) -> str:
    """Request number of our own: `derived("D-1001", "M2", "release", 1)` is `D-1001:M2:release:1`."""
    return ":".join(str(part) for part in parts)


def content_hash(content: Mapping[str, Any]) -> str:
    """Lower-case hex SHA-256 of the canonical JSON (RFC 8785) of `content`, integers written as strings.

    RFC 8785 numbers are doubles; an amount in fen is 64-bit and must not lose its last digits.
    """
    return hashlib.sha256(rfc8785.dumps(_without_integers(content))).hexdigest()


def _without_integers(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _without_integers(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_integers(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def operation_hash(
    *, platform_no: str, object_kind: str, object_no: str, operation: str, by: str, terms: Mapping[str, Any]
) -> str:
    """Hash of exactly the operation that a member consents to; changing any part voids the consent.

    Args:
        by: the party that consents: a member number, or `platform`.
        terms: what the operation depends on, e.g. `{"milestone": 2}` or `{"amount_fen": 5000, "account_id": "A-1"}`.
    """
    return content_hash(
        {
            "platform_no": platform_no,
            "object_kind": object_kind,
            "object_no": object_no,
            "operation": operation,
            "by": by,
            "terms": dict(terms),
        }
    )
