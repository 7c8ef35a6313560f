"""Mandates: a payer's permission to debit one account for one custody account, up to two caps, until a day."""

import sqlite3
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from bank_sandbox import cards, numbers, refusals, register, scenarios
from bank_sandbox.books import Session
from bank_sandbox.refusals import Refusal
from bank_sandbox.scenarios import Scenario, Target
from bank_sandbox.workdays import SHANGHAI


class State(StrEnum):
    """Where a mandate stands; one whose last day is over stays `ACTIVE` and allows nothing any more."""

    ACTIVE = "ACTIVE"
    REVOKED = "REVOKED"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateRequest:
    """A mandate as the client registers it, with the payer's consent in the client's keeping; caps in fen."""

    req_seq: str
    acct_no: str
    payer_acct: str
    payer_name: str
    payer_id_no: str
    payer_mobile: str
    max_fen: int
    day_max_fen: int
    last_day: date


def receive(session: Session, request: MandateRequest) -> tuple[Scenario, sqlite3.Row | None]:
    """Take in a request; a known number is answered with its state and suffers nothing.

    Raises:
        Refusal: number known with other content, or closed for good; unknown custody account.
    """
    session = session.at(request.acct_no)
    known = _known(session, request)
    if known is not None:
        return Scenario.NONE, known
    scenario = scenarios.befalling_account(session, Target.MANDATE, request.payer_acct)
    if scenario in scenarios.NOT_BOOKED_NOW:
        numbers.lose(session, request.req_seq)
        return scenario, None
    return scenario, _enter(session, request, scenario)


def receive_late(session: Session, request: MandateRequest) -> None:
    """Take in a request that was long on its way."""
    session = session.at(request.acct_no)
    if _known(session, request) is None:
        _enter(session, request, Scenario.TIMEOUT_BOOKED_LATE)


def query(session: Session, req_seq: str, acct_no: str) -> dict[str, object]:
    """Wire form of a mandate by its request number; raises as `payouts.query`."""
    row = _row(session, req_seq)
    return numbers.not_found(session.at(acct_no), req_seq) if row is None else wire(session, row)


def wire(session: Session, row: sqlite3.Row) -> dict[str, object]:
    """Wire form of a mandate."""
    return {
        "reqSeq": row["req_seq"],
        "state": row["state"],
        "closed": False,
        "mandateNo": row["mandate_no"],
        "payerBank": row["payer_bank"],
        "reasonCode": row["reason_code"],
    }


def revoke(session: Session, req_seq: str, acct_no: str) -> dict[str, object]:
    """Let no debit be made under it any more; an unknown number is closed for good. Raises as `payouts.query`."""
    if _row(session, req_seq) is None:
        numbers.close(session.at(acct_no), req_seq)
    session.db.execute("UPDATE mandate SET state = 'REVOKED' WHERE req_seq = ? AND state = 'ACTIVE'", (req_seq,))
    return query(session, req_seq, acct_no)


def active(session: Session, mandate_no: str, acct_no: str) -> sqlite3.Row:
    """The mandate to debit for this custody account.

    Raises:
        Refusal: there is none, it was revoked, or its last day is over.
    """
    row: sqlite3.Row | None = session.db.execute(
        "SELECT * FROM mandate WHERE mandate_no = ? AND acct_no = ? AND state = 'ACTIVE'", (mandate_no, acct_no)
    ).fetchone()
    if row is None or session.now.date() > date.fromisoformat(row["last_day"]):
        raise Refusal(refusals.MANDATE, "there is no such mandate in force")
    return row


def check_caps(session: Session, mandate: sqlite3.Row, amount_fen: int) -> None:
    """Refuse a debit above what the payer allowed at once, or with what was debited today on one day.

    Raises:
        Refusal: above a cap.
    """
    midnight = datetime.combine(session.now.date(), time(0), SHANGHAI)
    today_fen = session.db.execute(
        "SELECT coalesce(sum(amount_fen), 0) FROM collection WHERE mandate_no = ? AND state <> 'FAIL'"
        " AND created_ms >= ? AND created_ms < ?",
        (
            mandate["mandate_no"],
            int(midnight.timestamp() * 1000),
            int((midnight + timedelta(days=1)).timestamp() * 1000),
        ),
    ).fetchone()[0]
    if amount_fen > mandate["max_fen"] or amount_fen + today_fen > mandate["day_max_fen"]:
        raise Refusal(refusals.MANDATE_CAP, "the payer did not allow so much")


def _known(session: Session, request: MandateRequest) -> sqlite3.Row | None:
    row = _row(session, request.req_seq)
    numbers.check(session, request.req_seq, _fingerprint(request), row)
    return row


def _enter(session: Session, request: MandateRequest, scenario: Scenario) -> sqlite3.Row:
    """Write the mandate down, in force or refused: a refused number stays refused."""
    bank, refusal = "", None
    try:
        bank = cards.bank_of(request.payer_acct)
        if not register.is_person(session, name=request.payer_name, id_no=request.payer_id_no):
            raise Refusal(refusals.PAYER_DATA, "name and ID number of the payer do not belong together")
        if scenario is Scenario.DECLINED:
            raise Refusal(refusals.PAYER_REFUSED, "the payer's bank takes no mandate for this account")
    except Refusal as no:
        refusal = no
    count = session.db.execute("SELECT count(*) FROM mandate").fetchone()[0]
    session.db.execute(
        "INSERT INTO mandate VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            request.req_seq,
            f"M{session.now:%Y%m%d}{count + 1:08d}",
            request.acct_no,
            request.payer_acct,
            request.payer_name,
            bank,
            request.max_fen,
            request.day_max_fen,
            request.last_day.isoformat(),
            _fingerprint(request),
            State.FAIL if refusal else State.ACTIVE,
            refusal.code if refusal else "",
            refusal.text if refusal else "",
            session.now_ms,
        ),
    )
    row = _row(session, request.req_seq)
    if row is None:
        raise RuntimeError("the mandate was just written down")
    return row


def _fingerprint(request: MandateRequest) -> str:
    return numbers.fingerprint(asdict(request) | {"last_day": request.last_day.isoformat()})


def _row(session: Session, req_seq: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = session.db.execute("SELECT * FROM mandate WHERE req_seq = ?", (req_seq,)).fetchone()
    return row
