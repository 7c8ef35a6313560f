"""A withdrawal as the books decide it: one method says what each command does, whoever brings it and however often.

A payment order is recorded before it is sent, under a number that is recorded once; while nobody knows what became of
it, no other is recorded and nothing is given back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from escrow.domain.decisions import Decision, Facts, NotDue, Stored
from escrow.domain.errors import Refused
from escrow.domain.money.journal import Basis, DeadlineChange, JournalEntry
from escrow.domain.money.recipes import withdrawal_paid
from escrow.domain.platforms.sms_texts import TEXT_CLOCK
from escrow.domain.requests import derived
from escrow.domain.time.calendars import SHANGHAI
from escrow.domain.withdrawals import permits
from escrow.domain.withdrawals.commands import (
    Announced,
    BankSaid,
    BeginAttempt,
    CallOperator,
    EndAttempt,
    GiveBack,
    Overdue,
    Paid,
    Queue,
)
from escrow.domain.withdrawals.state import (
    ALWAYS_WRITTEN,
    OPERATOR_AFTER,
    Attempt,
    Payment,
    Refusal,
    WithdrawalState,
    bank_request_no,
    payout_no,
)
from escrow.domain.withdrawals.states import WithdrawalEvent, WithdrawalStatus, next_status

#: Name of the clock of a withdrawal that says when something has to happen to it.
_DUE = "due"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """One withdrawal: what was asked for, and what has happened since.

    `written` is its document as the books have it; empty before it stands there.
    """

    platform_no: str
    withdrawal_no: str
    state: WithdrawalState
    version: int
    written: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_document(cls, stored: Stored) -> Self:
        """A withdrawal that stands in the books."""
        assert stored.status is not None  # noqa: S101 - whatever stands in the books has a status
        return cls(
            platform_no=stored.platform_no,
            withdrawal_no=stored.object_no,
            state=WithdrawalState.of_document(stored.status, stored.body),
            version=stored.version,
            written=stored.body,
        )

    @property
    def status(self) -> str:
        """Its status in the books."""
        return self.state.status.value

    def document(self) -> dict[str, Any]:
        """Its whole document."""
        return dict(self.written)

    def told(self, command: Any) -> dict[str, Any]:
        """How it stands: all that is told of a step of the first release, whose answers were not kept."""
        return {"status": self.status}

    def decide(self, command: Any, *, at: datetime, facts: Facts) -> tuple["Withdrawal", Decision]:
        """The withdrawal after a command, and what that does to money, its clock and claims.

        Args:
            at: the books' time.

        Raises:
            Refused: a rule says no.
            NotDue: nothing is overdue yet.
        """
        match command:
            case BeginAttempt():
                after, decision = self._begun(command, at, facts)
            case BankSaid():
                after, decision = self._said(command)
            case EndAttempt():
                after, decision = self._attempt_ended(command, at)
            case Queue():
                after, decision = self._queued(command, at)
            case Paid():
                after, decision = self._paid(command, facts)
            case GiveBack():
                after, decision = self._given_back(command)
            case Announced():
                after, decision = self._announced(command)
            case Overdue():
                after, decision = self._overdue(command, at)
            case CallOperator():
                after, decision = self._flagged(command.reason, command.own_no(self.withdrawal_no))
            case _:
                raise Refused("withdrawal_state", f"The money of {self.withdrawal_no} was held before.")
        return self.becomes(after, decision)

    def refused(self, refusal: Refused) -> tuple["Withdrawal", Decision]:
        """The end of a withdrawal whose money could not be held."""
        after = self._moved(
            WithdrawalEvent.RULE_REFUSED, refusal=Refusal(code=refusal.code, message=refusal.message), due_at=None
        )
        return self.becomes(after, self._step("withdrawal.refused", derived(self.withdrawal_no, "refuse"), after))

    def becomes(self, after: WithdrawalState, decision: Decision) -> tuple["Withdrawal", Decision]:
        """The withdrawal in another state; the event says what of its document changed."""
        # What a document of the first release had no key for has been known all the same, and may end.
        said = {name for name, value in self.state.document().items() if value not in (None, "")}
        written = {
            name: value
            for name, value in after.document().items()
            if value not in (None, "") or name in ALWAYS_WRITTEN or name in self.written or name in said
        }
        changed = {name: value for name, value in written.items() if self.written.get(name, _ABSENT) != value}
        before = self.state if self.version else None
        moments = {
            _DUE: (before and before.due_at, after.due_at),
            TEXT_CLOCK: (before and before.announced_until, after.announced_until),
        }
        clocks = tuple(
            DeadlineChange(object_kind="withdrawal", object_no=self.withdrawal_no, name=name, due_at=then)
            for name, (now, then) in moments.items()
            if now != then
        )
        # Of one that has ended somebody may still be told.
        ends = after.status.is_final and not self.state.status.is_final
        ended = (ended_claim(self.withdrawal_no),) if ends else ()
        withdrawal = replace(self, state=after, version=self.version + 1, written=written)
        return withdrawal, replace(decision, event=changed, deadlines=clocks, claims=ended)

    # ---- payment orders ----

    def _begun(self, command: BeginAttempt, at: datetime, facts: Facts) -> "_Decided":
        """From here on nobody knows what becomes of it, until the bank says so."""
        state = self.state
        self._require_nothing_open(command.number - 1)
        if command.rail in state.failed_rails:
            raise Refused("withdrawal_state", f"{self.withdrawal_no} has definitely failed on {command.rail}.")
        if (facts.in_transit_fen or 0) < state.held_fen:
            raise Refused("not_in_transit", f"No money is held in transit for {self.withdrawal_no}; nothing was sent.")
        attempt = Attempt(
            number=command.number,
            rail=command.rail,
            request_no=payout_no(self.withdrawal_no, command.number),
            sent_at=at,
        )
        ready = self._ready()
        after = ready.model_copy(
            update={
                "status": next_status(ready.status, WithdrawalEvent.NO_ANSWER),
                "attempts": (*state.attempts, attempt),
                "route": command.route,
                "due_at": at + OPERATOR_AFTER,
                "attention": None,
            }
        )
        return after, self._step("withdrawal.payout_attempted", command.own_no(self.withdrawal_no), after)

    def _said(self, command: BankSaid) -> "_Decided":
        self._require_open(command.number)
        event = WithdrawalEvent.BANK_PROCESSING if command.is_processing else WithdrawalEvent.NO_ANSWER
        after = self._moved(event)
        return after, self._step(f"withdrawal.{after.status}", command.own_no(self.withdrawal_no), after)

    def _attempt_ended(self, command: EndAttempt, at: datetime) -> "_Decided":
        self._require_open(command.number)
        after = self._moved(
            WithdrawalEvent.RAIL_FAILED,
            attempts=self.state.ended_attempt(outcome=command.outcome, reason=command.reason),
            due_at=at + OPERATOR_AFTER,
            attention=None,
        )
        return after, self._step("withdrawal.payout_failed", command.own_no(self.withdrawal_no), after)

    def _paid(self, command: Paid, facts: Facts) -> "_Decided":
        """Transit is cleared against the bank's own line, which names the payment order and bears its amount."""
        state, line = self.state, facts.bank_line
        ours = state.attempts and bank_request_no(self.platform_no, state.attempts[-1].request_no)
        if line is None or (line.kind, line.request_no, -line.amount_fen) != ("payout", ours, state.principal_fen):
            raise Refused(
                "bank_line_differs", f"Bank line {command.bank_serial_no} is no payout of {self.withdrawal_no}."
            )
        last = state.attempts[-1]
        after = self._moved(
            WithdrawalEvent.BANK_PAID,
            attempts=state.ended_attempt(outcome="succeeded", bank_serial_no=command.bank_serial_no),
            payment=Payment(
                bank_serial_no=command.bank_serial_no,
                rail=last.rail,
                booked_at=line.booked_at.astimezone(SHANGHAI),
            ),
            due_at=None,
            attention=None,
        )
        entry = withdrawal_paid(
            platform_no=self.platform_no,
            member_no=state.source.owner_no,
            withdrawal_no=self.withdrawal_no,
            principal_fen=state.principal_fen,
            fee_fen=state.fee_fen,
            bank_serial_no=command.bank_serial_no,
            effective_date=line.value_date,
        )
        basis = Basis(kind="bank_line", reference=command.bank_serial_no)
        return after, self._step("withdrawal.paid", command.own_no(self.withdrawal_no), after, entry, basis)

    # ---- without one ----

    def _queued(self, command: Queue, at: datetime) -> "_Decided":
        self._require_nothing_open(command.attempts)
        ready = self._ready()
        after = ready.model_copy(
            update={
                "status": next_status(ready.status, WithdrawalEvent.NO_RAIL_OPEN),
                "route": command.route,
                "opens_at": command.opens_at,
                "due_at": at + command.wait,
                "attention": None,
            }
        )
        return after, self._step("withdrawal.queued", command.own_no(self.withdrawal_no), after)

    def _given_back(self, command: GiveBack) -> "_Decided":
        state = self.state
        after = self._moved(
            WithdrawalEvent.RETURNED_TO_MEMBER,
            reason=command.reason,
            route=command.route,
            opens_at=None,
            due_at=None,
            attention=None,
        )
        entry = state.source.given_back(self.platform_no, self.withdrawal_no, state.held_fen)
        decision = self._step("withdrawal.failed", command.own_no(self.withdrawal_no), after, entry, Basis(kind="none"))
        counters = permits.came_to_nothing(state.source.owner_no, state.counted_on, state.principal_fen)
        return after, replace(decision, counters=counters)

    # ---- who is told ----

    def _announced(self, command: Announced) -> "_Decided":
        if self.state.sms != "due":
            raise Refused("withdrawal_state", f"Nothing is to be announced of {self.withdrawal_no}.")
        is_told = command.failure is None
        after = self.state.model_copy(update={"sms": "sent" if is_told else "failed", "sms_failure": command.failure})
        event_type = "withdrawal.announced" if is_told else "withdrawal.not_announced"
        return after, self._step(event_type, command.own_no(self.withdrawal_no), after)

    def _overdue(self, command: Overdue, at: datetime) -> "_Decided":
        """A day has passed without what should have happened: from now on an operator looks after it too."""
        state = self.state
        if state.status is WithdrawalStatus.QUEUED or state.due_at is None or command.seen_version != self.version:
            raise Refused("withdrawal_state", f"Nothing of {self.withdrawal_no} is overdue.")
        if state.due_at > at:
            raise NotDue(f"Nothing of {self.withdrawal_no} is overdue.", remaining=state.due_at - at)
        attempt = state.open_attempt
        reason = (
            "the bank does not say which rails are open: ask it"
            if attempt is None
            else f"the bank has not said for a day what became of {attempt.request_no}: ask it"
        )
        return self._flagged(reason, command.own_no(self.withdrawal_no))

    def _flagged(self, reason: str, request_no: str | None) -> "_Decided":
        self._require_under_way()
        if self.state.open_attempt is None:
            after = self.state.model_copy(update={"attention": reason, "due_at": None})
        elif self.state.status is WithdrawalStatus.NEEDS_ATTENTION:
            after = self.state.model_copy(update={"attention": reason})
        else:
            after = self._moved(WithdrawalEvent.OPERATOR_NEEDED, attention=reason, due_at=None)
        return after, self._step("withdrawal.needs_attention", request_no, after)

    # ---- parts ----

    def _moved(self, event: WithdrawalEvent, **changes: Any) -> WithdrawalState:
        return self.state.model_copy(update={"status": next_status(self.state.status, event), **changes})

    def _ready(self) -> WithdrawalState:
        """The state in which a rail is chosen: out of the queue, if it was in it."""
        if self.state.status is not WithdrawalStatus.QUEUED:
            return self.state
        return self._moved(WithdrawalEvent.RAIL_OPENED, opens_at=None)

    def _require_open(self, number: int) -> None:
        attempt = self.state.open_attempt
        if attempt is None or attempt.number != number:
            raise Refused("withdrawal_state", f"The payment order {number} of {self.withdrawal_no} is not under way.")

    def _require_nothing_open(self, attempts: int) -> None:
        if self.state.open_attempt is not None or len(self.state.attempts) != attempts:
            raise Refused("withdrawal_state", f"Another payment order of {self.withdrawal_no} was sent meanwhile.")

    def _require_under_way(self) -> None:
        if self.state.status.is_final:
            raise Refused("withdrawal_state", f"The withdrawal {self.withdrawal_no} has ended.")

    def _step(
        self,
        event_type: str,
        request_no: str | None,
        after: WithdrawalState,
        entry: JournalEntry | None = None,
        basis: Basis | None = None,
    ) -> Decision:
        return Decision(
            request_no=request_no or "",
            event_type=event_type,
            event={},
            answer={"status": after.status.value},
            entry=entry,
            bases=() if basis is None else (basis,),
        )


def ended_claim(withdrawal_no: str) -> str:
    """A withdrawal ends once: paid, given back or refused."""
    return f"withdrawal/{withdrawal_no}/ended"


_ABSENT = object()
_Decided = tuple[WithdrawalState, Decision]
