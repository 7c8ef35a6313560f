"""Text messages: an outbox that keeps each request number once."""

from bank_sandbox import refusals
from bank_sandbox.books import Session, moment
from bank_sandbox.refusals import Refusal


def send(session: Session, *, req_seq: str, mobile: str, text: str) -> None:
    """Put a message of the session's account into the outbox; the same number with the same content sends nothing more.

    Raises:
        Refusal: number known with other content.
    """
    row = session.db.execute("SELECT mobile, text FROM sms WHERE req_seq = ?", (req_seq,)).fetchone()
    if row is None:
        session.db.execute(
            "INSERT INTO sms (req_seq, acct_no, mobile, text, received_ms) VALUES (?, ?, ?, ?, ?)",
            (req_seq, session.acct_no, mobile, text, session.now_ms),
        )
    elif (row["mobile"], row["text"]) != (mobile, text):
        raise Refusal(refusals.NUMBER_REUSED, "this request number was used with other content")


def outbox(session: Session) -> list[dict[str, object]]:
    """All messages, oldest first."""
    return [
        {
            "reqSeq": row["req_seq"],
            "acctNo": row["acct_no"],
            "mobile": row["mobile"],
            "text": row["text"],
            "at": moment(row["received_ms"]).isoformat(timespec="milliseconds"),
        }
        for row in session.db.execute("SELECT * FROM sms ORDER BY seq")
    ]
