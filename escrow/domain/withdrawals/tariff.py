"""What the bank charges for a payout, per rail: the published corporate tariff as dated data."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from escrow.domain.withdrawals.rails import Rail

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffStep:
    """Amounts up to and including `up_to_fen` cost `fee_fen`."""

    up_to_fen: int
    fee_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """Charges from `valid_from` on.

    Args:
        flat_fen: rails with one charge whatever the amount.
        steps: ascending, for all other rails.
        above_parts_per_million: charge above the last step, as parts per million of the amount.
        above_at_most_fen: its upper limit.
    """

    valid_from: date
    source: str
    flat_fen: Mapping[Rail, int]
    steps: tuple[TariffStep, ...]
    above_parts_per_million: int
    above_at_most_fen: int

    def fee_fen(self, rail: Rail, amount_fen: int) -> int:
        """Charge in fen for one payment; a part of a fen is rounded half up (assumed, as banks do).

        Raises:
            ValueError: the amount is not positive.
        """
        if amount_fen <= 0:
            raise ValueError("a payment is positive")
        if rail in self.flat_fen:
            return self.flat_fen[rail]
        for step in self.steps:
            if amount_fen <= step.up_to_fen:
                return step.fee_fen
        share_fen = (amount_fen * self.above_parts_per_million + _MILLION // 2) // _MILLION
        return min(share_fen, self.above_at_most_fen)


#: Oldest first.
TARIFFS: tuple[Tariff, ...] = (
    Tariff(
        valid_from=date(2019, 1, 1),
        source="published corporate tariff; UnionPay 2.00 published 2019; Shenzhen local assumed",
        flat_fen={Rail.IN_BANK: 0, Rail.UNIONPAY: 200, Rail.SHENZHEN_LOCAL: 80},
        steps=(
            TariffStep(up_to_fen=1_000_000, fee_fen=500),
            TariffStep(up_to_fen=10_000_000, fee_fen=1_000),
            TariffStep(up_to_fen=50_000_000, fee_fen=1_500),
            TariffStep(up_to_fen=100_000_000, fee_fen=2_000),
        ),
        above_parts_per_million=20,
        above_at_most_fen=20_000,
    ),
)


def tariff_on(day: date) -> Tariff:
    """Tariff valid on `day` (Asia/Shanghai); before the first, the first."""
    valid = [tariff for tariff in TARIFFS if tariff.valid_from <= day]
    return valid[-1] if valid else TARIFFS[0]
