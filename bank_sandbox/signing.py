"""Signatures of the bank's connection: HMAC-SHA256 over a few lines of text, hex.

- request: `METHOD`, path with query, timestamp, SHA-256 of the body
- answer: `ANSWER`, signature of the request, HTTP status, SHA-256 of the body
- notice: `NOTICE`, notice number, timestamp, SHA-256 of the body

Lines are joined by a line feed; the timestamp is Unix seconds of real time, since the clocks of accounts can be moved.
"""

import hashlib
import hmac

#: How far, in seconds, the timestamp of a request may be from the bank's real time.
TOLERANCE_SECONDS = 300


def request_signature(key: bytes, *, method: str, target: str, timestamp: str, body: bytes) -> str:
    """Signature of a request for `target`, the path with its query string."""
    return _sign(key, method, target, timestamp, body)


def answer_signature(key: bytes, *, request: str, status: int, body: bytes) -> str:
    """Signature of the answer to the request with signature `request`."""
    return _sign(key, "ANSWER", request, str(status), body)


def notice_signature(key: bytes, *, notice_no: str, timestamp: str, body: bytes) -> str:
    """Signature of a notice."""
    return _sign(key, "NOTICE", notice_no, timestamp, body)


def same(one: str, other: str) -> bool:
    """Compare two signatures in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def _sign(key: bytes, first: str, second: str, third: str, body: bytes) -> str:
    text = "\n".join((first, second, third, hashlib.sha256(body).hexdigest()))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
