"""What platforms send and are answered about batch payments."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

from api.collections.collecting import Collecting
from api.collections.top_up_views import TopUpView, top_up_view
from api.dependencies import Services
from api.schemas import AmountFen, BalanceFen, Body, Number, Time, View
from escrow.domain.collections.batch_payments import (
    BATCH_PAYMENT,
    MOST_ORDERS,
    BatchStatus,
    PaidBy,
    ShareOutcome,
    batch_pay_in_no,
)
from escrow.domain.errors import Refused
from escrow.domain.operations.orders import OrderToPay, PayTogether
from escrow.domain.orders.states import OrderStatus
from escrow.ledger.objects import BusinessObject, get_object
from workflows.messages import batch_payment_workflow_id


class BatchOrder(Body):
    """One order of a batch, paid in full."""

    order_no: Number = Field(examples=["D-1001"])
    amount_fen: AmountFen = Field(description="The order's full price; a batch that names another is refused.")


def _named_once(orders: list[BatchOrder]) -> list[BatchOrder]:
    if len({order.order_no for order in orders}) < len(orders):
        raise ValueError("an order must be named once")
    return orders


class BatchOpening(Body):
    """An owner pays orders of its own together. It has consented to exactly this list and these amounts."""

    batch_no: Number = Field(examples=["B-1"])
    payer_no: Number = Field(description="The owner of all the orders.", examples=["O-1"])
    orders: Annotated[list[BatchOrder], Field(min_length=1, max_length=MOST_ORDERS), AfterValidator(_named_once)]
    collection: Collecting | None = Field(
        default=None, description="How a channel collects the total; absent: from the owner's balance."
    )

    def operation(self) -> PayTogether:
        """What is asked for with it."""
        return PayTogether(
            batch_no=self.batch_no,
            payer_no=self.payer_no,
            orders=tuple(OrderToPay(**order.model_dump()) for order in self.orders),
            collection=None if self.collection is None else self.collection.paying_by(),
        )


class BatchOrderView(View):
    """One order of a batch and what became of its share."""

    order_no: str
    payee_no: str | None = Field(description="Member who is paid as the work is accepted; null: the platform itself.")
    amount_fen: BalanceFen
    outcome: ShareOutcome = Field(
        description="`waiting` for the payer · `frozen` in the order's escrow · `returned`: the order did not wait for "
        "its payment any more, and this share goes back through the channel · `not_paid`"
    )
    order_status: OrderStatus = Field(description="Where the order stands now: once paid it lives alone.")


class BatchPaymentView(View):
    """A batch payment as the ledger has it."""

    batch_no: str
    status: BatchStatus = Field(
        description="`awaiting_payment` while a channel collects or a late payment may still come · `paid` · `closed`"
    )
    payer_no: str
    paid_by: PaidBy = Field(description="`balance`, or the collection method.")
    orders: list[BatchOrderView]
    total_fen: BalanceFen
    frozen_fen: BalanceFen = Field(description="What was frozen for orders in all.")
    collection: TopUpView | None = Field(description="What the payer has to do, and every payment the channel took.")
    reason: str = Field(description="Why it was closed; else empty.")
    updated_at: Time
    sequence_no: int = Field(description="Number of the batch's last event.")
    workflow_id: str = Field(description="Id in the Temporal UI.", examples=["batch_payment/HOME/B-1"])


async def known_batch(services: Services, platform_no: str, batch_no: str) -> BusinessObject:
    """A batch that was begun.

    Raises:
        Refused: `not_found`.
    """
    found = await get_object(services.reader, platform_no, BATCH_PAYMENT, batch_no)
    if found is None or found.status == BatchStatus.REFUSED:
        raise Refused("not_found", f"There is no batch payment {batch_no}.")
    return found


async def batch_view(services: Services, batch: BusinessObject) -> BatchPaymentView:
    """A batch as the ledger has it, with its orders as they stand now."""
    body, platform_no = batch.body, batch.platform_no
    status = BatchStatus(batch.status)
    collection = await get_object(services.reader, platform_no, "pay_in", batch_pay_in_no(batch.object_no))
    statuses = await _order_statuses(services, platform_no, [order["order_no"] for order in body["orders"]])
    return BatchPaymentView(
        batch_no=batch.object_no,
        status=status,
        payer_no=body["payer_no"],
        paid_by=body["paid_by"],
        orders=[
            BatchOrderView(
                order_no=order["order_no"],
                payee_no=order["payee_no"] or None,
                amount_fen=order["amount_fen"],
                outcome=ShareOutcome.NOT_PAID if status is BatchStatus.CLOSED else ShareOutcome(order["outcome"]),
                order_status=statuses[order["order_no"]],
            )
            for order in body["orders"]
        ],
        total_fen=body["total_fen"],
        frozen_fen=body["frozen_fen"],
        collection=None if collection is None else top_up_view(services, collection),
        reason=body.get("reason", ""),
        updated_at=batch.updated_at,
        sequence_no=batch.sequence_no,
        workflow_id=batch_payment_workflow_id(platform_no, batch.object_no),
    )


async def _order_statuses(services: Services, platform_no: str, order_nos: Sequence[str]) -> dict[str, OrderStatus]:
    found = [await get_object(services.reader, platform_no, "order", number) for number in order_nos]
    return {order.object_no: OrderStatus(order.status) for order in found if order is not None}
