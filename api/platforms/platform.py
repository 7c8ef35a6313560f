"""The caller's own platform: configuration and the money in custody."""

from fastapi import APIRouter
from pydantic import Field

from api.account_views import BankAccountView, bank_account_view
from api.dependencies import CallerPlatform, UsedServices
from api.problems import problems
from api.schemas import BalanceFen, Time, View
from escrow.domain.members.identity_numbers import mask
from escrow.domain.money.accounts import Purpose
from escrow.domain.platforms.access import PlatformAccess
from escrow.domain.platforms.config import PlatformConfig
from escrow.ledger.balances import platform_balances
from escrow.registry.registry import PLATFORMS_OWN

router = APIRouter(prefix="/platform", tags=["platform"])


class PlatformView(View):
    """A platform; opened and configured by an operator."""

    platform_no: str
    name: str
    custody_account_no_masked: str
    custody_at_bank_fen: BalanceFen = Field(
        description="What the bank should show for the custody account once all of its lines are posted."
    )
    balances_fen: dict[Purpose, int] = Field(
        description="Sums over all sub-accounts by purpose; they add up to zero, `custody` carries the counter-sign."
    )
    access: PlatformAccess = Field(description="Over which lines your keys work; an operator opens and closes them.")
    config: PlatformConfig
    config_version: int
    own_bank_accounts: list[BankAccountView] = Field(description="Where the platform withdraws its own money to.")
    opened_at: Time


@router.get("", summary="Your platform", responses=problems())
async def get_platform(platform_no: CallerPlatform, services: UsedServices) -> PlatformView:
    """Configuration, custody account and balances by purpose, all in fen."""
    platform = await services.registry.platforms.get(platform_no)
    balances = await platform_balances(services.reader, platform_no)
    own = await services.registry.bank_accounts.of_member(platform_no, PLATFORMS_OWN)
    return PlatformView(
        platform_no=platform.platform_no,
        name=platform.name,
        custody_account_no_masked=mask(platform.custody_account_no),
        custody_at_bank_fen=balances.custody_at_bank_fen,
        balances_fen=balances.fen_by_purpose,
        access=await services.registry.accesses.get(platform_no),
        config=platform.config,
        config_version=platform.config_version,
        own_bank_accounts=[bank_account_view(account) for account in own],
        opened_at=platform.opened_at,
    )
