"""The withdrawal's transition table: unknown is never sent again, money under way never goes back."""

import pytest

from escrow.domain.errors import Refused
from escrow.domain.withdrawals.states import TRANSITIONS, WithdrawalEvent, WithdrawalStatus, next_status

S, E = WithdrawalStatus, WithdrawalEvent


def walk(*events: WithdrawalEvent) -> WithdrawalStatus:
    status = S.REQUESTED
    for event in events:
        status = next_status(status, event)
    return status


def test_a_payout_without_answer_is_queried_and_paid() -> None:
    assert walk(E.MONEY_HELD, E.NO_ANSWER) is S.UNKNOWN
    assert walk(E.MONEY_HELD, E.NO_ANSWER, E.BANK_PROCESSING, E.BANK_PAID) is S.PAID


def test_a_definite_failure_leads_to_the_next_rail_and_in_the_end_back_to_the_member() -> None:
    assert walk(E.MONEY_HELD, E.BANK_PROCESSING, E.RAIL_FAILED) is S.HELD
    assert walk(E.MONEY_HELD, E.RAIL_FAILED, E.NO_RAIL_OPEN, E.RAIL_OPENED, E.BANK_PAID) is S.PAID
    assert walk(E.MONEY_HELD, E.RAIL_FAILED, E.RETURNED_TO_MEMBER) is S.FAILED


def test_money_under_way_at_the_bank_is_never_given_back() -> None:
    sources = {at for (at, event) in TRANSITIONS if event is E.RETURNED_TO_MEMBER}
    assert sources == {S.HELD, S.QUEUED}
    for status in (S.SUBMITTED, S.UNKNOWN, S.NEEDS_ATTENTION, S.PAID):
        with pytest.raises(Refused) as caught:
            next_status(status, E.RETURNED_TO_MEMBER)
        assert caught.value.code == "withdrawal_state"
        assert status in caught.value.message


def test_from_unknown_only_a_definite_failure_leads_back_to_choosing_a_rail() -> None:
    assert [event for (at, event), to in TRANSITIONS.items() if at is S.UNKNOWN and to is S.HELD] == [E.RAIL_FAILED]


def test_an_ended_withdrawal_says_that_nothing_is_possible() -> None:
    for status in (S.PAID, S.FAILED, S.REFUSED):
        assert status.is_final
        with pytest.raises(Refused, match="possible now: nothing"):
            next_status(status, E.BANK_PAID)
