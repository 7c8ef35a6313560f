"""Custody accounts and their lines: what the bank has booked."""

import sqlite3
from datetime import datetime
from enum import StrEnum

from bank_sandbox import clock, refusals
from bank_sandbox.books import Session, moment
from bank_sandbox.money import yuan
from bank_sandbox.refusals import Refusal

_MAX_FEN = 2**63 - 1


class LineKind(StrEnum):
    """Why the bank booked a line."""

    CREDIT = "CREDIT"
    PAYOUT = "PAYOUT"
    CHARGE = "CHARGE"
    RETURN = "RETURN"
    ADJUSTMENT = "ADJUSTMENT"
    SETTLEMENT = "SETTLEMENT"
    MICRO_DEPOSIT = "MICRO_DEPOSIT"
    MICRO_DEPOSIT_RETURN = "MICRO_DEPOSIT_RETURN"


def open_account(session: Session, *, reference: str, title: str, start_at: datetime | None = None) -> str:
    """Open a custody account and answer its number; the same reference gets the same account again.

    Args:
        start_at: the first moment of the account's clock (aware); None for the bank's present time.
    """
    row = session.db.execute("SELECT acct_no FROM custody_account WHERE reference = ?", (reference,)).fetchone()
    if row:
        return str(row["acct_no"])
    count = session.db.execute("SELECT count(*) FROM custody_account").fetchone()[0]
    acct_no = f"1500{count + 1:010d}"
    opened_ms = session.now_ms if start_at is None else clock.milliseconds(start_at)
    session.db.execute(
        "INSERT INTO custody_account (acct_no, reference, title, opened_ms, clock_ahead_ms) VALUES (?, ?, ?, ?, ?)",
        (acct_no, reference, title, opened_ms, opened_ms - session.real_ms),
    )
    return acct_no


def account(session: Session, acct_no: str) -> sqlite3.Row:
    """Row of a custody account.

    Raises:
        Refusal: no such account.
    """
    row = session.db.execute("SELECT * FROM custody_account WHERE acct_no = ?", (acct_no,)).fetchone()
    if row is None:
        raise Refusal(refusals.CUSTODY_ACCOUNT, "there is no such custody account")
    found: sqlite3.Row = row
    return found


def book(
    session: Session,
    acct_no: str,
    kind: LineKind,
    amount_fen: int,
    *,
    req_seq: str = "",
    party_acct: str = "",
    party_name: str = "",
    remark: str = "",
    serial_no: str = "",
) -> sqlite3.Row:
    """Book a line (credits positive) and answer it; never earlier than the line before it.

    Args:
        serial_no: one that the bank uses again; empty for one of its own.

    Raises:
        Refusal: no such account, or a balance that 64 bits do not hold.
    """
    before = account(session, acct_no)
    line_no = before["last_line_no"] + 1
    booked_ms = max(session.now_ms, before["last_booked_ms"])
    balance_fen = before["balance_fen"] + amount_fen
    if abs(balance_fen) > _MAX_FEN:
        raise Refusal(refusals.MALFORMED, "the account cannot hold that much")
    serial_no = serial_no or f"{moment(booked_ms):%Y%m%d}{acct_no[-6:]}{line_no:09d}"
    session.db.execute(
        "UPDATE custody_account SET balance_fen = ?, last_line_no = ?, last_booked_ms = ? WHERE acct_no = ?",
        (balance_fen, line_no, booked_ms, acct_no),
    )
    row: sqlite3.Row = session.db.execute(
        "INSERT INTO line VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *",
        (
            acct_no,
            line_no,
            serial_no,
            kind,
            amount_fen,
            balance_fen,
            booked_ms,
            req_seq,
            party_acct,
            party_name,
            remark,
        ),
    ).fetchone()
    return row


def lines_after(session: Session, line_no: int, limit: int) -> list[dict[str, object]]:
    """Lines of the session's account above `line_no` in wire form, ascending."""
    rows = session.db.execute(
        "SELECT * FROM line WHERE acct_no = ? AND line_no > ? ORDER BY line_no LIMIT ?",
        (session.acct_no, line_no, limit),
    )
    return [wire(session, row) for row in rows]


def original_number(session: Session, row: sqlite3.Row) -> str:
    """Request number a line belongs to; a return carries it only from the day after it was booked."""
    if row["kind"] == LineKind.RETURN and moment(row["booked_ms"]).date() >= session.now.date():
        return ""
    return str(row["req_seq"])


def wire(session: Session, row: sqlite3.Row) -> dict[str, object]:
    """Wire form of a line."""
    booked = moment(row["booked_ms"])
    return {
        "lineNo": row["line_no"],
        "serialNo": row["serial_no"],
        "kind": row["kind"],
        "amt": yuan(row["amount_fen"]),
        "bal": yuan(row["balance_fen"]),
        "bookedAt": booked.isoformat(timespec="milliseconds"),
        "valueDate": booked.date().isoformat(),
        "reqSeq": original_number(session, row),
        "partyAcct": row["party_acct"],
        "partyName": row["party_name"],
        "remark": row["remark"],
    }
