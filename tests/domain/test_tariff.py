"""What the bank charges."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.domain.withdrawals.rails import Rail
from escrow.domain.withdrawals.tariff import TARIFFS, tariff_on

TARIFF = tariff_on(date(2026, 11, 23))


@pytest.mark.parametrize(
    ("amount_fen", "fee_fen"),
    [
        (1, 500),
        (1_000_000, 500),
        (1_000_001, 1_000),
        (10_000_000, 1_000),
        (10_000_001, 1_500),
        (50_000_000, 1_500),
        (50_000_001, 2_000),
        (100_000_000, 2_000),
        (100_000_001, 2_000),
        (150_000_000, 3_000),
        (150_025_000, 3_001),
        (1_000_000_000, 20_000),
        (2**63 - 1, 20_000),
    ],
)
def test_the_published_steps_and_their_edges(amount_fen: int, fee_fen: int) -> None:
    for rail in (Rail.IBPS, Rail.HVPS, Rail.BEPS):
        assert TARIFF.fee_fen(rail, amount_fen) == fee_fen


@given(amount_fen=st.integers(min_value=1, max_value=2**63 - 2), rail=st.sampled_from(Rail))
def test_a_larger_amount_never_costs_less(amount_fen: int, rail: Rail) -> None:
    assert 0 <= TARIFF.fee_fen(rail, amount_fen) <= TARIFF.fee_fen(rail, amount_fen + 1) <= 20_000


def test_flat_rails_cost_the_same_whatever_the_amount() -> None:
    flat = (Rail.IN_BANK, Rail.UNIONPAY, Rail.SHENZHEN_LOCAL)
    for amount_fen in (1, 5_000_000):
        assert [TARIFF.fee_fen(rail, amount_fen) for rail in flat] == [0, 200, 80]


def test_a_day_before_the_first_tariff_gets_the_first_and_nothing_costs_nothing() -> None:
    assert tariff_on(date(2001, 1, 1)) is TARIFFS[0]
    with pytest.raises(ValueError, match="positive"):
        TARIFF.fee_fen(Rail.IN_BANK, 0)
