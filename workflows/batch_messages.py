"""Payloads of batch payments. They hold references, never names, account numbers or mobiles."""

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from escrow.domain.collections.batch_payments import BATCH_PAYMENT, MOST_ORDERS, BatchStatus, PaidBy
from workflows.messages import Message, NotedMessage


class BatchPaymentInput(Message):
    """Starts the payment of a list of orders of one owner; what they cost and whom they pay is in the books.

    Args:
        expires_at: until when a channel collects; None from the balance.
        return_url: where the payer's browser goes after paying, where the method has one.
        account_id: the payer's bound card that a quick payment is made from.
        mandate_no: the payer's mandate under which a direct debit is made.
        collect_consent: number of the payer's consent to be debited for the batch, where it is.
    """

    platform_no: str
    batch_no: str
    payer_no: str
    order_nos: tuple[str, ...] = Field(min_length=1, max_length=MOST_ORDERS)
    paid_by: PaidBy
    expires_at: AwareDatetime | None = None
    return_url: str = ""
    account_id: str = ""
    mandate_no: str = ""
    collect_consent: str = ""


class BatchPaymentState(BaseModel):
    """The whole state of a batch: `frozen_fen` in fen, `told` the orders that know that they are paid."""

    model_config = ConfigDict(extra="forbid")

    status: BatchStatus = BatchStatus.AWAITING_PAYMENT
    paid: tuple[str, ...] = ()
    frozen_fen: int = 0
    told: list[str] = []
    reason: str = ""
    attention: str = ""
    noted: list[NotedMessage] = []


class PaidInBatch(Message):
    """A batch tells an order that it is paid; the order looks into the books."""

    batch_no: str


class OrderKnows(Message):
    """An order tells a batch that it goes on as paid, or that the books do not say so."""

    order_no: str
    is_paid: bool


class BatchPaymentOutcome(Message):
    """How a batch ended, in fen."""

    batch_no: str
    status: BatchStatus
    frozen_fen: int
    reason: str = ""


#: Names of the signals between a batch and its orders.
PAID_IN_BATCH, ORDER_KNOWS = "paid_in_batch", "order_knows"


def batch_payment_workflow_id(platform_no: str, batch_no: str) -> str:
    """Id of the workflow of one batch payment."""
    return f"{BATCH_PAYMENT}/{platform_no}/{batch_no}"
