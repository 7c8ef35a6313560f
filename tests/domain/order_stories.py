"""An order that is told what happens and checked after every word: an account of its own beside what it says of itself.

The account is kept by the rules of money and the transition table alone: it adds the lines of every entry up, keeps
the clocks that were begun and ended, and remembers which numbers, bases and claims were used.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import cache
from typing import Any

from escrow.domain.collections.direct_payments import DirectPaid
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.decisions import Decision, Fact, Facts, GivenConsent, MemberFact, Spendable, Stored
from escrow.domain.money.accounts import Purpose
from escrow.domain.money.journal import JournalEntry
from escrow.domain.money.recipes import RECIPES
from escrow.domain.orders.commands import (
    CallOperator,
    DeadlinePassed,
    Open,
    OperatorCame,
    OwnerReminded,
    PaidDirectly,
    PartyCommand,
)
from escrow.domain.orders.contract import MilestoneTerms, OrderContract, OrderPeriods
from escrow.domain.orders.milestones import MilestoneKind
from escrow.domain.orders.operations import milestone_terms, order_operation_hash, pay_terms
from escrow.domain.orders.order import Order
from escrow.domain.orders.state import OrderState
from escrow.domain.orders.states import MilestoneStatus, OrderCommand, OrderStatus, allowed_commands, who_may
from escrow.domain.platforms.config import PlatformConfig

OWNER, CONTRACTOR, STRANGER, ORDER_NO = "O-1", "C-1", "X-1", "D-1"
DAY = date(2026, 3, 2)
SIGNED = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
CONFIG = PlatformConfig()
START, ACCEPTANCE, WARRANTY = MilestoneKind.START, MilestoneKind.ACCEPTANCE, MilestoneKind.WARRANTY
_PARTY = {"owner": OWNER, "contractor": CONTRACTOR}
_WORKING = (MilestoneStatus.IN_WORK, MilestoneStatus.IN_RECTIFICATION)
_NO_TIME = timedelta(0)

Command = PartyCommand | DeadlinePassed | OwnerReminded | PaidDirectly | CallOperator | OperatorCame | Open


def contract_for(
    *kinds: MilestoneKind,
    settlement: str = "T+0",
    automatic: bool = False,
    rate: int = 333,
    fee_fen: int = 0,
    periods: OrderPeriods | None = None,
) -> OrderContract:
    """A contract whose amounts round badly."""
    lines = tuple(
        MilestoneTerms(number=number, name=f"line {number}", kind=kind, amount_fen=1_001 + 7 * number)
        for number, kind in enumerate(kinds, start=1)
    )
    return OrderContract(
        platform_no="HOME",
        order_no=ORDER_NO,
        owner_no=OWNER,
        contractor_no=CONTRACTOR,
        total_fen=sum(line.amount_fen for line in lines),
        milestones=lines,
        commission_basis_points=rate,
        release_settlement=settlement,
        withdraw_automatically=automatic,
        withdrawal_fee_fen=fee_fen,
        periods=periods or OrderPeriods(),
    )


_SHORT = OrderPeriods(inspection_period=timedelta(days=1), reminder_before_end=timedelta(hours=12))
#: Contracts of every shape, by name.
CONTRACTS = {
    "one stage, all of it commission": contract_for(ACCEPTANCE, rate=10_000),
    "deposit, stage and retention, T+1": contract_for(START, ACCEPTANCE, WARRANTY, settlement="T+1"),
    "deposit, withdrawn automatically": contract_for(START, ACCEPTANCE, automatic=True, fee_fen=1_000),
    "retention, a short inspection, no commission": contract_for(ACCEPTANCE, WARRANTY, rate=0, periods=_SHORT),
    "as people sign it": contract_for(START, ACCEPTANCE, ACCEPTANCE, ACCEPTANCE, WARRANTY, automatic=True),
}


def payment(contract: OrderContract, *, paid_fen: int | None = None, collection: str = "") -> DirectPaid:
    """What a channel took; all of the price and for this order unless told otherwise."""
    pay_in_no = collection or f"{contract.order_no}:pay:1"
    return DirectPaid(
        consent_no="QR-1",
        pay_in_no=pay_in_no,
        collection_no=f"{pay_in_no}:collect:1",
        method=CollectionMethod.QR_WECHAT,
        payment_no="P-1",
        paid_fen=contract.total_fen if paid_fen is None else paid_fen,
        settles_on=DAY + timedelta(days=1),
    )


def said(operation: OrderCommand, by: str, milestone: int | None = None, number: str = "") -> PartyCommand:
    """A party's command under a number that says what it is unless one is given."""
    request_no = number or f"{by}/{operation}/{milestone}"
    return PartyCommand(operation=operation, request_no=request_no, by=by, milestone=milestone)


def words_of_parties(contract: OrderContract) -> Iterator[PartyCommand]:
    """Everything that anybody can say, right and wrong."""
    for by in (OWNER, CONTRACTOR, STRANGER):
        for operation in OrderCommand:
            for milestone in (None, *range(1, len(contract.milestones) + 2)):
                yield said(operation, by, milestone)


@dataclass(frozen=True, kw_only=True)
class Story:
    """An order, and what is known of it without asking it.

    Args:
        at: the moment of the last step.
        clocks: deadlines that run, by the changes that decisions made.
        escrow_fen: what its escrow account holds, by the lines of entries.
        inspected: how long the owner has had the milestone that is inspected, in the rounds before this one.
        inspected_since: when this round began.
    """

    order: Order
    at: datetime
    clocks: dict[str, datetime]
    escrow_fen: int = 0
    gross_fen: int = 0
    numbers: frozenset[str] = frozenset()
    bases: frozenset[tuple[str, str]] = frozenset()
    claims: frozenset[str] = frozenset()
    inspected: timedelta = _NO_TIME
    inspected_since: datetime | None = None

    @classmethod
    def signed(cls, contract: OrderContract, *, at: datetime = SIGNED) -> "Story":
        """An order that was just opened."""
        due_at = at + contract.periods.payment_deadline
        state = OrderState.at_signing(contract).model_copy(update={"step_due_at": due_at})
        order = Order(contract=contract, state=state, version=1)
        return cls(order=order, at=at, clocks={"payment": due_at})

    @property
    def contract(self) -> OrderContract:
        """What was agreed."""
        return self.order.contract

    # ---- what may happen ----

    def is_in_the_table(self, command: PartyCommand) -> bool:
        """Whether the transition table has a row for a command of this party now."""
        parties = {_PARTY[party.value] for party in who_may(command.operation)}
        allowed = allowed_commands(self.order.state.status, [item.status for item in self.order.state.milestones])
        wanted = (command.operation, command.milestone)
        return command.by in parties and wanted in {(item.command, item.milestone_no) for item in allowed}

    def waits_for(self) -> Iterator[str]:
        """Names of the deadlines that must run in this state."""
        state = self.order.state
        whole = {
            OrderStatus.AWAITING_PAYMENT: "payment",
            OrderStatus.AWAITING_START: "start",
            OrderStatus.IN_WARRANTY: "warranty",
        }.get(state.status)
        if whole is not None:
            yield whole
        for milestone in state.milestones:
            about = f"M{milestone.number}"
            if milestone.status in _WORKING and state.step_due_at is not None:
                yield f"{about}:work:{milestone.round}"
            if milestone.status is MilestoneStatus.IN_INSPECTION:
                yield f"{about}:inspection:{milestone.round}"
                if milestone.reminded_at is None:
                    yield f"{about}:reminder:{milestone.round}"

    def facts(
        self,
        command: Command,
        *,
        at: datetime,
        recorded_at: datetime | None = None,
        asked: Iterable[GivenConsent] = (),
        everything: bool = False,
    ) -> Facts:
        """The facts that a command declares; with `everything` those too that it does not."""
        needs = frozenset(Fact) if everything else command.needs
        config = CONFIG if Fact.CONFIG in needs else None
        total_fen = self.contract.total_fen
        return Facts(
            accounting_day=DAY,
            consent=None if command.consent_no is None else self.consent_to(command, recorded_at or at),
            config=config,
            config_version=None if config is None else 1,
            spendable=Spendable(withdrawable_fen=total_fen, pending_fen_by_day={DAY: 500})
            if Fact.BALANCES in needs
            else None,
            members={no: MemberFact(status="verified", version=3) for no in (OWNER, CONTRACTOR)}
            if Fact.MEMBERS in needs
            else {},
            asked=tuple(asked) if Fact.ASKED in needs else (),
            came_otherwise=True if Fact.UNSETTLED in needs else None,
        )

    def consent_to(self, command: Command, recorded_at: datetime) -> GivenConsent:
        """The consent that a command names, recorded at a moment."""
        operation, by, terms = self._words(command)
        return GivenConsent(
            consent_no=command.consent_no or "",
            object_kind="order",
            object_no=self.contract.order_no,
            operation=operation,
            given_by=by,
            terms=terms,
            operation_hash=_operation_hash(operation, by, tuple(sorted(terms.items()))),
            method="platform_key",
            recorded_at=recorded_at,
            note="",
        )

    def _words(self, command: Command) -> tuple[str, str, dict[str, Any]]:
        """Operation, party and terms of what is consented to."""
        days = self.contract.inspection_days
        if isinstance(command, PaidDirectly):
            method = command.payment.method.value
            return "pay", OWNER, pay_terms(total_fen=self.contract.total_fen, inspection_days=days, method=method)
        if not isinstance(command, PartyCommand):
            return "open", "platform", {}
        terms: dict[str, Any] = {}
        if command.operation is OrderCommand.PAY:
            terms = pay_terms(total_fen=self.contract.total_fen, inspection_days=days)
        elif command.milestone is not None and command.milestone <= len(self.contract.milestones):
            amount_fen = self.contract.milestones[command.milestone - 1].amount_fen
            terms = milestone_terms(milestone=command.milestone, amount_fen=amount_fen)
        return command.operation.value, command.by, terms

    # ---- what happens ----

    def take(self, command: Command, *, at: datetime, recorded_at: datetime | None = None) -> "Story":
        """The story after a command that is carried out; everything about its decision is checked.

        Raises:
            Refused, NotDue: as the order says.
        """
        facts = self.facts(command, at=at, recorded_at=recorded_at)
        after, decision = self.order.decide(command, at=at, facts=facts)
        assert (after, decision) == self.order.decide(command, at=at, facts=facts), "it decides one way"
        told_more = self.facts(command, at=at, recorded_at=recorded_at, everything=True)
        assert (after, decision) == self.order.decide(command, at=at, facts=told_more), "it uses what it declares"
        assert after.version == self.order.version + 1
        told = Story(
            order=after,
            at=at,
            clocks=self._clocks_after(decision),
            escrow_fen=self.escrow_fen + moved_fen(decision.entry, Purpose.ESCROW),
            gross_fen=self.gross_fen + after.state.released_fen + after.state.commission_fen
            - self.order.state.released_fen - self.order.state.commission_fen,
            numbers=self.numbers | {decision.request_no},
            bases=self.bases | {(basis.kind, basis.reference) for basis in decision.bases},
            claims=self.claims | set(decision.claims),
            **self._inspected_after(after.state, at, recorded_at or at),
        )  # fmt: skip
        self._require_once(decision)
        self._require_said(command, decision, at)
        self._require_money(told, decision)
        told.require_sound()
        stored = Stored(
            platform_no="HOME",
            object_no=ORDER_NO,
            version=after.version,
            status=after.status,
            body=after.document(),
        )
        assert Order.of_document(stored) == after, "what is written is read again"
        return told

    def _clocks_after(self, decision: Decision) -> dict[str, datetime]:
        clocks = dict(self.clocks)
        for change in decision.deadlines:
            if change.due_at is None:
                assert change.name in clocks, f"{change.name} ends without having begun"
                del clocks[change.name]
            else:
                clocks[change.name] = change.due_at
        return clocks

    def _inspected_after(self, after: OrderState, at: datetime, recorded_at: datetime) -> dict[str, Any]:
        """How long the owner has had the stage before him: until he spoke, and only since it was reported."""
        inspected = next((m for m in after.milestones if m.status is MilestoneStatus.IN_INSPECTION), None)
        if inspected is not None:
            since = self.inspected_since or at
            return {"inspected": self.inspected, "inspected_since": since}
        if self.inspected_since is None:
            return {"inspected": self.inspected, "inspected_since": None}
        if any(milestone.status is MilestoneStatus.IN_RECTIFICATION for milestone in after.milestones):
            had = max(recorded_at - self.inspected_since, _NO_TIME)
            return {"inspected": self.inspected + had, "inspected_since": None}
        return {"inspected": _NO_TIME, "inspected_since": None}

    # ---- what must hold ----

    def _require_once(self, decision: Decision) -> None:
        """A number, a basis and a claim are used once in the life of an order."""
        assert decision.request_no, "every step has a number"
        assert decision.request_no not in self.numbers
        assert not self.claims & set(decision.claims)
        used = [(basis.kind, basis.reference) for basis in decision.bases]
        assert len(set(used)) == len(used)
        assert not self.bases & set(used)

    def _require_said(self, command: Command, decision: Decision, at: datetime) -> None:
        """Whoever moves money or takes a step was asked, or a deadline has passed; silence needs its reminder."""
        consents = [basis for basis in decision.bases if basis.kind == "consent"]
        for basis in consents:
            assert basis.operation_hash in set(self._hashes_of(command)), "a basis is what a party agreed to"
        for basis in decision.bases:
            assert basis.kind in ("consent", "deadline")
            if basis.kind == "deadline":
                name = basis.reference.removeprefix(f"order/{ORDER_NO}/")
                assert self.clocks[name] <= at, "a deadline is no basis before it has passed"
        if decision.entry is None:
            return
        if decision.entry.recipe == "milestone_released" and isinstance(command, DeadlinePassed):
            self._require_silence(command, at)
        if decision.entry.recipe == "order_refunded" and isinstance(command, PartyCommand):
            started = self.order.state.status in (OrderStatus.IN_PROGRESS, OrderStatus.IN_WARRANTY)
            assert len(consents) == (2 if started else 1), "after the start both sides agree"

    def _require_silence(self, command: DeadlinePassed, at: datetime) -> None:
        number = int(command.deadline.removeprefix("M").partition(":")[0])
        milestone = self.order.state.milestone(number)
        assert self.inspected_since is not None
        had = self.inspected + (at - self.inspected_since)
        assert had >= self.contract.periods.inspection_period, "silence counts after the time that was signed"
        assert milestone.reminded_at is not None, "silence counts after a reminder"
        left = min(self.contract.periods.inspection_period - self.inspected, self.contract.periods.reminder_before_end)
        assert at - milestone.reminded_at >= min(left, milestone.notice(self.contract.periods.reminder_before_end))

    def _hashes_of(self, command: Command) -> Iterator[str]:
        """Of what may be agreed to for this: the command itself, and the other side's wish to cancel."""
        yield self.consent_to(command, self.at).operation_hash
        if isinstance(command, PartyCommand) and command.operation is OrderCommand.CANCEL:
            other = CONTRACTOR if command.by == OWNER else OWNER
            yield self.consent_to(said(OrderCommand.CANCEL, other), self.at).operation_hash

    def _require_money(self, told: "Story", decision: Decision) -> None:
        """The entry moves exactly what the order says that has changed, by its recipe, on a basis that it allows."""
        before, after, entry = self.order.state, told.order.state, decision.entry
        gained = {
            name: getattr(after, name) - getattr(before, name)
            for name in ("paid_fen", "released_fen", "commission_fen", "refunded_fen")
        }
        assert all(fen >= 0 for fen in gained.values())
        if entry is None:
            assert not any(gained.values()), "money moves by entries alone"
            return
        assert sum(line.amount_fen for line in entry.lines) == 0
        rule = RECIPES[entry.recipe]
        assert {(line.account.purpose, "+" if line.amount_fen > 0 else "-") for line in entry.lines} <= rule.moves
        assert decision.bases, "an entry of an order stands on a basis"
        assert {basis.kind for basis in decision.bases} <= rule.basis_kinds
        assert moved_fen(entry, Purpose.FEES) == gained["commission_fen"]
        assert told.escrow_fen - self.escrow_fen == after.held_fen - before.held_fen
        to_payee = sum(line.amount_fen for line in entry.lines if line.account.member_no == self.contract.payee_no)
        assert to_payee == gained["released_fen"]
        if "released" in entry.recipe and self.contract.release_settlement == "T+1":
            refs = {line.account.ref for line in entry.lines if line.account.member_no == self.contract.payee_no}
            assert all(ref >= DAY.isoformat() for ref in refs)

    def require_sound(self) -> None:
        """Conservation, commission, clocks, and what an end means."""
        state, contract = self.order.state, self.contract
        assert state.paid_fen == state.released_fen + state.commission_fen + state.refunded_fen + state.held_fen
        assert min(state.paid_fen, state.released_fen, state.commission_fen, state.refunded_fen, state.held_fen) >= 0
        assert state.held_fen == self.escrow_fen
        assert state.commission_fen == int(Fraction(contract.commission_basis_points, 10_000) * self.gross_fen)
        assert sum(m.amount_fen for m in state.milestones if m.status is MilestoneStatus.RELEASED) == self.gross_fen
        assert sum(m.commission_fen for m in state.milestones) == state.commission_fen
        assert set(self.clocks) == set(self.waits_for())
        told = state.deadlines(contract.periods.reminder_before_end)
        assert self.clocks == {deadline.name: deadline.due_at for deadline in told}
        for milestone in state.milestones:
            if milestone.inspection_left is not None:
                assert _NO_TIME <= milestone.inspection_left <= contract.periods.inspection_period
        if state.status.is_final:
            assert (state.held_fen, self.clocks) == (0, {})


@cache
def _operation_hash(operation: str, by: str, terms: tuple[tuple[str, Any], ...]) -> str:
    return order_operation_hash(platform_no="HOME", order_no=ORDER_NO, operation=operation, by=by, terms=dict(terms))


def moved_fen(entry: JournalEntry | None, purpose: Purpose) -> int:
    """What an entry adds to accounts of one purpose."""
    lines = () if entry is None else entry.lines
    return sum(line.amount_fen for line in lines if line.account.purpose is purpose)
