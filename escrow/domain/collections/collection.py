"""Something that is collected, as the books decide it: one method says what each command does, however often it comes.

A channel is asked to collect under a number that is recorded first, and never twice under one. The first payment of at
least what was asked for is credited; a second one, a short one and the excess of a larger one wait in suspense and are
given back, each held under a number of its own before the channel is asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, Self

from escrow.domain.collections.commands import (
    BeginAsking,
    BookedElsewhere,
    BookPayment,
    CallOperator,
    ChannelShows,
    CodeSent,
    End,
    EndReturn,
    HoldReturn,
    OperatorCame,
    PayerHasActed,
    TakenByPaid,
    pending_until,
)
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.collections.purposes import TopUp
from escrow.domain.collections.recipes import (
    channel_refunded,
    collection_credited,
    collection_suspended,
    suspense_return_failed,
    suspense_return_held,
)
from escrow.domain.collections.state import LOST_AT_MOST, Asked, CollectionState, Return, TakenPayment
from escrow.domain.collections.states import COLLECTION_TRANSITIONS, CollectionEvent
from escrow.domain.collections.terms import CollectionStatus
from escrow.domain.decisions import Decision, Facts, NotDue, Stored
from escrow.domain.errors import Refused
from escrow.domain.members.states import MAY, MemberStatus, Permission
from escrow.domain.money.journal import Basis, Change, CounterUse, DeadlineChange, JournalEntry, StandsOn
from escrow.domain.platforms.config import Settlement
from escrow.domain.transfers.suspense import suspended_credit
from escrow.domain.transitions import moved

_NOTHING = (Basis(kind="none"),)
_TOO_LITTLE = "less than asked was paid, and goes back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """What was asked for, and what has happened since. `written` is its document as the books have it."""

    platform_no: str
    pay_in_no: str
    state: CollectionState
    version: int
    written: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_document(cls, stored: Stored) -> Self:
        """One that stands in the books."""
        assert stored.status is not None  # noqa: S101 - whatever stands in the books has a status
        return cls(
            platform_no=stored.platform_no,
            pay_in_no=stored.object_no,
            state=CollectionState.of_document(stored.platform_no, stored.object_no, stored.status, stored.body),
            version=stored.version,
            written=stored.body,
        )

    @property
    def status(self) -> str:
        """Its status in the books."""
        return self.state.status.value

    def document(self) -> dict[str, Any]:
        """Its whole document."""
        return self.state.document()

    def told(self, command: Any) -> dict[str, Any]:
        """How it stands: all that is told of a step of the first release, whose answers were not kept."""
        return {"status": self.status}

    def decide(self, command: Any, *, at: datetime, facts: Facts) -> tuple["Collection", Decision]:
        """What it is after a command, and what that does to money, its clock and claims.

        Args:
            at: the books' time.

        Raises:
            Refused: a rule says no.
            NotDue: nothing is overdue yet.
        """
        match command:
            case BeginAsking():
                after, decision = self._begun(command, at)
            case ChannelShows():
                after, decision = self._shown(command)
            case PayerHasActed():
                after = self._moved(CollectionEvent.BANK_AT_IT, interaction=None)
                decision = self._step("pay_in.processing", command)
            case CodeSent():
                after, decision = self._code_sent(command)
            case BookPayment():
                after, decision = self._payment_booked(command, facts)
            case TakenByPaid():
                after, decision = self._taken(command)
            case BookedElsewhere():
                after, decision = self._elsewhere(command)
            case End():
                after, decision = self._ended(command)
            case HoldReturn():
                after, decision = self._return_held(command, at, facts)
            case EndReturn():
                after, decision = self._return_ended(command)
            case CallOperator():
                after, decision = self._flagged(command, at)
            case OperatorCame():
                after, decision = self._attended(command)
            case _:
                raise Refused("object_exists", f"{self.pay_in_no} exists already; use another number.")
        return self.becomes(after, decision)

    def becomes(self, after: CollectionState, decision: Decision) -> tuple["Collection", Decision]:
        """The same in another state; the event says what of its document changed."""
        written = after.document()
        changed = {name: value for name, value in written.items() if self.written.get(name, _ABSENT) != value}
        told = {"status": after.status.value}
        now = replace(self, state=after, version=self.version + 1, written=written)
        clocks = (*decision.deadlines, *self._clocks(after))
        return now, replace(decision, event=changed, answer=told, deadlines=clocks)

    # ---- the channel is asked to collect ----

    def _begun(self, command: BeginAsking, at: datetime) -> "_Decided":
        state = self.state
        if state.has_ended or command.number != len(state.asked) + 1 or (state.asked and command.last_was is None):
            raise Refused("pay_in_state", f"No order to collect {command.number} of {self.pay_in_no} is due.")
        asked = Asked(number=command.number, debit_channel=command.debit_channel, asked_at=at)
        after = state.model_copy(
            update={
                "asked": (*self._ended_asking(command.last_was), asked),
                "debit_channel": command.debit_channel,
                "debit_route": command.route,
                "reason": command.reason,
            }
        )
        return after, self._step("pay_in.asked", command)

    def _shown(self, command: ChannelShows) -> "_Decided":
        self._require_open(command.number)
        event = CollectionEvent.BANK_AT_IT if self.state.is_debit else CollectionEvent.PAYER_ASKED
        after = self._moved(event, interaction=command.interaction)
        return after, self._step(f"pay_in.{after.status}", command)

    def _code_sent(self, command: CodeSent) -> "_Decided":
        state = self.state
        waits = state.method is CollectionMethod.QUICK and state.status is CollectionStatus.AWAITING_PAYER
        if not waits or state.interaction is None:
            raise Refused("code_not_awaited", f"The payment {self.pay_in_no} waits for no code.")
        shown = {**state.interaction, "code_expires_at": command.expires_at.isoformat()}
        after = state.model_copy(update={"interaction": shown, "codes_sent": (*state.codes_sent, command.request_no)})
        return after, self._step("pay_in.code_sent", command)

    # ---- the channel took money ----

    def _payment_booked(self, command: BookPayment, facts: Facts) -> "_Decided":
        """Credited where it may be; else it waits in suspense, and goes back."""
        self._require_new(command.payment.payment_no)
        goes_back = command.goes_back or self._why_not_credited(command.payment.amount_fen, facts)
        if goes_back is not None or not isinstance(self.state.purpose, TopUp):
            return self._suspended(command, goes_back)
        return self._credited(command, self.state.purpose, facts)

    def _why_not_credited(self, paid_fen: int, facts: Facts) -> str | None:
        """Why a payment is not credited to a member; None where it is. A second one is not, without a word."""
        if self.state.is_credited:
            return ""
        if paid_fen < self.state.amount_fen:
            return _TOO_LITTLE
        known = facts.members.get(self.state.purpose.member_no)
        if known is not None and Permission.RECEIVE in MAY[MemberStatus(known.status)]:
            return None
        return f"Member {self.state.purpose.member_no} may not receive money."

    def _credited(self, command: BookPayment, purpose: TopUp, facts: Facts) -> "_Decided":
        assert facts.config is not None  # noqa: S101 - the command declares it
        payment, excess_fen = command.payment, command.payment.amount_fen - self.state.amount_fen
        taken = self._payment(command, "credited", excess_fen)
        after = self._paid_by(taken)
        entry = collection_credited(
            platform_no=self.platform_no,
            channel=self.state.method,
            member_no=purpose.member_no,
            payment_no=payment.payment_no,
            paid_fen=payment.amount_fen,
            asked_fen=self.state.amount_fen,
            pending_day=pending_until(
                settles_on=payment.settles_on,
                is_settled=bool(payment.settlement_no),
                today=facts.accounting_day,
                is_t_plus_1=facts.config.top_up_settlement is Settlement.T_PLUS_1,
            ),
        )
        basis = Basis(kind="consent", reference=purpose.consent_no, operation_hash=purpose.consent_hash)
        decision = self._step("pay_in.paid", command, entry, (basis,), waits_fen=excess_fen)
        member = StandsOn(kind="member", object_no=purpose.member_no, version=facts.members[purpose.member_no].version)
        return after, replace(decision, has_read=(member,))

    def _suspended(self, command: BookPayment, goes_back: str | None) -> "_Decided":
        payment = command.payment
        taken = self._payment(command, "suspended", payment.amount_fen)
        after = self.state.model_copy(
            update={"payments": (*self.state.payments, taken), "reason": goes_back or self.state.reason}
        )
        entry = collection_suspended(
            platform_no=self.platform_no,
            channel=self.state.method,
            payment_no=payment.payment_no,
            paid_fen=payment.amount_fen,
        )
        return after, self._step("pay_in.payment_suspended", command, entry, _NOTHING, waits_fen=payment.amount_fen)

    def _taken(self, command: TakenByPaid) -> "_Decided":
        self._require_new(command.payment.payment_no)
        taken = self._payment(command, "credited", command.left_fen)
        after = self._paid_by(taken)
        return after, self._step("pay_in.paid", command)

    def _elsewhere(self, command: BookedElsewhere) -> "_Decided":
        payment_no = command.payment.payment_no
        self._require_new(payment_no)
        taken = self._payment(command, "suspended", command.payment.amount_fen).model_copy(update={"stays": True})
        reason = f"the payment {payment_no} was booked by somebody else: look where its money is"
        after = self.state.model_copy(update={"payments": (*self.state.payments, taken), "attention": reason})
        return after, self._step("pay_in.needs_attention", command)

    def _ended(self, command: End) -> "_Decided":
        event = CollectionEvent.CLOSED if command.how == "closed" else CollectionEvent.FAILED
        after = self._moved(
            event,
            interaction=None,
            reason=self.state.reason if command.how == "closed" and self.state.reason else command.reason,
            reason_code=command.reason_code,
            asked=self._ended_asking(command.last_was),
            attention=None,
        )
        if command.was_never_open:
            after = after.model_copy(update={"watched_until": None})
        counters: tuple[CounterUse, ...] = ()
        if self.state.counted_on is not None:
            # What came to nothing has used nothing of the limit of its day.
            name = f"order/{self.state.purpose.member_no}/{self.state.counted_on}"
            counters = (CounterUse(name=name, add_fen=-self.state.amount_fen, maximum_fen=None, limit=""),)
            after = after.model_copy(update={"counted_on": None})
        return after, replace(self._step(f"pay_in.{command.how}", command), counters=counters)

    # ---- what goes back ----

    def _return_held(self, command: HoldReturn, at: datetime, facts: Facts) -> "_Decided":
        """Held in full, or not at all: what was assigned meanwhile stays where it is."""
        state, taken = self.state, self.state.payment(command.payment_no)
        due = state.open_return is None and command.number == len(state.returns) + 1
        if taken is None or not taken.suspended_fen or taken.stays or not due:
            raise Refused("pay_in_state", f"Nothing of {command.payment_no} is to be given back now.")
        if facts.suspended_fen.get(command.payment_no, 0) < taken.suspended_fen:
            after = state.model_copy(update={"payments": state.with_payment(command.payment_no, stays=True)})
            return after, self._step("pay_in.return_given_up", command)
        held = Return(number=command.number, payment_no=command.payment_no, amount_fen=taken.suspended_fen, held_at=at)
        entry = suspense_return_held(
            platform_no=self.platform_no, payment_no=command.payment_no, amount_fen=taken.suspended_fen
        )
        after = state.model_copy(update={"returns": (*state.returns, held)})
        return after, self._step("pay_in.return_held", command, entry, _NOTHING)

    def _return_ended(self, command: EndReturn) -> "_Decided":
        state, held = self.state, self.state.open_return
        if held is None or held.number != command.number:
            raise Refused("pay_in_state", f"No return {command.number} of {self.pay_in_no} is under way.")
        taken = state.payment(held.payment_no)
        assert taken is not None  # noqa: S101 - it was held of a payment
        if (went_back := command.refunded_fen is not None) and command.refunded_fen != held.amount_fen:
            raise Refused("payment_differs", f"The channel gave back another amount of {held.payment_no}.")
        if went_back:
            outcome = "credited" if taken.outcome == "credited" else "returned"
            payments = state.with_payment(held.payment_no, suspended_fen=0, outcome=outcome)
            entry = channel_refunded(
                platform_no=self.platform_no,
                channel=state.method,
                payment_no=held.payment_no,
                amount_fen=held.amount_fen,
            )
        else:
            lost = [item for item in state.returns if item.payment_no == held.payment_no and item.outcome == "lost"]
            goes_again = command.is_lost and len(lost) + 1 < LOST_AT_MOST
            payments = state.payments if goes_again else state.with_payment(held.payment_no, stays=True)
            entry = suspense_return_failed(
                platform_no=self.platform_no, payment_no=held.payment_no, amount_fen=held.amount_fen
            )
        not_back: Literal["lost", "failed"] = "lost" if command.is_lost else "failed"
        ended = held.model_copy(update={"outcome": "returned" if went_back else not_back})
        after = state.model_copy(
            update={"payments": payments, "returns": (*state.returns[:-1], ended), "attention": None}
        )
        return after, self._step("pay_in.return_ended", command, entry, _NOTHING)

    # ---- operators ----

    def _flagged(self, command: CallOperator, at: datetime) -> "_Decided":
        reason, overdue_at = command.reason, self.state.overdue_at()
        if reason is None:
            if overdue_at is None or command.seen_version != self.version or self.state.attention is not None:
                raise Refused("pay_in_state", f"Nothing of {self.pay_in_no} is overdue.")
            if overdue_at > at:
                raise NotDue(f"Nothing of {self.pay_in_no} is overdue.", remaining=overdue_at - at)
            held = self.state.open_return
            what = "how the collection ended" if held is None else f"what became of the return of {held.payment_no}"
            reason = f"the channel has not said for a day {what}: ask it"
        after = self.state.model_copy(update={"attention": reason})
        return after, self._step("pay_in.needs_attention", command)

    def _attended(self, command: OperatorCame) -> "_Decided":
        if self.state.attention is None:
            raise Refused("pay_in_state", f"{self.pay_in_no} waits for no operator.")
        return self.state.model_copy(update={"attention": None}), self._step("pay_in.attended", command)

    # ---- parts ----

    def _paid_by(self, payment: TakenPayment) -> CollectionState:
        payments = (*self.state.payments, payment)
        return self._moved(CollectionEvent.CREDITED, payments=payments, interaction=None, reason=None, attention=None)

    def _moved(self, event: CollectionEvent, **changes: Any) -> CollectionState:
        status = moved(COLLECTION_TRANSITIONS, self.state.status, event, code="pay_in_state")
        return self.state.model_copy(update={"status": status, **changes})

    def _require_open(self, number: int) -> None:
        asked = self.state.open_asking
        if self.state.has_ended or asked is None or asked.number != number:
            raise Refused("pay_in_state", f"The order to collect {number} of {self.pay_in_no} is not under way.")

    def _require_new(self, payment_no: str) -> None:
        if self.state.payment(payment_no) is not None:
            raise Refused("pay_in_state", f"The payment {payment_no} was booked before.")

    def _ended_asking(self, last_was: str | None) -> tuple[Asked, ...]:
        if last_was is None or not self.state.asked:
            return self.state.asked
        return (*self.state.asked[:-1], self.state.asked[-1].model_copy(update={"outcome": last_was}))

    def _payment(self, command: Any, outcome: Any, suspended_fen: int) -> TakenPayment:
        return TakenPayment(
            payment_no=command.payment.payment_no,
            amount_fen=command.payment.amount_fen,
            fee_fen=command.payment.fee_fen,
            outcome=outcome,
            suspended_fen=suspended_fen,
            collection_no=command.collection_no,
        )

    def _clocks(self, after: CollectionState) -> tuple[DeadlineChange, ...]:
        """Until its end the moment at which it expires is a deadline; whoever finds it passed looks after it."""
        ran = self.version > 0 and not self.state.has_ended
        runs = not after.has_ended
        if ran == runs:
            return ()
        due = after.expires_at if runs else None
        return (DeadlineChange(object_kind="pay_in", object_no=self.pay_in_no, name="expiry", due_at=due),)

    def _step(
        self,
        event_type: str,
        command: Any,
        entry: JournalEntry | None = None,
        bases: tuple[Basis, ...] = (),
        *,
        waits_fen: int = 0,
    ) -> Decision:
        """The decision of one command; `waits_fen` of its payment waits in suspense from now on."""
        follows: tuple[Change, ...] = ()
        if waits_fen:
            member_no = self.state.purpose.member_no
            number = command.payment.payment_no
            follows = (suspended_credit(payment_no=number, amount_fen=waits_fen, collected_for=member_no),)
        return Decision(
            request_no=command.own_no(self.pay_in_no) or "",
            event_type=event_type,
            event={},
            answer={},
            entry=entry,
            bases=bases,
            follows=follows,
        )


_ABSENT = object()
_Decided = tuple[CollectionState, Decision]
