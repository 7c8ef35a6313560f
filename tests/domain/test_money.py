"""Amounts in fen and exact ratios."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.domain.errors import Refused
from escrow.domain.money.amounts import MAX_FEN, format_fen, ratio, yuan


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("186,000.00", 18_600_000),
        ("186000", 18_600_000),
        (186_000, 18_600_000),
        ("0.5", 50),
        ("-0.01", -1),
        (" 1,234,567.89 ", 123_456_789),
        ("92233720368547758.07", MAX_FEN),
    ],
)
def test_yuan_are_read_exactly(text: str | int, fen: int) -> None:
    assert yuan(text) == fen


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1.001",
        "18,6000.00",
        "1,23",
        "1e3",
        "0x10",
        "¥5",
        "１２",
        "1_000",
        "92233720368547758.08",
        "--1",
        ".5",
        "1.",
    ],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(Refused) as caught:
        yuan(text)
    assert caught.value.code == "amount_invalid"


def test_floats_and_booleans_are_no_amounts_and_no_ratios() -> None:
    for value in (186000.0, 0.3, True):
        with pytest.raises(Refused, match="amount_invalid"):
            yuan(value)  # type: ignore[arg-type]  # what an untyped contract file may hold
        with pytest.raises(Refused, match="ratio_invalid"):
            ratio(value)  # type: ignore[arg-type]  # likewise


@given(st.integers(min_value=-MAX_FEN, max_value=MAX_FEN))
def test_a_formatted_amount_reads_back_as_itself(fen: int) -> None:
    assert yuan(format_fen(fen)) == fen


def test_ratios_are_exact() -> None:
    assert ratio(500) == ratio("5%") == ratio("5.00 %") == ratio("1/20") == Fraction(1, 20)
    assert ratio("33.3333%") == Fraction(333_333, 1_000_000)


@pytest.mark.parametrize("value", ["100.01%", "30", "3 0%", "1/0", "-5%", 10_001, -1, "3/2"])
def test_ratios_outside_nothing_and_all_are_refused(value: str | int) -> None:
    with pytest.raises(Refused, match="ratio_invalid"):
        ratio(value)
