"""Withdrawals: ask for one, look at it and at the reasons of its route."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response, status
from pydantic import Field

from api.dependencies import CallerPlatform, UsedServices, address_of
from api.member_consents import AWAITING_PROBLEMS, AWAITS_MEMBER
from api.operations import withdrawals
from api.problems import problems
from api.schemas import PageQuery
from api.withdrawal_views import WithdrawalView, withdrawal_view
from api.withdrawals.bodies import WithdrawalOpening, WithdrawalPage
from escrow.domain.errors import Refused
from escrow.domain.operations.transfers import Withdraw
from escrow.domain.withdrawals.states import WithdrawalStatus
from escrow.ledger.objects import get_object, list_objects

router = APIRouter(prefix="/withdrawals", tags=["withdrawals"])

#: An order's standing order numbers its withdrawals itself, with colons.
WithdrawalNumber = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:\-]{0,127}$", description="Its number.")]


class WithdrawalQuery(PageQuery):
    """Which withdrawals to list."""

    after: str = Field(default="", pattern=r"^([A-Za-z0-9][A-Za-z0-9_.:\-]{0,127})?$")
    status: WithdrawalStatus | None = Field(default=None, description="Only withdrawals in this status.")


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    summary="Ask for a withdrawal",
    responses=problems(
        "request_no_reused",
        "account_not_bound",
        "insufficient_balance",
        "function_off",
        *AWAITING_PROBLEMS,
        "identity_required",
        "member_state",
        "member_unknown",
        "limit_exceeded",
        "account_not_verified",
        "bank_charges_owed",
        "fee_differs",
        "object_exists",
        "order_busy",
        "temporal_unavailable",
        repeated=WithdrawalView,
    )
    | AWAITS_MEMBER,
)
async def open_withdrawal(
    body: WithdrawalOpening,
    request: Request,
    response: Response,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> WithdrawalView:
    """Withdraw a member's withdrawable money to a bound account, or the platform's own money to its own account.

    Your own withdrawal is always authorised by your contact person, by a code to its mobile on a hosted page.
    Answers as soon as the money is held. It then travels by itself: over the best rail that is open, queued until
    one opens, and back to the sub-account when none can carry it. A large one is announced by SMS.
    """
    remote_address = address_of(request)
    operation = Withdraw(**body.model_dump())
    withdrawal, is_new = await withdrawals.withdraw(services, platform_no, operation, remote_address=remote_address)
    if not is_new:
        response.status_code = status.HTTP_200_OK
    return withdrawal_view(withdrawal)


@router.get("", summary="List withdrawals", responses=problems())
async def list_withdrawals(
    query: Annotated[WithdrawalQuery, Query()], platform_no: CallerPlatform, services: UsedServices
) -> WithdrawalPage:
    """Withdrawals in the order of their numbers, those of orders' standing orders included."""
    found = await list_objects(
        services.reader, platform_no, "withdrawal", status=query.status, after=query.after, limit=query.limit
    )
    return WithdrawalPage(withdrawals=[withdrawal_view(withdrawal) for withdrawal in found])


@router.get("/{withdrawal_no}", summary="One withdrawal", responses=problems("not_found"))
async def get_withdrawal(
    withdrawal_no: WithdrawalNumber, platform_no: CallerPlatform, services: UsedServices
) -> WithdrawalView:
    """Where the money is, over which rails it was sent, and why over these."""
    withdrawal = await get_object(services.reader, platform_no, "withdrawal", withdrawal_no)
    if withdrawal is None:
        raise Refused("not_found", f"There is no withdrawal {withdrawal_no}.")
    return withdrawal_view(withdrawal)
