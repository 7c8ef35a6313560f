"""How a code or amount that a person typed compares with what was sent to that person."""

from enum import StrEnum


class CodeCheck(StrEnum):
    """Outcome of one try."""

    ACCEPTED = "accepted"
    WRONG = "wrong"
    EXPIRED = "expired"
    EXHAUSTED = "exhausted"
