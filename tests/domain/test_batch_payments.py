"""Batches: what exactly is consented to, and which part of the owner's money pays which order."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.domain.collections.batch_payments import PaidBy, Share, allot, batch_operation_hash, batch_terms
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.errors import Refused
from escrow.domain.money.funding import FundingLeg, draw


def share(order_no: str, amount_fen: int = 100, payee_no: str = "C-1", inspection_days: int = 7) -> Share:
    return Share(order_no=order_no, payee_no=payee_no, amount_fen=amount_fen, inspection_days=inspection_days)


def hash_of(*shares: Share, batch_no: str = "B-1", by: str = "O-1", paid_by: PaidBy = "balance") -> str:
    terms = batch_terms(shares, paid_by=paid_by)
    return batch_operation_hash(platform_no="HOME", batch_no=batch_no, by=by, terms=terms)


def test_the_same_list_in_another_order_is_the_same_operation() -> None:
    assert hash_of(share("D-1"), share("D-2")) == hash_of(share("D-2"), share("D-1"))


@pytest.mark.parametrize(
    "changed",
    [
        hash_of(share("D-1")),
        hash_of(share("D-1"), share("D-3")),
        hash_of(share("D-1"), share("D-2"), share("D-3")),
        hash_of(share("D-1"), share("D-2", 101)),
        hash_of(share("D-1", 101), share("D-2", 99)),
        hash_of(share("D-1"), share("D-2", payee_no="C-2")),
        hash_of(share("D-1"), share("D-2", inspection_days=8)),
        hash_of(share("D-1"), share("D-2"), batch_no="B-2"),
        hash_of(share("D-1"), share("D-2"), by="O-2"),
        hash_of(share("D-1"), share("D-2"), paid_by=CollectionMethod.QR_QQ),
    ],
)
def test_any_other_order_payee_amount_clause_or_way_is_another_operation(changed: str) -> None:
    assert changed != hash_of(share("D-1"), share("D-2"))


@given(
    prices=st.lists(st.integers(min_value=1, max_value=2**50), min_size=1, max_size=20),
    pending=st.lists(st.integers(min_value=0, max_value=2**50), max_size=4),
)
def test_every_order_gets_its_price_and_every_leg_is_used_up(prices: list[int], pending: list[int]) -> None:
    shares = [share(f"D-{number}", price) for number, price in enumerate(prices)]
    by_day = {date(2026, 3, day): fen for day, fen in enumerate(pending, start=1)}
    legs = draw(withdrawable_fen=sum(prices), pending_fen_by_day=by_day, amount_fen=sum(prices))

    allotted = allot(legs, shares)

    assert {number: sum(leg.amount_fen for leg in parts) for number, parts in allotted.items()} == {
        item.order_no: item.amount_fen for item in shares
    }
    parts = [leg for legs_of_order in allotted.values() for leg in legs_of_order]
    assert {leg.source: leg.amount_fen for leg in legs} == {
        source: sum(leg.amount_fen for leg in parts if leg.source == source) for source in {leg.source for leg in parts}
    }
    assert all(leg.amount_fen > 0 for leg in parts)


def test_legs_that_are_not_the_price_are_refused() -> None:
    with pytest.raises(Refused) as refusal:
        allot([FundingLeg(source="withdrawable", amount_fen=99)], [share("D-1")])
    assert refusal.value.code == "unbalanced"
