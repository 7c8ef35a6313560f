"""Where the money of an order came from, and how it goes back.

Spending takes pending money first, oldest day first, then withdrawable; a refund returns each part to the
bucket it was drawn from, so that T+1 money cannot be made withdrawable by freezing and refunding it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from escrow.domain.errors import Refused

WITHDRAWABLE = "withdrawable"
_PENDING = "pending:"
_DIRECT = "direct:"
_SUBSIDY = "subsidy"


class EscrowClass(StrEnum):
    """Classes of money held for an order, by where it came from."""

    PAID_FROM_BALANCE = "paid_from_balance"
    PAID_DIRECTLY = "paid_directly"
    SUBSIDY = "subsidy"


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingLeg:
    """Part of what paid an order, in fen.

    Args:
        source: `withdrawable`, `pending:{accounting day, ISO}`, `direct:{payment number}` for what a channel
            collected for just this order, or `subsidy` for what the platform adds.
        amount_fen: how much was drawn from it.
        refunded_fen: how much of that went back already.
    """

    source: str
    amount_fen: int
    refunded_fen: int = 0

    @property
    def pending_day(self) -> date | None:
        """Accounting day whose closing matures this leg, None for withdrawable money."""
        return date.fromisoformat(self.source.removeprefix(_PENDING)) if self.source.startswith(_PENDING) else None

    @property
    def payment_no(self) -> str | None:
        """The channel's number of the payment that is this leg, None for money drawn from a balance."""
        return self.source.removeprefix(_DIRECT) if self.source.startswith(_DIRECT) else None

    @property
    def escrow_class(self) -> EscrowClass:
        """Class that this leg's money has while it is held."""
        if self.payment_no:
            return EscrowClass.PAID_DIRECTLY
        return EscrowClass.SUBSIDY if self.source == _SUBSIDY else EscrowClass.PAID_FROM_BALANCE


def direct_leg(*, payment_no: str, amount_fen: int) -> FundingLeg:
    """The leg of an order that a channel's payment paid."""
    return FundingLeg(source=f"{_DIRECT}{payment_no}", amount_fen=amount_fen)


def draw(*, withdrawable_fen: int, pending_fen_by_day: Mapping[date, int], amount_fen: int) -> tuple[FundingLeg, ...]:
    """Legs that together make `amount_fen`.

    Raises:
        Refused: `insufficient_balance` when both buckets together do not hold the amount.
    """
    missing_fen = amount_fen
    legs: list[FundingLeg] = []
    for day in sorted(pending_fen_by_day):
        taken_fen = min(missing_fen, pending_fen_by_day[day])
        if taken_fen > 0:
            legs.append(FundingLeg(source=f"{_PENDING}{day.isoformat()}", amount_fen=taken_fen))
            missing_fen -= taken_fen
    taken_fen = min(missing_fen, withdrawable_fen)
    if taken_fen > 0:
        legs.append(FundingLeg(source=WITHDRAWABLE, amount_fen=taken_fen))
        missing_fen -= taken_fen
    if missing_fen > 0:
        raise Refused(
            "insufficient_balance",
            "The available balance does not cover the amount; top up the missing part and pay again.",
            {"amount_fen": amount_fen, "missing_fen": missing_fen},
        )
    return tuple(legs)


def give_back(legs: Sequence[FundingLeg], amount_fen: int) -> tuple[tuple[FundingLeg, ...], tuple[FundingLeg, ...]]:
    """Split a refund over the legs, newest leg first, never above what is left of a leg.

    Returns:
        The refund parts (as legs whose `amount_fen` goes back now), and all legs with `refunded_fen` brought up.

    Raises:
        Refused: `refund_exceeds_funding` when the legs have less left than `amount_fen`.
    """
    left_fen = amount_fen
    parts: list[FundingLeg] = []
    after: list[FundingLeg] = []
    for leg in reversed(legs):
        part_fen = min(left_fen, leg.amount_fen - leg.refunded_fen)
        left_fen -= part_fen
        if part_fen > 0:
            parts.append(FundingLeg(source=leg.source, amount_fen=part_fen))
        after.append(FundingLeg(source=leg.source, amount_fen=leg.amount_fen, refunded_fen=leg.refunded_fen + part_fen))
    if left_fen > 0:
        raise Refused(
            "refund_exceeds_funding",
            "More would go back than was paid in; check the order's funding legs.",
            {"amount_fen": amount_fen, "excess_fen": left_fen},
        )
    return tuple(parts), tuple(reversed(after))


def held_by_class(legs: Sequence[FundingLeg], held_fen: int) -> dict[EscrowClass, int]:
    """Of which classes is what an order still holds: of those that would be refunded now; every class is named.

    Raises:
        Refused: `refund_exceeds_funding`, more is held than these legs brought.
    """
    by_class = dict.fromkeys(EscrowClass, 0)
    for part in give_back(legs, held_fen)[0]:
        by_class[part.escrow_class] += part.amount_fen
    return by_class
