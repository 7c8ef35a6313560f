"""Commands to something that is collected: that it be opened, and what was seen of its way through the channel.

Only `Open` comes from outside: everything else is given to the books by the activity that asked the channel. Each
names the number under which it is posted, so that a repeat finds it, whatever has happened since.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from escrow.domain.collections.methods import ChannelPayment, payment_booking_no
from escrow.domain.collections.state import return_no
from escrow.domain.collections.terms import COLLECT, TOP_UP, opening_consent_no
from escrow.domain.decisions import Fact, GivenConsent, Unsaid
from escrow.domain.requests import derived


class BooksCommand(Unsaid, BaseModel):
    """Base: immutable; a field that a newer version knows is carried past an older one."""

    model_config = ConfigDict(frozen=True)


class Open(BooksCommand):
    """What was asked for is entered in the books, and the channel may be asked to collect.

    Args:
        said_as: number of the consent that asks for it.
    """

    name: Literal["open"] = "open"
    said_as: str

    @property
    def consent_no(self) -> str | None:
        """Number of the consent that asks for it; money will stand on it, or on the consent to what is paid."""
        return self.said_as

    @property
    def needs(self) -> frozenset[Fact]:
        """All that says whether this may be collected."""
        return frozenset({Fact.CONFIG, Fact.MEMBERS, Fact.PAYS})

    def own_no(self, pay_in_no: str) -> str | None:
        """It is opened once. Not `X:open`: a platform may have an order of the same number."""
        return opening_consent_no(pay_in_no)

    def is_said_in(self, consent: GivenConsent, pay_in_no: str) -> bool:
        """Whether a consent asks for just this."""
        return (consent.object_kind, consent.object_no) == ("pay_in", pay_in_no) and consent.operation in (
            TOP_UP,
            COLLECT,
        )


class BeginAsking(BooksCommand):
    """A channel is about to be asked to collect. Whoever posts this asks; whoever finds it posted asks about it.

    Args:
        number: of the order to collect, from 1.
        last_was: what became of the one before, None for the first.
        debit_channel, route: of a direct debit: over which channel, and why.
    """

    name: Literal["begin_asking"] = "begin_asking"
    number: int
    last_was: Literal["failed", "lost"] | None = None
    reason: str | None = None
    debit_channel: str | None = None
    route: tuple[str, ...] = ()

    def own_no(self, pay_in_no: str) -> str | None:
        """Each order to collect begins once."""
        return derived(pay_in_no, "asking", self.number)

    def content(self) -> Mapping[str, Any]:
        """What a repeat is known by, over whichever channel it would have gone."""
        return {"number": self.number}


class ChannelShows(BooksCommand):
    """A channel has the order to collect: what it has the payer do, or that nobody has anything to do any more."""

    name: Literal["channel_shows"] = "channel_shows"
    number: int
    interaction: dict[str, Any] | None

    def own_no(self, pay_in_no: str) -> str | None:
        """Once for each order to collect."""
        return derived(pay_in_no, "asked", self.number)

    def content(self) -> Mapping[str, Any]:
        """What a repeat is known by."""
        return {"number": self.number}


class PayerHasActed(BooksCommand):
    """The payer has done what it had to do; the bank is at it."""

    name: Literal["payer_has_acted"] = "payer_has_acted"

    def own_no(self, pay_in_no: str) -> str | None:
        """Once."""
        return derived(pay_in_no, "processing")


class CodeSent(BooksCommand):
    """The payer was sent another code, good until then."""

    name: Literal["code_sent"] = "code_sent"
    request_no: str
    expires_at: AwareDatetime

    def own_no(self, pay_in_no: str) -> str | None:
        """Once for each wish."""
        return derived(pay_in_no, "code", self.request_no)

    def content(self) -> Mapping[str, Any]:
        """What a repeat is known by."""
        return {"request_no": self.request_no}


class _OfPayment(BooksCommand):
    """Something about a payment that the channel says it took, brought by an order to collect of ours."""

    collection_no: str
    payment: ChannelPayment

    def content(self) -> Mapping[str, Any]:
        """What a repeat is known by."""
        return {"payment_no": self.payment.payment_no, "paid_fen": self.payment.amount_fen}


class BookPayment(_OfPayment):
    """A payment is credited on its consent where it may be, or waits in suspense; once, whichever is first.

    Args:
        goes_back: why it is not for what was asked; None where it may be.
    """

    name: Literal["book_payment"] = "book_payment"
    goes_back: str | None = None

    @property
    def needs(self) -> frozenset[Fact]:
        """Who is credited, and when its money is withdrawable."""
        return frozenset({Fact.MEMBERS, Fact.CONFIG})

    def own_no(self, pay_in_no: str) -> str | None:
        """The payment's own number, whoever books it."""
        return payment_booking_no(self.payment.payment_no)


class TakenByPaid(_OfPayment):
    """The order or batch that is paid has frozen the payment; `left_fen` of it waits in suspense."""

    name: Literal["taken_by_paid"] = "taken_by_paid"
    left_fen: int

    def own_no(self, pay_in_no: str) -> str | None:
        """It is paid once."""
        return derived(pay_in_no, "paid")


class BookedElsewhere(_OfPayment):
    """Somebody else has booked a payment under its number: an operator is to look where its money is."""

    name: Literal["booked_elsewhere"] = "booked_elsewhere"

    def own_no(self, pay_in_no: str) -> str | None:
        """Once for each payment."""
        return derived(pay_in_no, "elsewhere", self.payment.payment_no)


class End(BooksCommand):
    """Nobody can pay any more: the channel has closed it or says that it failed, or no channel collects it."""

    name: Literal["end"] = "end"
    how: Literal["closed", "failed"]
    reason: str
    reason_code: str | None = None
    last_was: Literal["failed", "lost"] | None = None
    was_never_open: bool = False

    def own_no(self, pay_in_no: str) -> str | None:
        """Once. Not `X:close`: a platform may have an order of the same number."""
        return derived("", "pay_in", pay_in_no, "close") if self.how == "closed" else derived(pay_in_no, "fail")

    def content(self) -> Mapping[str, Any]:
        """What a repeat is known by."""
        return {"how": self.how}


class HoldReturn(BooksCommand):
    """What of a payment waits in suspense is held, since its channel is about to be asked to give it back.

    Whoever posts this asks the channel; whoever finds it posted asks about it.
    """

    name: Literal["hold_return"] = "hold_return"
    number: int
    payment_no: str

    @property
    def needs(self) -> frozenset[Fact]:
        """What waits there: it may have been assigned meanwhile."""
        return frozenset({Fact.SUSPENDED})

    def own_no(self, pay_in_no: str) -> str | None:
        """Each return is held once."""
        return derived(return_no(pay_in_no, self.number), "hold")

    def content(self) -> Mapping[str, Any]:
        """What a repeat is known by."""
        return {"payment_no": self.payment_no}


class EndReturn(BooksCommand):
    """The channel says how a return ended: `refunded_fen` was given back, None for nothing, which `reason` explains.

    Args:
        is_lost: nothing was given back, since the channel never got it and never will.
    """

    name: Literal["end_return"] = "end_return"
    number: int
    refunded_fen: int | None
    is_lost: bool = False
    reason: str | None = None

    def own_no(self, pay_in_no: str) -> str | None:
        """Each return ends once."""
        return derived(return_no(pay_in_no, self.number), "end")

    def content(self) -> Mapping[str, Any]:
        """What a repeat is known by."""
        return {"number": self.number, "refunded_fen": self.refunded_fen}


class CallOperator(BooksCommand):
    """An operator is needed: as whoever asked the channel found, or since time passed without an answer.

    Args:
        reason: None for what is overdue.
        seen_version: of the object when that was found.
    """

    name: Literal["call_operator"] = "call_operator"
    reason: str | None
    seen_version: int

    def own_no(self, object_no: str) -> str | None:
        """Once for one state of the object; orders and their refunds call operators under numbers of their own."""
        return derived("", "attention", object_no, self.seen_version)


class OperatorCame(BooksCommand):
    """An operator has looked after what it was called for; `seen_version` is the object's when that was said."""

    name: Literal["operator_came"] = "operator_came"
    seen_version: int

    def own_no(self, pay_in_no: str) -> str | None:
        """Once for one state of the object; an order of the same number is attended to under another one."""
        return derived("", "attended", pay_in_no, self.seen_version)


CollectionCommand = (
    Open
    | BeginAsking
    | ChannelShows
    | PayerHasActed
    | CodeSent
    | BookPayment
    | TakenByPaid
    | BookedElsewhere
    | End
    | HoldReturn
    | EndReturn
    | CallOperator
    | OperatorCame
)


def pending_until(*, settles_on: date, is_settled: bool, today: date, is_t_plus_1: bool) -> date | None:
    """Accounting day whose closing makes a channel's money withdrawable, None for at once.

    Args:
        settles_on: day on which its money reaches the custody account.
        today: the open accounting day.
        is_t_plus_1: whether even settled money waits until the day is closed.
    """
    if not is_settled:
        return max(today, settles_on)
    return today if is_t_plus_1 else None
