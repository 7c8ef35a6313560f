"""What a member may do in which state, and what changes its state."""

from datetime import date

import pytest

from escrow.domain.errors import Refused
from escrow.domain.members.identity_checks import CompanyCheck, IdentityResult, PersonCheck, RegistrationStatus
from escrow.domain.members.states import (
    MAY,
    TRANSITIONS,
    MemberEvent,
    MemberStatus,
    Permission,
    after,
    event_of,
    permissions,
)
from escrow.domain.members.states import require_may as require

S, P, E = MemberStatus, Permission, MemberEvent


def refusal(status: MemberStatus, permission: Permission, *, required: bool = True) -> str:
    """Code with which a permission is refused, empty when it is allowed."""
    try:
        require(status, permission, member_no="M-1", identity_required_for_withdrawal=required)
    except Refused as refused:
        return refused.code
    return ""


def test_a_member_not_yet_verified_receives_and_pays_but_does_not_withdraw() -> None:
    assert [permission for permission in Permission if refusal(S.OPEN, permission)] == [P.WITHDRAW]
    assert refusal(S.OPEN, P.WITHDRAW) == "identity_required"
    assert refusal(S.OPEN, P.WITHDRAW, required=False) == ""


def test_a_verified_member_may_do_everything() -> None:
    assert permissions(S.VERIFIED, identity_required_for_withdrawal=True) == tuple(Permission)


def test_a_refused_identity_withdraws_nothing_whatever_is_configured() -> None:
    for required in (True, False):
        assert refusal(S.REFUSED, P.WITHDRAW, required=required) == "member_state"
    assert refusal(S.REFUSED, P.RECEIVE) == ""
    assert refusal(S.REFUSED, P.CHECK_IDENTITY) == ""
    assert refusal(S.REFUSED, P.CONTRACT) == "member_state"


def test_a_business_that_was_struck_off_only_receives_what_it_earned_and_settles_down() -> None:
    assert MAY[S.STRUCK_OFF] == {P.RECEIVE, P.UNBIND_ACCOUNT, P.CHECK_IDENTITY, P.CLOSE}


def test_a_closed_member_refuses_everything() -> None:
    assert {refusal(S.CLOSED, permission) for permission in Permission} == {"member_state"}
    assert not any(status is S.CLOSED for status, _ in TRANSITIONS)


def test_a_closing_member_begins_nothing_and_stays_closing_whatever_the_registry_says() -> None:
    assert MAY[S.CLOSING] == {P.CLOSE}
    for event in (E.IDENTITY_MATCHED, E.IDENTITY_NOT_MATCHED, E.COMPANY_STRUCK_OFF):
        assert after(S.CLOSING, event) is S.CLOSING


def test_every_state_says_what_it_may_do() -> None:
    assert set(MAY) == set(MemberStatus)


@pytest.mark.parametrize(
    ("result", "status", "event"),
    [
        (IdentityResult.MATCH, RegistrationStatus.ACTIVE, E.IDENTITY_MATCHED),
        (IdentityResult.MATCH, RegistrationStatus.CANCELLED, E.COMPANY_STRUCK_OFF),
        (IdentityResult.MATCH, RegistrationStatus.REVOKED, E.COMPANY_STRUCK_OFF),
        (IdentityResult.MISMATCH, RegistrationStatus.ACTIVE, E.IDENTITY_NOT_MATCHED),
        # Somebody else's company tells nothing about this one.
        (IdentityResult.MISMATCH, RegistrationStatus.REVOKED, E.IDENTITY_NOT_MATCHED),
        (IdentityResult.NOT_FOUND, None, E.IDENTITY_NOT_MATCHED),
    ],
)
def test_only_a_full_match_of_a_business_that_may_trade_verifies(
    result: IdentityResult, status: RegistrationStatus | None, event: MemberEvent
) -> None:
    answer = CompanyCheck(
        result=result,
        mismatches=(),
        status=status,
        registered_capital_fen=None,
        paid_in_capital_fen=None,
        source="register",
        as_of=date(2026, 3, 3),
    )
    assert event_of(answer) is event


def test_a_person_is_verified_by_a_match_and_by_nothing_else() -> None:
    events = {
        result: event_of(PersonCheck(result=result, source="register", as_of=date(2026, 3, 3)))
        for result in IdentityResult
    }
    assert {result for result, event in events.items() if event is E.IDENTITY_MATCHED} == {IdentityResult.MATCH}
