"""Misfortunes on demand: by the last digits of an amount or account, or once for the next request of a kind."""

from enum import StrEnum

from bank_sandbox.books import Session


class Scenario(StrEnum):
    """What shall go wrong. README.md has the table for people."""

    NONE = "none"
    TIMEOUT_BOOKED = "timeout_booked"
    TIMEOUT_NOT_BOOKED = "timeout_not_booked"
    TIMEOUT_BOOKED_LATE = "timeout_booked_late"
    DECLINED = "declined"
    FAILED_LATER = "failed_later"
    STUCK = "stuck"
    RETURNED = "returned"
    NOTICE_TWICE = "notice_twice"
    NOTICE_LATE = "notice_late"
    NOTICE_DROPPED = "notice_dropped"
    NOTICE_WRONG_AMOUNT = "notice_wrong_amount"
    SLOW = "slow"
    BROKEN_ANSWER = "broken_answer"
    PAID_LATE = "paid_late"
    PAID_TWICE = "paid_twice"
    PAID_SHORT = "paid_short"
    PAID_OVER = "paid_over"


class Target(StrEnum):
    """Kind of request that a one-time scenario waits for."""

    PAYOUT = "payout"
    COLLECTION = "collection"
    REFUND = "refund"
    MICRO_DEPOSIT = "micro_deposit"
    CARD_CHECK = "card_check"
    MANDATE = "mandate"
    TRANSFER = "transfer"
    SMS = "sms"
    READ = "read"


#: Last five digits of an amount in fen, e.g. a payout of 1,900.03 yuan is declined.
MAGIC_AMOUNTS = {
    90_001: Scenario.TIMEOUT_BOOKED,
    90_002: Scenario.TIMEOUT_NOT_BOOKED,
    90_003: Scenario.DECLINED,
    90_004: Scenario.STUCK,
    90_005: Scenario.RETURNED,
    90_006: Scenario.NOTICE_TWICE,
    90_007: Scenario.NOTICE_LATE,
    90_008: Scenario.NOTICE_DROPPED,
    90_009: Scenario.NOTICE_WRONG_AMOUNT,
    90_010: Scenario.SLOW,
    90_011: Scenario.BROKEN_ANSWER,
    90_012: Scenario.FAILED_LATER,
    90_013: Scenario.TIMEOUT_BOOKED_LATE,
    90_014: Scenario.PAID_LATE,
    90_015: Scenario.PAID_TWICE,
    90_016: Scenario.PAID_SHORT,
    90_017: Scenario.PAID_OVER,
}
_MAGIC_MODULUS = 100_000
_MAGIC_SUFFIX_DIGITS = 4

#: A request that suffers one of these is not taken in when it comes.
NOT_BOOKED_NOW = frozenset({Scenario.TIMEOUT_NOT_BOOKED, Scenario.TIMEOUT_BOOKED_LATE})

_TRANSPORT = frozenset({Scenario.TIMEOUT_BOOKED, Scenario.SLOW, Scenario.BROKEN_ANSWER})
_NOTICES = frozenset(
    {Scenario.NOTICE_TWICE, Scenario.NOTICE_LATE, Scenario.NOTICE_DROPPED, Scenario.NOTICE_WRONG_AMOUNT}
)

_INTAKE = _TRANSPORT | NOT_BOOKED_NOW | {Scenario.DECLINED}
_PAYERS = frozenset({Scenario.PAID_LATE, Scenario.PAID_TWICE, Scenario.PAID_SHORT, Scenario.PAID_OVER})

#: What each kind of request can suffer.
POSSIBLE = {
    Target.PAYOUT: frozenset(Scenario) - _PAYERS - {Scenario.NONE},
    Target.COLLECTION: frozenset(Scenario) - {Scenario.NONE, Scenario.RETURNED},
    Target.REFUND: frozenset(Scenario) - _PAYERS - {Scenario.NONE, Scenario.RETURNED},
    Target.MICRO_DEPOSIT: _INTAKE | {Scenario.RETURNED},
    Target.CARD_CHECK: _INTAKE,
    Target.MANDATE: _INTAKE,
    Target.TRANSFER: _NOTICES,
    Target.SMS: _TRANSPORT | {Scenario.TIMEOUT_NOT_BOOKED},
    Target.READ: _TRANSPORT,
}


def befalling(session: Session, target: Target, amount_fen: int) -> Scenario:
    """Scenario of this request: one ordered for the next of its kind, else the one its amount stands for."""
    return _possible(session, target, MAGIC_AMOUNTS.get(amount_fen % _MAGIC_MODULUS, Scenario.NONE))


def befalling_account(session: Session, target: Target, account_no: str) -> Scenario:
    """Scenario of this request: one ordered, else that of the account's last four digits: 9003 as ...900.03."""
    suffix = account_no[-_MAGIC_SUFFIX_DIGITS:]
    magic = MAGIC_AMOUNTS.get(90_000 + int(suffix[1:]), Scenario.NONE) if suffix.startswith("9") else Scenario.NONE
    return _possible(session, target, magic)


def _possible(session: Session, target: Target, magic: Scenario) -> Scenario:
    once = take_once(session, target)
    if once is not Scenario.NONE:
        return once
    return magic if magic in POSSIBLE[target] else Scenario.NONE


def order_once(session: Session, target: Target, scenario: Scenario) -> None:
    """Let the next request of the kind suffer `scenario`; several wait in turn.

    Raises:
        ValueError: that kind of request cannot suffer it.
    """
    if scenario not in POSSIBLE[target]:
        raise ValueError(f"{target} cannot suffer {scenario}; possible: {', '.join(sorted(POSSIBLE[target]))}")
    session.db.execute("INSERT INTO one_time (target, scenario) VALUES (?, ?)", (target, scenario))


def take_once(session: Session, target: Target) -> Scenario:
    """Take the oldest waiting one-time scenario of the kind out of the queue."""
    row = session.db.execute(
        "DELETE FROM one_time WHERE seq = (SELECT min(seq) FROM one_time WHERE target = ?) RETURNING scenario",
        (target,),
    ).fetchone()
    return Scenario(row["scenario"]) if row else Scenario.NONE
