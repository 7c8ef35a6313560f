"""What making a transfer decides, rule by rule, without a server."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from escrow.domain.decisions import (
    AssignedMoney,
    Decision,
    Facts,
    GivenConsent,
    MemberFact,
    ObjectKind,
    Spendable,
    Stored,
    SuspendedCredit,
)
from escrow.domain.errors import Refused
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.transfers.commands import Assign, Pay, Reverse
from escrow.domain.transfers.making import ASSIGNMENTS, PAYMENTS, REVERSALS
from escrow.domain.transfers.moves import TransferKind, transfer_consent_no, transfer_terms

#: After midnight in Shanghai: the accounting day before may still be open.
NIGHT = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
DAY, DAY_AFTER_NIGHT = date(2026, 3, 2), date(2026, 3, 4)
OF_KIND: dict[TransferKind, tuple[ObjectKind[Any], Any]] = {
    TransferKind.PAYMENT: (PAYMENTS, Pay(transfer_no="1")),
    TransferKind.ASSIGNMENT: (ASSIGNMENTS, Assign(transfer_no="1", was_paid_to_member=False)),
    TransferKind.REVERSAL: (REVERSALS, Reverse(transfer_no="1")),
}
MEMBERS = {name: MemberFact(status="open", version=7) for name in ("O-1", "C-1")}
FACTS = Facts(
    accounting_day=DAY,
    config=PlatformConfig(),
    config_version=1,
    members=MEMBERS,
    spendable=Spendable(withdrawable_fen=1_000, pending_fen_by_day={DAY: 50}),
)
CREDIT = SuspendedCredit(balance_fen=500, line_kind="inbound", collected_for=None)
ASSIGNED = AssignedMoney(credit_no="B-1", member_no="O-1", assigned_fen=100, reversed_fen=60, reversals=2, version=3)


def said(kind: TransferKind, *, subject_no: str, member_no: str = "O-1", amount_fen: int = 100) -> GivenConsent:
    """The consent that asks for transfer 1 of its kind."""
    return GivenConsent(
        consent_no=transfer_consent_no(kind, "1"),
        object_kind=kind.value,
        object_no="1",
        operation=kind.value,
        given_by=member_no if kind is TransferKind.PAYMENT else "platform",
        terms=transfer_terms(subject_no=subject_no, member_no=member_no, amount_fen=amount_fen),
        operation_hash="as the database has it",
        method="platform_key",
        recorded_at=NIGHT,
        note="",
    )


def decided(kind: TransferKind, facts: Facts, command: Any = None, **terms: Any) -> tuple[Any, Decision]:
    """What becomes of it."""
    of = OF_KIND[kind]
    unmade = of[0].restored(Stored(platform_no="HOME", object_no="1", version=0, status=None, body={}))
    return unmade.decide(command or of[1], at=NIGHT, facts=replace(facts, consent=said(kind, **terms)))


def lines(decision: Decision) -> Mapping[str, int]:
    """What it moves, by account."""
    assert decision.entry is not None
    return {
        f"{line.account.member_no}/{line.account.purpose}:{line.account.ref}": line.amount_fen
        for line in decision.entry.lines
    }


def test_a_payment_takes_pending_money_first_and_leaves_it_pending() -> None:
    payment, decision = decided(TransferKind.PAYMENT, FACTS, subject_no="C-1")

    assert (payment.payer_no, payment.payee_no, payment.amount_fen) == ("O-1", "C-1", 100)
    assert lines(decision) == {
        f"O-1/pending:{DAY}": -50,
        "O-1/withdrawable:": -50,
        f"C-1/pending:{DAY}": 50,
        "C-1/withdrawable:": 50,
    }
    assert {(read.object_no, read.version) for read in decision.has_read} == {("O-1", 7), ("C-1", 7)}


def test_a_limit_is_counted_on_the_day_in_shanghai() -> None:
    limited = PlatformConfig.model_validate({"limits": {"payments_per_day_fen": 400}})
    _, decision = decided(TransferKind.PAYMENT, replace(FACTS, config=limited), subject_no="C-1")

    [counter] = decision.counters
    assert (counter.name, counter.add_fen, counter.maximum_fen) == ("payment/O-1/2026-03-03", 100, 400)


@pytest.mark.parametrize(
    ("config", "members", "terms", "code"),
    [
        ({"functions": {"unguaranteed_payment": False}}, MEMBERS, {}, "function_off"),
        ({"limits": {"payment_fen": 99}}, MEMBERS, {}, "limit_exceeded"),
        ({"business_model": "self_operated", "commission_basis_points": 0}, MEMBERS, {}, "business_model_forbids"),
        ({}, MEMBERS, {"subject_no": ""}, "business_model_forbids"),
        ({}, MEMBERS, {"subject_no": "O-1"}, "member_unknown"),
        ({}, {"O-1": MEMBERS["O-1"]}, {}, "member_unknown"),
        ({}, {**MEMBERS, "C-1": MemberFact(status="closing", version=8)}, {}, "member_state"),
        ({}, {**MEMBERS, "O-1": MemberFact(status="struck_off", version=8)}, {}, "member_state"),
        ({}, MEMBERS, {"amount_fen": 1_051}, "insufficient_balance"),
    ],
)
def test_a_rule_says_no_to_a_payment(
    config: dict[str, Any], members: dict[str, MemberFact], terms: dict[str, Any], code: str
) -> None:
    facts = replace(FACTS, config=PlatformConfig.model_validate(config), members=members)
    with pytest.raises(Refused) as refusal:
        decided(TransferKind.PAYMENT, facts, **{"subject_no": "C-1", **terms})
    assert refusal.value.code == code


def test_what_a_channel_collected_is_withdrawable_when_the_day_after_it_is_closed() -> None:
    credit = SuspendedCredit(balance_fen=500, line_kind=None, collected_for="O-1")
    _, decision = decided(TransferKind.ASSIGNMENT, replace(FACTS, credit=credit), subject_no="B-1")
    assert lines(decision) == {"/suspense:B-1": -100, f"O-1/pending:{DAY_AFTER_NIGHT}": 100}


@pytest.mark.parametrize(
    ("credit", "was_paid_to_member", "code"),
    [
        (replace(CREDIT, line_kind="return"), False, "two_operators_required"),
        (replace(CREDIT, line_kind="return"), True, None),
        (replace(CREDIT, line_kind=None), False, "two_operators_required"),
        (replace(CREDIT, line_kind=None, collected_for="C-1"), False, "two_operators_required"),
        (replace(CREDIT, line_kind=None, collected_for="O-1"), False, None),
        (replace(CREDIT, line_kind=None, balance_fen=0), False, "insufficient_balance"),
        (replace(CREDIT, balance_fen=99), False, "insufficient_balance"),
        (CREDIT, False, None),
    ],
)
def test_who_may_be_given_what_is_in_suspense(
    credit: SuspendedCredit, was_paid_to_member: bool, code: str | None
) -> None:
    def assign() -> Decision:
        command = Assign(transfer_no="1", was_paid_to_member=was_paid_to_member)
        return decided(TransferKind.ASSIGNMENT, replace(FACTS, credit=credit), command, subject_no="B-1")[1]

    if code is None:
        assert lines(assign())["/suspense:B-1"] == -100
        return
    with pytest.raises(Refused) as refusal:
        assign()
    assert refusal.value.code == code


def test_a_reversal_goes_by_what_entries_moved() -> None:
    reversal, decision = decided(
        TransferKind.REVERSAL, replace(FACTS, assigned=ASSIGNED), subject_no="AS-1", amount_fen=40
    )

    assert (reversal.assignment_no, reversal.amount_fen) == ("AS-1", 40)
    assert lines(decision) == {f"O-1/pending:{DAY}": -40, "/suspense:B-1": 40}
    [assignment] = decision.follows
    assert assignment.body == {"reversed_fen": 100, "reversals": 3}
    assert [(read.kind, read.version) for read in decision.has_read] == [("assignment", 3)]


@pytest.mark.parametrize(
    ("assigned", "terms", "code"),
    [
        (None, {}, "not_found"),
        (ASSIGNED, {"amount_fen": 41}, "reversal_exceeds_assignment"),
        (ASSIGNED, {"member_no": "C-1"}, "reversal_exceeds_assignment"),
    ],
)
def test_a_rule_says_no_to_a_reversal(assigned: AssignedMoney | None, terms: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refusal:
        decided(
            TransferKind.REVERSAL,
            replace(FACTS, assigned=assigned),
            **{"subject_no": "AS-1", "amount_fen": 40, **terms},
        )
    assert refusal.value.code == code


@pytest.mark.parametrize("kind", TransferKind)
def test_what_the_first_release_refused_stays_refused(kind: TransferKind) -> None:
    told = {"code": "insufficient_balance", "message": "Too little.", "details": {"missing_fen": 1}}
    of, command = OF_KIND[kind]
    before = of.restored(Stored(platform_no="HOME", object_no="1", version=1, status="refused", body={"refusal": told}))
    with pytest.raises(Refused) as refusal:
        before.decide(command, at=NIGHT, facts=FACTS)
    assert (refusal.value.code, refusal.value.details) == ("insufficient_balance", {"missing_fen": 1})


@pytest.mark.parametrize("given_by", ["C-1", "platform", "O-1"])
def test_a_payment_is_its_payers_to_ask_for_and_the_rest_the_platforms(given_by: str) -> None:
    payment = replace(said(TransferKind.PAYMENT, subject_no="C-1"), given_by=given_by)
    assignment = replace(said(TransferKind.ASSIGNMENT, subject_no="B-1"), given_by=given_by)

    assert OF_KIND[TransferKind.PAYMENT][1].is_said_in(payment, "1") is (given_by == "O-1")
    assert OF_KIND[TransferKind.ASSIGNMENT][1].is_said_in(assignment, "1") is (given_by == "platform")
    assert not OF_KIND[TransferKind.ASSIGNMENT][1].is_said_in(payment, "1")
