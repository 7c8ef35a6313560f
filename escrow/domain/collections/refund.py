"""The refund of an order through the channel that collected its price, as the books decide it.

It is written by the posting that let the money go, with what goes back to whom. The channel is asked once, and anew
only for what it never got and never will; what it does not give back is the owner's in its sub-account.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from escrow.domain.collections.commands import BooksCommand
from escrow.domain.collections.direct_payments import DirectPaid, DirectRefundStatus, direct_refund_no
from escrow.domain.collections.recipes import channel_refunded, refund_credited
from escrow.domain.collections.state import LOST_AT_MOST, OPERATOR_AFTER
from escrow.domain.collections.states import REFUND_TRANSITIONS, RefundEvent
from escrow.domain.decisions import Decision, Facts, NotDue, NotInBooks, ObjectKind, Stored
from escrow.domain.documents import OptionalText
from escrow.domain.errors import Refused
from escrow.domain.money.journal import Basis, DeadlineChange, JournalEntry
from escrow.domain.platforms.sms_texts import TEXT_CLOCK, TRIED_FOR
from escrow.domain.requests import derived
from escrow.domain.transitions import moved


class BeginRefund(BooksCommand):
    """The channel is about to be asked. Whoever posts this asks; whoever finds it posted asks what became of it.

    Args:
        number: how many times it is asked with this; what it never got counts.
    """

    name: Literal["begin_refund"] = "begin_refund"
    number: int = 1

    def own_no(self, order_no: str) -> str | None:
        """Each is begun once."""
        return derived(direct_refund_no(order_no, self.number), "begin")


class EndRefund(BooksCommand):
    """The channel says how it ended: `refunded_fen` was given back, None for nothing, which `reason` explains.

    Args:
        number: which asking ended, counted from 1.
        is_lost: nothing was given back, since the channel never got it and never will.
    """

    name: Literal["end_refund"] = "end_refund"
    number: int = 1
    refunded_fen: int | None
    is_lost: bool = False
    reason: str | None = None

    def own_no(self, order_no: str) -> str | None:
        """Each ends once."""
        return derived(direct_refund_no(order_no, self.number), "end")

    def content(self) -> Mapping[str, Any]:
        """What a repeat is known by."""
        return {"refunded_fen": self.refunded_fen}


class OwnerTold(BooksCommand):
    """The owner was told that it has the money in its sub-account; or could not be, by `failure`, and is no more."""

    name: Literal["owner_told"] = "owner_told"
    failure: str | None = None

    def own_no(self, order_no: str) -> str | None:
        """Once."""
        return derived(direct_refund_no(order_no), "told")


class CallOperatorToRefund(BooksCommand):
    """An operator is needed for a refund; `reason` is None for what is overdue."""

    name: Literal["call_operator"] = "call_operator"
    reason: str | None
    seen_version: int

    def own_no(self, order_no: str) -> str | None:
        """Once for one state of the refund: a platform may have a top-up of the same number as the order."""
        return derived(direct_refund_no(order_no), "attention", self.seen_version)


RefundCommand = BeginRefund | EndRefund | OwnerTold | CallOperatorToRefund


class RefundState(BaseModel):
    """The state of a refund, in fen.

    Args:
        direct: the payment of which it is.
        begun_at: when the channel was asked; None before, and in books of the first release.
        lost: how often it was asked and never got it.
        credited_at: when the owner had the money otherwise than it paid it; None in books of the first release.
        told: whether it was told so.
        untold: why it could not be, and is not any more.
        attention: why an operator is needed.
    """

    model_config = ConfigDict(frozen=True)

    status: DirectRefundStatus
    order_no: str
    owner_no: str
    amount_fen: int
    direct: DirectPaid
    reason: OptionalText = None
    begun_at: AwareDatetime | None = None
    lost: int = 0
    credited_at: AwareDatetime | None = None
    told: bool = False
    untold: OptionalText = None
    attention: str | None = None

    @property
    def asking(self) -> int:
        """Which asking is under way, or due, counted from 1."""
        return self.lost + 1

    @property
    def must_be_told(self) -> bool:
        """Whether its owner is still to be told of the money in its sub-account."""
        return self.status is DirectRefundStatus.CREDITED and not self.told and self.untold is None

    @property
    def told_until(self) -> datetime | None:
        """Until when that is tried; None where nobody is to be told, and without end in books of the first release."""
        return self.credited_at + TRIED_FOR if self.must_be_told and self.credited_at is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """One refund; `written` is its document as the books have it."""

    platform_no: str
    state: RefundState
    version: int
    written: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_document(cls, stored: Stored) -> Self:
        """A refund that stands in the books."""
        return cls(
            platform_no=stored.platform_no,
            state=RefundState.model_validate({**stored.body, "status": stored.status}),
            version=stored.version,
            written=stored.body,
        )

    @property
    def status(self) -> str:
        """Its status in the books."""
        return self.state.status.value

    def document(self) -> dict[str, Any]:
        """Its whole document."""
        return self.state.model_dump(mode="json", exclude={"status"})

    def told(self, command: Any) -> dict[str, Any]:
        """How it stands: all that is told of a step of the first release, whose answers were not kept."""
        return {"status": self.status}

    def decide(self, command: Any, *, at: datetime, facts: Facts) -> tuple["Refund", Decision]:
        """The refund after a command, and what that does to the money.

        Args:
            at: the books' time.

        Raises:
            Refused: a rule says no.
            NotDue: nothing is overdue yet.
        """
        entry: JournalEntry | None = None
        match command:
            case BeginRefund():
                self._require_under_way(command.number)
                after, event_type = self.state.model_copy(update={"begun_at": at}), "refund.asked"
            case EndRefund(refunded_fen=None, is_lost=True) if self.state.asking < LOST_AT_MOST:
                self._require_under_way(command.number)
                after, event_type = self._lost(command), "refund.lost"
            case EndRefund():
                self._require_under_way(command.number)
                after, entry = self._ended(command, at, facts)
                event_type = f"refund.{after.status}"
            case OwnerTold():
                if self.state.status is not DirectRefundStatus.CREDITED:
                    raise Refused("refund_state", f"Nothing of {self.state.order_no} was credited to its owner.")
                is_told = command.failure is None
                after = self.state.model_copy(update={"told": is_told, "untold": command.failure})
                event_type = "refund.owner_told" if is_told else "refund.owner_not_told"
            case CallOperatorToRefund():
                after, event_type = self._flagged(command, at), "refund.needs_attention"
            case _:
                raise Refused("refund_state", f"The refund of {self.state.order_no} takes no such command.")
        refund = replace(self, state=after, version=self.version + 1)
        written = refund.document()
        clock = DeadlineChange(
            object_kind="refund", object_no=self.state.order_no, name=TEXT_CLOCK, due_at=after.told_until
        )
        return refund, Decision(
            request_no=command.own_no(self.state.order_no) or "",
            event_type=event_type,
            event={name: value for name, value in written.items() if self.written.get(name, _ABSENT) != value},
            answer={"status": refund.status},
            entry=entry,
            bases=() if entry is None else (Basis(kind="none"),),
            deadlines=() if after.told_until == self.state.told_until else (clock,),
        )

    def overdue_at(self) -> datetime | None:
        """When an operator is to be called, if the channel does not end it until then."""
        if self.state.status is not DirectRefundStatus.UNDER_WAY or self.state.begun_at is None:
            return None
        return self.state.begun_at + OPERATOR_AFTER

    def _lost(self, command: EndRefund) -> RefundState:
        """It is asked anew, under another number."""
        lost = {"lost": self.state.asking, "begun_at": None, "reason": command.reason, "attention": None}
        return self.state.model_copy(update=lost)

    def _ended(self, command: EndRefund, at: datetime, facts: Facts) -> tuple[RefundState, JournalEntry]:
        state = self.state
        went_back = command.refunded_fen is not None
        if went_back and command.refunded_fen != state.amount_fen:
            raise Refused("payment_differs", f"The channel gave back another amount for {state.order_no}.")
        event = RefundEvent.GIVEN_BACK if went_back else RefundEvent.NOT_GIVEN_BACK
        status = moved(REFUND_TRANSITIONS, state.status, event, code="refund_state")
        after = state.model_copy(update={"status": status, "reason": command.reason, "attention": None})
        if went_back:
            return after, channel_refunded(
                platform_no=self.platform_no,
                channel=state.direct.method,
                payment_no=state.direct.payment_no,
                amount_fen=state.amount_fen,
            )
        after = after.model_copy(update={"credited_at": at})
        # Money that its channel has not settled stays pending until its settlement day is closed.
        settles_on = state.direct.settles_on
        return after, refund_credited(
            platform_no=self.platform_no,
            owner_no=state.owner_no,
            payment_no=state.direct.payment_no,
            amount_fen=state.amount_fen,
            pending_day=settles_on if settles_on >= facts.accounting_day else None,
        )

    def _flagged(self, command: CallOperatorToRefund, at: datetime) -> RefundState:
        reason, overdue_at = command.reason, self.overdue_at()
        if reason is None:
            if overdue_at is None or self.state.attention is not None:
                raise Refused("refund_state", f"The refund of {self.state.order_no} is not overdue.")
            if overdue_at > at:
                raise NotDue(f"The refund of {self.state.order_no} is not overdue.", remaining=overdue_at - at)
            reason = "the channel has not said for a day what became of the refund: ask it"
        return self.state.model_copy(update={"attention": reason})

    def _require_under_way(self, number: int) -> None:
        if self.state.status is not DirectRefundStatus.UNDER_WAY:
            raise Refused("refund_state", f"The refund of {self.state.order_no} has ended.")
        if number != self.state.asking:
            raise Refused("refund_state", f"No refund {number} of {self.state.order_no} is under way.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoRefund(NotInBooks):
    """Nothing that a channel collected for this order was let go."""

    order_no: str

    def decide(self, command: Any, *, at: datetime, facts: Facts) -> tuple[Refund, Decision]:
        """Nothing can be done about it.

        Raises:
            Refused: `not_found`.
        """
        raise Refused("not_found", f"The order {self.order_no} has let nothing go that a channel collected.")


def restored(stored: Stored) -> Refund | NoRefund:
    """The refund as the books have it, or none."""
    return NoRefund(order_no=stored.object_no) if stored.version == 0 else Refund.of_document(stored)


REFUNDS = ObjectKind(name="refund", of=Refund, restored=restored)

_ABSENT = object()
