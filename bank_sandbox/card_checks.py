"""UnionPay check: a person's name, ID number, card and mobile belong together, proved by a code to that mobile."""

import sqlite3
from dataclasses import asdict, dataclass
from enum import StrEnum

from bank_sandbox import cards, codes, numbers, refusals, register, scenarios
from bank_sandbox.books import Session, moment
from bank_sandbox.channels import Health
from bank_sandbox.refusals import Refusal
from bank_sandbox.scenarios import Scenario, Target

_HEALTH = "health:CARD_CHECK"
_TEXT = "【银行沙箱】银联鉴权验证码{code},120秒内有效,请勿告知他人。"
_TEST_HOLDER = (cards.TEST_NAME, cards.TEST_ID_NO, cards.TEST_MOBILE)


class State(StrEnum):
    """Where a check stands."""

    CODE_SENT = "CODE_SENT"
    VERIFIED = "VERIFIED"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRequest:
    """A check as the client asks for it."""

    req_seq: str
    acct_no: str
    name: str
    id_no: str
    card_no: str
    mobile: str


def set_health(session: Session, health: Health) -> None:
    """Take the checks out of service or bring them back; it stays so across restarts."""
    session.remember(_HEALTH, health)


def capabilities(session: Session) -> dict[str, object]:
    """Which banks' cards are checked, and whether the service is up."""
    banks = [{"bank": bank, "name": name} for bank, name in cards.CHECKED_BANKS.items()]
    return {"health": _health(session), "banks": banks}


def receive(session: Session, request: CheckRequest) -> tuple[Scenario, sqlite3.Row | None]:
    """Take in a request; a known number is answered with its state and suffers nothing.

    Raises:
        Refusal: number known with other content, or closed for good; unknown custody account.
    """
    session = session.at(request.acct_no)
    known = _known(session, request)
    if known is not None:
        return Scenario.NONE, known
    scenario = scenarios.befalling_account(session, Target.CARD_CHECK, request.card_no)
    if scenario in scenarios.NOT_BOOKED_NOW:
        numbers.lose(session, request.req_seq)
        return scenario, None
    return scenario, _enter(session, request, scenario)


def receive_late(session: Session, request: CheckRequest) -> None:
    """Take in a request that was long on its way."""
    session = session.at(request.acct_no)
    if _known(session, request) is None:
        _enter(session, request, Scenario.TIMEOUT_BOOKED_LATE)


def query(session: Session, req_seq: str, acct_no: str) -> dict[str, object]:
    """Wire form of a check's state; raises as `payouts.query`."""
    row = _find(session, req_seq)
    return numbers.not_found(session.at(acct_no), req_seq) if row is None else wire(session, row)


def confirm(session: Session, req_seq: str, digits: str) -> dict[str, object]:
    """Try a code: the right one verifies, the third wrong one ends the check.

    Raises:
        Refusal: unknown number, or no code was sent.
    """
    row = _existing(session, req_seq)
    if row["state"] == State.VERIFIED:
        return wire(session, row) | codes.Checked(check=codes.CodeCheck.ACCEPTED, tries_left=0).wire()
    checked = codes.check(session.of(row), owner=req_seq, digits=digits)
    if checked.check is codes.CodeCheck.ACCEPTED:
        session.db.execute("UPDATE card_check SET state = ? WHERE req_seq = ?", (State.VERIFIED, req_seq))
    if checked.check is codes.CodeCheck.EXHAUSTED:
        session.db.execute(
            "UPDATE card_check SET state = ?, reason_code = ?, reason_text = ? WHERE req_seq = ?",
            (State.FAIL, refusals.CODE_TRIES, "too many wrong codes", req_seq),
        )
    return wire(session, _existing(session, req_seq)) | checked.wire()


def send_code_again(session: Session, req_seq: str) -> dict[str, object]:
    """Send a new code for a check under way.

    Raises:
        Refusal: unknown number, ended, or five codes sent.
    """
    row = _existing(session, req_seq)
    if row["state"] != State.CODE_SENT:
        raise Refusal(refusals.NO_CODE, "this check waits for no code")
    codes.send_again(session.of(row), owner=req_seq, text=_TEXT)
    return wire(session, row)


def wire(session: Session, row: sqlite3.Row) -> dict[str, object]:
    """Wire form of a known check."""
    expires_ms = codes.expires_ms(session, row["req_seq"])
    return {
        "reqSeq": row["req_seq"],
        "state": row["state"],
        "closed": False,
        "bank": row["bank"],
        "reasonCode": row["reason_code"],
        "reasonText": row["reason_text"],
        "codeExpiresAt": None if expires_ms is None else moment(expires_ms).isoformat(timespec="milliseconds"),
    }


def _health(session: Session) -> Health:
    return Health(session.setting(_HEALTH, Health.UP))


def _find(session: Session, req_seq: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = session.db.execute("SELECT * FROM card_check WHERE req_seq = ?", (req_seq,)).fetchone()
    return row


def _existing(session: Session, req_seq: str) -> sqlite3.Row:
    row = _find(session, req_seq)
    if row is None:
        raise Refusal(refusals.VERIFICATION_UNKNOWN, "there is no such check")
    return row


def _known(session: Session, request: CheckRequest) -> sqlite3.Row | None:
    row = _find(session, request.req_seq)
    numbers.check(session, request.req_seq, numbers.fingerprint(asdict(request)), row)
    return row


def _enter(session: Session, request: CheckRequest, scenario: Scenario) -> sqlite3.Row:
    """Write the check down and send its code, or refuse it: a refused number stays refused."""
    bank, refusal = "", None
    try:
        bank = _checked_bank(session, request, scenario)
    except Refusal as refused:
        refusal = refused
    entered: sqlite3.Row = session.db.execute(
        "INSERT INTO card_check (req_seq, acct_no, bank, fingerprint, state, reason_code, reason_text)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING *",
        (
            request.req_seq,
            request.acct_no,
            bank,
            numbers.fingerprint(asdict(request)),
            State.FAIL if refusal else State.CODE_SENT,
            refusal.code if refusal else "",
            refusal.text if refusal else "",
        ),
    ).fetchone()
    if refusal is None:
        codes.send(session, owner=request.req_seq, mobile=request.mobile, text=_TEXT)
    return entered


def _checked_bank(session: Session, request: CheckRequest, scenario: Scenario) -> str:
    if _health(session) is Health.DOWN:
        raise Refusal(refusals.SERVICE_DOWN, "the UnionPay check is out of service")
    bank = cards.bank_of(request.card_no)
    if bank not in cards.CHECKED_BANKS and request.card_no != cards.TEST_CARD:
        raise Refusal(refusals.CARD_BANK, "this bank's cards are not checked")
    holder = (request.name, request.id_no, request.mobile)
    if scenario is Scenario.DECLINED or holder != _holder_of(session, request):
        raise Refusal(refusals.CARD_DATA, "name, ID number, card and mobile do not belong together")
    return bank


def _holder_of(session: Session, request: CheckRequest) -> tuple[str, str, str] | None:
    """Whom the card's bank knows; an unknown card belongs to the first person who asks and is in the register."""
    if request.card_no == cards.TEST_CARD:
        return _TEST_HOLDER
    row = session.db.execute("SELECT * FROM card_holder WHERE card_no = ?", (request.card_no,)).fetchone()
    if row is not None:
        return row["name"], row["id_no"], row["mobile"]
    if not register.is_person(session, name=request.name, id_no=request.id_no):
        return None
    session.db.execute(
        "INSERT INTO card_holder VALUES (?, ?, ?, ?)", (request.card_no, request.name, request.id_no, request.mobile)
    )
    return request.name, request.id_no, request.mobile
