"""Misfortunes on demand: by the last digits of a payout's amount, or once for the next request of a kind."""

from enum import StrEnum

from bank_sandbox.books import Desk


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


class Target(StrEnum):
    """Kind of request that a one-time scenario waits for."""

    PAYOUT = "payout"
    TRANSFER = "transfer"
    SMS = "sms"
    READ = "read"


#: Last five digits of a payout's amount in fen, e.g. 1,900.03 yuan is declined.
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
}
_MAGIC_MODULUS = 100_000

_TRANSPORT = frozenset({Scenario.TIMEOUT_BOOKED, Scenario.SLOW, Scenario.BROKEN_ANSWER})
_NOTICES = frozenset(
    {Scenario.NOTICE_TWICE, Scenario.NOTICE_LATE, Scenario.NOTICE_DROPPED, Scenario.NOTICE_WRONG_AMOUNT}
)

#: What each kind of request can suffer.
POSSIBLE = {
    Target.PAYOUT: frozenset(Scenario) - {Scenario.NONE},
    Target.TRANSFER: _NOTICES,
    Target.SMS: _TRANSPORT | {Scenario.TIMEOUT_NOT_BOOKED},
    Target.READ: _TRANSPORT,
}


def by_amount(amount_fen: int) -> Scenario:
    """Scenario that the amount of a payout stands for."""
    return MAGIC_AMOUNTS.get(amount_fen % _MAGIC_MODULUS, Scenario.NONE)


def order_once(desk: Desk, target: Target, scenario: Scenario) -> None:
    """Let the next request of the kind suffer `scenario`; several wait in turn.

    Raises:
        ValueError: that kind of request cannot suffer it.
    """
    if scenario not in POSSIBLE[target]:
        raise ValueError(f"{target} cannot suffer {scenario}; possible: {', '.join(sorted(POSSIBLE[target]))}")
    desk.db.execute("INSERT INTO one_time (target, scenario) VALUES (?, ?)", (target, scenario))


def take_once(desk: Desk, target: Target) -> Scenario:
    """Take the oldest waiting one-time scenario of the kind out of the queue."""
    row = desk.db.execute(
        "DELETE FROM one_time WHERE seq = (SELECT min(seq) FROM one_time WHERE target = ?) RETURNING scenario",
        (target,),
    ).fetchone()
    return Scenario(row["scenario"]) if row else Scenario.NONE
