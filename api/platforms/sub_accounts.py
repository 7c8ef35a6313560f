"""The caller's tree of sub-accounts under its custody account, with balances."""

from fastapi import APIRouter
from pydantic import Field

from api.dependencies import CallerPlatform, UsedServices
from api.problems import problems
from api.schemas import BalanceFen, Time, View
from escrow.domain.members.identity_numbers import mask
from escrow.domain.money.sub_accounts import FUNCTIONAL_SUB_ACCOUNTS, tree_of
from escrow.ledger.balances import platform_balances
from escrow.registry.platforms.functional_sub_accounts import opened_sub_accounts

router = APIRouter(prefix="/platform/sub-accounts", tags=["platform"])


class SubAccountView(View):
    """A functional sub-account; the ledger's accounts behind it, one per order or withdrawal, are under `/accounts`."""

    sub_account_no: str = Field(examples=["escrow"])
    name: str = Field(examples=["held for orders"])
    chinese_name: str = Field(examples=["担保"])
    balance_fen: BalanceFen = Field(description="Zero or more; where `is_owed_to_us`, what others owe.")
    is_owed_to_us: bool = Field(
        description="Whether channels hold this money for the platform; it is then no part of `sub_accounts_fen`."
    )
    opened_at: Time


class SubAccountTreeView(View):
    """The tree, all of one moment: `sub_accounts_fen` = `custody_fen` + `channels_owe_fen` + `bank_charges_fen`."""

    custody_account_no_masked: str
    custody_fen: BalanceFen = Field(
        description="What the bank should show for the custody account once all of its lines are posted."
    )
    channels_owe_fen: BalanceFen = Field(description="What channels took and have not settled yet.")
    bank_charges_fen: BalanceFen = Field(description="What the bank charged and the platform has not made good yet.")
    sub_accounts_fen: BalanceFen = Field(description="All that is held for somebody, members and functional.")
    members_fen: BalanceFen = Field(description="Sub-accounts of all members together; one by one under `/members`.")
    functional: list[SubAccountView] = Field(
        description="Those opened with the platform. Nothing is posted to `interest` and `subsidy` yet."
    )


@router.get("", summary="Your tree of sub-accounts", responses=problems())
async def get_sub_accounts(platform_no: CallerPlatform, services: UsedServices) -> SubAccountTreeView:
    """The custody account and everything under it: functional sub-accounts, and members as one sum."""
    platform = await services.registry.platforms.get(platform_no)
    opened_at = await opened_sub_accounts(services.reader, platform_no)
    tree = tree_of((await platform_balances(services.reader, platform_no)).fen_by_purpose)
    return SubAccountTreeView(
        custody_account_no_masked=mask(platform.custody_account_no),
        custody_fen=tree.custody_fen,
        channels_owe_fen=tree.channels_owe_fen,
        bank_charges_fen=tree.bank_charges_fen,
        sub_accounts_fen=tree.sub_accounts_fen,
        members_fen=tree.members_fen,
        functional=[
            SubAccountView(
                sub_account_no=item.number,
                name=item.name,
                chinese_name=item.chinese_name,
                balance_fen=tree.functional_fen[item.number],
                is_owed_to_us=item.is_owed_to_us,
                opened_at=opened_at[item.number],
            )
            for item in FUNCTIONAL_SUB_ACCOUNTS
            if item.number in opened_at
        ],
    )
