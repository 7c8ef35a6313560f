"""What the books decide of withdrawals, without a server: by every state and command, and along random ways."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.domain.decisions import (
    BankLineFact,
    BoundAccount,
    Decision,
    Facts,
    GivenConsent,
    MemberFact,
    NotDue,
    PlatformsOwn,
    Spendable,
    Stored,
    SuspendedCredit,
)
from escrow.domain.errors import Refused
from escrow.domain.money.accounts import AccountKey, payout, withdrawable
from escrow.domain.platforms.config import Limits, PlatformConfig
from escrow.domain.transfers.suspense_returns import OPERATORS, RETURN_SUSPENSE, suspense_return_terms
from escrow.domain.withdrawals.commands import (
    WITHDRAW,
    Announced,
    BankSaid,
    BeginAttempt,
    CallOperator,
    EndAttempt,
    GiveBack,
    Hold,
    Overdue,
    Paid,
    Queue,
    WithdrawalCommand,
)
from escrow.domain.withdrawals.holding import FollowingWithdrawal, UnheldWithdrawal, restored
from escrow.domain.withdrawals.operations import withdrawal_terms
from escrow.domain.withdrawals.rails import Rail
from escrow.domain.withdrawals.state import bank_request_no
from escrow.domain.withdrawals.states import TRANSITIONS, WithdrawalStatus
from escrow.domain.withdrawals.withdrawal import Withdrawal

PLATFORM, NUMBER, MEMBER = "HOME", "W-1", "C-1"
NOON = datetime(2026, 3, 3, 4, tzinfo=UTC)
AS_WRITTEN = "2026-03-03T04:00:00Z"
TODAY = date(2026, 3, 3)
PRINCIPAL, FEE = 2_000_000, 200
CONFIG = PlatformConfig(withdrawal_fee_fen=FEE)
S = WithdrawalStatus


def consent(**changes: Any) -> GivenConsent:
    """The member asks for 20,000.00 with the fee on top."""
    usual: dict[str, Any] = {
        "consent_no": ":withdrawal:W-1:open",
        "object_kind": "withdrawal",
        "object_no": NUMBER,
        "operation": WITHDRAW,
        "given_by": MEMBER,
        "terms": withdrawal_terms(account_id="", principal_fen=PRINCIPAL, fee_fen=FEE),
        "operation_hash": "",
        "method": "platform_key",
        "recorded_at": NOON,
        "note": "",
    }
    return GivenConsent(**{**usual, **changes})


def facts(**changes: Any) -> Facts:
    """All that lets it be held."""
    usual: dict[str, Any] = {
        "accounting_day": TODAY,
        "consent": consent(),
        "config": CONFIG,
        "config_version": 3,
        "members": {MEMBER: MemberFact(status="verified", version=7)},
        "accounts": (BoundAccount(account_id="A-C1", is_default=True, is_verified=True, version=4),),
        "spendable": Spendable(withdrawable_fen=PRINCIPAL + FEE, pending_fen_by_day={}),
        "own": PlatformsOwn(own_fen=0, fees_fen=0, charges_fen=0),
        "in_transit_fen": PRINCIPAL + FEE,
    }
    return Facts(**{**usual, **changes})


UNHELD = UnheldWithdrawal(platform_no=PLATFORM, withdrawal_no=NUMBER)
HOLD = Hold(said_as=":withdrawal:W-1:open")


def held(**changes: Any) -> Withdrawal:
    """It is held."""
    return UNHELD.decide(HOLD, at=NOON, facts=facts(**changes))[0]


def after(withdrawal: Withdrawal, *commands: WithdrawalCommand) -> Withdrawal:
    """The withdrawal after these."""
    for command in commands:
        withdrawal, _ = withdrawal.decide(command, at=NOON, facts=facts(bank_line=line(1)))
    return withdrawal


def line(number: int, **changes: Any) -> BankLineFact:
    """The bank's line of a payment order."""
    usual: dict[str, Any] = {
        "kind": "payout",
        "amount_fen": -PRINCIPAL,
        "request_no": bank_request_no(PLATFORM, f"{NUMBER}:payout:{number}"),
        "booked_at": NOON,
        "value_date": TODAY,
    }
    return BankLineFact(**{**usual, **changes})


def begun(number: int = 1, rail: Rail = Rail.IBPS) -> BeginAttempt:
    return BeginAttempt(number=number, rail=rail, route=("by ibps",))


ENDED = EndAttempt(number=1, outcome="failed", reason="the bank says no")
QUEUED = Queue(attempts=0, opens_at=NOON + timedelta(hours=2), wait=timedelta(hours=2), route=("closed",))
GIVEN_BACK = GiveBack(reason="no rail", route=("no rail",))
PAID = Paid(bank_serial_no="B-1")


def in_every_status() -> dict[str, Withdrawal]:
    """A withdrawal in each status that it can have in the books once its money is held, by what led there."""
    sent = after(held(), begun())
    overdue, _ = sent.decide(Overdue(seen_version=sent.version), at=NOON + timedelta(days=1), facts=facts())
    return {
        "held": held(),
        "held after a failure": after(sent, ENDED),
        "queued": after(held(), QUEUED),
        "unknown": sent,
        "submitted": after(sent, BankSaid(number=1, is_processing=True, seen_version=2)),
        "needs attention": overdue,
        "paid": after(sent, PAID),
        "failed": after(held(), GIVEN_BACK),
    }


COMMANDS: dict[str, WithdrawalCommand] = {
    "hold": HOLD,
    "begin 1": begun(),
    "begin 2": begun(2, Rail.HVPS),
    "begin 3": begun(3, Rail.BEPS),
    "begin over a failed rail": begun(2, Rail.IBPS),
    "processing": BankSaid(number=1, is_processing=True, seen_version=9),
    "no answer": BankSaid(number=1, is_processing=False, seen_version=9),
    "end 1": ENDED,
    "end 2": EndAttempt(number=2, outcome="never_arrived", reason=""),
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


def as_restored(withdrawal: Withdrawal) -> Any:
    """What the books give back of it."""
    return restored(
        Stored(
            platform_no=PLATFORM,
            object_no=NUMBER,
            version=withdrawal.version,
            status=withdrawal.status,
            body=withdrawal.document(),
        )
    )


# ---- how it begins ----


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
        lost = EndAttempt(number=number, outcome="never_arrived", reason="")
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


# ---- random ways ----


@dataclass
class Books:
    """Books of one withdrawal: what a posting does, and what it refuses."""

    object: Withdrawal | UnheldWithdrawal = UNHELD
    balances: Counter[AccountKey] = field(default_factory=lambda: Counter({withdrawable(PLATFORM, MEMBER): 3_000_000}))
    posted: dict[str, Decision] = field(default_factory=dict)
    claims: set[str] = field(default_factory=set)
    at: datetime = NOON

    def take(self, command: WithdrawalCommand, *, paid_no: int) -> bool:
        """Give one command; False when it is refused, early or a repeat."""
        if command.own_no(NUMBER) in self.posted:
            return False
        known = facts(
            bank_line=line(paid_no),
            in_transit_fen=self.balances[payout(PLATFORM, MEMBER, NUMBER)],
            spendable=Spendable(withdrawable_fen=self.balances[withdrawable(PLATFORM, MEMBER)], pending_fen_by_day={}),
        )
        try:
            became, decision = self.object.decide(command, at=self.at, facts=known)
        except (Refused, NotDue):
            return False
        assert decision.request_no not in self.posted
        assert not self.claims & set(decision.claims)
        self.claims |= set(decision.claims)
        self.posted[decision.request_no] = decision
        for item in decision.entry.lines if decision.entry else ():
            self.balances[item.account] += item.amount_fen
        self.object = became
        return True


_NUMBERS = st.integers(1, 4)
_RAILS = st.sampled_from(list(Rail))
_COMMANDS: st.SearchStrategy[WithdrawalCommand] = st.one_of(
    st.just(HOLD),
    st.builds(begun, _NUMBERS, _RAILS),
    st.builds(BankSaid, number=_NUMBERS, is_processing=st.booleans(), seen_version=st.integers(1, 9)),
    st.builds(EndAttempt, number=_NUMBERS, outcome=st.sampled_from(["failed", "never_arrived"]), reason=st.just("no")),
    st.builds(
        Queue,
        attempts=st.integers(0, 3),
        opens_at=st.sampled_from([NOON + timedelta(hours=hours) for hours in range(3)]),
        wait=st.just(timedelta(hours=1)),
        route=st.just(("closed",)),
    ),
    st.just(PAID),
    st.just(GIVEN_BACK),
    st.just(Announced()),
    st.builds(Overdue, seen_version=st.integers(1, 9)),
    st.builds(CallOperator, reason=st.just("look"), seen_version=st.integers(1, 9)),
)


@given(st.lists(st.tuples(_COMMANDS, _NUMBERS, st.integers(0, 30)), max_size=40))
@settings(max_examples=400, deadline=None)
def test_on_every_way_money_is_kept_one_payment_order_is_open_and_it_ends_once(
    way: list[tuple[WithdrawalCommand, int, int]],
) -> None:
    books = Books()
    whole = sum(books.balances.values())
    for command, paid_no, hours in way:
        books.at += timedelta(hours=hours)
        books.take(command, paid_no=paid_no)

        assert sum(books.balances.values()) == whole
        if isinstance(books.object, UnheldWithdrawal):
            continue
        state = books.object.state
        assert sum(attempt.is_open for attempt in state.attempts) <= 1
        assert sum(attempt.outcome == "succeeded" for attempt in state.attempts) <= 1
        in_transit = books.balances[payout(PLATFORM, MEMBER, NUMBER)]
        assert in_transit == (0 if state.status.is_final else PRINCIPAL + FEE)
        assert len({"W-1:paid", "W-1:return"} & set(books.posted)) == state.status.is_final
        if state.status is S.FAILED:
            assert all(attempt.outcome in ("failed", "never_arrived") for attempt in state.attempts)
        assert (state.open_attempt is not None) == (state.status in (S.SUBMITTED, S.UNKNOWN, S.NEEDS_ATTENTION))
        assert (state.attention is not None) or state.status is not S.NEEDS_ATTENTION
        assert as_restored(books.object) == books.object


def test_every_status_of_the_table_is_reached() -> None:
    reached = {withdrawal.state.status for withdrawal in in_every_status().values()}
    assert reached | {S.REQUESTED, S.REFUSED} == set(S)
