"""The tree of sub-accounts is the ledger's accounts, each in one place."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from escrow.domain.money.accounts import Purpose
from escrow.domain.money.sub_accounts import FUNCTIONAL_SUB_ACCOUNTS, MEMBER_PURPOSES, tree_of


def test_every_purpose_has_exactly_one_place_in_the_tree() -> None:
    places = [Purpose.CUSTODY, Purpose.BANK_CHARGES, *MEMBER_PURPOSES]
    places += [purpose for item in FUNCTIONAL_SUB_ACCOUNTS for purpose in item.purposes]
    assert Counter(places) == Counter(Purpose)


@given(st.dictionaries(st.sampled_from([p for p in Purpose if p is not Purpose.CUSTODY]), st.integers(0, 2**62)))
def test_sub_accounts_are_custody_and_what_channels_owe_and_bank_charges(held: dict[Purpose, int]) -> None:
    for owed in (Purpose.CHANNEL_DUE, Purpose.BANK_CHARGES):
        held[owed] = -held.get(owed, 0)
    tree = tree_of({**held, Purpose.CUSTODY: -sum(held.values())})
    assert tree.sub_accounts_fen == tree.custody_fen + tree.channels_owe_fen + tree.bank_charges_fen
    assert tree.functional_fen["top_up_in_transit"] == tree.channels_owe_fen
    assert min(tree.functional_fen.values()) >= 0
