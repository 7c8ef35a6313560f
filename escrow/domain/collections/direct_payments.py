"""What an order knows of a payment that a channel collected for just this order."""

from datetime import date
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.requests import derived


class DirectPaid(BaseModel):
    """A payment that a channel collected for one order: what it needs to freeze it, and later to refund it.

    Args:
        consent_no: number of the owner's consent to pay.
        pay_in_no: what had it collected; `collection_no` is our number of that at the channel.
        settles_on: day on which its money reaches the custody account.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    consent_no: str
    pay_in_no: str
    collection_no: str
    method: CollectionMethod
    payment_no: str
    paid_fen: int
    settles_on: date


def direct_refund_no(order_no: str, number: int = 1) -> str:
    """Our number at the channel of what an order has let go; another one only where the one before never arrived."""
    return derived(order_no, "refund", number)


class DirectRefundStatus(StrEnum):
    """How a refund through its channel ended: with the payer, or in the owner's sub-account."""

    UNDER_WAY = "under_way"
    REFUNDED = "refunded"
    CREDITED = "credited"
