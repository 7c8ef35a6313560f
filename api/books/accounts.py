"""Balances of members and accounts, and the lines behind them."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field

from api.books.lines import LineView, line_view
from api.dependencies import CallerPlatform, UsedServices
from api.problems import problems
from api.schemas import BalanceFen, Body, PathNumber, View
from escrow.domain.errors import Refused
from escrow.domain.money.accounts import AccountKey, Purpose
from escrow.domain.money.funding import EscrowClass
from escrow.domain.requests import PLATFORM_NUMBER_PATTERN
from escrow.ledger.balances import list_accounts, member_balances
from escrow.ledger.history import account_history

router = APIRouter(tags=["accounts"])

_ACCOUNT_PATTERN = r"^([A-Za-z0-9][A-Za-z0-9_.\-]{0,63}/)?[a-z_]{3,20}(:[A-Za-z0-9_.:\-]{1,128})?$"
_CURSOR_PATTERN = r"^([0-9]{4}-[0-9]{2}-[0-9]{2}\.[0-9]{1,18})?$"


class MemberBalancesView(View):
    """What a member has, by what can be done with it; amounts in fen."""

    member_no: str
    available_fen: BalanceFen = Field(description="Can be spent now: withdrawable and pending.")
    withdrawable_fen: BalanceFen = Field(description="Can be withdrawn now.")
    pending_fen: BalanceFen = Field(description="Becomes withdrawable when its accounting day is closed (T+1).")
    pending_fen_by_day: dict[date, int]
    frozen_fen: BalanceFen = Field(description="Own money held without an order.")
    in_escrow_fen: BalanceFen = Field(description="Held for orders that the member paid.")
    in_escrow_fen_by_order: dict[str, int]
    in_escrow_fen_by_class: dict[EscrowClass, int] = Field(
        description="The same by where it came from: `paid_from_balance`, `paid_directly` through a channel, or "
        "`subsidy` of the platform. Of an order that is partly released, it is what would be refunded now."
    )
    in_payout_fen_by_withdrawal: dict[str, int] = Field(description="On its way to the bank.")


class AccountView(View):
    """One account."""

    account: str = Field(
        description="`{member_no}/{purpose}:{ref}`; without member for functional accounts, without ref where "
        "there is none.",
        examples=["C-1/withdrawable", "O-1/escrow:D-1001", "fees"],
    )
    member_no: str | None
    purpose: Purpose
    ref: str
    balance_fen: BalanceFen
    cursor: int = Field(description="Continues the list after this account.")


class AccountPage(View):
    """Accounts in the order of their opening."""

    accounts: list[AccountView]


class AccountQuery(Body):
    """Which accounts to list."""

    member_no: str | None = Field(default=None, pattern=PLATFORM_NUMBER_PATTERN, description="Only this member's.")
    purpose: Purpose | None = Field(default=None, description="Only of this purpose.")
    after: int = Field(default=0, ge=0, le=2**63 - 1, description="`cursor` of the last account already read.")
    limit: int = Field(default=50, ge=1, le=200)


class HistoryView(View):
    """Lines of a period: opening balance + all its lines = closing balance."""

    account: str
    opening_fen: BalanceFen
    closing_fen: BalanceFen
    lines: list[LineView]


class HistoryQuery(Body):
    """Which lines to list; days are accounting days, both ends included."""

    first_day: date | None = None
    last_day: date | None = None
    after: str = Field(default="", pattern=_CURSOR_PATTERN, description="`cursor` of the last line already read.")
    limit: int = Field(default=100, ge=1, le=500)


@router.get("/members/{member_no}/balances", summary="Balances of a member", responses=problems("not_found"))
async def get_balances(
    member_no: PathNumber, platform_no: CallerPlatform, services: UsedServices
) -> MemberBalancesView:
    """What the member has and what can be done with it, all of one moment."""
    await services.registry.members.get(platform_no, member_no)
    balances = await member_balances(services.reader, platform_no, member_no)
    return MemberBalancesView(
        member_no=member_no,
        available_fen=balances.available_fen,
        withdrawable_fen=balances.withdrawable_fen,
        pending_fen=balances.pending_fen,
        pending_fen_by_day=balances.pending_fen_by_day,
        frozen_fen=balances.frozen_fen,
        in_escrow_fen=balances.in_escrow_fen,
        in_escrow_fen_by_order=balances.in_escrow_fen_by_order,
        in_escrow_fen_by_class=balances.in_escrow_fen_by_class,
        in_payout_fen_by_withdrawal=balances.in_payout_fen_by_withdrawal,
    )


@router.get("/accounts", summary="List accounts", responses=problems())
async def get_accounts(
    query: Annotated[AccountQuery, Query()], platform_no: CallerPlatform, services: UsedServices
) -> AccountPage:
    """The sub-accounts that were ever used, with their balances. `custody` carries the counter-sign of all others."""
    found = await list_accounts(
        services.reader,
        platform_no,
        member_no=query.member_no,
        purpose=query.purpose,
        after_account_id=query.after,
        limit=query.limit,
    )
    return AccountPage(
        accounts=[
            AccountView(
                account=str(item.account),
                member_no=item.account.member_no or None,
                purpose=item.account.purpose,
                ref=item.account.ref,
                balance_fen=item.balance_fen,
                cursor=item.account_id,
            )
            for item in found
        ]
    )


@router.get("/accounts/{account:path}/history", summary="Lines of one account", responses=problems("not_found"))
async def get_account_history(
    account: Annotated[str, Path(pattern=_ACCOUNT_PATTERN, examples=["C-1/withdrawable"])],
    query: Annotated[HistoryQuery, Query()],
    platform_no: CallerPlatform,
    services: UsedServices,
) -> HistoryView:
    """Every line of the account in the order of posting, each with the balance after it.

    An account that was never used has no lines.
    """
    history = await account_history(
        services.reader,
        _key_of(platform_no, account),
        first_day=query.first_day,
        last_day=query.last_day,
        after=query.after,
        limit=query.limit,
    )
    return HistoryView(
        account=account,
        opening_fen=history.opening_fen,
        closing_fen=history.closing_fen,
        lines=[line_view(line) for line in history.lines],
    )


def _key_of(platform_no: str, account: str) -> AccountKey:
    member_no, slash, rest = account.rpartition("/")
    purpose, _, ref = rest.partition(":")
    if purpose not in set(Purpose):
        raise Refused("not_found", f"There are no accounts for the purpose {purpose!r}.")
    return AccountKey(platform_no=platform_no, purpose=Purpose(purpose), member_no=member_no if slash else "", ref=ref)
