"""Commission and net of releases."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.domain.orders.splits import Split, split


def test_five_per_cent_of_a_deposit() -> None:
    made = split(gross_fen=5_580_000, released_before_fen=0, commission_before_fen=0, rate=500)
    assert made == Split(gross_fen=5_580_000, commission_fen=279_000, net_fen=5_301_000)


@given(
    releases=st.lists(st.integers(min_value=1, max_value=2**60), min_size=1, max_size=20),
    rate=st.fractions(min_value=0, max_value=1, max_denominator=10**6) | st.integers(min_value=0, max_value=10_000),
)
def test_however_an_order_is_cut_its_commission_is_that_of_the_whole(releases: list[int], rate: Fraction | int) -> None:
    gross_fen = commission_fen = net_fen = 0
    for release_fen in releases:
        made = split(
            gross_fen=release_fen, released_before_fen=gross_fen, commission_before_fen=commission_fen, rate=rate
        )
        assert made.commission_fen + made.net_fen == made.gross_fen == release_fen
        assert made.commission_fen >= 0
        assert made.net_fen >= 0
        gross_fen += made.gross_fen
        commission_fen += made.commission_fen
        net_fen += made.net_fen
    exact = rate if isinstance(rate, Fraction) else Fraction(rate, 10_000)
    assert commission_fen == exact * sum(releases) // 1
    assert commission_fen + net_fen == sum(releases)


def test_a_history_that_cannot_be_is_an_error() -> None:
    for released_before_fen, commission_before_fen in ((0, 6), (1_000, 0), (-1, 0), (0, -1)):
        with pytest.raises(ValueError, match=r"release|commission"):
            split(
                gross_fen=1,
                released_before_fen=released_before_fen,
                commission_before_fen=commission_before_fen,
                rate=500,
            )
    with pytest.raises(ValueError, match="positive"):
        split(gross_fen=0, released_before_fen=0, commission_before_fen=0, rate=500)
