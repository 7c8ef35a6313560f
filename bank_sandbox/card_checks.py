"""UnionPay check: a person's name, ID number, card and mobile belong together, proved by a code to that mobile."""

import sqlite3
from dataclasses import asdict, dataclass
from enum import StrEnum

from bank_sandbox import cards, codes, numbers, refusals, register, scenarios
from bank_sandbox.books import Desk, moment
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


def set_health(desk: Desk, health: Health) -> None:
    """Take the checks out of service or bring them back; it stays so across restarts."""
    desk.remember(_HEALTH, health)


def capabilities(desk: Desk) -> dict[str, object]:
    """Which banks' cards are checked, and whether the service is up."""
    banks = [{"bank": bank, "name": name} for bank, name in cards.CHECKED_BANKS.items()]
    return {"health": _health(desk), "banks": banks}


def receive(desk: Desk, request: CheckRequest) -> tuple[Scenario, sqlite3.Row | None]:
    """Take in a request; a known number is answered with its state and suffers nothing.

    Raises:
        Refusal: number known with other content, or closed for good; unknown custody account.
    """
    desk = desk.at(request.acct_no)
    known = _known(desk, request)
    if known is not None:
        return Scenario.NONE, known
    scenario = scenarios.befalling_account(desk, Target.CARD_CHECK, request.card_no)
    if scenario in scenarios.NOT_BOOKED_NOW:
        return scenario, None
    return scenario, _enter(desk, request, scenario)


def receive_late(desk: Desk, request: CheckRequest) -> None:
    """Take in a request that was long on its way."""
    desk = desk.at(request.acct_no)
    if _known(desk, request) is None:
        _enter(desk, request, Scenario.TIMEOUT_BOOKED_LATE)


def query(desk: Desk, req_seq: str, acct_no: str) -> dict[str, object]:
    """Wire form of a check's state; raises as `payouts.query`."""
    row = _find(desk, req_seq)
    return numbers.not_found(desk.at(acct_no), req_seq) if row is None else wire(desk, row)


def confirm(desk: Desk, req_seq: str, digits: str) -> dict[str, object]:
    """Try a code: the right one verifies, the third wrong one ends the check.

    Raises:
        Refusal: unknown number, or no code was sent.
    """
    row = _existing(desk, req_seq)
    if row["state"] == State.VERIFIED:
        return wire(desk, row) | codes.Checked(check=codes.CodeCheck.ACCEPTED, tries_left=0).wire()
    checked = codes.check(desk.of(row), owner=req_seq, digits=digits)
    if checked.check is codes.CodeCheck.ACCEPTED:
        desk.db.execute("UPDATE card_check SET state = ? WHERE req_seq = ?", (State.VERIFIED, req_seq))
    if checked.check is codes.CodeCheck.EXHAUSTED:
        desk.db.execute(
            "UPDATE card_check SET state = ?, reason_code = ?, reason_text = ? WHERE req_seq = ?",
            (State.FAIL, refusals.CODE_TRIES, "too many wrong codes", req_seq),
        )
    return wire(desk, _existing(desk, req_seq)) | checked.wire()


def send_code_again(desk: Desk, req_seq: str) -> dict[str, object]:
    """Send a new code for a check under way.

    Raises:
        Refusal: unknown number, ended, or five codes sent.
    """
    row = _existing(desk, req_seq)
    if row["state"] != State.CODE_SENT:
        raise Refusal(refusals.NO_CODE, "this check waits for no code")
    codes.send_again(desk.of(row), owner=req_seq, text=_TEXT)
    return wire(desk, row)


def wire(desk: Desk, row: sqlite3.Row) -> dict[str, object]:
    """Wire form of a known check."""
    expires_ms = codes.expires_ms(desk, row["req_seq"])
    return {
        "reqSeq": row["req_seq"],
        "state": row["state"],
        "closed": False,
        "bank": row["bank"],
        "reasonCode": row["reason_code"],
        "reasonText": row["reason_text"],
        "codeExpiresAt": None if expires_ms is None else moment(expires_ms).isoformat(timespec="milliseconds"),
    }


def _health(desk: Desk) -> Health:
    return Health(desk.setting(_HEALTH, Health.UP))


def _find(desk: Desk, req_seq: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = desk.db.execute("SELECT * FROM card_check WHERE req_seq = ?", (req_seq,)).fetchone()
    return row


def _existing(desk: Desk, req_seq: str) -> sqlite3.Row:
    row = _find(desk, req_seq)
    if row is None:
        raise Refusal(refusals.VERIFICATION_UNKNOWN, "there is no such check")
    return row


def _known(desk: Desk, request: CheckRequest) -> sqlite3.Row | None:
    row = _find(desk, request.req_seq)
    numbers.check(desk, request.req_seq, numbers.fingerprint(asdict(request)), row)
    return row


def _enter(desk: Desk, request: CheckRequest, scenario: Scenario) -> sqlite3.Row:
    """Write the check down and send its code, or refuse it: a refused number stays refused."""
    bank, refusal = "", None
    try:
        bank = _checked_bank(desk, request, scenario)
    except Refusal as refused:
        refusal = refused
    entered: sqlite3.Row = desk.db.execute(
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
        codes.send(desk, owner=request.req_seq, mobile=request.mobile, text=_TEXT)
    return entered


def _checked_bank(desk: Desk, request: CheckRequest, scenario: Scenario) -> str:
    if _health(desk) is Health.DOWN:
        raise Refusal(refusals.SERVICE_DOWN, "the UnionPay check is out of service")
    bank = cards.bank_of(request.card_no)
    if bank not in cards.CHECKED_BANKS and request.card_no != cards.TEST_CARD:
        raise Refusal(refusals.CARD_BANK, "this bank's cards are not checked")
    holder = (request.name, request.id_no, request.mobile)
    if scenario is Scenario.DECLINED or holder != _holder_of(desk, request):
        raise Refusal(refusals.CARD_DATA, "name, ID number, card and mobile do not belong together")
    return bank


def _holder_of(desk: Desk, request: CheckRequest) -> tuple[str, str, str] | None:
    """Whom the card's bank knows; an unknown card belongs to the first person who asks and is in the register."""
    if request.card_no == cards.TEST_CARD:
        return _TEST_HOLDER
    row = desk.db.execute("SELECT * FROM card_holder WHERE card_no = ?", (request.card_no,)).fetchone()
    if row is not None:
        return row["name"], row["id_no"], row["mobile"]
    if not register.is_person(desk, name=request.name, id_no=request.id_no):
        return None
    desk.db.execute(
        "INSERT INTO card_holder VALUES (?, ?, ?, ?)", (request.card_no, request.name, request.id_no, request.mobile)
    )
    return request.name, request.id_no, request.mobile
