"""The tree under a custody account: one sub-account per member, and the functional ones that every platform has.

A functional sub-account is what people and the bank's description call one account; the ledger keeps it as one account
per order, withdrawal or credit (`escrow.domain.money.accounts`), so that a much-used one is never one row that all wait
for. Its balance is the sum over those.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from escrow.domain.money.accounts import Purpose

#: What the sub-account of a member is made of.
MEMBER_PURPOSES = frozenset({Purpose.WITHDRAWABLE, Purpose.PENDING, Purpose.FROZEN})


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionalSubAccount:
    """One functional sub-account, opened with the platform.

    Args:
        number: its number, unique per platform and the same on all of them.
        name: what it is for, in English.
        chinese_name: the same as the bank calls it.
        purposes: accounts of the ledger that it sums.
        is_owed_to_us: whether others hold this money for the platform; its balance is then what they owe.
    """

    number: str
    name: str
    chinese_name: str
    purposes: tuple[Purpose, ...]
    is_owed_to_us: bool = False


#: In the order in which people read them. Interest and subsidy stay at zero: nothing is posted to them yet.
FUNCTIONAL_SUB_ACCOUNTS = (
    FunctionalSubAccount(number="escrow", name="held for orders", chinese_name="担保", purposes=(Purpose.ESCROW,)),
    FunctionalSubAccount(
        number="suspense", name="came in and belongs to nobody yet", chinese_name="挂账", purposes=(Purpose.SUSPENSE,)
    ),
    FunctionalSubAccount(
        number="fees",
        name="commission and fees, not swept yet",
        chinese_name="手续费",
        purposes=(Purpose.FEES,),
    ),
    FunctionalSubAccount(
        number="interest", name="interest of the bank", chinese_name="利息", purposes=(Purpose.INTEREST,)
    ),
    FunctionalSubAccount(
        number="top_up_in_transit",
        name="taken by channels and not settled yet",
        chinese_name="充值在途",
        purposes=(Purpose.CHANNEL_DUE,),
        is_owed_to_us=True,
    ),
    FunctionalSubAccount(
        number="withdrawal_in_transit",
        name="on its way out, or back to its payer",
        chinese_name="提现在途",
        purposes=(Purpose.PAYOUT, Purpose.REFUND),
    ),
    FunctionalSubAccount(number="own", name="the platform's own", chinese_name="平台自有", purposes=(Purpose.OWN,)),
    FunctionalSubAccount(number="subsidy", name="subsidies", chinese_name="营销", purposes=(Purpose.SUBSIDY,)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubAccountTree:
    """Balances of a platform's tree, all of one moment, in fen; only an overdrawn custody account is below zero.

    Args:
        functional_fen: by number of the functional sub-account.
        members_fen: sub-accounts of all members together.
        custody_fen: what the bank should show for the custody account once all of its lines are posted.
        channels_owe_fen: what collection channels took and have not settled yet.
        bank_charges_fen: what the bank charged and the platform has not made good yet.
    """

    functional_fen: Mapping[str, int]
    members_fen: int
    custody_fen: int
    channels_owe_fen: int
    bank_charges_fen: int

    @property
    def sub_accounts_fen(self) -> int:
        """All that is held for somebody: equal to custody + what channels owe + bank charges."""
        held = (item.number for item in FUNCTIONAL_SUB_ACCOUNTS if not item.is_owed_to_us)
        return self.members_fen + sum(self.functional_fen[number] for number in held)


def tree_of(fen_by_purpose: Mapping[Purpose, int]) -> SubAccountTree:
    """The tree from the sums of the ledger's accounts by purpose; those that others hold carry the counter-sign."""

    def total_fen(*purposes: Purpose) -> int:
        return sum(fen_by_purpose.get(purpose, 0) for purpose in purposes)

    return SubAccountTree(
        functional_fen={
            item.number: -total_fen(*item.purposes) if item.is_owed_to_us else total_fen(*item.purposes)
            for item in FUNCTIONAL_SUB_ACCOUNTS
        },
        members_fen=total_fen(*MEMBER_PURPOSES),
        custody_fen=-total_fen(Purpose.CUSTODY),
        channels_owe_fen=-total_fen(Purpose.CHANNEL_DUE),
        bank_charges_fen=-total_fen(Purpose.BANK_CHARGES),
    )
