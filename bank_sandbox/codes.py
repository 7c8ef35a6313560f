"""Codes by SMS: six digits, good for 120 seconds of their account's time; the third wrong one ends what it is for."""

import secrets
from dataclasses import dataclass
from enum import StrEnum

from bank_sandbox import cards, refusals, texting
from bank_sandbox.books import Session
from bank_sandbox.refusals import Refusal

VALID_SECONDS = 120
TRIES = 3
_SENDINGS = 5


class CodeCheck(StrEnum):
    """How a typed code compares with the one that was sent."""

    ACCEPTED = "ACCEPTED"
    WRONG = "WRONG"
    EXPIRED = "EXPIRED"
    EXHAUSTED = "EXHAUSTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Outcome of one try."""

    check: CodeCheck
    tries_left: int

    def wire(self) -> dict[str, object]:
        """Wire form, to be laid over the answer of what the code belongs to."""
        return {"codeCheck": self.check, "triesLeft": self.tries_left}


def send(session: Session, *, owner: str, mobile: str, text: str) -> None:
    """Send the first code of `owner`; `text` has `{code}` where the digits go."""
    digits = cards.TEST_CODE if mobile == cards.TEST_MOBILE else f"{secrets.randbelow(1_000_000):06d}"
    row = session.db.execute(
        "INSERT INTO code (owner, digits, mobile, sendings, expires_ms) VALUES (?, ?, ?, 1, ?)"
        " ON CONFLICT (owner) DO UPDATE SET digits = excluded.digits, sendings = sendings + 1,"
        " expires_ms = excluded.expires_ms RETURNING sendings",
        (owner, digits, mobile, session.now_ms + VALID_SECONDS * 1000),
    ).fetchone()
    texting.send(session, req_seq=f"{owner}:code:{row['sendings']}", mobile=mobile, text=text.format(code=digits))


def send_again(session: Session, *, owner: str, text: str) -> None:
    """Send a new code, which voids the old one; wrong tries go on counting.

    Raises:
        Refusal: no code was ever sent, or five were.
    """
    row = session.db.execute("SELECT * FROM code WHERE owner = ?", (owner,)).fetchone()
    if row is None:
        raise Refusal(refusals.NO_CODE, "no code was sent under this number")
    if row["sendings"] >= _SENDINGS:
        raise Refusal(refusals.CODE_TOO_SOON, f"at most {_SENDINGS} codes are sent for one request")
    send(session, owner=owner, mobile=row["mobile"], text=text)


def check(session: Session, *, owner: str, digits: str) -> Checked:
    """Compare a typed code and count it when it is wrong.

    Raises:
        Refusal: no code was ever sent.
    """
    row = session.db.execute("SELECT * FROM code WHERE owner = ?", (owner,)).fetchone()
    if row is None:
        raise Refusal(refusals.NO_CODE, "no code was sent under this number")
    left: int = TRIES - row["tries"]
    if left <= 0:
        return Checked(check=CodeCheck.EXHAUSTED, tries_left=0)
    if session.now_ms >= row["expires_ms"]:
        return Checked(check=CodeCheck.EXPIRED, tries_left=left)
    if not secrets.compare_digest(digits.encode(), row["digits"].encode()):
        session.db.execute("UPDATE code SET tries = tries + 1 WHERE owner = ?", (owner,))
        return Checked(check=CodeCheck.EXHAUSTED if left == 1 else CodeCheck.WRONG, tries_left=left - 1)
    return Checked(check=CodeCheck.ACCEPTED, tries_left=left)


def expires_ms(session: Session, owner: str) -> int | None:
    """Time of the account until which the present code of `owner` is good."""
    row = session.db.execute("SELECT expires_ms FROM code WHERE owner = ?", (owner,)).fetchone()
    return None if row is None else int(row["expires_ms"])


def masked(mobile: str) -> str:
    """Form in which a mobile may be shown: `135****5506`."""
    return f"{mobile[:3]}****{mobile[-4:]}"
