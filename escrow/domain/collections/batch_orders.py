"""The orders of a batch as the books have them, and what paying them together changes about each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from escrow.domain.collections.batch_payments import (
    PaidBy,
    Share,
    batch_consent_no,
    batch_operation_hash,
    batch_terms,
)
from escrow.domain.collections.direct_payments import DirectPaid
from escrow.domain.decisions import Decision, Facts
from escrow.domain.errors import Refused
from escrow.domain.members.states import MemberStatus, Permission, permissions, require_may
from escrow.domain.money.funding import FundingLeg
from escrow.domain.money.journal import Basis, Change, DeadlineChange, JournalEntry, StandsOn
from escrow.domain.orders.operations import unpaid_claim
from escrow.domain.orders.order import Order
from escrow.domain.orders.payment import PAID, paid_state
from escrow.domain.orders.state import moved
from escrow.domain.orders.states import OrderCommand, OrderStatus, check_command


@dataclass(frozen=True, slots=True)
class Together:
    """The orders of one batch in the order of their numbers, with what paying them does to each."""

    platform_no: str
    batch_no: str
    payer_no: str
    orders: tuple[Order, ...]

    def require_ready(self, facts: Facts) -> None:
        """All are this payer's and wait, it may pay, and whom they pay may receive.

        Raises:
            Refused: `not_the_party`, `order_state`, `member_unknown` or `member_state`.
        """
        for order in self.orders:
            number = order.contract.order_no
            if order.contract.owner_no != self.payer_no:
                raise Refused(
                    "not_the_party",
                    f"Only the owner of {number} may pay it; a batch holds orders of one owner.",
                    {"order_no": number},
                )
        for order in self.orders:
            if order.state.status is not OrderStatus.AWAITING_PAYMENT:
                raise not_waiting(order.contract.order_no)
        require_may(status_of(facts, self.payer_no), Permission.PAY, member_no=self.payer_no)
        for payee_no in self._payees:
            require_may(status_of(facts, payee_no), Permission.RECEIVE, member_no=payee_no)

    def payable(self, facts: Facts) -> list[Order]:
        """Those that still wait, and whose payee may receive."""
        receiving = {
            payee_no
            for payee_no in self._payees
            if Permission.RECEIVE in permissions(status_of(facts, payee_no), identity_required_for_withdrawal=False)
        }
        return [
            order
            for order in self.orders
            if order.state.status is OrderStatus.AWAITING_PAYMENT
            and (not order.contract.payee_no or order.contract.payee_no in receiving)
        ]

    def consent(self, paid_by: PaidBy) -> Basis:
        """The owner's consent; its hash is taken of the contracts in the books."""
        terms = batch_terms([share_of(order) for order in self.orders], paid_by=paid_by)
        digest = batch_operation_hash(
            platform_no=self.platform_no, batch_no=self.batch_no, by=self.payer_no, terms=terms
        )
        return Basis(kind="consent", reference=batch_consent_no(self.batch_no), operation_hash=digest)

    def paid(
        self,
        decision: Decision,
        funding: Mapping[str, tuple[FundingLeg, ...]],
        direct: DirectPaid | None,
        *,
        entry: JournalEntry,
        consent: Basis,
        at: datetime,
    ) -> Decision:
        """The decision with what it changes about each order that is funded; the others are left as they are."""
        changes: list[Change] = []
        clocks: list[DeadlineChange] = []
        for order in self.orders:
            number = order.contract.order_no
            if number not in funding:
                continue
            after = paid_together(order, self.batch_no, funding[number], direct, at=at)
            clocks += after.clocks_from(order.state)
            changes.append(
                Change(
                    kind="order",
                    object_no=number,
                    event_type=PAID,
                    status=after.status,
                    body=after.document(),
                    replaces=True,
                    event=after.state.document(),
                )
            )
        return replace(
            decision,
            entry=entry,
            bases=(consent,),
            follows=(*decision.follows, *changes),
            deadlines=tuple(clocks),
            claims=tuple(unpaid_claim(number) for number in funding),
            has_read=self.read,
        )

    @property
    def read(self) -> tuple[StandsOn, ...]:
        """The orders with the versions that were read."""
        return tuple(
            StandsOn(kind="order", object_no=order.contract.order_no, version=order.version) for order in self.orders
        )

    def members(self, facts: Facts) -> tuple[StandsOn, ...]:
        """Payer and payees with the versions that were read."""
        numbers = sorted({self.payer_no, *self._payees})
        return tuple(StandsOn(kind="member", object_no=no, version=facts.members[no].version) for no in numbers)

    @property
    def waits_until(self) -> datetime:
        """Until when the first of the orders waits for its payment."""
        ends = [order.state.step_due_at for order in self.orders]
        return min(end if end is not None else datetime.max.replace(tzinfo=UTC) for end in ends)

    @property
    def _payees(self) -> list[str]:
        return sorted({order.contract.payee_no for order in self.orders if order.contract.payee_no})


def paid_together(
    order: Order, batch_no: str, legs: tuple[FundingLeg, ...], direct: DirectPaid | None, *, at: datetime
) -> Order:
    """An order as one that is paid with others, by the posting of their batch.

    Args:
        legs: what pays it; together its full price.
        direct: the payment that a channel took, None from the owner's balance.

    Raises:
        Refused: `order_state`.
    """
    contract, state = order.contract, order.state
    check_command(state.status, [item.status for item in state.milestones], OrderCommand.PAY)
    paid = paid_state(contract, moved(contract, state, OrderCommand.PAY), legs, at)
    update = {"direct": direct, "batch_no": batch_no, "attention": None}
    return replace(order, state=paid.model_copy(update=update), version=order.version + 1)


def share_of(order: Order) -> Share:
    """What an order costs and whom it pays, by its contract."""
    contract = order.contract
    return Share(
        order_no=contract.order_no,
        payee_no=contract.payee_no,
        amount_fen=contract.total_fen,
        inspection_days=contract.inspection_days,
    )


def not_waiting(order_no: str) -> Refused:
    """One of the orders waits for no payment any more."""
    return Refused(
        "order_state",
        f"The order {order_no} does not wait for its payment, so the batch pays nothing; leave it out.",
        {"order_no": order_no},
    )


def orders_of(facts: Facts, named: Sequence[str] = ()) -> tuple[Order, ...]:
    """The orders of a batch in the order of their numbers.

    Args:
        named: numbers that must be among them.

    Raises:
        Refused: `not_found`.
    """
    found = tuple(Order.of_document(stored) for stored in facts.pays)
    missing = set(named) - {order.contract.order_no for order in found}
    if missing:
        raise Refused("not_found", f"There is no order {min(missing)}.")
    return found


def status_of(facts: Facts, member_no: str) -> MemberStatus:
    """Status of a member that the facts name.

    Raises:
        Refused: `member_unknown`.
    """
    known = facts.members.get(member_no)
    if known is None:
        raise Refused("member_unknown", f"There is no member {member_no}.", {"member_no": member_no})
    return MemberStatus(known.status)
