"""Money in suspense: what came in and belongs to no member yet, whom it is given to, and taking that back."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field

from api.dependencies import CallerPlatform, Services, UsedServices, address_of
from api.operations.payments import known_transfer, made, transfer_consent
from api.problems import problems
from api.schemas import AmountFen, BalanceFen, Body, Number, PathNumber, Time, View
from api.transfers.numbers import CreditNumber
from escrow.domain.money.accounts import Purpose
from escrow.domain.transfers.moves import TransferKind
from escrow.ledger.balances import list_accounts
from escrow.ledger.consents import record_consent
from escrow.ledger.objects import BusinessObject

router = APIRouter(prefix="/suspense", tags=["suspense"])


class CreditView(View):
    """Money in suspense under one number."""

    credit_no: str = Field(description="The bank's serial number of a transfer, or a channel's payment number.")
    left_fen: BalanceFen = Field(description="What is still in suspense of it.")


class CreditPage(View):
    """Money in suspense in the order of its arrival."""

    credits: list[CreditView]
    next_after: int = Field(description="For `after` of the next page.")


class CreditQuery(Body):
    """Which part of the list."""

    after: int = Field(default=0, ge=0, description="`next_after` of the page before; 0 for the first.")
    limit: int = Field(default=50, ge=1, le=200, description="Accounts looked at; those that are empty are left out.")


class AssignmentOpening(Body):
    """Your instruction to give money in suspense to the member that it belongs to."""

    assignment_no: Number = Field(examples=["AS-1"])
    member_no: Number = Field(examples=["O-1"])
    amount_fen: AmountFen


class ReversalOpening(Body):
    """Your instruction to take an assignment back, or a part of it."""

    reversal_no: Number = Field(examples=["RV-1"])
    amount_fen: AmountFen


class AssignmentView(View):
    """An assignment that was made."""

    assignment_no: str
    credit_no: str
    member_no: str
    amount_fen: BalanceFen
    reversed_fen: BalanceFen
    assigned_at: Time


def _view(assignment: BusinessObject) -> AssignmentView:
    body = assignment.body
    return AssignmentView(
        assignment_no=assignment.object_no,
        credit_no=body["subject_no"],
        member_no=body["member_no"],
        amount_fen=body["amount_fen"],
        reversed_fen=body["reversed_fen"],
        assigned_at=assignment.created_at,
    )


@router.get("", summary="List money in suspense", responses=problems())
async def list_suspense(
    query: Annotated[CreditQuery, Query()], platform_no: CallerPlatform, services: UsedServices
) -> CreditPage:
    """What came in and belongs to no member yet."""
    found = await list_accounts(
        services.reader,
        platform_no,
        purpose=Purpose.SUSPENSE,
        after_account_id=query.after,
        limit=query.limit,
    )
    waiting = [CreditView(credit_no=item.account.ref, left_fen=item.balance_fen) for item in found if item.balance_fen]
    return CreditPage(credits=waiting, next_after=found[-1].account_id if found else query.after)


@router.post(
    "/{credit_no}/assignments",
    status_code=status.HTTP_201_CREATED,
    summary="Assign money in suspense to a member",
    responses=problems(
        "not_found",
        "request_no_reused",
        "insufficient_balance",
        "member_unknown",
        "member_state",
        "two_operators_required",
        "order_busy",
        "temporal_unavailable",
        repeated=AssignmentView,
    ),
)
async def assign(
    credit_no: CreditNumber,
    body: AssignmentOpening,
    request: Request,
    response: Response,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> AssignmentView:
    """Give money in suspense, or a part of it, to the member that it belongs to, at most what is still there.

    What a bank gave back of a payout goes to a member of the payee's name only, what a channel collected to the member
    that it was collected for; else two operators pay it out.
    """
    terms = {"subject_no": credit_no, "member_no": body.member_no, "amount_fen": body.amount_fen}
    kind = TransferKind.ASSIGNMENT
    return _view(await _instructed(services, platform_no, kind, body.assignment_no, terms, request, response))


@router.get("/assignments/{assignment_no}", summary="One assignment", responses=problems("not_found"))
async def get_assignment(
    assignment_no: PathNumber, platform_no: CallerPlatform, services: UsedServices
) -> AssignmentView:
    """Who was given how much, and what of it was taken back."""
    return _view(await known_transfer(services, platform_no, TransferKind.ASSIGNMENT, assignment_no))


@router.post(
    "/assignments/{assignment_no}/reversals",
    status_code=status.HTTP_201_CREATED,
    summary="Reverse an assignment",
    responses=problems(
        "not_found",
        "request_no_reused",
        "insufficient_balance",
        "reversal_exceeds_assignment",
        "order_busy",
        "temporal_unavailable",
        repeated=AssignmentView,
    ),
)
async def reverse(
    assignment_no: PathNumber,
    body: ReversalOpening,
    request: Request,
    response: Response,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> AssignmentView:
    """Take an assignment back into suspense, or a part of it: at most what the member still has available."""
    assignment = await known_transfer(services, platform_no, TransferKind.ASSIGNMENT, assignment_no)
    terms = {
        "subject_no": assignment_no,
        "member_no": assignment.body["member_no"],
        "amount_fen": body.amount_fen,
    }
    await _instructed(services, platform_no, TransferKind.REVERSAL, body.reversal_no, terms, request, response)
    return _view(await known_transfer(services, platform_no, TransferKind.ASSIGNMENT, assignment_no))


async def _instructed(
    services: Services,
    platform_no: str,
    kind: TransferKind,
    transfer_no: str,
    terms: Mapping[str, Any],
    request: Request,
    response: Response,
) -> BusinessObject:
    """A transfer on the platform's own instruction."""
    current = await services.registry.platforms.configurations.current(platform_no)
    instructed = transfer_consent(
        platform_no,
        kind,
        transfer_no,
        **terms,
        config_version=current.version,
        remote_address=address_of(request),
    )
    consent, is_new = await record_consent(services.recorder, instructed)
    if not is_new:
        response.status_code = status.HTTP_200_OK
    return await made(services, consent)
