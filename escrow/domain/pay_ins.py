"""Top-ups that a channel collects: their states, and what exactly a member consents to."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from escrow.domain.collections import CollectionMethod
from escrow.domain.requests import operation_hash

#: Methods at which the payer acts on a page or in an app of its own, so that we need know nothing of the payer.
PAYER_ACTS_ELSEWHERE = frozenset(
    {
        CollectionMethod.ACQUIRING,
        CollectionMethod.GATEWAY,
        CollectionMethod.WECHAT_APP,
        CollectionMethod.QR_WECHAT,
        CollectionMethod.QR_ALIPAY,
        CollectionMethod.QR_QQ,
    }
)


class PayInStatus(StrEnum):
    """Where a top-up stands. `paid` can follow every other state, since a payment can come late."""

    OPENED = "opened"
    AWAITING_PAYER = "awaiting_payer"
    PAID = "paid"
    CLOSED = "closed"
    FAILED = "failed"


def pay_in_terms(*, method: str, amount_fen: int) -> dict[str, Any]:
    """A top-up consents to exactly this amount by this method."""
    return {"method": method, "amount_fen": amount_fen}


def pay_in_operation_hash(*, platform_no: str, pay_in_no: str, by: str, terms: Mapping[str, Any]) -> str:
    """Hash of one top-up, with `pay_in_terms`.

    Args:
        by: member number whose sub-account is credited.
    """
    return operation_hash(
        platform_no=platform_no, object_kind="pay_in", object_no=pay_in_no, operation="top_up", by=by, terms=terms
    )
