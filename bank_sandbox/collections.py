"""Collections: opened by the client, paid by a payer outside the bank, once, twice, short, late or never."""

import secrets
import sqlite3
from dataclasses import asdict, dataclass
from enum import StrEnum

from bank_sandbox import cards, codes, mandates, methods, notices, numbers, refusals, register, scenarios
from bank_sandbox.books import Session, moment
from bank_sandbox.channels import Health
from bank_sandbox.methods import DebitChannel, Method
from bank_sandbox.refusals import Refusal
from bank_sandbox.scenarios import Scenario, Target

_DEBIT_SECONDS = 0.4
_SLOW_FACTOR = 20
#: When the next collection of an account expires, ends or is paid late.
NEXT_DUE = "SELECT min(due_ms) AS at_ms FROM collection WHERE acct_no = custody_account.acct_no AND due_ms IS NOT NULL"
#: How far a payer who pays short or over is off, in fen.
_OFF_FEN = 100
_CODE_TEXT = "【银行沙箱】快捷支付验证码{code},120秒内有效,请勿告知他人。"


class State(StrEnum):
    """Where a collection stands. A closed one can still be paid late."""

    WAITING = "WAITING"
    PROCESSING = "PROCESSING"
    PAID = "PAID"
    CLOSED = "CLOSED"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionRequest:
    """A collection as the client asks for it; amounts in fen, times in milliseconds since 1970 UTC."""

    req_seq: str
    acct_no: str
    method: Method
    amount_fen: int
    subject: str
    expires_ms: int
    return_url: str
    payer_acct: str
    payer_name: str
    payer_id_no: str
    payer_mobile: str
    mandate_no: str
    debit_channel: str


def receive(session: Session, request: CollectionRequest) -> tuple[Scenario, sqlite3.Row | None]:
    """Take in a request; a known number is answered with its state and suffers nothing.

    Raises:
        Refusal: number known with other content, or closed for good; unknown custody account.
    """
    session = session.at(request.acct_no)
    known = _known(session, request)
    if known is not None:
        return Scenario.NONE, known
    scenario = scenarios.befalling(session, Target.COLLECTION, request.amount_fen)
    if scenario in scenarios.NOT_BOOKED_NOW:
        numbers.lose(session, request.req_seq)
        return scenario, None
    return scenario, _enter(session, request, scenario)


def receive_late(session: Session, request: CollectionRequest) -> None:
    """Take in a request that was long on its way."""
    session = session.at(request.acct_no)
    if _known(session, request) is None:
        _enter(session, request, Scenario.TIMEOUT_BOOKED_LATE)


def find(session: Session, req_seq: str) -> sqlite3.Row | None:
    """Row of a collection by its number."""
    row: sqlite3.Row | None = session.db.execute("SELECT * FROM collection WHERE req_seq = ?", (req_seq,)).fetchone()
    return row


def by_token(session: Session, token: str) -> sqlite3.Row | None:
    """Row of a collection by the token in its payment page's address."""
    row: sqlite3.Row | None = session.db.execute("SELECT * FROM collection WHERE token = ?", (token,)).fetchone()
    return row


def existing(session: Session, req_seq: str) -> sqlite3.Row:
    """Row of a collection by its number.

    Raises:
        Refusal: there is none.
    """
    row = find(session, req_seq)
    if row is None:
        raise Refusal(refusals.COLLECTION_UNKNOWN, "there is no such collection")
    return row


def confirm(session: Session, req_seq: str, digits: str) -> tuple[sqlite3.Row, dict[str, object]]:
    """Try the SMS code of a quick payment: the right one pays, the third wrong one ends the collection.

    Returns:
        The collection afterwards, and the outcome to be laid over its wire form.
    """
    row = existing(session, req_seq)
    session = session.at(row["acct_no"])
    if row["state"] == State.PAID:
        return row, codes.Checked(check=codes.CodeCheck.ACCEPTED, tries_left=0).wire()
    _check_waiting(row)
    checked = codes.check(session, owner=req_seq, digits=digits)
    if checked.check is codes.CodeCheck.ACCEPTED:
        payer_pays(session, row)
    if checked.check is codes.CodeCheck.EXHAUSTED:
        _set_state(session, req_seq, State.FAIL, refusals.CODE_TRIES, "too many wrong codes")
    return existing(session, req_seq), checked.wire()


def send_code_again(session: Session, req_seq: str) -> sqlite3.Row:
    """Send a new code for a quick payment that waits for it."""
    row = existing(session, req_seq)
    _check_waiting(row)
    codes.send_again(session.at(row["acct_no"]), owner=req_seq, text=_CODE_TEXT)
    return row


def close(session: Session, req_seq: str, acct_no: str) -> sqlite3.Row | None:
    """Take no payment for it any more; None for a number that was unknown and is now closed for good.

    Raises:
        Refusal: paid, or its payment is under way; unknown number, and no such account either.
    """
    row = find(session, req_seq)
    if row is None:
        numbers.close(session.at(acct_no), req_seq)
        return None
    if row["state"] == State.PAID:
        raise Refusal(refusals.COLLECTION_PAID, "it is paid; refund it instead")
    if row["state"] == State.PROCESSING:
        raise Refusal(refusals.COLLECTION_UNDER_WAY, "its payment is under way; query it until it ends")
    if row["state"] == State.WAITING:
        _shut(session.at(row["acct_no"]), row)
    return existing(session, req_seq)


def payer_pays(session: Session, row: sqlite3.Row) -> None:
    """The payer pays what is asked, unless the collection's scenario has it otherwise.

    Raises:
        Refusal: it does not wait for a payment.
    """
    _check_waiting(row)
    scenario = Scenario(row["scenario"])
    if scenario is Scenario.STUCK:
        _process(session, row["req_seq"], session.options.stuck_seconds)
    elif scenario is Scenario.FAILED_LATER:
        _set_state(session, row["req_seq"], State.FAIL, refusals.PAYER_REFUSED, "the payer's bank rejected it")
        _tell(session, row, State.FAIL)
    else:
        off_fen = {Scenario.PAID_SHORT: -_OFF_FEN, Scenario.PAID_OVER: _OFF_FEN}.get(scenario, 0)
        book_payment(session, row, max(row["amount_fen"] + off_fen, 1))
        if scenario is Scenario.PAID_TWICE:
            book_payment(session, row, row["amount_fen"])


def book_payment(session: Session, row: sqlite3.Row, amount_fen: int) -> None:
    """Book a payment that came, whatever the collection's state: a closed one stays closed, any other is paid."""
    method, at_ms = Method(row["method"]), session.now_ms
    count = session.db.execute("SELECT count(*) FROM collection_payment").fetchone()[0]
    session.db.execute(
        "INSERT INTO collection_payment VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
        (
            f"{moment(at_ms):%Y%m%d}{method}{count + 1:010d}",
            row["req_seq"],
            row["acct_no"],
            method,
            amount_fen,
            methods.fee_fen(method, row["debit_channel"], amount_fen),
            at_ms,
            methods.settle_due_ms(session, method, at_ms),
        ),
    )
    state = State(existing(session, row["req_seq"])["state"])
    if state is not State.CLOSED:
        state = State.PAID
        _set_state(session, row["req_seq"], state)
    _tell(session, row, state, amount_fen)


def do_due(session: Session) -> None:
    """Do what is due of the session's account: expire, end, or receive the late payment."""
    due = "SELECT * FROM collection WHERE acct_no = ? AND due_ms <= ?"
    for row in session.db.execute(due, (session.acct_no, session.now_ms)).fetchall():
        session.db.execute("UPDATE collection SET due_ms = NULL WHERE req_seq = ?", (row["req_seq"],))
        if row["state"] == State.WAITING:
            _shut(session, row)
        elif row["state"] == State.PROCESSING and row["scenario"] == Scenario.FAILED_LATER:
            _set_state(session, row["req_seq"], State.FAIL, refusals.PAYER_REFUSED, "the payer's account lacks funds")
            _tell(session, row, State.FAIL)
        else:
            book_payment(session, row, row["amount_fen"])


def _known(session: Session, request: CollectionRequest) -> sqlite3.Row | None:
    row = find(session, request.req_seq)
    numbers.check(session, request.req_seq, numbers.fingerprint(asdict(request)), row)
    return row


def _enter(session: Session, request: CollectionRequest, scenario: Scenario) -> sqlite3.Row:
    """Write the collection down, open or refused: a refused number stays refused."""
    refusal = _refusal(session, request, scenario)
    session.db.execute(
        "INSERT INTO collection (req_seq, token, acct_no, method, amount_fen, subject, return_url, payer_mobile,"
        " mandate_no, debit_channel, fingerprint, scenario, state, reason_code, reason_text, created_ms,"
        " expires_ms, due_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            request.req_seq,
            secrets.token_urlsafe(18),
            request.acct_no,
            request.method,
            request.amount_fen,
            request.subject,
            request.return_url,
            request.payer_mobile,
            request.mandate_no,
            request.debit_channel,
            numbers.fingerprint(asdict(request)),
            scenario,
            State.FAIL if refusal else State.WAITING,
            refusal.code if refusal else "",
            refusal.text if refusal else "",
            session.now_ms,
            request.expires_ms,
            None if refusal else request.expires_ms,
        ),
    )
    if refusal is None and request.method is Method.QUICK:
        codes.send(session, owner=request.req_seq, mobile=request.payer_mobile, text=_CODE_TEXT)
    if refusal is None and request.method is Method.DIRECT_DEBIT:
        seconds = _DEBIT_SECONDS * session.options.delay_factor
        if methods.health(session, DebitChannel(request.debit_channel)) is Health.SLOW:
            seconds *= _SLOW_FACTOR
        _process(session, request.req_seq, session.options.stuck_seconds if scenario is Scenario.STUCK else seconds)
    return existing(session, request.req_seq)


def _refusal(session: Session, request: CollectionRequest, scenario: Scenario) -> Refusal | None:
    try:
        methods.check(session, request.method, request.amount_fen)
        if request.expires_ms <= session.now_ms:
            raise Refusal(refusals.COLLECTION_EXPIRY, "it would have expired already")
        if request.method is Method.QUICK:
            cards.bank_of(request.payer_acct)
            if not register.is_person(session, name=request.payer_name, id_no=request.payer_id_no):
                raise Refusal(refusals.PAYER_DATA, "name and ID number of the payer do not belong together")
        if request.method is Method.DIRECT_DEBIT:
            mandate = mandates.active(session, request.mandate_no, request.acct_no)
            mandates.check_caps(session, mandate, request.amount_fen)
            if request.debit_channel not in list(DebitChannel):
                raise Refusal(refusals.DEBIT_CHANNEL, "there is no such debit channel")
            channel = DebitChannel(request.debit_channel)
            methods.check_debit(session, channel, mandate["payer_bank"], request.amount_fen)
        if scenario is Scenario.DECLINED:
            raise Refusal(refusals.PAYER_REFUSED, "the channel declines this collection")
    except Refusal as refusal:
        return refusal
    return None


def _check_waiting(row: sqlite3.Row) -> None:
    if row["state"] == State.PAID:
        raise Refusal(refusals.COLLECTION_PAID, "it is paid already")
    if row["state"] == State.PROCESSING:
        raise Refusal(refusals.COLLECTION_UNDER_WAY, "its payment is under way")
    if row["state"] != State.WAITING:
        raise Refusal(refusals.COLLECTION_ENDED, "it is closed")


def _shut(session: Session, row: sqlite3.Row) -> None:
    _set_state(session, row["req_seq"], State.CLOSED)
    if row["scenario"] == Scenario.PAID_LATE:
        late_ms = session.now_ms + int(session.options.late_payment_seconds * 1000)
        session.db.execute("UPDATE collection SET due_ms = ? WHERE req_seq = ?", (late_ms, row["req_seq"]))


def _process(session: Session, req_seq: str, seconds: float) -> None:
    session.db.execute(
        "UPDATE collection SET state = ?, due_ms = ? WHERE req_seq = ?",
        (State.PROCESSING, session.now_ms + int(seconds * 1000), req_seq),
    )


def _set_state(session: Session, req_seq: str, state: State, code: str = "", text: str = "") -> None:
    session.db.execute(
        "UPDATE collection SET state = ?, reason_code = ?, reason_text = ?, due_ms = NULL WHERE req_seq = ?",
        (state, code, text, req_seq),
    )


def _tell(session: Session, row: sqlite3.Row, state: State, amount_fen: int | None = None) -> None:
    notices.write(
        session,
        Scenario(row["scenario"]),
        kind="COLLECTION",
        acct_no=row["acct_no"],
        amount_fen=row["amount_fen"] if amount_fen is None else amount_fen,
        req_seq=row["req_seq"],
        state=state,
    )
