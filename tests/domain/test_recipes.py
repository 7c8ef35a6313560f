"""Every recipe gives a balanced entry, does only what the allow-list says, and refuses amounts that move nothing."""

from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.domain.collections import batch_payments
from escrow.domain.collections import recipes as collection_recipes
from escrow.domain.collections.batch_payments import Share
from escrow.domain.collections.methods import CollectionMethod, Settlement
from escrow.domain.errors import Refused
from escrow.domain.members import verification_recipes
from escrow.domain.money import recipes
from escrow.domain.money.accounts import WITHOUT_MINIMUM, Purpose
from escrow.domain.money.funding import FundingLeg
from escrow.domain.money.journal import JournalEntry
from escrow.domain.money.recipes import RECIPES
from escrow.domain.transfers import moves as transfers
from escrow.domain.transfers import suspense_returns

DAY = date(2026, 3, 2)
amounts = st.integers(min_value=1, max_value=2**62)


def _bank(make: Callable[..., JournalEntry], amount_fen: int, **more: object) -> JournalEntry:
    return make(platform_no="P", amount_fen=amount_fen, bank_serial_no="B-1", effective_date=DAY, **more)


def _release(recipe: str, gross_fen: int, rest_fen: int, *, payee_no: str = "C") -> JournalEntry:
    return recipes.escrow_released(
        recipe=recipe,
        platform_no="P",
        owner_no="O",
        order_no="D",
        payee_no=payee_no,
        gross_fen=gross_fen,
        commission_fen=min(rest_fen, gross_fen - 1),
        pending_day=DAY if gross_fen % 2 else None,
    )


def _shares(one_fen: int, other_fen: int) -> list[Share]:
    return [
        Share(order_no=f"D-{number}", payee_no="C", amount_fen=fen, inspection_days=7)
        for number, fen in enumerate((one_fen, other_fen))
    ]


def _legs(one_fen: int, other_fen: int) -> list[FundingLeg]:
    return [
        FundingLeg(source="pending:2026-03-02", amount_fen=one_fen),
        FundingLeg(source="withdrawable", amount_fen=other_fen),
    ]


def _settled(*, paid_fen: int, refunded_fen: int, fee_fen: int, net_of_fees: bool) -> JournalEntry:
    settlement = Settlement(
        settlement_no="S",
        method=CollectionMethod.QR_QQ,
        day=DAY,
        paid_fen=paid_fen,
        refunded_fen=refunded_fen,
        fee_fen=fee_fen,
        net_of_fees=net_of_fees,
        bank_serial_no="B-1",
        items=(),
    )
    return collection_recipes.channel_settled(
        platform_no="P",
        settlement=settlement,
        brought_fen=paid_fen - refunded_fen - (fee_fen if net_of_fees else 0),
        bank_serial_no="B-1",
        effective_date=DAY,
    )


MADE: dict[str, Callable[[int, int], JournalEntry]] = {
    "top_up_credited": lambda a, b: _bank(
        recipes.top_up_credited, a, member_no="O", pending_day=DAY if b % 2 else None
    ),
    "credit_suspended": lambda a, b: _bank(recipes.credit_suspended, a),
    "own_credited": lambda a, b: _bank(recipes.own_credited, a),
    "order_frozen": lambda a, b: recipes.order_frozen(platform_no="P", owner_no="O", order_no="D", legs=_legs(a, b)),
    "order_refunded": lambda a, b: recipes.order_refunded(
        platform_no="P",
        owner_no="O",
        order_no="D",
        parts=[*_legs(a, b), FundingLeg(source="direct:X", amount_fen=a)],
    ),
    "deposit_released": lambda a, b: _release("deposit_released", a, b),
    "milestone_released": lambda a, b: _release("milestone_released", a, b, payee_no="" if b % 2 else "C"),
    "retention_released": lambda a, b: _release("retention_released", a, b),
    "withdrawal_requested": lambda a, b: recipes.withdrawal_requested(
        platform_no="P", member_no="C" if b % 2 else "", withdrawal_no="W", amount_fen=a
    ),
    "withdrawal_paid": lambda a, b: recipes.withdrawal_paid(
        platform_no="P", member_no="C", withdrawal_no="W", principal_fen=a, fee_fen=b, bank_serial_no="B-1"
    ),
    "withdrawal_returned_to_member": lambda a, b: recipes.withdrawal_returned_to_member(
        platform_no="P", member_no="C" if b % 2 else "", withdrawal_no="W", amount_fen=a
    ),
    "bank_charge_booked": lambda a, b: _bank(recipes.bank_charge_booked, a),
    "bank_charge_covered": lambda a, b: recipes.bank_charge_covered(platform_no="P", from_fees_fen=a, from_own_fen=b),
    "pending_matured": lambda a, b: recipes.pending_matured(platform_no="P", member_no="C", day=DAY, amount_fen=a),
    "commission_swept": lambda a, b: recipes.commission_swept(platform_no="P", amount_fen=a),
    "collection_credited": lambda a, b: collection_recipes.collection_credited(
        platform_no="P",
        channel="qr_qq",
        member_no="O",
        payment_no="X",
        paid_fen=max(a, b),
        asked_fen=min(a, b),
        pending_day=DAY if b % 2 else None,
    ),
    "collection_suspended": lambda a, b: collection_recipes.collection_suspended(
        platform_no="P", channel="qr_qq", payment_no="X", paid_fen=a
    ),
    "channel_settled": lambda a, b: _settled(
        paid_fen=a, refunded_fen=0, fee_fen=min(a - 1, b), net_of_fees=bool(b % 2)
    ),
    "suspense_return_held": lambda a, b: collection_recipes.suspense_return_held(
        platform_no="P", payment_no="X", amount_fen=a
    ),
    "channel_refunded": lambda a, b: collection_recipes.channel_refunded(
        platform_no="P", channel="qr_qq", payment_no="X", amount_fen=a
    ),
    "suspense_payout_requested": lambda a, b: suspense_returns.suspense_payout_requested(
        platform_no="P", credit_no="B-1", return_no="SR", amount_fen=a
    ),
    "suspense_payout_failed": lambda a, b: suspense_returns.suspense_payout_failed(
        platform_no="P", credit_no="B-1", return_no="SR", amount_fen=a
    ),
    "suspense_return_failed": lambda a, b: collection_recipes.suspense_return_failed(
        platform_no="P", payment_no="X", amount_fen=a
    ),
    "order_paid_directly": lambda a, b: collection_recipes.order_paid_directly(
        platform_no="P",
        channel="qr_qq",
        owner_no="O",
        order_no="D",
        payment_no="X",
        paid_fen=max(a, b),
        price_fen=min(a, b),
    ),
    "batch_frozen": lambda a, b: batch_payments.batch_frozen(
        platform_no="P", owner_no="O", legs=_legs(a, b), shares=_shares(a, b)
    ),
    "batch_paid_directly": lambda a, b: batch_payments.batch_paid_directly(
        platform_no="P", channel="qr_qq", owner_no="O", payment_no="X", paid_fen=a + 2 * b, shares=_shares(a, b)
    ),
    "refund_credited": lambda a, b: collection_recipes.refund_credited(
        platform_no="P", owner_no="O", payment_no="X", amount_fen=a, pending_day=DAY if b % 2 else None
    ),
    "payment_made": lambda a, b: transfers.payment_made(
        platform_no="P",
        payer_no="O",
        payee_no="C" if b % 2 else "",
        legs=_legs(a, b),
        pending_day=DAY if a % 2 else None,
    ),
    "suspense_assigned": lambda a, b: transfers.suspense_assigned(
        platform_no="P", credit_no="X", member_no="O", amount_fen=a, pending_day=DAY if b % 2 else None
    ),
    "micro_deposit_sent": lambda a, b: _bank(verification_recipes.micro_deposit_sent, a),
    "micro_deposit_returned": lambda a, b: _bank(verification_recipes.micro_deposit_returned, a),
    "assignment_reversed": lambda a, b: transfers.assignment_reversed(
        platform_no="P", credit_no="X", member_no="O", legs=_legs(a, b)
    ),
}


def test_every_recipe_of_the_allow_list_is_made_here() -> None:
    assert set(MADE) == set(RECIPES)


@pytest.mark.parametrize("recipe", MADE)
@given(one=amounts, other=amounts)
def test_an_entry_is_balanced_and_does_only_what_its_recipe_may(recipe: str, one: int, other: int) -> None:
    entry = MADE[recipe](one, other)
    assert entry.recipe == recipe
    assert sum(line.amount_fen for line in entry.lines) == 0
    assert len({line.account for line in entry.lines}) == len(entry.lines) >= 2
    moves = {(line.account.purpose, "+" if line.amount_fen > 0 else "-") for line in entry.lines}
    assert moves <= RECIPES[recipe].moves


@pytest.mark.parametrize("recipe", sorted(set(MADE) - {"bank_charge_covered", "channel_settled"}))
@pytest.mark.parametrize("amount_fen", [0, -1])
def test_an_amount_that_moves_nothing_or_backwards_is_refused(recipe: str, amount_fen: int) -> None:
    with pytest.raises(Refused) as refusal:
        MADE[recipe](amount_fen, 1)
    assert refusal.value.code == "amount_not_positive"


def test_a_charge_covered_by_nobody_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        recipes.bank_charge_covered(platform_no="P", from_fees_fen=0, from_own_fen=0)
    assert refusal.value.code == "unbalanced"


@given(paid=amounts, refunded=amounts, fee=amounts)
def test_a_settlement_may_take_more_than_it_brings(paid: int, refunded: int, fee: int) -> None:
    entry = _settled(paid_fen=paid, refunded_fen=refunded + paid, fee_fen=fee, net_of_fees=True)
    moved = {line.account.purpose: line.amount_fen for line in entry.lines}
    assert moved == {Purpose.CUSTODY: refunded + fee, Purpose.CHANNEL_DUE: -refunded, Purpose.BANK_CHARGES: -fee}


def test_a_settlement_line_that_does_not_bring_what_it_lists_is_refused() -> None:
    settlement = Settlement(
        settlement_no="S", method=CollectionMethod.QR_QQ, day=DAY, paid_fen=100, refunded_fen=0, fee_fen=1,
        net_of_fees=True, bank_serial_no="B-1", items=(),
    )  # fmt: skip
    with pytest.raises(Refused) as refusal:
        collection_recipes.channel_settled(
            platform_no="P", settlement=settlement, brought_fen=100, bank_serial_no="B-1", effective_date=DAY
        )
    assert refusal.value.code == "unbalanced"


def test_a_release_without_commission_has_no_fee_line() -> None:
    entry = _release("milestone_released", 1, 5)
    assert [line.account.purpose for line in entry.lines] == [Purpose.ESCROW, Purpose.PENDING]


def test_commission_above_the_gross_is_refused() -> None:
    with pytest.raises(Refused):
        recipes.escrow_released(
            recipe="milestone_released",
            platform_no="P",
            owner_no="O",
            order_no="D",
            payee_no="C",
            gross_fen=100,
            commission_fen=101,
        )


def test_only_releases_release() -> None:
    with pytest.raises(Refused) as refusal:
        _release("order_frozen", 100, 5)
    assert refusal.value.code == "recipe_unknown"


def test_custody_and_charges_move_only_on_a_line_the_bank_booked_or_between_platform_accounts() -> None:
    for name, rule in RECIPES.items():
        if Purpose.CUSTODY in rule.adds_to | rule.takes_from:
            assert rule.basis_kinds == {"bank_line"}, name
    assert Purpose.CUSTODY in WITHOUT_MINIMUM


def test_no_member_money_moves_without_a_consent_a_deadline_a_release_or_a_bank_line() -> None:
    members = {Purpose.WITHDRAWABLE, Purpose.ESCROW, Purpose.FROZEN}
    for name, rule in RECIPES.items():
        if rule.takes_from & members:
            assert "none" not in rule.basis_kinds, name
