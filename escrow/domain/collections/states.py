"""States of what is collected, of a batch and of a refund: three tables, from which the page in the docs is made."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from escrow.domain.collections.batch_payments import BatchStatus
from escrow.domain.collections.direct_payments import DirectRefundStatus
from escrow.domain.collections.terms import CollectionStatus


class CollectionEvent(StrEnum):
    """What happens to something that is collected."""

    PAYER_ASKED = "payer_asked"
    BANK_AT_IT = "bank_at_it"
    CREDITED = "credited"
    CLOSED = "closed"
    FAILED = "failed"


class BatchEvent(StrEnum):
    """What happens to a batch whose total a channel collects; from the balance it is paid as it is entered."""

    CHANNEL_PAID = "channel_paid"
    NOT_PAID = "not_paid"


class RefundEvent(StrEnum):
    """How a channel ends a refund."""

    GIVEN_BACK = "given_back"
    NOT_GIVEN_BACK = "not_given_back"


_P, _E = CollectionStatus, CollectionEvent

#: A payment can come late, and is credited whatever came before; nothing else leads out of an end.
COLLECTION_TRANSITIONS: Mapping[tuple[CollectionStatus, CollectionEvent], CollectionStatus] = MappingProxyType(
    {
        (_P.OPENED, _E.PAYER_ASKED): _P.AWAITING_PAYER,
        (_P.OPENED, _E.BANK_AT_IT): _P.PROCESSING,
        (_P.OPENED, _E.FAILED): _P.FAILED,
        (_P.AWAITING_PAYER, _E.BANK_AT_IT): _P.PROCESSING,
        (_P.AWAITING_PAYER, _E.CREDITED): _P.PAID,
        (_P.AWAITING_PAYER, _E.CLOSED): _P.CLOSED,
        (_P.AWAITING_PAYER, _E.FAILED): _P.FAILED,
        (_P.PROCESSING, _E.BANK_AT_IT): _P.PROCESSING,
        (_P.PROCESSING, _E.CREDITED): _P.PAID,
        (_P.PROCESSING, _E.CLOSED): _P.CLOSED,
        (_P.PROCESSING, _E.FAILED): _P.FAILED,
        (_P.CLOSED, _E.CREDITED): _P.PAID,
        (_P.FAILED, _E.CREDITED): _P.PAID,
    }
)

#: The table of a batch that a channel pays.
BATCH_TRANSITIONS: Mapping[tuple[BatchStatus, BatchEvent], BatchStatus] = MappingProxyType(
    {
        (BatchStatus.AWAITING_PAYMENT, BatchEvent.CHANNEL_PAID): BatchStatus.PAID,
        (BatchStatus.AWAITING_PAYMENT, BatchEvent.NOT_PAID): BatchStatus.CLOSED,
    }
)

#: The table of a refund through its channel.
REFUND_TRANSITIONS: Mapping[tuple[DirectRefundStatus, RefundEvent], DirectRefundStatus] = MappingProxyType(
    {
        (DirectRefundStatus.UNDER_WAY, RefundEvent.GIVEN_BACK): DirectRefundStatus.REFUNDED,
        (DirectRefundStatus.UNDER_WAY, RefundEvent.NOT_GIVEN_BACK): DirectRefundStatus.CREDITED,
    }
)
