"""What processes see of collections, batches and refunds: small, and without anything that a decision is made of."""

from datetime import datetime, timedelta
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from escrow.domain.collections.batch import BatchPayment
from escrow.domain.collections.batch_payments import BATCH_PAYMENT, BatchStatus, PaidBy, ShareOutcome
from escrow.domain.collections.collection import Collection
from escrow.domain.collections.direct_payments import DirectRefundStatus
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.collections.purposes import BatchCollection, DirectPayment, Purpose, TopUp
from escrow.domain.collections.refund import Refund
from escrow.domain.collections.state import collection_no
from escrow.domain.collections.terms import CollectionStatus
from escrow.domain.documents import OptionalText


class _Seen(BaseModel):
    """Base: immutable; a field that a newer version knows is carried past an older one."""

    model_config = ConfigDict(frozen=True)


class PaymentSeen(_Seen):
    """One payment that the channel took, in fen."""

    payment_no: str
    amount_fen: int
    outcome: str


class CollectionView(_Seen):
    """Where something that is collected stands, at one moment of the books, `seen_at`; amounts in fen.

    Args:
        version: of the object that was seen.
        collection_no: our number at the channel of the last order to collect; None before a channel is asked.
        expires_in: what is left until the channel is to take no payment any more.
        watched_for: how long it is still to be looked at for late payments after its end; None when it is not.
        pays: kind and number of the order or batch that it pays; None for a top-up.
        gives_back: whether something of a payment is to go back, or is on its way.
        silent_for: how long a channel has been asked in vain: about an order to collect that it does not show, or a
            return that it has not ended.
    """

    version: int
    seen_at: AwareDatetime
    status: CollectionStatus
    method: CollectionMethod
    member_no: str
    amount_fen: int
    pays: tuple[str, str] | None
    expires_at: AwareDatetime
    expires_in: timedelta
    watched_for: timedelta | None
    collection_no: str | None
    is_asked: bool
    has_ended: bool
    gives_back: bool
    silent_for: timedelta | None
    awaits_code: bool
    payments: tuple[PaymentSeen, ...]
    suspended_fen: int
    debit_channel: str | None = None
    debit_route: tuple[str, ...] = ()
    reason: str | None = None
    reason_code: str | None = None
    attention: str | None = None

    @classmethod
    def of(cls, collection: Collection, *, version: int, at: datetime) -> Self:
        """What is seen of it at a moment of the books."""
        state = collection.state
        is_watched = state.watched_until is not None and state.watched_until > at
        held, asking = state.open_return, state.open_asking
        since = None
        if held is not None:
            since = held.held_at
        elif asking is not None and state.status is CollectionStatus.OPENED:
            since = asking.asked_at
        return cls(
            version=version,
            seen_at=at,
            status=state.status,
            method=state.method,
            member_no=state.purpose.member_no,
            amount_fen=state.amount_fen,
            pays=_paid_object(state.purpose),
            expires_at=state.expires_at,
            expires_in=state.expires_at - at,
            watched_for=state.watched_until - at if is_watched and state.watched_until is not None else None,
            collection_no=collection_no(collection.pay_in_no, state.asked[-1].number) if state.asked else None,
            is_asked=bool(state.asked),
            has_ended=state.has_ended,
            gives_back=held is not None or state.to_give_back is not None,
            silent_for=None if since is None else at - since,
            awaits_code=state.method is CollectionMethod.QUICK and state.status is CollectionStatus.AWAITING_PAYER,
            payments=tuple(
                PaymentSeen(payment_no=item.payment_no, amount_fen=item.amount_fen, outcome=item.outcome)
                for item in state.payments
            ),
            suspended_fen=sum(item.suspended_fen for item in state.payments),
            debit_channel=state.debit_channel,
            debit_route=state.debit_route,
            reason=state.reason,
            reason_code=state.reason_code,
            attention=state.attention,
        )


def _paid_object(purpose: Purpose) -> tuple[str, str] | None:
    match purpose:
        case DirectPayment():
            return "order", purpose.order_no
        case BatchCollection():
            return BATCH_PAYMENT, purpose.batch_no
        case TopUp():
            return None


class ShareSeen(_Seen):
    """One order of a batch, in fen."""

    order_no: str
    amount_fen: int
    outcome: ShareOutcome


class BatchView(_Seen):
    """Where a batch stands, at one moment of the books; amounts in fen."""

    version: int
    seen_at: AwareDatetime
    status: BatchStatus
    payer_no: str
    paid_by: PaidBy
    orders: tuple[ShareSeen, ...]
    total_fen: int
    frozen_fen: int
    reason: OptionalText

    @classmethod
    def of(cls, batch: BatchPayment, *, version: int, at: datetime) -> Self:
        """What is seen of a batch at a moment of the books."""
        return cls(
            version=version,
            seen_at=at,
            **batch.state.model_dump(include={"status", "payer_no", "paid_by", "total_fen", "frozen_fen", "reason"}),
            orders=tuple(ShareSeen.model_validate(share.model_dump()) for share in batch.state.orders),
        )


class RefundView(_Seen):
    """Where a refund stands, at one moment of the books, in fen.

    Args:
        silent_for: how long its channel is asked.
        must_be_told: whether its owner is still to be told of the money in its sub-account; `untold` is why it cannot.
    """

    version: int
    seen_at: AwareDatetime
    status: DirectRefundStatus
    amount_fen: int
    silent_for: timedelta | None
    must_be_told: bool
    untold: str | None = None
    attention: str | None = None

    @classmethod
    def of(cls, refund: Refund, *, version: int, at: datetime) -> Self:
        """What is seen of a refund at a moment of the books."""
        state = refund.state
        return cls(
            version=version,
            seen_at=at,
            status=state.status,
            amount_fen=state.amount_fen,
            silent_for=None if state.begun_at is None else at - state.begun_at,
            must_be_told=state.must_be_told,
            untold=state.untold,
            attention=state.attention,
        )
