"""Mandates: a payer's permission to debit one account for one custody account."""

import sqlite3
from dataclasses import asdict, dataclass

from bank_sandbox import cards, custody, numbers, refusals, register
from bank_sandbox.books import Desk
from bank_sandbox.refusals import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateRequest:
    """A mandate as the client registers it, with the payer's consent in the client's keeping."""

    req_seq: str
    acct_no: str
    payer_acct: str
    payer_name: str
    payer_id_no: str
    payer_mobile: str


def sign(desk: Desk, request: MandateRequest) -> dict[str, object]:
    """Register a mandate once per number.

    Raises:
        Refusal: no card, a card of an unknown bank, or a person whom the register does not know by this name.
    """
    custody.account(desk, request.acct_no)
    fingerprint = numbers.fingerprint(asdict(request))
    row = _row(desk, request.req_seq)
    numbers.check(desk, request.req_seq, fingerprint, row)
    if row is None:
        bank = cards.bank_of(request.payer_acct)
        if not register.is_person(desk, name=request.payer_name, id_no=request.payer_id_no):
            raise Refusal(refusals.PAYER_DATA, "name and ID number of the payer do not belong together")
        count = desk.db.execute("SELECT count(*) FROM mandate").fetchone()[0]
        desk.db.execute(
            "INSERT INTO mandate VALUES (?, ?, ?, ?, ?, ?, ?, 'ACTIVE', ?)",
            (
                request.req_seq,
                f"M{desk.now:%Y%m%d}{count + 1:08d}",
                request.acct_no,
                request.payer_acct,
                request.payer_name,
                bank,
                fingerprint,
                desk.now_ms,
            ),
        )
    return query(desk, request.req_seq)


def query(desk: Desk, req_seq: str) -> dict[str, object]:
    """Wire form of a mandate."""
    row = _row(desk, req_seq)
    if row is None:
        return numbers.not_found(desk, req_seq)
    return {
        "reqSeq": req_seq,
        "state": row["state"],
        "closed": False,
        "mandateNo": row["mandate_no"],
        "payerBank": row["payer_bank"],
    }


def revoke(desk: Desk, req_seq: str) -> dict[str, object]:
    """Let no debit be made under it any more."""
    desk.db.execute("UPDATE mandate SET state = 'REVOKED' WHERE req_seq = ?", (req_seq,))
    return query(desk, req_seq)


def active(desk: Desk, mandate_no: str, acct_no: str) -> sqlite3.Row:
    """The mandate to debit for this custody account.

    Raises:
        Refusal: there is none, or it was revoked.
    """
    row: sqlite3.Row | None = desk.db.execute(
        "SELECT * FROM mandate WHERE mandate_no = ? AND acct_no = ? AND state = 'ACTIVE'", (mandate_no, acct_no)
    ).fetchone()
    if row is None:
        raise Refusal(refusals.MANDATE, "there is no such mandate in force")
    return row


def _row(desk: Desk, req_seq: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = desk.db.execute("SELECT * FROM mandate WHERE req_seq = ?", (req_seq,)).fetchone()
    return row
