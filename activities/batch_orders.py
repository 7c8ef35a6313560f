"""The orders of a batch as the books have them, and the change that paying makes to each of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from escrow.domain.collections.batch_payments import (
    PaidBy,
    Share,
    ShareOutcome,
    batch_consent_no,
    batch_operation_hash,
    batch_terms,
)
from escrow.domain.collections.direct_payments import DirectPaid
from escrow.domain.errors import Refused
from escrow.domain.money.funding import FundingLeg
from escrow.domain.money.journal import Basis, Change, DeadlineChange, Posting
from escrow.domain.orders.opening import ORDERS
from escrow.domain.orders.operations import unpaid_claim
from escrow.domain.orders.order import Order
from escrow.domain.orders.payment import PAID
from escrow.domain.orders.states import OrderStatus
from escrow.ledger.books import known
from escrow.ledger.engine import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOrders:
    """The orders of one batch in the order of their numbers; all are of one owner."""

    platform_no: str
    batch_no: str
    payer_no: str
    orders: tuple[Order, ...]

    @property
    def shares(self) -> tuple[Share, ...]:
        """What each order costs and whom it pays."""
        return tuple(
            Share(
                order_no=order.contract.order_no,
                payee_no=order.contract.payee_no,
                amount_fen=order.contract.total_fen,
                inspection_days=order.contract.inspection_days,
            )
            for order in self.orders
        )

    def consent(self, *, paid_by: PaidBy) -> Basis:
        """The owner's consent; its hash is taken of the contracts in the books."""
        return Basis(
            kind="consent",
            reference=batch_consent_no(self.batch_no),
            operation_hash=batch_operation_hash(
                platform_no=self.platform_no,
                batch_no=self.batch_no,
                by=self.payer_no,
                terms=batch_terms(self.shares, paid_by=paid_by),
            ),
        )

    def paid(
        self,
        posting: Posting,
        *,
        paid_at: datetime,
        funding: dict[str, tuple[FundingLeg, ...]],
        direct: DirectPaid | None = None,
    ) -> Posting:
        """The posting of the batch with what it changes about each order that it pays.

        Args:
            paid_at: the books' time of it, from which the waits for the start of work run.
            funding: what pays each order, by order number; the others are left as they are.
        """
        paid = [order for order in self.orders if order.contract.order_no in funding]
        return replace(
            posting,
            changes=(
                *posting.changes,
                *(self._change(order, paid_at, funding[order.contract.order_no], direct) for order in paid),
            ),
            deadlines=tuple(clock for order in paid for clock in _clocks(order, paid_at)),
            claims=tuple(unpaid_claim(order.contract.order_no) for order in paid),
        )

    def document(self, outcome_of: dict[str, ShareOutcome]) -> list[dict[str, Any]]:
        """What the batch's object says of its orders."""
        return [
            {
                "order_no": share.order_no,
                "payee_no": share.payee_no,
                "amount_fen": share.amount_fen,
                "outcome": outcome_of[share.order_no].value,
            }
            for share in self.shares
        ]

    @property
    def waiting(self) -> tuple[Share, ...]:
        """The shares of those orders that still wait for their payment."""
        return tuple(
            share
            for share, order in zip(self.shares, self.orders, strict=True)
            if order.state.status is OrderStatus.AWAITING_PAYMENT
        )

    @property
    def waits_until(self) -> datetime:
        """Until when the first of the orders waits for its payment; the earliest moment where one waits no more."""
        ends = [order.state.step_due_at for order in self.orders]
        return min(end if end is not None else datetime.min.replace(tzinfo=UTC) for end in ends)

    def _change(
        self, order: Order, paid_at: datetime, funding: Sequence[FundingLeg], direct: DirectPaid | None
    ) -> Change:
        return Change(
            kind="order",
            object_no=order.contract.order_no,
            event_type=PAID,
            status=OrderStatus.AWAITING_START.value,
            body={
                "funding": [{"source": leg.source, "amount_fen": leg.amount_fen, "refunded_fen": 0} for leg in funding],
                "direct": None if direct is None else direct.model_dump(mode="json"),
                "paid_fen": sum(leg.amount_fen for leg in funding),
                "step_due_at": _start_due_at(order, paid_at).isoformat(),
                "batch_no": self.batch_no,
            },
        )


def _start_due_at(order: Order, paid_at: datetime) -> datetime:
    return paid_at + order.contract.periods.start_deadline


def _clocks(order: Order, paid_at: datetime) -> tuple[DeadlineChange, DeadlineChange]:
    """The wait for the payment is over, that for the start of work begins."""
    return (
        DeadlineChange(object_kind="order", object_no=order.contract.order_no, name="payment", due_at=None),
        DeadlineChange(
            object_kind="order", object_no=order.contract.order_no, name="start", due_at=_start_due_at(order, paid_at)
        ),
    )


async def batch_orders(
    reader: Reader, *, platform_no: str, batch_no: str, payer_no: str, order_nos: Sequence[str]
) -> BatchOrders:
    """The orders as their contracts in the books say.

    Raises:
        Refused: `not_found`, an order was never opened; `not_the_party`, one is another owner's.
    """
    orders = [await known(reader, ORDERS, platform_no, number) for number in sorted(set(order_nos))]
    for order in orders:
        if order.contract.owner_no != payer_no:
            raise Refused(
                "not_the_party",
                f"Only the owner of {order.contract.order_no} may pay it; a batch holds orders of one owner.",
                {"order_no": order.contract.order_no},
            )
    return BatchOrders(platform_no=platform_no, batch_no=batch_no, payer_no=payer_no, orders=tuple(orders))


def not_waiting(order_no: str) -> Refused:
    """One of the orders waits for no payment any more."""
    return Refused(
        "order_state",
        f"The order {order_no} does not wait for its payment, so the batch pays nothing; leave it out.",
        {"order_no": order_no},
    )
