"""Refunds of collections: by numbers of their own, in parts, never above what was paid, within the method's time."""

import sqlite3
from dataclasses import asdict, dataclass

from bank_sandbox import collections, methods, notices, numbers, payouts, refusals, scenarios
from bank_sandbox.books import Session, moment
from bank_sandbox.channels import Health
from bank_sandbox.methods import Method
from bank_sandbox.money import yuan
from bank_sandbox.refusals import Refusal
from bank_sandbox.scenarios import Scenario, Target

_SECONDS = 0.3
_DAY_MS = 86_400_000
#: When the next refund of an account ends.
NEXT_DUE = (
    "SELECT min(due_ms) AS at_ms FROM collection_refund WHERE acct_no = custody_account.acct_no AND due_ms IS NOT NULL"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """A refund as the client asks for it; amount in fen."""

    req_seq: str
    original_req_seq: str
    amount_fen: int
    reason: str


def receive(session: Session, request: RefundRequest) -> tuple[Scenario, sqlite3.Row | None]:
    """Take in a request; a known number is answered with its state and suffers nothing.

    Raises:
        Refusal: number known with other content, or closed for good; unknown collection.
    """
    session = _of_collection(session, request)
    known = _known(session, request)
    if known is not None:
        return Scenario.NONE, known
    scenario = scenarios.befalling(session, Target.REFUND, request.amount_fen)
    if scenario in scenarios.NOT_BOOKED_NOW:
        numbers.lose(session, request.req_seq)
        return scenario, None
    return scenario, _enter(session, request, scenario)


def receive_late(session: Session, request: RefundRequest) -> None:
    """Take in a request that was long on its way."""
    session = _of_collection(session, request)
    if _known(session, request) is None:
        _enter(session, request, Scenario.TIMEOUT_BOOKED_LATE)


def query(session: Session, req_seq: str, acct_no: str) -> dict[str, object]:
    """Wire form of a refund's state; raises as `payouts.query`."""
    row = _find(session, req_seq)
    return numbers.not_found(session.at(acct_no), req_seq) if row is None else wire(row)


def wire(row: sqlite3.Row) -> dict[str, object]:
    """Wire form of a known refund."""
    booked = None if row["booked_ms"] is None else moment(row["booked_ms"])
    return {
        "reqSeq": row["req_seq"],
        "state": row["state"],
        "closed": False,
        "amt": yuan(row["amount_fen"]),
        "reasonCode": row["reason_code"],
        "reasonText": row["reason_text"],
        "refundedAt": booked.isoformat(timespec="milliseconds") if booked else None,
        "settlesOn": moment(row["settle_due_ms"]).date().isoformat() if booked else None,
        "settlementNo": row["settlement_no"] or "",
    }


def do_due(session: Session) -> None:
    """End the refunds of the session's account that are due."""
    due = "SELECT * FROM collection_refund WHERE acct_no = ? AND due_ms <= ?"
    for row in session.db.execute(due, (session.acct_no, session.now_ms)).fetchall():
        if row["scenario"] == Scenario.FAILED_LATER:
            state = "FAIL"
            session.db.execute(
                "UPDATE collection_refund SET state = ?, reason_code = ?, reason_text = ?, due_ms = NULL"
                " WHERE req_seq = ?",
                (state, refusals.REFUND_REFUSED, "the payer's account takes no refund", row["req_seq"]),
            )
        else:
            state = "SUCCESS"
            session.db.execute(
                "UPDATE collection_refund SET state = ?, booked_ms = ?, settle_due_ms = ?, due_ms = NULL"
                " WHERE req_seq = ?",
                (
                    state,
                    session.now_ms,
                    methods.settle_due_ms(session, Method(row["method"]), session.now_ms),
                    row["req_seq"],
                ),
            )
        notices.write(
            session,
            Scenario(row["scenario"]),
            kind="REFUND",
            acct_no=row["acct_no"],
            amount_fen=row["amount_fen"],
            req_seq=row["req_seq"],
            state=state,
        )


def _of_collection(session: Session, request: RefundRequest) -> Session:
    return session.at(collections.existing(session, request.original_req_seq)["acct_no"])


def _find(session: Session, req_seq: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = session.db.execute(
        "SELECT * FROM collection_refund WHERE req_seq = ?", (req_seq,)
    ).fetchone()
    return row


def _known(session: Session, request: RefundRequest) -> sqlite3.Row | None:
    row = _find(session, request.req_seq)
    numbers.check(session, request.req_seq, numbers.fingerprint(asdict(request)), row)
    return row


def _enter(session: Session, request: RefundRequest, scenario: Scenario) -> sqlite3.Row:
    """Write the refund down, accepted or refused: a refused number stays refused."""
    collection = collections.existing(session, request.original_req_seq)
    refusal = _refusal(session, request, collection, scenario)
    stuck = scenario is Scenario.STUCK
    seconds = session.options.stuck_seconds if stuck else _SECONDS * session.options.delay_factor
    entered: sqlite3.Row = session.db.execute(
        "INSERT INTO collection_refund (req_seq, original_req_seq, acct_no, method, amount_fen, fingerprint, scenario,"
        " state, reason_code, reason_text, due_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *",
        (
            request.req_seq,
            request.original_req_seq,
            collection["acct_no"],
            collection["method"],
            request.amount_fen,
            numbers.fingerprint(asdict(request)),
            scenario,
            "FAIL" if refusal else "PROCESSING",
            refusal.code if refusal else "",
            refusal.text if refusal else "",
            None if refusal else session.now_ms + int(seconds * 1000),
        ),
    ).fetchone()
    return entered


def _refusal(session: Session, request: RefundRequest, collection: sqlite3.Row, scenario: Scenario) -> Refusal | None:
    method, number = Method(collection["method"]), request.original_req_seq
    paid_fen, last_paid_ms = session.db.execute(
        "SELECT coalesce(sum(amount_fen), 0), max(booked_ms) FROM collection_payment WHERE req_seq = ?", (number,)
    ).fetchone()
    refunded_fen = session.db.execute(
        "SELECT coalesce(sum(amount_fen), 0) FROM collection_refund WHERE original_req_seq = ? AND state <> 'FAIL'",
        (number,),
    ).fetchone()[0]
    try:
        if methods.health(session, method) is Health.DOWN:
            raise Refusal(refusals.CHANNEL_DOWN, f"{method} is out of service")
        if request.amount_fen > paid_fen - refunded_fen:
            raise Refusal(refusals.REFUND_ABOVE, "more would be given back than is left of what was paid")
        if session.now_ms > last_paid_ms + methods.terms(session, method).refund_days * _DAY_MS:
            raise Refusal(refusals.REFUND_PERIOD, f"{method} does not refund payments that old")
        if scenario is Scenario.DECLINED:
            raise Refusal(refusals.REFUND_REFUSED, "the payer's account takes no refund")
        if request.amount_fen > _covered_fen(session, collection["acct_no"]):
            raise Refusal(refusals.FUNDS, "neither unsettled payments nor the custody account hold that much")
    except Refusal as refusal:
        return refusal
    return None


def _covered_fen(session: Session, acct_no: str) -> int:
    """What refunds can be taken from: unsettled payments less refunds, and the account. Fees may overdraw it."""
    unsettled_fen: int = session.db.execute(
        "SELECT coalesce(sum(amount_fen), 0) FROM collection_payment WHERE acct_no = ? AND settlement_no IS NULL",
        (acct_no,),
    ).fetchone()[0]
    taken_fen: int = session.db.execute(
        "SELECT coalesce(sum(amount_fen), 0) FROM collection_refund"
        " WHERE acct_no = ? AND settlement_no IS NULL AND state <> 'FAIL'",
        (acct_no,),
    ).fetchone()[0]
    return unsettled_fen - taken_fen + payouts.free_fen(session, acct_no)
