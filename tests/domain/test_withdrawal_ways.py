"""Random ways through the decisions about one withdrawal: money is kept, and it ends once."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.domain.decisions import (
    Decision,
    NotDue,
    Spendable,
)
from escrow.domain.errors import Refused
from escrow.domain.money.accounts import AccountKey, payout, withdrawable
from escrow.domain.withdrawals.commands import (
    Announced,
    BankSaid,
    CallOperator,
    EndAttempt,
    Overdue,
    Queue,
    WithdrawalCommand,
)
from escrow.domain.withdrawals.holding import UnheldWithdrawal
from escrow.domain.withdrawals.rails import Rail
from escrow.domain.withdrawals.withdrawal import Withdrawal
from tests.domain.withdrawals import (
    FEE,
    GIVEN_BACK,
    HOLD,
    MEMBER,
    NOON,
    NUMBER,
    PAID,
    PLATFORM,
    PRINCIPAL,
    UNHELD,
    S,
    as_restored,
    begun,
    facts,
    line,
)


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
