"""Bank accounts of members: bind, list, unbind."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field

from api.account_views import BankAccountView, bank_account_view
from api.dependencies import CallerPlatform, UsedServices, address_of
from api.member_consents import AWAITING_PROBLEMS, AWAITS_MEMBER
from api.operations import bank_accounts
from api.problems import problems
from api.schemas import Body, Line, Number, PathNumber, RequestNumber, View
from escrow.domain.operations.members import BindAccount, UnbindAccount

router = APIRouter(prefix="/members/{member_no}/bank-accounts", tags=["bank accounts"])


class BankAccountBinding(Body):
    """A bank account to bind."""

    account_id: Number = Field(description="The platform's own number of this binding.", examples=["A-1"])
    account_no: str = Field(
        min_length=9,
        max_length=32,
        pattern=r"^\d+$",
        description="Card number (16-19 digits) or corporate account (9-32 digits); kept encrypted.",
        examples=["6216261000000000018"],
    )
    account_name: Line = Field(
        min_length=1, max_length=120, description="Must be the member's name.", examples=["王小明"]
    )
    is_corporate: bool = Field(description="A corporate settlement account instead of a personal card.")
    cnaps_code: str = Field(
        default="",
        max_length=12,
        description="CNAPS code of the branch, 12 digits; large-value and small-value payments need it.",
        examples=["102100099996"],
    )
    bank_name: Line = Field(default="", max_length=80, examples=["中国工商银行"])
    make_default: bool = Field(
        default=False, description="Withdrawals that name no account go here. The first account is the default anyway."
    )


class BankAccountList(View):
    """All accounts ever bound to the member, oldest first."""

    bank_accounts: list[BankAccountView]


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    summary="Bind a bank account",
    responses=problems(
        "not_found",
        "request_no_reused",
        "account_name_differs",
        "account_no_invalid",
        "cnaps_code_invalid",
        "account_already_bound",
        "member_state",
        *AWAITING_PROBLEMS,
        repeated=BankAccountView,
    )
    | AWAITS_MEMBER,
)
async def bind_bank_account(
    member_no: PathNumber,
    body: BankAccountBinding,
    request: Request,
    response: Response,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> BankAccountView:
    """Bind an account under the member's own name, at any bank.

    A bank account belongs to one member at a time. From now on transfers from it are credited to the member. Where
    your platform has members authorise it, the member is shown the masked number and the bank.
    """
    remote_address = address_of(request)
    operation = BindAccount(member_no=member_no, **body.model_dump())
    account, created = await bank_accounts.bind(services, platform_no, operation, remote_address=remote_address)
    if not created:
        response.status_code = status.HTTP_200_OK
    return bank_account_view(account)


@router.get("", summary="List a member's bank accounts", responses=problems("not_found"))
async def list_bank_accounts(
    member_no: PathNumber, platform_no: CallerPlatform, services: UsedServices
) -> BankAccountList:
    """All accounts that are or were bound to the member, oldest first."""
    await services.registry.members.get(platform_no, member_no)
    accounts = await services.registry.bank_accounts.of_member(platform_no, member_no)
    return BankAccountList(bank_accounts=[bank_account_view(account) for account in accounts])


@router.get("/{account_id}", summary="One bank account", responses=problems("not_found"))
async def get_bank_account(
    member_no: PathNumber, account_id: PathNumber, platform_no: CallerPlatform, services: UsedServices
) -> BankAccountView:
    """The account as it is bound, or was."""
    return bank_account_view(await services.registry.bank_accounts.get(platform_no, member_no, account_id))


@router.delete(
    "/{account_id}",
    summary="Unbind a bank account",
    responses=problems(
        "not_found",
        "account_in_use",
        "mandate_in_force",
        "member_state",
        "request_no_reused",
        *AWAITING_PROBLEMS,
    )
    | AWAITS_MEMBER,
)
async def unbind_bank_account(
    member_no: PathNumber,
    account_id: PathNumber,
    request: Request,
    platform_no: CallerPlatform,
    services: UsedServices,
    request_no: Annotated[
        RequestNumber, Query(description="Another one asks a member again that declined, or after a refusal.")
    ] = "1",
) -> BankAccountView:
    """Unbind the account; its number may be bound again under another id.

    Refused while a withdrawal to it is under way. When it was the default, the oldest other account becomes it.
    """
    remote_address = address_of(request)
    operation = UnbindAccount(member_no=member_no, account_id=account_id, request_no=request_no)
    account = await bank_accounts.unbind(services, platform_no, operation, remote_address=remote_address)
    return bank_account_view(account)
