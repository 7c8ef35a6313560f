"""Commands to a batch payment: that it be paid or entered, and what a channel did for it."""

from collections.abc import Mapping
from typing import Any, Literal

from escrow.domain.collections.batch_payments import (
    BATCH_PAYMENT,
    batch_consent_no,
)
from escrow.domain.collections.commands import BooksCommand
from escrow.domain.collections.direct_payments import DirectPaid
from escrow.domain.collections.methods import payment_booking_no
from escrow.domain.decisions import Fact, GivenConsent
from escrow.domain.money.journal import BasisKind
from escrow.domain.requests import derived


class _OfBatch(BooksCommand):
    """Something about the orders of a batch."""

    @property
    def needs(self) -> frozenset[Fact]:
        """The orders, and who pays and is paid."""
        return frozenset({Fact.PAYS, Fact.MEMBERS, Fact.CONFIG})

    def is_said_in(self, consent: GivenConsent, batch_no: str) -> bool:
        """Whether a consent is to pay just this batch."""
        said = (consent.object_kind, consent.object_no, consent.operation)
        return said == (BATCH_PAYMENT, batch_no, BATCH_PAYMENT)


class _Begin(_OfBatch):
    batch_no: str

    @property
    def needs(self) -> frozenset[Fact]:
        """And under what each order was opened."""
        return super().needs | {Fact.PAYS_UNDER}

    @property
    def consent_no(self) -> str | None:
        """Number of the owner's consent."""
        return batch_consent_no(self.batch_no)


class PayFromBalance(_Begin):
    """The price of every order is frozen from the owner's balance, pending money first: all of them or none."""

    name: Literal["pay_from_balance"] = "pay_from_balance"

    @property
    def needs(self) -> frozenset[Fact]:
        """And what the owner can spend."""
        return super().needs | {Fact.BALANCES}

    def uses(self, batch_no: str) -> tuple[BasisKind, str] | None:
        """The consent."""
        return "consent", batch_consent_no(batch_no)

    def own_no(self, batch_no: str) -> str | None:
        """It is paid once."""
        return derived("", BATCH_PAYMENT, batch_no, "pay")


class OpenBatch(_Begin):
    """A batch whose total a channel is to collect is entered; its consent is used when the orders are paid."""

    name: Literal["open_batch"] = "open_batch"

    def own_no(self, batch_no: str) -> str | None:
        """It is entered once."""
        return derived("", BATCH_PAYMENT, batch_no, "open")


class PaidByChannel(_OfBatch):
    """A channel says that it took this payment for just this batch."""

    name: Literal["paid_by_channel"] = "paid_by_channel"
    batch_no: str
    payment: DirectPaid

    @property
    def consent_no(self) -> str | None:
        """Number of the owner's consent."""
        return batch_consent_no(self.batch_no)

    def own_no(self, batch_no: str) -> str | None:
        """The payment's own number: it is booked once, for the batch, or by what had it collected."""
        return payment_booking_no(self.payment.payment_no)

    def content(self) -> Mapping[str, Any]:
        """What a repeat is known by."""
        return {"payment_no": self.payment.payment_no, "paid_fen": self.payment.paid_fen}


class CloseBatch(BooksCommand):
    """No channel has brought its money, and none will."""

    name: Literal["close_batch"] = "close_batch"
    reason: str

    def own_no(self, batch_no: str) -> str | None:
        """Once."""
        return derived("", BATCH_PAYMENT, batch_no, "close")


BatchCommand = PayFromBalance | OpenBatch | PaidByChannel | CloseBatch
