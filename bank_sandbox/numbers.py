"""Request numbers: the same content gets the state again, other content a no, and a closed number never arrives."""

import hashlib
import json
import sqlite3
from collections.abc import Mapping

from bank_sandbox import refusals
from bank_sandbox.books import Session
from bank_sandbox.refusals import Refusal


def fingerprint(content: Mapping[str, object]) -> str:
    """Hash of the whole content of a request, by which a repeat is told from another request."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def check(session: Session, req_seq: str, content_fingerprint: str, known: sqlite3.Row | None) -> None:
    """Refuse a number that cannot be used for this content.

    Args:
        known: what was taken in under the number, with its `fingerprint`.

    Raises:
        Refusal: used with other content, or closed for good.
    """
    if known is not None and known["fingerprint"] != content_fingerprint:
        raise Refusal(refusals.NUMBER_REUSED, "this request number was used with other content")
    if known is None and is_closed(session, req_seq):
        raise Refusal(refusals.NUMBER_CLOSED, "this request number was asked for, not found and closed for good")


def not_found(session: Session, req_seq: str) -> dict[str, object]:
    """Wire form of the answer about a number unknown to the session's account; the first one starts what closes it."""
    session.db.execute(
        "INSERT OR IGNORE INTO unknown_number (req_seq, acct_no, first_asked_ms) VALUES (?, ?, ?)",
        (req_seq, session.acct_no, session.now_ms),
    )
    return {"reqSeq": req_seq, "state": "NONE", "closed": is_closed(session, req_seq)}


def lose(session: Session, req_seq: str) -> None:
    """The number of what the bank was made not to take in is closed so much later as the options say."""
    lost_ms = int(session.options.lost_seconds * 1000)
    if lost_ms:
        session.db.execute(
            "INSERT OR IGNORE INTO unknown_number (req_seq, acct_no, first_asked_ms) VALUES (?, ?, ?)",
            (req_seq, session.acct_no, session.now_ms + lost_ms),
        )


def close(session: Session, req_seq: str) -> None:
    """Close a number unknown to the session's account at once."""
    session.db.execute(
        "INSERT INTO unknown_number (req_seq, acct_no, first_asked_ms) VALUES (?, ?, 0)"
        " ON CONFLICT (req_seq) DO UPDATE SET first_asked_ms = 0",
        (req_seq, session.acct_no),
    )


def is_closed(session: Session, req_seq: str) -> bool:
    """Whether the number was promised never to arrive, by the clock of the account for which it was asked for."""
    row = session.db.execute("SELECT * FROM unknown_number WHERE req_seq = ?", (req_seq,)).fetchone()
    grace_ms = int(session.options.closing_grace_seconds * 1000)
    return row is not None and session.of(row).now_ms >= row["first_asked_ms"] + grace_ms
