"""Micro-deposits: a random amount of at most 0.50 yuan to an account, its reference by SMS, its amount by nobody."""

import secrets
import sqlite3
from dataclasses import asdict, dataclass
from enum import StrEnum

from bank_sandbox import channels, custody, notices, numbers, payouts, refusals, scenarios, texting
from bank_sandbox.books import Session, moment
from bank_sandbox.channels import Channel, Payee
from bank_sandbox.codes import TRIES, Checked, CodeCheck
from bank_sandbox.custody import LineKind
from bank_sandbox.money import yuan
from bank_sandbox.refusals import Refusal
from bank_sandbox.scenarios import Scenario, Target

MAX_FEN = 50
_VALID_MS = 48 * 3_600_000
#: When the next deposit of an account comes back.
NEXT_DUE = (
    "SELECT min(return_due_ms) AS at_ms FROM micro_deposit"
    " WHERE acct_no = custody_account.acct_no AND return_due_ms IS NOT NULL"
)
_REFERENCE_SIGNS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # none that look alike
_TEXT = "【银行沙箱】已向您尾号{tail}的账户汇入一笔小额鉴权款,鉴权序号{reference},48小时内有效。"


class State(StrEnum):
    """Where a micro-deposit stands."""

    SENT = "SENT"
    VERIFIED = "VERIFIED"
    EXPIRED = "EXPIRED"
    RETURNED = "RETURNED"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositRequest:
    """A micro-deposit as the client asks for it; the bank chooses the amount."""

    req_seq: str
    acct_no: str
    payee_acct: str
    payee_name: str
    payee_is_corporate: bool
    payee_bank_code: str
    mobile: str


def receive(session: Session, request: DepositRequest) -> tuple[Scenario, sqlite3.Row | None]:
    """Take in a request; a known number is answered with its state and suffers nothing.

    Raises:
        Refusal: number known with other content, or closed for good; unknown custody account.
    """
    session = session.at(request.acct_no)
    known = _known(session, request)
    if known is not None:
        return Scenario.NONE, known
    scenario = scenarios.befalling_account(session, Target.MICRO_DEPOSIT, request.payee_acct)
    if scenario in scenarios.NOT_BOOKED_NOW:
        numbers.lose(session, request.req_seq)
        return scenario, None
    return scenario, _enter(session, request, scenario)


def receive_late(session: Session, request: DepositRequest) -> None:
    """Take in a request that was long on its way."""
    session = session.at(request.acct_no)
    if _known(session, request) is None:
        _enter(session, request, Scenario.TIMEOUT_BOOKED_LATE)


def query(session: Session, req_seq: str, acct_no: str) -> dict[str, object]:
    """Wire form of a micro-deposit's state; raises as `payouts.query`."""
    row = _find(session, req_seq)
    return numbers.not_found(session.at(acct_no), req_seq) if row is None else wire(session, row)


def confirm(session: Session, req_seq: str, *, amount_fen: int, reference: str) -> dict[str, object]:
    """Try an amount under its reference: the right one verifies, the third wrong one ends the deposit.

    Raises:
        Refusal: unknown number.
    """
    row = _find(session, req_seq)
    if row is None:
        raise Refusal(refusals.VERIFICATION_UNKNOWN, "there is no such micro-deposit")
    session = session.at(row["acct_no"])
    checked = _compared(session, row, amount_fen=amount_fen, reference=reference)
    if checked.check is CodeCheck.ACCEPTED:
        session.db.execute("UPDATE micro_deposit SET state = ? WHERE req_seq = ?", (State.VERIFIED, req_seq))
    elif row["state"] == State.SENT and checked.tries_left < TRIES - row["tries"]:
        session.db.execute("UPDATE micro_deposit SET tries = tries + 1 WHERE req_seq = ?", (req_seq,))
        if checked.tries_left == 0:
            session.db.execute(
                "UPDATE micro_deposit SET state = ?, reason_code = ?, reason_text = ? WHERE req_seq = ?",
                (State.FAIL, refusals.CODE_TRIES, "too many wrong amounts", req_seq),
            )
    return query(session, req_seq, session.acct_no) | checked.wire()


def give_back(session: Session, req_seq: str) -> bool:
    """The payee's bank gives a deposit back; False when there is none to give back."""
    row = _find(session, req_seq)
    if row is None or row["returned"] or row["amount_fen"] == 0:  # nothing is sent by a refused one
        return False
    _give_back(session.at(row["acct_no"]), row)
    return True


def do_due(session: Session) -> None:
    """Give back what is due of the session's account."""
    due = "SELECT * FROM micro_deposit WHERE acct_no = ? AND return_due_ms <= ?"
    for row in session.db.execute(due, (session.acct_no, session.now_ms)).fetchall():
        _give_back(session, row)


def listed(session: Session) -> list[dict[str, object]]:
    """All micro-deposits as the payees see them at their banks, with the amounts."""
    rows = session.db.execute("SELECT * FROM micro_deposit ORDER BY rowid")
    return [wire(session, row) | {"payeeAcct": row["payee_acct"], "amt": yuan(row["amount_fen"])} for row in rows]


def wire(session: Session, row: sqlite3.Row) -> dict[str, object]:
    """Wire form of a known micro-deposit, without its amount."""
    expired = row["state"] == State.SENT and session.at(row["acct_no"]).now_ms >= row["expires_ms"]
    return {
        "reqSeq": row["req_seq"],
        "state": State.EXPIRED if expired else row["state"],
        "closed": False,
        "reference": row["reference"],
        "expiresAt": moment(row["expires_ms"]).isoformat(timespec="milliseconds"),
        "returned": bool(row["returned"]),
        "reasonCode": row["reason_code"],
        "reasonText": row["reason_text"],
    }


def _give_back(session: Session, row: sqlite3.Row) -> None:
    state = State.RETURNED if row["state"] == State.SENT else State(row["state"])
    session.db.execute(
        "UPDATE micro_deposit SET returned = 1, return_due_ms = NULL, state = ? WHERE req_seq = ?",
        (state, row["req_seq"]),
    )
    _book(session, row, LineKind.MICRO_DEPOSIT_RETURN, row["amount_fen"], "returned micro-deposit")


def _compared(session: Session, row: sqlite3.Row, *, amount_fen: int, reference: str) -> Checked:
    left: int = TRIES - row["tries"]
    right = secrets.compare_digest(
        f"{amount_fen}/{reference}".encode(), f"{row['amount_fen']}/{row['reference']}".encode()
    )
    if row["state"] == State.VERIFIED:
        return Checked(check=CodeCheck.ACCEPTED if right else CodeCheck.WRONG, tries_left=left)
    if row["state"] != State.SENT:
        return Checked(check=CodeCheck.EXHAUSTED if left == 0 else CodeCheck.EXPIRED, tries_left=0)
    if session.now_ms >= row["expires_ms"]:
        return Checked(check=CodeCheck.EXPIRED, tries_left=left)
    if right:
        return Checked(check=CodeCheck.ACCEPTED, tries_left=left)
    return Checked(check=CodeCheck.EXHAUSTED if left == 1 else CodeCheck.WRONG, tries_left=left - 1)


def _find(session: Session, req_seq: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = session.db.execute("SELECT * FROM micro_deposit WHERE req_seq = ?", (req_seq,)).fetchone()
    return row


def _known(session: Session, request: DepositRequest) -> sqlite3.Row | None:
    row = _find(session, request.req_seq)
    numbers.check(session, request.req_seq, numbers.fingerprint(asdict(request)), row)
    return row


def _enter(session: Session, request: DepositRequest, scenario: Scenario) -> sqlite3.Row:
    """Send the deposit and its text message, or refuse it: a refused number stays refused."""
    amount_fen = secrets.randbelow(MAX_FEN) + 1
    reference = "".join(secrets.choice(_REFERENCE_SIGNS) for _ in range(5))
    refusal = _refusal(session, request, scenario, amount_fen)
    returning = refusal is None and scenario is Scenario.RETURNED
    entered: sqlite3.Row = session.db.execute(
        "INSERT INTO micro_deposit (req_seq, acct_no, payee_acct, payee_name, amount_fen, reference, fingerprint,"
        " scenario, state, reason_code, reason_text, expires_ms, return_due_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *",
        (
            request.req_seq,
            request.acct_no,
            request.payee_acct,
            request.payee_name,
            0 if refusal else amount_fen,
            "" if refusal else reference,
            numbers.fingerprint(asdict(request)),
            scenario,
            State.FAIL if refusal else State.SENT,
            refusal.code if refusal else "",
            refusal.text if refusal else "",
            session.now_ms + _VALID_MS,
            session.now_ms + int(session.options.return_days * 86_400_000) if returning else None,
        ),
    ).fetchone()
    if refusal is None:
        _book(session, entered, LineKind.MICRO_DEPOSIT, -amount_fen, f"micro-deposit {reference}")
        text = _TEXT.format(tail=request.payee_acct[-4:], reference=reference)
        texting.send(session, req_seq=f"{request.req_seq}:reference", mobile=request.mobile, text=text)
    return entered


def _refusal(session: Session, request: DepositRequest, scenario: Scenario, amount_fen: int) -> Refusal | None:
    payee = Payee(
        account_no=request.payee_acct,
        name=request.payee_name,
        is_corporate=request.payee_is_corporate,
        bank_code=request.payee_bank_code,
    )
    try:
        channels.check_payee(Channel.SUPER_ONLINE, payee)
        if scenario is Scenario.DECLINED:
            raise Refusal(refusals.PAYEE_ACCOUNT, "the payee's bank refuses this account")
        if amount_fen > payouts.free_fen(session, request.acct_no):
            raise Refusal(refusals.FUNDS, "the custody account does not hold that much")
    except Refusal as refusal:
        return refusal
    return None


def _book(session: Session, row: sqlite3.Row, kind: LineKind, amount_fen: int, remark: str) -> None:
    custody.book(
        session,
        row["acct_no"],
        kind,
        amount_fen,
        req_seq=row["req_seq"],
        party_acct=row["payee_acct"],
        party_name=row["payee_name"],
        remark=remark,
    )
    notices.write(session, Scenario.NONE, kind="LINE", acct_no=row["acct_no"], amount_fen=amount_fen)
