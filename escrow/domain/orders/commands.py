"""Commands to an order: what parties say, what the passing of time does, what was seen to be done.

A party's command stands on a recorded consent, whose number it carries. What only we can know (that the owner was
reminded, that a channel took a payment) is no message: the activity that did or asked it gives it to the books itself.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from escrow.domain.collections.direct_payments import DirectPaid
from escrow.domain.collections.methods import payment_booking_no
from escrow.domain.decisions import Fact, GivenConsent, Unsaid
from escrow.domain.money.journal import BasisKind
from escrow.domain.orders.contract import opening_consent_no
from escrow.domain.orders.state import OrderState
from escrow.domain.orders.states import OrderCommand
from escrow.domain.requests import derived

#: What a release may have to know: whether money that waits for the end of this day came otherwise than by the bank.
_RELEASING = frozenset({Fact.UNSETTLED})
_NEEDS: Mapping[OrderCommand, frozenset[Fact]] = {
    OrderCommand.PAY: frozenset({Fact.BALANCES, Fact.MEMBERS}),
    OrderCommand.START: _RELEASING,
    OrderCommand.ACCEPT: _RELEASING,
}


class _OrderCommand(Unsaid, BaseModel):
    """Base: immutable; a field that a newer version knows is carried past an older one."""

    model_config = ConfigDict(frozen=True)

    def uses(self, order_no: str) -> tuple[BasisKind, str] | None:
        """Kind and reference of the basis that it uses up."""
        return None if self.consent_no is None else ("consent", self.consent_no)


class PartyCommand(_OrderCommand):
    """What owner or contractor tell an order.

    Args:
        operation: what they want.
        request_no: number of the recorded consent; also the caller's idempotency key.
        by: member number of the party in whose name this is said.
        milestone: number of the milestone for commands that concern one.
        note: free text shown to operators (what is to be rectified, why cancelled); no personal data.
        seen_version: version of the order that the sender had read, None when it read none.
    """

    operation: OrderCommand
    request_no: str = Field(min_length=1, max_length=128)
    by: str = Field(min_length=1, max_length=64)
    milestone: int | None = Field(default=None, ge=1)
    note: str = Field(default="", max_length=500)
    seen_version: int | None = None

    @property
    def name(self) -> str:
        """Kind of command."""
        return self.operation.value

    @property
    def consent_no(self) -> str | None:
        """The caller's request number."""
        return self.request_no

    @property
    def needs(self) -> frozenset[Fact]:
        """Facts that deciding it takes."""
        return _NEEDS.get(self.operation, frozenset()) | {Fact.CONFIG}

    def own_no(self, order_no: str) -> str | None:
        """A proposal to cancel uses no consent up yet: its own number tells a repeat."""
        return proposal_no(order_no, self.request_no) if self.operation is OrderCommand.CANCEL else None

    def content(self) -> Mapping[str, Any]:
        """What a repeat is known by."""
        return {"by": self.by, "milestone": self.milestone, "consent": self.request_no}

    def is_said_in(self, consent: GivenConsent, order_no: str) -> bool:
        """Whether a consent says just this about just this order."""
        said = (consent.object_kind, consent.object_no, consent.operation, consent.given_by)
        return (
            said == ("order", order_no, self.operation.value, self.by)
            and consent.terms.get("milestone") == self.milestone
            and not consent.terms.get("method")
        )


class Open(_OrderCommand):
    """The platform opens the order by the contract that it recorded with its consent."""

    name: Literal["open"] = "open"
    order_no: str

    @property
    def consent_no(self) -> str | None:
        """Number of the platform's consent to the contract."""
        return opening_consent_no(self.order_no)

    @property
    def needs(self) -> frozenset[Fact]:
        """Facts that deciding it takes."""
        return frozenset({Fact.MEMBERS, Fact.CONFIG})

    def content(self) -> Mapping[str, Any]:
        """What a repeat is known by."""
        return {"consent": self.consent_no}

    def is_said_in(self, consent: GivenConsent, order_no: str) -> bool:
        """Whether a consent says just this about just this order."""
        said = (consent.object_kind, consent.object_no, consent.operation)
        return said == ("order", order_no, "open") and order_no == self.order_no


class DeadlinePassed(_OrderCommand):
    """Time has passed: `deadline` is one of the names that the order's view gives, e.g. `M2:inspection:1`."""

    name: Literal["deadline_passed"] = "deadline_passed"
    deadline: str

    @property
    def needs(self) -> frozenset[Fact]:
        """Silence never outruns a recorded word, so it must know which words are recorded."""
        return _RELEASING | {Fact.ASKED}

    def uses(self, order_no: str) -> tuple[BasisKind, str] | None:
        """A deadline passes once."""
        return "deadline", deadline_reference(order_no, self.deadline)

    def content(self) -> Mapping[str, Any]:
        """What a repeat is known by."""
        return {"deadline": self.deadline}


class OwnerReminded(_OrderCommand):
    """The owner was told by SMS that silence is about to count in this round of inspection."""

    name: Literal["owner_reminded"] = "owner_reminded"
    milestone: int
    round: int

    def own_no(self, order_no: str) -> str | None:
        """Once in each round."""
        return derived(order_no, f"M{self.milestone}", "reminded", self.round)

    def content(self) -> Mapping[str, Any]:
        """What a repeat is known by."""
        return {"milestone": self.milestone, "round": self.round}


class PaidDirectly(_OrderCommand):
    """A channel says that it took this payment for just this order; what is above the price waits in suspense."""

    name: Literal["paid_directly"] = "paid_directly"
    payment: DirectPaid

    @property
    def consent_no(self) -> str | None:
        """The owner's consent to pay so."""
        return self.payment.consent_no

    @property
    def needs(self) -> frozenset[Fact]:
        """Facts that deciding it takes."""
        return frozenset({Fact.MEMBERS, Fact.CONFIG})

    def uses(self, order_no: str) -> tuple[BasisKind, str] | None:
        """None by which a repeat is known: another payment may come under the same consent."""
        return None

    def own_no(self, order_no: str) -> str | None:
        """The payment's own number: it is booked once, for the order, or by what had it collected."""
        return payment_booking_no(self.payment.payment_no)

    def content(self) -> Mapping[str, Any]:
        """What a repeat is known by."""
        return {"payment_no": self.payment.payment_no, "paid_fen": self.payment.paid_fen}

    def is_said_in(self, consent: GivenConsent, order_no: str) -> bool:
        """Whether a consent says just this about just this order."""
        said = (consent.object_kind, consent.object_no, consent.operation, consent.terms.get("method"))
        return said == ("order", order_no, OrderCommand.PAY.value, self.payment.method.value) and self.pays(
            order_no, consent.terms["amount_fen"]
        )

    def pays(self, order_no: str, price_fen: int) -> bool:
        """Whether it was collected for just this order and covers its price: no other payment spoils the consent."""
        payment = self.payment
        return (
            payment.pay_in_no.startswith(derived(order_no, "pay", ""))
            and payment.collection_no.startswith(derived(payment.pay_in_no, "collect", ""))
            and payment.paid_fen >= price_fen
        )


class CallOperator(_OrderCommand):
    """An operator is needed; `seen_version` is the order's when that was found."""

    name: Literal["call_operator"] = "call_operator"
    reason: str
    seen_version: int

    def own_no(self, order_no: str) -> str | None:
        """Once for one state of the order."""
        return derived(order_no, "attention", self.seen_version)

    def content(self) -> Mapping[str, Any]:
        """What a repeat is known by."""
        return {"reason": self.reason}


class OperatorCame(_OrderCommand):
    """An operator has looked after what it was called for; `seen_version` is the order's when that was said."""

    name: Literal["operator_came"] = "operator_came"
    seen_version: int

    def own_no(self, order_no: str) -> str | None:
        """Once for one state of the order."""
        return derived(order_no, "attended", self.seen_version)

    def content(self) -> Mapping[str, Any]:
        """What a repeat is known by."""
        return {"seen_version": self.seen_version}


def answer_to(command: object, after: OrderState, **amounts_fen: int) -> dict[str, Any]:
    """What the caller is told of what a command did.

    Args:
        after: the order after it.
        amounts_fen: what it moved: `released_fen` net of commission, `commission_fen`, `refunded_fen`.
    """
    said = command if isinstance(command, PartyCommand) else None
    return {
        "request_no": said and said.request_no,
        "operation": said and said.operation.value,
        "order_status": after.status.value,
        "milestone": said and said.milestone,
        **{"released_fen": 0, "commission_fen": 0, "refunded_fen": 0, **amounts_fen},
    }


def deadline_reference(order_no: str, deadline: str) -> str:
    """How a basis names a deadline of an order."""
    return f"order/{order_no}/{deadline}"


def proposal_no(order_no: str, request_no: str) -> str:
    """Number under which one side's wish to cancel is recorded."""
    return derived(order_no, "propose-cancel", request_no)
