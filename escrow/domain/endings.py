"""The kinds of objects that a process brings to an end, each with the statuses in which it has come there.

Whatever is of such a kind and in none of these makes progress or is on the list of those who wait for a person.
"""

from collections.abc import Mapping
from types import MappingProxyType

from escrow.domain.collections.batch_payments import BATCH_PAYMENT, BatchStatus
from escrow.domain.collections.direct_payments import DirectRefundStatus
from escrow.domain.collections.terms import CollectionStatus
from escrow.domain.orders.states import OrderStatus
from escrow.domain.transfers.moves import TransferKind
from escrow.domain.withdrawals.states import WithdrawalStatus

FINAL_STATUSES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "order": tuple(status.value for status in OrderStatus if status.is_final),
        "withdrawal": tuple(status.value for status in WithdrawalStatus if status.is_final),
        # Looking for payments that come late keeps a collection's process, and no longer its payer.
        "pay_in": (CollectionStatus.PAID.value, CollectionStatus.CLOSED.value, CollectionStatus.FAILED.value),
        BATCH_PAYMENT: tuple(status.value for status in BatchStatus if status is not BatchStatus.AWAITING_PAYMENT),
        "refund": tuple(status.value for status in DirectRefundStatus if status is not DirectRefundStatus.UNDER_WAY),
    }
)

#: Kinds that stand in the books only once they have ended: until then there is what was asked for, and no object.
DONE_AT_ONCE = tuple(kind.value for kind in TransferKind)

#: Kinds at whose deadlines something happens by our own doing. At those of the others a channel is asked to end
#: something, and when it does so is its own, for a day.
DUE_BY_OURSELVES = ("order", "withdrawal")

#: Kinds of which somebody is told, which may take until after their end: so long their text's deadline stands, and they
#: have a process.
TOLD_OF = ("withdrawal", "refund")

#: Kinds of which something is unfinished for as long as a deadline of it stands in the books; at a deadline something
#: happens by our doing. Some are parts of a member and no objects, and a status alone does not tell their end.
ENDED_BY_DEADLINES = ("account_verification", "identity_check", "mandate", "member_closing")
