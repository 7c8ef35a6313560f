"""An order as the books decide it: one method says what each command does, whoever brings it and however often."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from escrow.domain.decisions import Decision, Facts, GivenConsent, NotDue, Stored
from escrow.domain.errors import Refused
from escrow.domain.money.journal import Basis, DeadlineChange
from escrow.domain.orders.commands import (
    CallOperator,
    DeadlinePassed,
    OperatorCame,
    OwnerReminded,
    PaidDirectly,
    PartyCommand,
    answer_to,
    deadline_reference,
    proposal_no,
)
from escrow.domain.orders.contract import OrderContract
from escrow.domain.orders.milestones import MilestoneKind
from escrow.domain.orders.operations import unpaid_claim
from escrow.domain.orders.payment import paid_directly, paid_from_balance
from escrow.domain.orders.settlement import refunded, released
from escrow.domain.orders.state import CancelProposal, MilestoneState, OrderState, Reminder, moved
from escrow.domain.orders.states import (
    OrderCommand,
    OrderDeadline,
    OrderStatus,
    Party,
    Trigger,
    check_command,
    not_the_party,
    who_may,
)
from escrow.domain.platforms.authorisations import AuthorisedOperation
from escrow.domain.platforms.rules import require_agreed
from escrow.domain.requests import derived

_OPERATIONS = frozenset(operation.value for operation in OrderCommand)
_SILENCE, _WARRANTY_OVER = "silence", "end of warranty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order: what was signed, and what has happened since."""

    contract: OrderContract
    state: OrderState
    version: int

    @classmethod
    def of_document(cls, stored: Stored) -> Self:
        """An order that stands in the books."""
        assert stored.status is not None  # noqa: S101 - whatever stands in the books has a status
        return cls(
            contract=OrderContract.model_validate(stored.body["contract"]),
            state=OrderState.of_document(stored.status, stored.body),
            version=stored.version,
        )

    @property
    def status(self) -> str:
        """Its status in the books."""
        return self.state.status.value

    def document(self) -> dict[str, Any]:
        """Its whole document."""
        return {"contract": self.contract.model_dump(mode="json"), **self.state.document()}

    def told(self, command: Any) -> dict[str, Any]:
        """Answer to a command of the first release, whose answers were not kept with their requests."""
        return answer_to(command, self.state)

    def decide(self, command: Any, *, at: datetime, facts: Facts) -> tuple["Order", Decision]:
        """The order after a command, and what that does to money, clocks and claims.

        Args:
            at: the books' time.

        Raises:
            Refused: a rule says no.
            NotDue: a deadline has not passed, or something must be told first.
        """
        match command:
            case PartyCommand():
                decided = self._said(command, at, facts)
            case DeadlinePassed():
                decided = self._passed(command, at, facts)
            case PaidDirectly():
                decided = self._paid_directly(command, at, facts)
            case OwnerReminded():
                decided = self._reminded(command, at)
            case CallOperator():
                decided = self._flagged(command.reason, command.own_no(self._no) or "")
            case OperatorCame():
                decided = self._attended(command)
            case _:
                raise Refused("object_exists", f"The order {self._no} exists already; use another number.")
        state, decision = decided
        # A step that succeeds has answered what an operator was called for, unless calling is what it does.
        kept = state if decision.event_type == _NEEDS_ATTENTION else state.model_copy(update={"attention": None})
        after = replace(self, state=kept, version=self.version + 1)
        return after, replace(decision, event=kept.document(), deadlines=after.clocks_from(self.state))

    # ---- what parties say ----

    def _said(self, command: PartyCommand, at: datetime, facts: Facts) -> "_Decided":
        self.require_possible(command)
        consent = facts.required_consent(command.request_no)
        require_agreed(facts.required_config(), AuthorisedOperation(command.operation.value), consent.method)
        match command.operation:
            case OrderCommand.PAY:
                paid, basis = self._moved(OrderCommand.PAY), self.consent_basis(command)
                answer = answer_to(command, paid)
                return paid_from_balance(self.contract, paid, basis=basis, answer=answer, at=at, facts=facts)
            case OrderCommand.START:
                return self._started(command, at, facts)
            case OrderCommand.COMPLETE:
                return self._completed(command, at)
            case OrderCommand.ACCEPT:
                assert command.milestone is not None  # noqa: S101 - the table has seen that it is there
                basis = self.consent_basis(command)
                return self._release(command.milestone, OrderCommand.ACCEPT, basis, command.by, command, at, facts)
            case OrderCommand.RECTIFY:
                return self._sent_back(command, consent, at)
            case OrderCommand.CANCEL:
                return self._cancelled(command, consent, at)

    def _started(self, command: PartyCommand, at: datetime, facts: Facts) -> "_Decided":
        deposits = self.contract.of_kind(MilestoneKind.START)
        if deposits:
            basis = self.consent_basis(command)
            return self._release(deposits[0].number, OrderCommand.START, basis, command.by, command, at, facts)
        after = self._moved(OrderCommand.START, step_due_at=at + self.contract.periods.stage_deadline)
        return after, Decision(
            request_no=derived(self._no, "start"),
            event_type="order.started",
            event={},
            answer=answer_to(command, after),
            bases=(self.consent_basis(command),),
        )

    def _completed(self, command: PartyCommand, at: datetime) -> "_Decided":
        """The inspection clock runs: for the whole period, or after a rectification for what was left of it."""
        milestone = self._named(command)
        left = milestone.inspection_left
        lasts = self.contract.periods.inspection_period if left is None else left
        after = self._moved(OrderCommand.COMPLETE, milestone.number).with_milestone(
            milestone.number,
            round=milestone.round + 1,
            inspection_due_at=at + lasts,
            inspection_left=None,
            inspected_for=lasts,
            reminded_at=None,
        )
        return after, Decision(
            request_no=derived(self._no, f"M{milestone.number}", "complete", milestone.round + 1),
            event_type="order.milestone_completed",
            event={},
            answer=answer_to(command, after),
            bases=(self.consent_basis(command),),
        )

    def _sent_back(self, command: PartyCommand, consent: GivenConsent, at: datetime) -> "_Decided":
        """The inspection clock stands still, with what was left of it when the owner said so.

        Never with more than this round of inspection had: what was said before it began has used nothing of it.
        """
        milestone = self._named(command)
        due_at = milestone.inspection_due_at or at
        period = self.contract.periods.inspection_period
        lasts = period if milestone.inspected_for is None else milestone.inspected_for
        after = self._moved(
            OrderCommand.RECTIFY, milestone.number, step_due_at=at + self.contract.periods.rectification_deadline
        ).with_milestone(
            milestone.number,
            inspection_due_at=None,
            inspection_left=min(max(due_at - consent.recorded_at, timedelta(0)), lasts),
            inspected_for=None,
        )
        return after, Decision(
            request_no=derived(self._no, f"M{milestone.number}", "rectify", milestone.round),
            event_type="order.rectification_requested",
            event={},
            answer=answer_to(command, after),
            bases=(self.consent_basis(command),),
        )

    def _cancelled(self, command: PartyCommand, consent: GivenConsent, at: datetime) -> "_Decided":
        """Either side alone before the start; later the second side's wish makes the first one's a consent."""
        proposal = self.state.proposal
        if self.state.status in (OrderStatus.AWAITING_PAYMENT, OrderStatus.AWAITING_START):
            bases: tuple[Basis, ...] = (self.consent_basis(command),)
            return self._refund(OrderCommand.CANCEL, bases, f"cancelled by {command.by}", command)
        if proposal is not None and proposal.by != command.by and proposal.lapses_at > consent.recorded_at:
            first = PartyCommand(operation=OrderCommand.CANCEL, request_no=proposal.request_no, by=proposal.by)
            bases = (self.consent_basis(first), self.consent_basis(command))
            return self._refund(OrderCommand.CANCEL, bases, "cancelled by consent", command)
        if consent.operation_hash != self.consent_basis(command).operation_hash:
            raise Refused("basis_mismatch", f"The consent {command.request_no} is not about this.")
        if proposal is None or proposal.by != command.by or proposal.lapses_at <= at:
            # A wish that still stands is not prolonged by being repeated under another number.
            lapses_at = at + self.contract.periods.cancel_proposal_validity
            proposal = CancelProposal(by=command.by, request_no=command.request_no, lapses_at=lapses_at)
        after = self.state.model_copy(update={"proposal": proposal})
        return after, Decision(
            request_no=proposal_no(self._no, command.request_no),
            event_type="order.cancel_proposed",
            event={},
            answer=answer_to(command, after),
        )

    # ---- what time does ----

    def _passed(self, command: DeadlinePassed, at: datetime, facts: Facts) -> "_Decided":
        running = {item.name: item.due_at for item in self.state.deadlines(self.contract.periods.reminder_before_end)}
        due_at = running.get(command.deadline)
        if due_at is None:
            raise Refused("order_state", f"The deadline {command.deadline} of {self._no} does not run.")
        if due_at > at:
            raise NotDue(f"The deadline {command.deadline} has not passed.", remaining=due_at - at)
        if any(said.operation in _OPERATIONS and said.recorded_at <= due_at for said in facts.asked):
            raise NotDue("What was said before it is answered first.", remaining=timedelta(0))
        basis = Basis(kind="deadline", reference=deadline_reference(self._no, command.deadline))
        kind, _, rest = command.deadline.partition(":")
        match kind, rest.partition(":")[0]:
            case "payment", _:
                return self._closed_unpaid(basis)
            case "start", _:
                return self._refund(OrderDeadline.START_DEADLINE_PASSED, (basis,), "not started in time", command)
            case "warranty", _:
                number = self.contract.of_kind(MilestoneKind.WARRANTY)[0].number
                trigger = OrderDeadline.WARRANTY_PASSED
                return self._release(number, trigger, basis, _WARRANTY_OVER, command, at, facts)
            case _, "inspection":
                return self._accepted_by_silence(int(kind.removeprefix("M")), basis, command, at, facts)
            case _, "work":
                return self._overdue(int(kind.removeprefix("M")), basis)
            case _:
                raise Refused("order_state", f"What happens at {command.deadline} is done, not decided.")

    def _accepted_by_silence(
        self, number: int, basis: Basis, command: DeadlinePassed, at: datetime, facts: Facts
    ) -> "_Decided":
        """Silence counts only after the owner was reminded that it would."""
        if self.state.milestone(number).reminded_at is None:
            raise NotDue("The owner was not reminded that silence counts.", remaining=timedelta(0))
        return self._release(number, OrderDeadline.INSPECTION_PASSED, basis, _SILENCE, command, at, facts)

    def _closed_unpaid(self, basis: Basis) -> "_Decided":
        after = self._moved(OrderDeadline.PAYMENT_DEADLINE_PASSED)
        return after, Decision(
            request_no=derived(self._no, "close"),
            event_type="order.closed_unpaid",
            event={},
            answer=answer_to(None, after),
            bases=(basis,),
            claims=(unpaid_claim(self._no),),
        )

    def _overdue(self, number: int, basis: Basis) -> "_Decided":
        """A stage is not reported in time: shown to an operator, and waited for without a limit."""
        milestone = self.state.milestone(number)
        reason = f"M{number} {milestone.name} is overdue: ask both sides, the order goes on with complete or cancel"
        late = replace(self, state=self.state.model_copy(update={"step_due_at": None}))
        after, decision = late._flagged(reason, derived(self._no, milestone.work_name, "overdue"))
        return after, replace(decision, bases=(basis,))

    # ---- what was seen to be done ----

    def _paid_directly(self, command: PaidDirectly, at: datetime, facts: Facts) -> "_Decided":
        statuses = [milestone.status for milestone in self.state.milestones]
        check_command(self.state.status, statuses, OrderCommand.PAY)
        payment, paid = command.payment, self._moved(OrderCommand.PAY)
        if not command.pays(self._no, self.contract.total_fen):
            raise Refused("payment_differs", f"{payment.payment_no} does not pay the order {self._no}.")
        consent = facts.required_consent(payment.consent_no)
        require_agreed(facts.required_config(), AuthorisedOperation.DIRECT_PAYMENT, consent.method)
        owner_no = self.contract.owner_no
        digest = self.contract.consent_hash(OrderCommand.PAY, by=owner_no, milestone=None, method=payment.method.value)
        basis = Basis(kind="consent", reference=payment.consent_no, operation_hash=digest)
        answer = answer_to(None, paid)
        return paid_directly(self.contract, paid, payment, basis=basis, answer=answer, at=at, facts=facts)

    def _reminded(self, command: OwnerReminded, at: datetime) -> "_Decided":
        """Silence counts from now on, but not before the owner has had the time that a reminder gives."""
        reminder = self.reminder(command, at=at)
        if reminder is None:
            raise Refused("order_state", f"M{command.milestone} of {self._no} waits for no reminder.")
        if reminder.due_at > at:
            raise NotDue("It is too early to remind the owner that silence counts.", remaining=reminder.due_at - at)
        after = self.state.with_milestone(command.milestone, reminded_at=at, inspection_due_at=reminder.counts_at)
        return after, Decision(
            request_no=command.own_no(self._no) or "",
            event_type="order.owner_reminded",
            event={},
            answer=answer_to(None, after),
        )

    def _flagged(self, reason: str, request_no: str) -> "_Decided":
        after = self.state.model_copy(update={"attention": reason})
        return after, Decision(
            request_no=request_no, event_type=_NEEDS_ATTENTION, event={}, answer=answer_to(None, after)
        )

    def _attended(self, command: OperatorCame) -> "_Decided":
        """What an operator was called for is over, as with every step that is none of calling one."""
        if self.state.attention is None:
            raise Refused("order_state", f"The order {self._no} waits for no operator.")
        return self.state, Decision(
            request_no=command.own_no(self._no) or "",
            event_type="order.attended",
            event={},
            answer=answer_to(None, self.state),
        )

    # ---- parts ----

    def _release(
        self, number: int, trigger: Trigger, basis: Basis, by: str, command: Any, at: datetime, facts: Facts
    ) -> "_Decided":
        return released(
            self.contract, self.state, number, trigger, basis=basis, by=by, command=command, at=at, facts=facts
        )

    def _refund(self, trigger: Trigger, bases: tuple[Basis, ...], reason: str, command: Any) -> "_Decided":
        return refunded(self.contract, self.state, trigger, bases=bases, reason=reason, command=command)

    @property
    def _no(self) -> str:
        return self.contract.order_no

    def require_possible(self, command: PartyCommand) -> None:
        """Refuse a command of somebody whose it is not, or that the table does not know in this state.

        Raises:
            Refused: `not_the_party`, `order_state`, or `milestone_unknown`.
        """
        parties = {self.contract.owner_no: Party.OWNER, self.contract.contractor_no: Party.CONTRACTOR}
        if parties.get(command.by) not in who_may(command.operation):
            raise not_the_party(command.operation)
        statuses = [milestone.status for milestone in self.state.milestones]
        check_command(self.state.status, statuses, command.operation, command.milestone)

    def reminder(self, command: OwnerReminded, *, at: datetime) -> Reminder | None:
        """What the owner is told at a moment in just this round; None when that waits for no reminder."""
        if not 1 <= command.milestone <= len(self.state.milestones):
            return None
        milestone = self.state.milestone(command.milestone)
        usual = self.contract.periods.reminder_before_end
        return milestone.reminder(usual, at=at) if milestone.round == command.round else None

    def consent_basis(self, command: PartyCommand) -> Basis:
        """The basis that a party consented to exactly this."""
        digest = self.contract.consent_hash(command.operation, by=command.by, milestone=command.milestone)
        return Basis(kind="consent", reference=command.request_no, operation_hash=digest)

    def _named(self, command: PartyCommand) -> MilestoneState:
        assert command.milestone is not None  # noqa: S101 - the table has seen that it is there
        return self.state.milestone(command.milestone)

    def _moved(self, trigger: Trigger, number: int | None = None, *, step_due_at: datetime | None = None) -> OrderState:
        return moved(self.contract, self.state, trigger, number, step_due_at=step_due_at)

    def clocks_from(self, before: OrderState | None) -> tuple[DeadlineChange, ...]:
        """The clocks that began and ended since another state, None for an order that was not there."""
        usual = self.contract.periods.reminder_before_end
        ran = {} if before is None else {item.name: item.due_at for item in before.deadlines(usual)}
        runs = {item.name: item.due_at for item in self.state.deadlines(usual)}
        return tuple(
            DeadlineChange(object_kind="order", object_no=self._no, name=name, due_at=runs.get(name))
            for name in sorted(ran | runs)
            if ran.get(name) != runs.get(name)
        )


_NEEDS_ATTENTION = "order.needs_attention"
_Decided = tuple[OrderState, Decision]
