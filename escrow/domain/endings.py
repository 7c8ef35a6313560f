"""The kinds of objects that a process brings to an end, each with the statuses in which it has come there.

Whatever is of such a kind and in none of these makes progress or is on the list of those who wait for a person.
"""

from collections.abc import Mapping
from types import MappingProxyType

from escrow.domain.collections.direct_payments import DirectRefundStatus
from escrow.domain.orders.states import OrderStatus
from escrow.domain.withdrawals.states import WithdrawalStatus

FINAL_STATUSES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "order": tuple(status.value for status in OrderStatus if status.is_final),
        "withdrawal": tuple(status.value for status in WithdrawalStatus if status.is_final),
        "refund": tuple(status.value for status in DirectRefundStatus if status is not DirectRefundStatus.UNDER_WAY),
    }
)
