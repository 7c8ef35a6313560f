"""Signatures of the connection to the sandbox bank: HMAC-SHA256 with a shared secret, hex.

The signed text is four lines: for a request its method, its path with query and the timestamp (Unix seconds);
for an answer the word ANSWER, the signature of its request and the status; for a notice the word NOTICE, its number
and the timestamp; each followed by the SHA-256 of the body.
"""

import hashlib
import hmac
from collections.abc import Mapping

from escrow.domain.errors import Refused

#: How far, in seconds, a notice's timestamp may be from our clock.
NOTICE_TOLERANCE_SECONDS = 300


def sign_request(key: bytes, *, method: str, target: str, timestamp: int, body: bytes) -> str:
    """Signature of a request for `target`, the path with its query string."""
    return _hmac(key, f"{method}\n{target}\n{timestamp}", body)


def answer_holds(key: bytes, *, request_signature: str, status: int, body: bytes, signature: str) -> bool:
    """Whether the answer was signed by the bank, for this very request."""
    return hmac.compare_digest(_hmac(key, f"ANSWER\n{request_signature}\n{status}", body), signature)


def check_notice(key: bytes, headers: Mapping[str, str], body: bytes, *, now_unix_seconds: float) -> str:
    """Number of a notice whose signature and timestamp hold.

    Args:
        headers: of the request, looked up without regard to case when the mapping does so.

    Raises:
        Refused: `notice_signature_invalid` or `notice_too_old`.
    """
    notice_no = headers.get("bank-notice-no", "")
    timestamp = headers.get("bank-timestamp", "")
    signature = headers.get("bank-signature", "")
    expected = _hmac(key, f"NOTICE\n{notice_no}\n{timestamp}", body)
    if not (signature.isascii() and hmac.compare_digest(expected, signature)):
        raise Refused("notice_signature_invalid", "the notice was not signed with the bank connection's key")
    if not timestamp.isdigit() or abs(now_unix_seconds - int(timestamp)) > NOTICE_TOLERANCE_SECONDS:
        raise Refused("notice_too_old", "the notice's timestamp is too far from our clock; replay it at the bank")
    return notice_no


def _hmac(key: bytes, head: str, body: bytes) -> str:
    text = f"{head}\n{hashlib.sha256(body).hexdigest()}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
