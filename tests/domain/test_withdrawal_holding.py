"""Whose money may leave, and to which account: decided in one place, whoever asks."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from escrow.domain.decisions import (
    BoundAccount,
    MemberFact,
    PlatformsOwn,
    Spendable,
    Stored,
    SuspendedCredit,
)
from escrow.domain.errors import Refused
from escrow.domain.platforms.config import Limits, PlatformConfig
from escrow.domain.transfers.suspense_returns import OPERATORS, RETURN_SUSPENSE, suspense_return_terms
from escrow.domain.withdrawals.commands import (
    Hold,
)
from escrow.domain.withdrawals.holding import FollowingWithdrawal, restored
from tests.domain.withdrawals import (
    CONFIG,
    FEE,
    GIVEN_BACK,
    HOLD,
    MEMBER,
    NOON,
    NUMBER,
    PLATFORM,
    PRINCIPAL,
    TODAY,
    UNHELD,
    as_restored,
    consent,
    facts,
)


def test_what_is_held_stands_on_all_that_was_read_and_is_counted() -> None:
    limited = CONFIG.model_copy(update={"limits": Limits(withdrawals_per_day_fen=5_000_000)})

    withdrawal, decision = UNHELD.decide(HOLD, at=NOON, facts=facts(config=limited))

    assert decision.request_no == "W-1:hold"
    assert {(read.kind, read.version) for read in decision.has_read} == {("member", 7), ("bank_account", 4)}
    [counted] = decision.counters
    assert (counted.name, counted.add_fen, counted.maximum_fen) == ("withdrawal/C-1/2026-03-03", PRINCIPAL, 5_000_000)
    _, back = withdrawal.decide(GIVEN_BACK, at=NOON + timedelta(days=1), facts=facts())
    [given_back] = back.counters
    assert (given_back.name, given_back.add_fen) == ("withdrawal/C-1/2026-03-03", -PRINCIPAL)


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("basis_missing", {"consent": None}),
        ("function_off", {"config": CONFIG.model_copy(
            update={"functions": CONFIG.functions.model_copy(update={"withdrawal": False})})}),
        ("limit_exceeded", {"config": CONFIG.model_copy(update={"limits": Limits(withdrawal_fen=PRINCIPAL - 1)})}),
        ("fee_differs", {"config": PlatformConfig()}),
        ("member_unknown", {"members": {}}),
        ("member_state", {"members": {MEMBER: MemberFact(status="closing", version=1)}}),
        ("identity_required", {"members": {MEMBER: MemberFact(status="open", version=1)}}),
        ("account_not_bound", {"accounts": ()}),
        ("account_not_bound", {"accounts": (
            BoundAccount(account_id="A-C2", is_default=False, is_verified=True, version=1),)}),
        ("account_not_verified", {
            "config": CONFIG.model_copy(update={"verified_account_required": True}),
            "accounts": (BoundAccount(account_id="A-C1", is_default=True, is_verified=False, version=1),)}),
        ("insufficient_balance", {"spendable": Spendable(
            withdrawable_fen=PRINCIPAL + FEE - 1, pending_fen_by_day={TODAY: PRINCIPAL})}),
    ],
)  # fmt: skip
def test_what_keeps_a_members_money_where_it_is(code: str, changes: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        UNHELD.decide(HOLD, at=NOON, facts=facts(**changes))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("code", "method", "own"),
    [
        ("authorisation_required", "platform_key", PlatformsOwn(own_fen=PRINCIPAL + FEE, fees_fen=0, charges_fen=0)),
        ("authorisation_required", "payment_password", PlatformsOwn(own_fen=9 * PRINCIPAL, fees_fen=0, charges_fen=0)),
        ("bank_charges_owed", "sms_code", PlatformsOwn(own_fen=400, fees_fen=100, charges_fen=501)),
        ("insufficient_balance", "sms_code", PlatformsOwn(own_fen=PRINCIPAL + FEE, fees_fen=0, charges_fen=1)),
        ("", "sms_code", PlatformsOwn(own_fen=PRINCIPAL + FEE, fees_fen=1, charges_fen=1)),
    ],
)
def test_the_platforms_own_money_leaves_on_a_code_after_its_debts(code: str, method: str, own: PlatformsOwn) -> None:
    asked = consent(given_by="platform", method=method)
    known = facts(consent=asked, own=own, members={})
    if not code:
        _, decision = UNHELD.decide(HOLD, at=NOON, facts=known)
        assert decision.entry is not None
        assert str(decision.entry.lines[0].account) == "own"
        return
    with pytest.raises(Refused) as caught:
        UNHELD.decide(HOLD, at=NOON, facts=known)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("code", "by", "changes"),
    [
        ("", "platform", {}),
        ("", OPERATORS, {"line_kind": "return"}),
        ("two_operators_required", "platform", {"line_kind": "return"}),
        ("two_operators_required", "platform", {"line_kind": None}),
        ("suspense_unsettled", OPERATORS, {"line_kind": None, "collected_on": TODAY - timedelta(days=1)}),
        ("", OPERATORS, {"line_kind": None, "collected_on": TODAY - timedelta(days=2)}),
        ("insufficient_balance", "platform", {"balance_fen": PRINCIPAL - 1}),
    ],
)
def test_who_sends_money_in_suspense_back_and_when(code: str, by: str, changes: dict[str, Any]) -> None:
    terms = suspense_return_terms(credit_no="B-7", principal_fen=PRINCIPAL, cnaps_code="")
    asked = consent(operation=RETURN_SUSPENSE, given_by=by, terms=terms)
    credit = replace(SuspendedCredit(balance_fen=PRINCIPAL, line_kind="inbound", collected_on=None), **changes)
    known = facts(consent=asked, credit=credit)
    if code:
        with pytest.raises(Refused) as caught:
            UNHELD.decide(HOLD, at=NOON, facts=known)
        assert caught.value.code == code
    else:
        withdrawal, _ = UNHELD.decide(HOLD, at=NOON, facts=known)
        assert (withdrawal.document()["credit_no"], withdrawal.state.fee_fen) == ("B-7", 0)
        assert as_restored(withdrawal) == withdrawal


def test_an_account_that_the_books_do_not_know_gets_no_money_from_suspense() -> None:
    terms = suspense_return_terms(credit_no="B-7", principal_fen=PRINCIPAL, cnaps_code="")
    known = facts(
        consent=consent(operation=RETURN_SUSPENSE, given_by=OPERATORS, terms=terms),
        credit=SuspendedCredit(balance_fen=PRINCIPAL, line_kind="inbound", collected_on=None),
    )
    with pytest.raises(Refused, match="suspense_source_unknown"):
        UNHELD.decide(HOLD.model_copy(update={"payee_is_known": False}), at=NOON, facts=known)


def following(member_no: str = MEMBER) -> FollowingWithdrawal:
    """What a release has written to follow by itself."""
    body = {
        "member_no": member_no, "account_id": "", "principal_fen": PRINCIPAL, "fee_fen": 0, "order_no": "D-1",
        "credit_no": "", "released_as": "D-1:M1:release:1", "config_version": 3, "attempts": [], "route": [],
        "opens_at": None, "attention": "",
    }  # fmt: skip
    found = restored(Stored(platform_no=PLATFORM, object_no=NUMBER, version=1, status="requested", body=body))
    assert isinstance(found, FollowingWithdrawal)
    return found


def test_what_follows_a_release_is_held_on_it_whatever_the_limits_of_those_who_ask() -> None:
    config = PlatformConfig(withdrawal_fee_fen=7, limits=Limits(withdrawal_fen=1, withdrawals_per_day_fen=1))
    withdrawal, decision = following().decide(Hold(), at=NOON, facts=facts(consent=None, config=config))

    assert [(basis.kind, basis.reference) for basis in decision.bases] == [("release", "D-1:M1:release:1")]
    assert (withdrawal.status, decision.counters, withdrawal.document()["account_id"]) == ("held", (), "A-C1")
    assert set(decision.event) >= {"held_at", "due_at"}


@pytest.mark.parametrize(
    ("code", "member_no", "changes"),
    [
        ("authorisation_required", "", {}),
        ("account_not_bound", MEMBER, {"accounts": ()}),
        ("member_state", MEMBER, {"members": {MEMBER: MemberFact(status="struck_off", version=1)}}),
        ("insufficient_balance", MEMBER, {"spendable": Spendable(withdrawable_fen=0, pending_fen_by_day={})}),
    ],
)
def test_what_follows_a_release_and_cannot_be_held_ends_refused(
    code: str, member_no: str, changes: dict[str, Any]
) -> None:
    withdrawal, decision = following(member_no).decide(Hold(), at=NOON, facts=facts(consent=None, **changes))

    assert (withdrawal.status, withdrawal.document()["refusal"]) == ("refused", code)
    assert (decision.request_no, decision.entry) == ("W-1:refuse", None)
    assert decision.claims == ("withdrawal/W-1/ended",)
