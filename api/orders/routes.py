"""Orders: open one by its contract, command it, look at it. The order itself decides."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field

from api.dependencies import CallerPlatform, Services, UsedServices, address_of
from api.member_consents import AWAITING_PROBLEMS, AWAITS_MEMBER
from api.operations import orders
from api.orders import opening
from api.orders.bodies import (
    CommandAnswer,
    CommandBody,
    ConsentBody,
    ConsentView,
    OrderOpening,
    OrderPage,
    OrderView,
)
from api.orders.views import order_view
from api.problems import problems
from api.schemas import PageQuery, PathNumber
from escrow.domain.operations.orders import CommandOrder
from escrow.domain.orders.commands import PartyCommand
from escrow.domain.orders.opening import ORDERS
from escrow.domain.orders.states import OrderCommand, OrderStatus
from escrow.ledger.books import known
from escrow.ledger.objects import known_object, list_objects

router = APIRouter(prefix="/orders", tags=["orders"])

MilestoneNumber = Annotated[int, Field(ge=1, le=50, description="Number of the milestone, from 1.")]

_COMMAND_PROBLEMS = (
    "not_found",
    "request_no_reused",
    "order_state",
    "not_the_party",
    "basis_missing",
    "basis_void",
    "basis_expired",
    "basis_used",
    "basis_mismatch",
    *AWAITING_PROBLEMS,
    "order_busy",
    "temporal_unavailable",
)


def _command_responses(*codes: str) -> dict[int | str, dict[str, Any]]:
    return problems(*_COMMAND_PROBLEMS, *codes) | AWAITS_MEMBER


def _command_of(
    order_no: str, operation: OrderCommand, body: CommandBody, milestone: int | None = None
) -> CommandOrder:
    command = PartyCommand(
        operation=operation, request_no=body.request_no, by=body.by, milestone=milestone, note=body.note
    )
    return CommandOrder(order_no=order_no, command=command)


async def _given(services: Services, platform_no: str, command: CommandOrder, request: Request) -> CommandAnswer:
    heard = await orders.give(services, platform_no, command, remote_address=address_of(request))
    return CommandAnswer(result=dict(heard.answer or {}), order=order_view(heard.stored))


class OrderQuery(PageQuery):
    """Which orders to list."""

    status: OrderStatus | None = Field(default=None, description="Only orders in this status.")


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    summary="Open an order",
    responses=problems(
        "request_no_reused",
        "member_unknown",
        "member_state",
        "business_model_forbids",
        "limit_exceeded",
        "milestone_plan",
        "ratio_invalid",
        "function_off",
        "object_exists",
        "order_busy",
        "temporal_unavailable",
        repeated=OrderView,
    ),
)
async def open_order(
    body: OrderOpening, request: Request, response: Response, platform_no: CallerPlatform, services: UsedServices
) -> OrderView:
    """Open an order by the contract that owner and contractor signed. It then waits for the owner to pay in full.

    Commission, periods and settlement are the platform's configuration of this moment, fixed for the order's life.
    Unpaid at its payment deadline, it closes by itself.
    """
    order, created = await opening.open_order(services, platform_no, body, remote_address=address_of(request))
    if not created:
        response.status_code = status.HTTP_200_OK
    return order_view(order)


@router.get("", summary="List orders", responses=problems())
async def list_orders(
    query: Annotated[OrderQuery, Query()], platform_no: CallerPlatform, services: UsedServices
) -> OrderPage:
    """Orders in the order of their numbers, after a given one."""
    found = await list_objects(
        services.reader, platform_no, "order", status=query.status, after=query.after, limit=query.limit
    )
    return OrderPage(orders=[order_view(order.as_stored()) for order in found])


@router.get("/{order_no}", summary="One order", responses=problems("not_found"))
async def get_order(order_no: PathNumber, platform_no: CallerPlatform, services: UsedServices) -> OrderView:
    """The order with its milestones, the money it holds, and what it would take now."""
    found = await known_object(services.reader, platform_no, "order", order_no)
    return order_view(found.as_stored())


@router.post(
    "/{order_no}/pay",
    summary="Owner pays",
    responses=_command_responses("function_off", "insufficient_balance", "limit_exceeded", "member_state"),
)
async def pay_order(
    order_no: PathNumber, body: CommandBody, request: Request, platform_no: CallerPlatform, services: UsedServices
) -> CommandAnswer:
    """Freeze the full price from the owner's available balance: pending money first, then withdrawable.

    By paying, the owner also consents that silence for the inspection period after a completed stage is acceptance.
    """
    return await _given(services, platform_no, _command_of(order_no, OrderCommand.PAY, body), request)


@router.post("/{order_no}/start", summary="Contractor starts", responses=_command_responses())
async def start_order(
    order_no: PathNumber, body: CommandBody, request: Request, platform_no: CallerPlatform, services: UsedServices
) -> CommandAnswer:
    """The contractor has started to work: the deposit is released, less commission."""
    return await _given(services, platform_no, _command_of(order_no, OrderCommand.START, body), request)


@router.post("/{order_no}/cancel", summary="Either side cancels", responses=_command_responses())
async def cancel_order(
    order_no: PathNumber, body: CommandBody, request: Request, platform_no: CallerPlatform, services: UsedServices
) -> CommandAnswer:
    """Cancel the order and refund what is still frozen.

    Before the start either side alone; afterwards the first call proposes it and the other side's call agrees.
    """
    return await _given(services, platform_no, _command_of(order_no, OrderCommand.CANCEL, body), request)


@router.post(
    "/{order_no}/milestones/{number}/complete",
    summary="Contractor reports a stage complete",
    responses=_command_responses("milestone_unknown"),
)
async def complete_milestone(
    order_no: PathNumber,
    number: MilestoneNumber,
    body: CommandBody,
    request: Request,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> CommandAnswer:
    """The inspection period begins, or goes on with the time that was left after a rectification.

    Shortly before its end the owner is reminded by SMS; silence until its end is acceptance.
    """
    return await _given(services, platform_no, _command_of(order_no, OrderCommand.COMPLETE, body, number), request)


@router.post(
    "/{order_no}/milestones/{number}/accept",
    summary="Owner accepts a stage",
    responses=_command_responses("milestone_unknown"),
)
async def accept_milestone(
    order_no: PathNumber,
    number: MilestoneNumber,
    body: CommandBody,
    request: Request,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> CommandAnswer:
    """The stage's money is released to the contractor at once, less commission."""
    return await _given(services, platform_no, _command_of(order_no, OrderCommand.ACCEPT, body, number), request)


@router.post(
    "/{order_no}/milestones/{number}/rectify",
    summary="Owner asks for rectification",
    responses=_command_responses("milestone_unknown"),
)
async def rectify_milestone(
    order_no: PathNumber,
    number: MilestoneNumber,
    body: CommandBody,
    request: Request,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> CommandAnswer:
    """The inspection period stands still until the contractor reports the stage complete again."""
    return await _given(services, platform_no, _command_of(order_no, OrderCommand.RECTIFY, body, number), request)


@router.post(
    "/{order_no}/consents",
    status_code=status.HTTP_201_CREATED,
    summary="Record a consent without commanding",
    responses=problems(
        "not_found",
        "request_no_reused",
        "milestone_unknown",
        "function_off",
        "authorisation_required",
        "limit_exceeded",
        repeated=ConsentView,
    ),
)
async def record_consent(
    order_no: PathNumber,
    body: ConsentBody,
    request: Request,
    response: Response,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> ConsentView:
    """Record that a party consents to a command, for those who then send the order a signal with this `request_no`.

    Nothing happens to the order by this alone. A signal without a recorded consent moves nothing, and one that is
    lost, because the process was terminated or reset, is to be sent again: only a command is kept until it is answered.
    """
    order = await known(services.reader, ORDERS, platform_no, order_no)
    said = _command_of(order_no, body.operation, body, body.milestone)
    consent, created = await orders.consent_to(
        services, platform_no, order.contract, said, remote_address=address_of(request), is_command=False
    )
    if not created:
        response.status_code = status.HTTP_200_OK
    return ConsentView(
        consent_no=consent.consent_no,
        order_no=order_no,
        operation=body.operation,
        by=body.by,
        terms=consent.terms,
        operation_hash=consent.operation_hash,
        recorded_at=consent.recorded_at,
        expires_at=consent.expires_at,
    )
