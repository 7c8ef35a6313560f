"""What the bank says otherwise than its books have it: fields laid over an answer, until they are taken back.

An answer or a part of one is named by its own number: a payout, collection, refund, mandate, deposit or check by its
request number, a payment, settlement or line by the bank's.
"""

import json
from collections.abc import Mapping
from typing import Any

from bank_sandbox.books import Session

#: By what a part of an answer is known, and which of its numbers is its own.
_OWN_NUMBERS = {"state": "reqSeq", "lineNo": "serialNo", "items": "settlementNo", "paymentNo": "paymentNo"}


def say(session: Session, number: str, fields: Mapping[str, object] | None) -> None:
    """Lay fields over whatever is told of this number from now on; None takes them back."""
    session.db.execute("DELETE FROM saying WHERE number = ?", (number,))
    if fields is not None:
        session.db.execute("INSERT INTO saying VALUES (?, ?)", (number, json.dumps(fields, ensure_ascii=False)))


def take_all_back(session: Session) -> None:
    """Everything is told as it is."""
    session.db.execute("DELETE FROM saying")


def said_of(session: Session, number: str) -> dict[str, Any]:
    """The fields that are laid over what is told of a number."""
    row = session.db.execute("SELECT fields FROM saying WHERE number = ?", (number,)).fetchone()
    found: dict[str, Any] = {} if row is None else json.loads(row["fields"])
    return found


def as_said(session: Session, told: object) -> object:
    """An answer as it is told."""
    sayings = {row["number"]: json.loads(row["fields"]) for row in session.db.execute("SELECT * FROM saying")}
    return _laid_over(told, sayings) if sayings else told


def _laid_over(told: object, sayings: Mapping[str, dict[str, object]]) -> object:
    if isinstance(told, list):
        return [_laid_over(item, sayings) for item in told]
    if not isinstance(told, dict):
        return told
    inside = {name: _laid_over(value, sayings) for name, value in told.items()}
    return inside | sayings.get(_number_of(told), {})


def _number_of(told: Mapping[str, object]) -> str:
    return str(next((told[number] for mark, number in _OWN_NUMBERS.items() if mark in told), ""))
