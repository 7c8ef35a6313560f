"""States of a withdrawal: one transition table, from the request to the end of the payout."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from escrow.domain.errors import Refused


class WithdrawalStatus(StrEnum):
    """Where a withdrawal stands.

    - `requested`: it follows a release, and no money has moved yet.
    - `held`: principal and fee are in transit and nothing is under way at the bank.
    - `queued`: held until a rail opens.
    - `submitted`: the bank has the payment order.
    - `unknown`: sent, no answer; to be queried, never resent.
    - `paid`: the bank booked it.
    - `failed`: no rail could carry it; the money is back on the sub-account.
    - `refused`: a rule said no before any money moved.
    - `needs_attention`: the money is in transit and an operator has to act.
    """

    REQUESTED = "requested"
    HELD = "held"
    QUEUED = "queued"
    SUBMITTED = "submitted"
    UNKNOWN = "unknown"
    PAID = "paid"
    FAILED = "failed"
    REFUSED = "refused"
    NEEDS_ATTENTION = "needs_attention"

    @property
    def is_final(self) -> bool:
        """Whether the withdrawal has ended; a remittance returned later is a new credit."""
        return self in (WithdrawalStatus.PAID, WithdrawalStatus.FAILED, WithdrawalStatus.REFUSED)


class WithdrawalEvent(StrEnum):
    """What happens to a withdrawal. `rail_failed` is a definite no of the bank, or its promise of no arrival."""

    MONEY_HELD = "money_held"
    RULE_REFUSED = "rule_refused"
    NO_RAIL_OPEN = "no_rail_open"
    RAIL_OPENED = "rail_opened"
    BANK_PROCESSING = "bank_processing"
    NO_ANSWER = "no_answer"
    BANK_PAID = "bank_paid"
    RAIL_FAILED = "rail_failed"
    RETURNED_TO_MEMBER = "returned_to_member"
    OPERATOR_NEEDED = "operator_needed"


_S, _E = WithdrawalStatus, WithdrawalEvent

#: The table. From `submitted` and `unknown` only a definite failure leads back to the choice of a rail, and
#: money goes back to the member only from states in which nothing is under way at the bank.
TRANSITIONS: Mapping[tuple[WithdrawalStatus, WithdrawalEvent], WithdrawalStatus] = MappingProxyType(
    {
        (_S.REQUESTED, _E.MONEY_HELD): _S.HELD,
        (_S.REQUESTED, _E.RULE_REFUSED): _S.REFUSED,
        (_S.HELD, _E.NO_RAIL_OPEN): _S.QUEUED,
        (_S.HELD, _E.BANK_PROCESSING): _S.SUBMITTED,
        (_S.HELD, _E.NO_ANSWER): _S.UNKNOWN,
        (_S.HELD, _E.BANK_PAID): _S.PAID,
        (_S.HELD, _E.RAIL_FAILED): _S.HELD,
        (_S.HELD, _E.RETURNED_TO_MEMBER): _S.FAILED,
        (_S.HELD, _E.OPERATOR_NEEDED): _S.NEEDS_ATTENTION,
        (_S.QUEUED, _E.RAIL_OPENED): _S.HELD,
        (_S.QUEUED, _E.RETURNED_TO_MEMBER): _S.FAILED,
        (_S.SUBMITTED, _E.BANK_PROCESSING): _S.SUBMITTED,
        (_S.SUBMITTED, _E.NO_ANSWER): _S.UNKNOWN,
        (_S.SUBMITTED, _E.BANK_PAID): _S.PAID,
        (_S.SUBMITTED, _E.RAIL_FAILED): _S.HELD,
        (_S.SUBMITTED, _E.OPERATOR_NEEDED): _S.NEEDS_ATTENTION,
        (_S.UNKNOWN, _E.BANK_PROCESSING): _S.SUBMITTED,
        (_S.UNKNOWN, _E.NO_ANSWER): _S.UNKNOWN,
        (_S.UNKNOWN, _E.BANK_PAID): _S.PAID,
        (_S.UNKNOWN, _E.RAIL_FAILED): _S.HELD,
        (_S.UNKNOWN, _E.OPERATOR_NEEDED): _S.NEEDS_ATTENTION,
        (_S.NEEDS_ATTENTION, _E.BANK_PAID): _S.PAID,
        (_S.NEEDS_ATTENTION, _E.RAIL_FAILED): _S.HELD,
    }
)


def next_status(status: WithdrawalStatus, event: WithdrawalEvent) -> WithdrawalStatus:
    """Status after an event, by the table.

    Raises:
        Refused: code `withdrawal_state`, naming the status and what could happen in it.
    """
    if (status, event) in TRANSITIONS:
        return TRANSITIONS[status, event]
    possible = [known.value for at, known in TRANSITIONS if at is status]
    raise Refused(
        "withdrawal_state",
        f"The withdrawal is {status}, so {event} is not possible; possible now: {', '.join(possible) or 'nothing'}.",
        {"status": status.value, "event": event.value, "possible": possible},
    )
