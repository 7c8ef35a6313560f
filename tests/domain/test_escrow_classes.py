"""Money that an order holds has the class of the legs that would be refunded now."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.domain.errors import Refused
from escrow.domain.money.funding import EscrowClass, FundingLeg, direct_leg, give_back, held_by_class

SOURCES = ("withdrawable", "pending:2026-03-02", "direct:P-1", "subsidy")
legs = st.lists(
    st.builds(FundingLeg, source=st.sampled_from(SOURCES), amount_fen=st.integers(min_value=1, max_value=10**12)),
    min_size=1,
    max_size=6,
)


def test_each_source_has_its_class() -> None:
    mixed = (
        FundingLeg(source="withdrawable", amount_fen=10),
        FundingLeg(source="pending:2026-03-02", amount_fen=20),
        direct_leg(payment_no="P-1", amount_fen=300),
        FundingLeg(source="subsidy", amount_fen=4_000),
    )
    assert held_by_class(mixed, 4_330) == {
        EscrowClass.PAID_FROM_BALANCE: 30,
        EscrowClass.PAID_DIRECTLY: 300,
        EscrowClass.SUBSIDY: 4_000,
    }


@given(legs=legs, share=st.floats(min_value=0, max_value=1))
def test_the_classes_add_up_to_what_is_held_and_are_what_a_refund_would_give_back(
    legs: list[FundingLeg], share: float
) -> None:
    held_fen = int(sum(leg.amount_fen for leg in legs) * share)
    by_class = held_by_class(legs, held_fen)
    assert sum(by_class.values()) == held_fen
    parts, _ = give_back(legs, held_fen)
    for escrow_class in EscrowClass:
        assert by_class[escrow_class] == sum(p.amount_fen for p in parts if p.escrow_class is escrow_class)


def test_more_than_the_legs_brought_has_no_class() -> None:
    with pytest.raises(Refused, match="refund_exceeds_funding"):
        held_by_class((FundingLeg(source="withdrawable", amount_fen=10),), 11)
