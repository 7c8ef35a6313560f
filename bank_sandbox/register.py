"""Registers of persons and businesses: a few entries, those added by hand, and rules for everybody else.

Who is in no register is answered by a rule on digits inside the number that no check digit depends on being free:
of an ID number digits 15 to 17 (the sequence), of a credit code characters 15 and 16 (end of the organisation code).
Any other well-formed number is entered under the first name asked for, and matches from then on.
"""

import sqlite3
from dataclasses import dataclass
from enum import StrEnum

from bank_sandbox import cards, refusals
from bank_sandbox.books import Session
from bank_sandbox.channels import Health
from bank_sandbox.money import yuan
from bank_sandbox.refusals import Refusal

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"
_CODE_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_HEALTH = "health:REGISTER"
_REGISTERED_FEN = 100_000_000
_PAID_IN_FEN = 60_000_000
_PERSON_SOURCE = "sandbox register of persons"
_BUSINESS_SOURCE = "sandbox register of businesses"


class Result(StrEnum):
    """Whether what was told is what the register holds."""

    MATCH = "MATCH"
    MISMATCH = "MISMATCH"
    NOT_FOUND = "NOT_FOUND"


class Status(StrEnum):
    """State of a registration: 存续, 注销, 吊销."""

    ACTIVE = "ACTIVE"
    CANCELLED = "CANCELLED"
    REVOKED = "REVOKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """A business as the register holds it; capital in fen."""

    credit_code: str
    name: str
    legal_rep_name: str
    legal_rep_id_no: str
    status: Status = Status.ACTIVE
    registered_fen: int | None = _REGISTERED_FEN
    paid_in_fen: int | None = _PAID_IN_FEN


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyQuestion:
    """A business as the client describes it; empty parts are not compared."""

    credit_code: str
    name: str
    legal_rep_name: str
    legal_rep_id_no: str
    agent_name: str
    agent_id_no: str


#: Entries of a new register. Area 000000 exists nowhere, so that no real business is meant.
_COMPANIES = (
    Company(
        credit_code="91000000MA1TAX1067",
        name="沙箱装饰工程有限公司",
        legal_rep_name=cards.TEST_NAME,
        legal_rep_id_no=cards.TEST_ID_NO,
    ),
    Company(
        credit_code="91000000MA2TRY111A",
        name="沙箱旧日装饰有限公司",
        legal_rep_name="李建国",
        legal_rep_id_no="110101198503071016",
        status=Status.CANCELLED,
    ),
    Company(
        credit_code="91000000MA4CUT1390",
        name="沙箱失信装饰有限公司",
        legal_rep_name="李建国",
        legal_rep_id_no="110101198503071016",
        status=Status.REVOKED,
        paid_in_fen=0,
    ),
    Company(
        credit_code="92000000MA3DEF124L",
        name="沙箱区老王水电装修店",
        legal_rep_name="王小明",
        legal_rep_id_no="110101199001012029",
        registered_fen=None,
        paid_in_fen=None,
    ),
)
_PERSONS = (
    (cards.TEST_ID_NO, cards.TEST_NAME),
    ("110101198503071016", "李建国"),
    ("110101199001012029", "王小明"),
)
_PERSON_RULES = {"990": Result.MISMATCH, "991": Result.NOT_FOUND}
_PERSON_DOWN = "992"
_COMPANY_RULES = {"90": Result.MISMATCH, "91": Result.NOT_FOUND}
_COMPANY_DOWN = "92"
_STATUS_RULES = {"93": Status.CANCELLED, "94": Status.REVOKED}
_OTHER_LEGAL_REP = "95"
_NOTHING_PAID_IN = "96"


def seed(session: Session) -> None:
    """Enter the first persons and businesses; entries that are there stay as they are."""
    session.db.executemany("INSERT OR IGNORE INTO register_person VALUES (?, ?)", _PERSONS)
    for company in _COMPANIES:
        if _company(session, company.credit_code) is None:
            enter_company(session, company)


def enter_person(session: Session, *, id_no: str, name: str) -> None:
    """Enter or rename a person."""
    session.db.execute(
        "INSERT INTO register_person VALUES (?, ?) ON CONFLICT (id_no) DO UPDATE SET name = excluded.name",
        (id_no, name),
    )


def enter_company(session: Session, company: Company) -> None:
    """Enter a business, or change its entry."""
    session.db.execute(
        "INSERT OR REPLACE INTO register_company VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            company.credit_code,
            company.name,
            company.legal_rep_name,
            company.legal_rep_id_no,
            company.status,
            company.registered_fen,
            company.paid_in_fen,
        ),
    )


def set_health(session: Session, health: Health) -> None:
    """Take the register out of service or bring it back; it stays so across restarts."""
    session.remember(_HEALTH, health)


def is_person(session: Session, *, name: str, id_no: str) -> bool:
    """Whether the person with this number bears this name.

    Raises:
        Refusal: malformed number, or the register is down.
    """
    return _person_result(session, name=name, id_no=id_no) is Result.MATCH


def check_person(session: Session, *, name: str, id_no: str) -> dict[str, object]:
    """Wire form of the answer about a person; raises as `is_person`."""
    result = _person_result(session, name=name, id_no=id_no)
    return {"result": result, "source": _PERSON_SOURCE, "asOf": session.now.date().isoformat()}


def check_company(session: Session, question: CompanyQuestion) -> dict[str, object]:
    """Wire form of the answer about a business; raises as `is_person`."""
    _check_service(session, down=question.credit_code[14:16] == _COMPANY_DOWN)
    if not _is_credit_code(question.credit_code):
        raise Refusal(refusals.IDENTITY_NUMBER, "the credit code's check digit is wrong")
    answer: dict[str, object] = {"source": _BUSINESS_SOURCE, "asOf": session.now.date().isoformat(), "mismatches": []}
    row = _company(session, question.credit_code) or _learned(session, question)
    if row is None:
        return answer | {"result": Result.NOT_FOUND, "status": None, "registeredCapital": None, "paidInCapital": None}
    mismatches = [
        part
        for part, told, held in (
            ("NAME", question.name, row["name"]),
            ("LEGAL_REP", question.legal_rep_name, row["legal_rep_name"]),
            ("LEGAL_REP", question.legal_rep_id_no or row["legal_rep_id_no"], row["legal_rep_id_no"]),
        )
        if told != held
    ]
    if question.agent_id_no and not is_person(session, name=question.agent_name, id_no=question.agent_id_no):
        mismatches.append("AGENT")
    return answer | {
        "result": Result.MISMATCH if mismatches else Result.MATCH,
        "mismatches": sorted(set(mismatches)),
        "status": row["status"],
        "registeredCapital": None if row["registered_fen"] is None else yuan(row["registered_fen"]),
        "paidInCapital": None if row["paid_in_fen"] is None else yuan(row["paid_in_fen"]),
    }


def _person_result(session: Session, *, name: str, id_no: str) -> Result:
    _check_service(session, down=id_no[14:17] == _PERSON_DOWN)
    if not _is_citizen_id(id_no):
        raise Refusal(refusals.IDENTITY_NUMBER, "the ID number's check digit is wrong")
    row = session.db.execute("SELECT name FROM register_person WHERE id_no = ?", (id_no,)).fetchone()
    if row is not None:
        return Result.MATCH if row["name"] == name else Result.MISMATCH
    by_rule = _PERSON_RULES.get(id_no[14:17])
    if by_rule is None:
        enter_person(session, id_no=id_no, name=name)
    return by_rule or Result.MATCH


def _learned(session: Session, question: CompanyQuestion) -> sqlite3.Row | None:
    """Entry made by rule for a business asked for the first time; None for one that shall not be found."""
    digits = question.credit_code[14:16]
    by_rule = _COMPANY_RULES.get(digits)
    if by_rule is Result.NOT_FOUND:
        return None
    sole_trader = question.credit_code.startswith("92")
    enter_company(
        session,
        Company(
            credit_code=question.credit_code,
            name="另一家公司" if by_rule is Result.MISMATCH else question.name,
            legal_rep_name="另一人" if digits == _OTHER_LEGAL_REP else question.legal_rep_name,
            legal_rep_id_no=question.legal_rep_id_no,
            status=_STATUS_RULES.get(digits, Status.ACTIVE),
            registered_fen=None if sole_trader else _REGISTERED_FEN,
            paid_in_fen=None if sole_trader else 0 if digits == _NOTHING_PAID_IN else _PAID_IN_FEN,
        ),
    )
    return _company(session, question.credit_code)


def _company(session: Session, credit_code: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = session.db.execute(
        "SELECT * FROM register_company WHERE credit_code = ?", (credit_code,)
    ).fetchone()
    return row


def _check_service(session: Session, *, down: bool) -> None:
    if down or Health(session.setting(_HEALTH, Health.UP)) is Health.DOWN:
        raise Refusal(refusals.SERVICE_DOWN, "the register is out of service; ask again later")


def _is_citizen_id(id_no: str) -> bool:
    """GB 11643: 17 digits and a check character by ISO 7064 MOD 11-2."""
    body = id_no[:17]
    if not (len(id_no) == 18 and body.isascii() and body.isdigit()):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(body, _ID_WEIGHTS, strict=True))
    return id_no[17] == _ID_CHECKS[total % 11]


def _is_credit_code(code: str) -> bool:
    """GB 32100: 18 characters, the last by weights 3^n modulo 31."""
    if not (len(code) == 18 and all(sign in _CODE_ALPHABET for sign in code)):
        return False
    total = sum(_CODE_ALPHABET.index(sign) * pow(3, place, 31) for place, sign in enumerate(code[:17]))
    return code[17] == _CODE_ALPHABET[-total % 31]
