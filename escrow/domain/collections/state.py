"""What has happened to something that is collected since it was asked for: a value, and its form in the books."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.collections.purposes import Purpose, document_of, purpose_of
from escrow.domain.collections.terms import (
    DEBITS_A_MEMBER,
    CollectionStatus,
    collection_operation_hash,
    collection_terms,
    opening_consent_no,
)
from escrow.domain.documents import OptionalText
from escrow.domain.requests import derived

#: How long after its end a collection is still looked at for payments that come late.
WATCHED_FOR = timedelta(days=2)
#: A payer is given at most so long.
LONGEST_OPEN = timedelta(days=1)
#: So often may what is asked of a channel be lost on its way before it counts as failed.
LOST_AT_MOST = 2
#: What a channel has not ended after this long is an operator's.
OPERATOR_AFTER = timedelta(hours=24)


class _Happened(BaseModel):
    model_config = ConfigDict(frozen=True)


class Asked(_Happened):
    """One order to collect, to one channel. `asked` until it is known that nothing comes of it.

    Args:
        debit_channel: of a direct debit: over which channel.
        asked_at: when it was recorded, just before it was sent; None in books of the first release.
    """

    number: int
    debit_channel: str | None = None
    outcome: Literal["asked", "failed", "lost"] = "asked"
    asked_at: AwareDatetime | None = None


class TakenPayment(_Happened):
    """One payment that the channel took, and what became of it, in fen.

    Args:
        collection_no: our number at the channel of the order to collect that brought it.
        suspended_fen: what of it is neither credited nor given back.
        stays: what is suspended of it stays there; it is not given back (any more).
    """

    payment_no: str
    amount_fen: int
    fee_fen: int
    outcome: Literal["credited", "suspended", "returned"]
    suspended_fen: int = 0
    collection_no: str | None = None
    stays: bool = False


class Return(_Happened):
    """Money of one payment that goes back through its channel; `held` until the channel has said how that ended.

    Args:
        outcome: `lost` when the channel never got it and never will.
        held_at: when it was held, just before the channel is asked; None in books of the first release.
    """

    number: int
    payment_no: str
    amount_fen: int
    outcome: Literal["held", "returned", "failed", "lost"] = "held"
    held_at: AwareDatetime | None = None


class CollectionState(_Happened):
    """The state of something that is collected; amounts in fen.

    Args:
        subject: what the payer is shown.
        expires_at: after it the channel is to take no payment.
        return_url: where the payer's browser goes after paying, where the method has one.
        asked_as: number of the consent that asks for it; None in books of the first release.
        interaction: what the payer has to do, as the channel said; None when nothing (any more).
        codes_sent: wishes for another code that were carried out, by their numbers.
        asked: the orders to collect.
        reason: why it was closed or failed, or why something goes back.
        reason_code: stable code of the rule that said no before anything was sent.
        debit_route: of a direct debit: why which channel was or was not taken.
        watched_until: until when it is looked at for late payments; None when nobody can have paid.
        config_version: of the platform's configuration that it is judged by; None in books of the first release.
        counted_on: day on whose limit it counts.
        attention: why an operator is needed.
    """

    status: CollectionStatus
    purpose: Purpose
    method: CollectionMethod
    amount_fen: int
    account_id: OptionalText = None
    mandate_no: OptionalText = None
    subject: str | None = None
    return_url: str | None = None
    expires_at: AwareDatetime
    asked_as: str | None = None
    config_version: int | None = None
    counted_on: date | None = None
    interaction: dict[str, Any] | None = None
    codes_sent: tuple[str, ...] = ()
    asked: tuple[Asked, ...] = ()
    payments: tuple[TakenPayment, ...] = ()
    returns: tuple[Return, ...] = ()
    reason: OptionalText = None
    reason_code: OptionalText = None
    debit_channel: OptionalText = None
    debit_route: tuple[str, ...] = ()
    watched_until: AwareDatetime | None = None
    attention: OptionalText = None

    @classmethod
    def of_document(cls, platform_no: str, pay_in_no: str, status: str, body: Mapping[str, Any]) -> Self:
        """The state as the books have it; texts that say nothing are empty there."""
        known = {name: value for name, value in body.items() if name in cls.model_fields and value != ""}
        terms = collection_terms(
            method=body["method"],
            amount_fen=body["amount_fen"],
            account_id=body["account_id"],
            mandate_no=body["mandate_no"],
        )
        digest = collection_operation_hash(
            platform_no=platform_no, pay_in_no=pay_in_no, by=body["member_no"], terms=terms
        )
        known["purpose"] = purpose_of(body, opening_consent_no(pay_in_no), digest)
        if "asked" not in body and status != CollectionStatus.OPENED:
            known["asked"] = ({"number": 1, "debit_channel": body["debit_channel"] or None},)
        return cls.model_validate({**known, "status": status})

    def document(self) -> dict[str, Any]:
        """Its form in the books; the status has a column of its own."""
        plain = self.model_dump(mode="json", exclude={"status", "purpose"})
        return plain | document_of(self.purpose)

    @property
    def has_ended(self) -> bool:
        """Whether nobody is waited for any more; a payment can still come."""
        return self.status in (CollectionStatus.PAID, CollectionStatus.CLOSED, CollectionStatus.FAILED)

    @property
    def is_credited(self) -> bool:
        """Whether what was asked for was credited, or frozen for what it pays."""
        return self.status is CollectionStatus.PAID

    @property
    def is_debit(self) -> bool:
        """Whether an account is debited under a mandate, with nobody there to pay."""
        return self.method is CollectionMethod.DIRECT_DEBIT

    @property
    def debits_a_member(self) -> bool:
        """Whether a known member's account is debited."""
        return self.method in DEBITS_A_MEMBER

    @property
    def open_asking(self) -> Asked | None:
        """The order to collect that may still bring something."""
        return self.asked[-1] if self.asked and self.asked[-1].outcome == "asked" else None

    @property
    def open_return(self) -> Return | None:
        """The return that its channel has not ended."""
        return self.returns[-1] if self.returns and self.returns[-1].outcome == "held" else None

    @property
    def to_give_back(self) -> TakenPayment | None:
        """The first payment of which something is to go back."""
        return next((item for item in self.payments if item.suspended_fen and not item.stays), None)

    def payment(self, payment_no: str) -> TakenPayment | None:
        """A payment that was booked."""
        return next((item for item in self.payments if item.payment_no == payment_no), None)

    def with_payment(self, payment_no: str, **changes: Any) -> tuple[TakenPayment, ...]:
        """The payments with one changed."""
        return tuple(
            item.model_copy(update=changes) if item.payment_no == payment_no else item for item in self.payments
        )

    def overdue_at(self) -> datetime | None:
        """When an operator is to be called, if nothing ends until then."""
        if self.open_return is not None and self.open_return.held_at is not None:
            return self.open_return.held_at + OPERATOR_AFTER
        return None if self.has_ended else self.expires_at + OPERATOR_AFTER


def collection_no(pay_in_no: str, number: int) -> str:
    """Our number at the channel of one order to collect, counted from 1."""
    return derived(pay_in_no, "collect", number)


def return_no(pay_in_no: str, number: int) -> str:
    """Our number at the channel of one return, counted from 1."""
    return derived(pay_in_no, "return", number)
