"""Splitting a release between the payee and the platform's commission."""

from dataclasses import dataclass
from fractions import Fraction

from escrow.domain.money.amounts import ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """One release: what leaves escrow, what the platform takes, what the payee gets; integer fen."""

    gross_fen: int
    commission_fen: int
    net_fen: int


def split(*, gross_fen: int, released_before_fen: int, commission_before_fen: int, rate: int | str | Fraction) -> Split:
    """Split one release so that the commission of the whole order is `floor(rate × cumulative gross)`.

    Rounding therefore never adds up over many releases, however an order is cut into milestones.

    Args:
        gross_fen: what is released now, positive.
        released_before_fen: gross of this order released before.
        commission_before_fen: commission taken of those releases.
        rate: basis points, percentage text or exact fraction; fixed when the order was signed.

    Raises:
        Refused: code `ratio_invalid`, see `escrow.domain.money.amounts.ratio`.
        ValueError: the history given cannot have come from this rule at this rate.
    """
    if gross_fen <= 0 or released_before_fen < 0 or commission_before_fen < 0:
        raise ValueError("a release is positive and what came before is not negative")
    exact = ratio(rate)
    commission_fen = int(exact * (released_before_fen + gross_fen)) - commission_before_fen
    if not 0 <= commission_fen <= gross_fen:
        raise ValueError("the commission taken before does not fit the rate and what was released before")
    return Split(gross_fen=gross_fen, commission_fen=commission_fen, net_fen=gross_fen - commission_fen)
