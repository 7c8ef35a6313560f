"""What the books decide of withdrawals whose money is held, without a server: by every state and command."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from escrow.domain.decisions import (
    BankLineFact,
    NotDue,
    Spendable,
    Stored,
)
from escrow.domain.errors import Refused
from escrow.domain.withdrawals.commands import (
    Announced,
    BankSaid,
    CallOperator,
    EndAttempt,
    Overdue,
    WithdrawalCommand,
)
from escrow.domain.withdrawals.holding import restored
from escrow.domain.withdrawals.operations import withdrawal_terms
from escrow.domain.withdrawals.rails import Rail
from escrow.domain.withdrawals.states import TRANSITIONS, WithdrawalStatus
from escrow.domain.withdrawals.withdrawal import Withdrawal
from tests.domain.withdrawals import (
    AS_WRITTEN,
    ENDED,
    FEE,
    GIVEN_BACK,
    HOLD,
    MEMBER,
    NOON,
    NUMBER,
    PAID,
    PLATFORM,
    PRINCIPAL,
    QUEUED,
    UNHELD,
    S,
    after,
    as_restored,
    begun,
    consent,
    facts,
    held,
    in_every_status,
    line,
)

COMMANDS: dict[str, WithdrawalCommand] = {
    "hold": HOLD,
    "begin 1": begun(),
    "begin 2": begun(2, Rail.HVPS),
    "begin 3": begun(3, Rail.BEPS),
    "begin over a failed rail": begun(2, Rail.IBPS),
    "processing": BankSaid(number=1, is_processing=True, seen_version=9),
    "no answer": BankSaid(number=1, is_processing=False, seen_version=9),
    "end 1": ENDED,
    "end 2": EndAttempt(number=2, outcome="never_arrived"),
    "queue": QUEUED,
    "queue after one": QUEUED.model_copy(update={"attempts": 1}),
    "paid": PAID,
    "give back": GIVEN_BACK,
    "announced": Announced(),
    "overdue": Overdue(seen_version=2),
    "call": CallOperator(reason="look", seen_version=9),
}

#: What each state takes, and the status that it leads to; everything else is refused.
TAKEN: Mapping[str, Mapping[str, WithdrawalStatus]] = {
    "held": {"begin 1": S.UNKNOWN, "queue": S.QUEUED, "give back": S.FAILED, "call": S.HELD},
    "held after a failure": {
        "begin 2": S.UNKNOWN, "queue after one": S.QUEUED, "give back": S.FAILED, "call": S.HELD, "paid": S.PAID,
    },
    "queued": {"begin 1": S.UNKNOWN, "queue": S.QUEUED, "give back": S.FAILED, "call": S.QUEUED},
    "unknown": {
        "processing": S.SUBMITTED, "no answer": S.UNKNOWN, "end 1": S.HELD, "paid": S.PAID, "call": S.NEEDS_ATTENTION,
    },
    "submitted": {
        "processing": S.SUBMITTED, "no answer": S.UNKNOWN, "end 1": S.HELD, "paid": S.PAID, "call": S.NEEDS_ATTENTION,
    },
    "needs attention": {"end 1": S.HELD, "paid": S.PAID, "call": S.NEEDS_ATTENTION},
    "paid": {},
    "failed": {},
}  # fmt: skip


@pytest.mark.parametrize("state", TAKEN)
def test_every_state_takes_what_the_table_says_and_refuses_the_rest(state: str) -> None:
    withdrawal = in_every_status()[state]
    found: dict[str, WithdrawalStatus] = {}
    for name, command in COMMANDS.items():
        try:
            became, decision = withdrawal.decide(command, at=NOON, facts=facts(bank_line=line(1)))
        except (Refused, NotDue):
            continue
        found[name] = became.state.status
        assert decision.request_no.startswith(f"{NUMBER}:")
        assert decision.request_no == command.own_no(NUMBER)
        assert became.version == withdrawal.version + 1

    assert found == TAKEN[state]


def test_what_is_decided_follows_the_one_table_of_states() -> None:
    for state, taken in TAKEN.items():
        at = in_every_status()[state].state.status
        one = {to for (start, _), to in TRANSITIONS.items() if start is at}
        two = {to for (start, _), to in TRANSITIONS.items() if start in one}
        assert set(taken.values()) <= one | two | {at}


def test_every_state_is_read_from_its_document_as_it_was_written() -> None:
    for withdrawal in in_every_status().values():
        assert as_restored(withdrawal) == withdrawal


# ---- payment orders ----


def test_nothing_is_sent_that_is_not_in_transit() -> None:
    with pytest.raises(Refused, match="not_in_transit"):
        held().decide(begun(), at=NOON, facts=facts(in_transit_fen=PRINCIPAL + FEE - 1))


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        line(1, kind="charge"),
        line(1, amount_fen=-PRINCIPAL - 1),
        line(1, amount_fen=PRINCIPAL),
        line(2),
        line(1, request_no="OTHER/W-1:payout:1"),
    ],
)
def test_only_the_banks_own_line_of_just_this_payment_order_settles_it(wrong: BankLineFact | None) -> None:
    with pytest.raises(Refused, match="bank_line_differs"):
        after(held(), begun()).decide(PAID, at=NOON, facts=facts(bank_line=wrong))


def test_a_rail_that_lost_two_payment_orders_is_not_tried_a_third_time() -> None:
    withdrawal = held()
    for number in (1, 2):
        assert Rail.IBPS not in withdrawal.state.failed_rails
        lost = EndAttempt(number=number, outcome="never_arrived")
        withdrawal = after(withdrawal, begun(number), lost)
    assert withdrawal.state.failed_rails == {Rail.IBPS}


def test_an_operator_is_called_after_a_day_by_the_books_and_no_sooner() -> None:
    sent = after(held(), begun())
    almost = NOON + timedelta(hours=24) - timedelta(seconds=1)
    with pytest.raises(NotDue) as caught:
        sent.decide(Overdue(seen_version=sent.version), at=almost, facts=facts())
    assert caught.value.remaining == timedelta(seconds=1)
    with pytest.raises(Refused):
        sent.decide(Overdue(seen_version=sent.version + 1), at=NOON + timedelta(days=2), facts=facts())

    called, decision = sent.decide(Overdue(seen_version=sent.version), at=NOON + timedelta(days=1), facts=facts())

    assert (called.status, called.state.due_at) == ("needs_attention", None)
    assert "W-1:payout:1" in str(called.state.attention)
    assert [(clock.name, clock.due_at) for clock in decision.deadlines] == [("due", None)]


def test_a_large_one_is_announced_once() -> None:
    large = consent(terms=withdrawal_terms(account_id="", principal_fen=5_000_001, fee_fen=FEE))
    known = facts(consent=large, spendable=Spendable(withdrawable_fen=6_000_000, pending_fen_by_day={}))
    withdrawal, _ = UNHELD.decide(HOLD, at=NOON, facts=known)
    told = after(withdrawal, Announced())
    assert (withdrawal.state.sms, told.state.sms, held().state.sms) == ("due", "sent", None)
    with pytest.raises(Refused):
        after(told, Announced())


def test_an_announcement_is_due_for_a_day_until_it_is_made_or_cannot_be() -> None:
    large = consent(terms=withdrawal_terms(account_id="", principal_fen=5_000_001, fee_fen=FEE))
    known = facts(consent=large, spendable=Spendable(withdrawable_fen=6_000_000, pending_fen_by_day={}))
    withdrawal, decision = UNHELD.decide(HOLD, at=NOON, facts=known)
    assert {clock.name: clock.due_at for clock in decision.deadlines}["text"] == NOON + timedelta(days=1)

    untold, decision = withdrawal.decide(Announced(failure="no mobile"), at=NOON, facts=facts())

    assert [(clock.name, clock.due_at) for clock in decision.deadlines] == [("text", None)]
    assert (untold.state.sms, untold.state.sms_failure) == ("failed", "no mobile")
    assert decision.event_type == "withdrawal.not_announced"
    with pytest.raises(Refused):
        after(untold, Announced())


def test_a_withdrawal_ends_once_and_may_be_announced_after_its_end() -> None:
    large = replace(held(), state=held().state.model_copy(update={"sms": "due"}))
    paid, decision = after(large, begun()).decide(PAID, at=NOON, facts=facts(bank_line=line(1)))
    assert decision.claims == ("withdrawal/W-1/ended",)

    told, decision = paid.decide(Announced(), at=NOON, facts=facts())

    assert (told.state.sms, decision.claims) == ("sent", ())


# ---- the first release ----


@pytest.mark.parametrize("status", ["held", "queued", "unknown", "needs_attention", "paid", "failed", "refused"])
def test_books_of_the_first_release_go_on(status: str) -> None:
    attempt = {
        "number": 1, "rail": "ibps", "request_no": "W-1:payout:1", "sent_at": AS_WRITTEN, "outcome": "sent",
        "reason": "", "bank_serial_no": "",
    }  # fmt: skip
    body: dict[str, Any] = {
        "member_no": MEMBER, "account_id": "A-C1", "principal_fen": PRINCIPAL, "fee_fen": FEE, "order_no": "",
        "credit_no": "", "attempts": [], "route": ["closed"], "opens_at": None, "attention": "",
    }  # fmt: skip
    match status:
        case "queued":
            body["opens_at"] = AS_WRITTEN
        case "unknown" | "needs_attention":
            body["attempts"] = [attempt]
        case "paid":
            body["attempts"] = [{**attempt, "outcome": "succeeded", "bank_serial_no": "B-1"}]
            body |= {"bank_serial_no": "B-1", "rail": "ibps", "booked_at": AS_WRITTEN}
        case "failed":
            body["reason"] = "no rail"
        case "refused":
            body["refusal"] = "insufficient_balance"
    withdrawal = restored(Stored(platform_no=PLATFORM, object_no=NUMBER, version=3, status=status, body=body))

    assert isinstance(withdrawal, Withdrawal)
    assert {name: withdrawal.document()[name] for name in body} == body
    if status in ("unknown", "needs_attention"):
        assert after(withdrawal, PAID).status == "paid"


def test_every_status_of_the_table_is_reached() -> None:
    reached = {withdrawal.state.status for withdrawal in in_every_status().values()}
    assert reached | {S.REQUESTED, S.REFUSED} == set(S)


def test_an_operator_is_called_once_for_what_the_first_release_sent() -> None:
    sent = after(held(), begun())
    later = ("due_at", "held_at", "counted_on", "sms", "config_version")
    stored = Stored(
        platform_no=PLATFORM,
        object_no=NUMBER,
        version=3,
        status="unknown",
        body={name: value for name, value in sent.document().items() if name not in later},
    )
    at = NOON + timedelta(days=1)
    overdue, decision = restored(stored).decide(Overdue(seen_version=3), at=at, facts=facts())
    assert [change.due_at for change in decision.deadlines] == [None]
    again = as_restored(overdue)
    assert again.state.due_at is None, "the moment has passed: it does not come back with the document"
    with pytest.raises(Refused, match="overdue"):
        again.decide(Overdue(seen_version=again.version), at=at, facts=facts())
