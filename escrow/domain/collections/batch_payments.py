"""Batch payment: one consent of an owner covers a list of its orders, of many payees; one posting pays them.

From its balance all of them are frozen or none. What a channel collected for all of them is frozen for those that
still wait for their payment; the shares of the others wait in suspense and go back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.errors import Refused
from escrow.domain.money import accounts
from escrow.domain.money.funding import FundingLeg
from escrow.domain.money.journal import JournalEntry
from escrow.domain.money.recipes import balanced_entry, bucket, require_positive
from escrow.domain.requests import derived, operation_hash

#: So many orders can be paid together: one posting stays small, and a person can read the list.
MOST_ORDERS = 100

#: Kind of a batch's object in the books.
BATCH_PAYMENT = "batch_payment"

#: Where the money of a batch comes from: the owner's sub-account, or a channel.
PaidBy = Literal["balance"] | CollectionMethod


class BatchStatus(StrEnum):
    """Where a batch stands; from the balance it is `paid` at once. Only the first release left any `refused`."""

    AWAITING_PAYMENT = "awaiting_payment"
    PAID = "paid"
    CLOSED = "closed"
    REFUSED = "refused"


class ShareOutcome(StrEnum):
    """What became of one order's share of a batch.

    - `waiting`: the channel still collects.
    - `frozen`: it is in the order's escrow.
    - `returned`: the order waited for no payment any more when the channel had the money; this much goes back.
    - `not_paid`: nobody paid the batch, or the first release refused it.
    """

    WAITING = "waiting"
    FROZEN = "frozen"
    RETURNED = "returned"
    NOT_PAID = "not_paid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One order of a batch with its full price, as its contract says.

    Args:
        payee_no: empty when it is the platform itself.
        inspection_days: silence of so many days is acceptance.
    """

    order_no: str
    payee_no: str
    amount_fen: int
    inspection_days: int


def batch_terms(shares: Sequence[Share], *, paid_by: PaidBy) -> dict[str, Any]:
    """What an owner consents to: exactly these orders, payees and amounts, paid so; however the list is sorted."""
    return {
        "orders": [
            {
                "order_no": share.order_no,
                "payee_no": share.payee_no,
                "amount_fen": share.amount_fen,
                "silence_is_acceptance_after_days": share.inspection_days,
            }
            for share in sorted(shares, key=lambda share: share.order_no)
        ],
        "total_fen": sum(share.amount_fen for share in shares),
        "paid_by": str(paid_by),
    }


def batch_operation_hash(*, platform_no: str, batch_no: str, by: str, terms: Mapping[str, Any]) -> str:
    """Hash of one batch payment, with `batch_terms`.

    Args:
        by: member number of the owner.
    """
    return operation_hash(
        platform_no=platform_no,
        object_kind=BATCH_PAYMENT,
        object_no=batch_no,
        operation=BATCH_PAYMENT,
        by=by,
        terms=terms,
    )


def batch_consent_no(batch_no: str) -> str:
    """Number of the consent to a batch; it cannot meet one that a platform gives."""
    return derived("", BATCH_PAYMENT, batch_no, "consent")


def batch_pay_in_no(batch_no: str) -> str:
    """Number of the collection that pays a batch."""
    return derived(batch_no, "batch-pay")


def allot(legs: Sequence[FundingLeg], shares: Sequence[Share]) -> dict[str, tuple[FundingLeg, ...]]:
    """Which part of each leg funds which order, in the given orders; together exactly the legs.

    Raises:
        Refused: `unbalanced` when legs and shares are not the same amount.
    """
    if sum(leg.amount_fen for leg in legs) != sum(share.amount_fen for share in shares):
        raise Refused("unbalanced", "What is drawn must be what the orders cost.")
    left = [(leg.source, leg.amount_fen) for leg in legs]
    allotted: dict[str, tuple[FundingLeg, ...]] = {}
    for share in shares:
        missing_fen, parts = share.amount_fen, []
        while missing_fen > 0:
            source, available_fen = left.pop(0)
            part_fen = min(missing_fen, available_fen)
            parts.append(FundingLeg(source=source, amount_fen=part_fen))
            missing_fen -= part_fen
            if available_fen > part_fen:
                left.insert(0, (source, available_fen - part_fen))
        allotted[share.order_no] = tuple(parts)
    return allotted


def batch_frozen(
    *, platform_no: str, owner_no: str, legs: Sequence[FundingLeg], shares: Sequence[Share]
) -> JournalEntry:
    """The owner pays orders from its balance: the legs are drawn, each order's share is frozen in its own escrow."""
    require_positive(**{share.order_no: share.amount_fen for share in shares})
    drawn = [(bucket(platform_no, owner_no, leg.pending_day), -leg.amount_fen) for leg in legs]
    return balanced_entry("batch_frozen", *drawn, *_frozen(platform_no, owner_no, shares))


def batch_paid_directly(
    *, platform_no: str, channel: str, owner_no: str, payment_no: str, paid_fen: int, shares: Sequence[Share]
) -> JournalEntry:
    """A payment that a channel took for many orders is frozen for `shares`; the rest of it waits in suspense.

    Args:
        paid_fen: at least the sum of the shares.
    """
    require_positive(paid_fen=paid_fen, **{share.order_no: share.amount_fen for share in shares})
    return balanced_entry(
        "batch_paid_directly",
        (accounts.channel_due(platform_no, channel), -paid_fen),
        *_frozen(platform_no, owner_no, shares),
        (accounts.suspense(platform_no, payment_no), paid_fen - sum(share.amount_fen for share in shares)),
    )


def _frozen(platform_no: str, owner_no: str, shares: Sequence[Share]) -> list[tuple[accounts.AccountKey, int]]:
    return [(accounts.escrow(platform_no, owner_no, share.order_no), share.amount_fen) for share in shares]
