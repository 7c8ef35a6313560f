"""Notices to the client: written with what they tell of, signed when sent, repeated until taken."""

import json
from dataclasses import dataclass
from enum import StrEnum

from bank_sandbox.books import Session, moment
from bank_sandbox.money import yuan
from bank_sandbox.scenarios import Scenario

_FIRST_PAUSE_MS = 500
_LONGEST_PAUSE_MS = 60_000
_ATTEMPTS = 1_000


class NoticeState(StrEnum):
    """Where a notice stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DROPPED = "dropped"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A notice ready to be signed and sent `copies` times."""

    notice_no: int
    body: bytes
    copies: int


def write(
    session: Session,
    scenario: Scenario,
    *,
    kind: str,
    acct_no: str,
    amount_fen: int,
    req_seq: str = "",
    state: str = "",
) -> None:
    """Put a notice into the outbox, in the transaction of what it tells of.

    Args:
        kind: `LINE` for a booked line, `PAYOUT` for the end of a payout.
        scenario: may double, delay, drop or falsify it.
    """
    told_fen = amount_fen + 100 if scenario is Scenario.NOTICE_WRONG_AMOUNT else amount_fen
    body = {
        "kind": kind,
        "acctNo": acct_no,
        "reqSeq": req_seq,
        "state": state,
        "amt": yuan(told_fen),
        "at": moment(session.now_ms).isoformat(timespec="milliseconds"),
    }
    delay_ms = int(session.options.reorder_seconds * 1000) if scenario is Scenario.NOTICE_LATE else 0
    session.db.execute(
        "INSERT INTO notice (body, state, copies, not_before_real_ms) VALUES (?, ?, ?, ?)",
        (
            json.dumps(body, ensure_ascii=False),
            NoticeState.DROPPED if scenario is Scenario.NOTICE_DROPPED else NoticeState.WAITING,
            2 if scenario is Scenario.NOTICE_TWICE else 1,
            session.real_ms + delay_ms,
        ),
    )


def due(session: Session, limit: int = 50) -> list[Envelope]:
    """Notices to be sent now, in the order of writing."""
    rows = session.db.execute(
        "SELECT * FROM notice WHERE state = 'waiting' AND not_before_real_ms <= ? ORDER BY notice_no LIMIT ?",
        (session.real_ms, limit),
    )
    return [_envelope(row["notice_no"], row["body"], row["copies"]) for row in rows]


def next_at_real_ms(session: Session) -> int | None:
    """Real time at which the next waiting notice is to be sent."""
    row = session.db.execute("SELECT min(not_before_real_ms) AS at FROM notice WHERE state = 'waiting'").fetchone()
    at: int | None = row["at"]
    return at


def waiting(session: Session) -> int:
    """How many notices about the session's account are still to be delivered."""
    row = session.db.execute(
        "SELECT count(*) AS n FROM notice WHERE state = 'waiting' AND json_extract(body, '$.acctNo') = ?",
        (session.acct_no,),
    ).fetchone()
    return int(row["n"])


def delivered(session: Session, notice_no: int) -> None:
    """The client took it."""
    session.db.execute(
        "UPDATE notice SET state = 'delivered', attempts = attempts + 1 WHERE notice_no = ?", (notice_no,)
    )


def not_delivered(session: Session, notice_no: int) -> None:
    """Try again later: 0.5 s, doubled up to a minute; after a thousand attempts it is given up."""
    attempts = session.db.execute(
        "UPDATE notice SET attempts = attempts + 1 WHERE notice_no = ? RETURNING attempts", (notice_no,)
    ).fetchone()["attempts"]
    pause_ms = min(_FIRST_PAUSE_MS * 2 ** min(attempts - 1, 10), _LONGEST_PAUSE_MS)
    session.db.execute(
        "UPDATE notice SET not_before_real_ms = ?, state = ? WHERE notice_no = ? AND state = 'waiting'",
        (
            session.real_ms + pause_ms,
            NoticeState.GIVEN_UP if attempts >= _ATTEMPTS else NoticeState.WAITING,
            notice_no,
        ),
    )


def set_state(session: Session, notice_no: int, state: NoticeState) -> bool:
    """Drop a notice, or let it be sent again; False when there is no such notice."""
    cursor = session.db.execute(
        "UPDATE notice SET state = ?, copies = 1, not_before_real_ms = ? WHERE notice_no = ?",
        (state, session.real_ms, notice_no),
    )
    return cursor.rowcount == 1


def listed(session: Session) -> list[dict[str, object]]:
    """All notices with their state, in the order of writing."""
    rows = session.db.execute("SELECT * FROM notice ORDER BY notice_no")
    return [
        {
            "noticeNo": row["notice_no"],
            "state": row["state"],
            "copies": row["copies"],
            "attempts": row["attempts"],
            "body": json.loads(row["body"]),
        }
        for row in rows
    ]


def _envelope(notice_no: int, body: str, copies: int) -> Envelope:
    return Envelope(notice_no=notice_no, body=body.encode(), copies=copies)
