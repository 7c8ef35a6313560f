"""Bank charges and word of large withdrawals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.domain.withdrawals.charges import cover_charges, needs_large_withdrawal_sms

FEN = st.integers(min_value=0, max_value=2**62)


@given(charges_fen=FEN, fees_fen=FEN, own_fen=FEN)
def test_charges_are_covered_from_fees_then_own_and_the_rest_is_a_shortage(
    charges_fen: int, fees_fen: int, own_fen: int
) -> None:
    cover = cover_charges(charges_fen=charges_fen, fees_fen=fees_fen, own_fen=own_fen)
    assert cover.from_fees_fen + cover.from_own_fen + cover.shortage_fen == charges_fen
    assert 0 <= cover.from_fees_fen <= fees_fen
    assert 0 <= cover.from_own_fen <= own_fen
    if cover.from_own_fen:
        assert cover.from_fees_fen == fees_fen
    if cover.shortage_fen:
        assert cover.from_own_fen == own_fen


def test_an_sms_is_due_strictly_above_the_threshold() -> None:
    assert not needs_large_withdrawal_sms(principal_fen=5_000_000, threshold_fen=5_000_000)
    assert needs_large_withdrawal_sms(principal_fen=5_000_001, threshold_fen=5_000_000)


def test_negative_balances_are_an_error() -> None:
    with pytest.raises(ValueError, match="not negative"):
        cover_charges(charges_fen=1, fees_fen=-1, own_fen=0)
