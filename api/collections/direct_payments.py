"""Direct payment of an order: a channel collects the price at the moment of paying, no top-up first."""

from fastapi import APIRouter, Request, Response, status
from pydantic import Field

from api.collections.collecting import COLLECTING_PROBLEMS, Collecting
from api.collections.top_up_views import TopUpView, shown_to_payer, top_up_view
from api.dependencies import CallerPlatform, UsedServices, address_of
from api.member_consents import AWAITING_PROBLEMS, AWAITS_MEMBER
from api.operations import direct_payments
from api.problems import problems
from api.schemas import Number, PathNumber, RequestNumber
from escrow.domain.collections.terms import direct_pay_in_no
from escrow.domain.errors import Refused
from escrow.domain.operations.orders import PayDirectly
from escrow.ledger.objects import get_object

router = APIRouter(prefix="/orders/{order_no}/direct-payments", tags=["orders"])


class DirectPaymentOpening(Collecting):
    """The owner pays the full price through a channel. It has consented to exactly this."""

    request_no: RequestNumber
    by: Number = Field(description="The owner.", examples=["O-1"])


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    summary="Owner pays through a channel",
    responses=problems(
        "not_found",
        "request_no_reused",
        "function_off",
        *AWAITING_PROBLEMS,
        "not_the_party",
        "order_state",
        "limit_exceeded",
        "member_state",
        *COLLECTING_PROBLEMS,
        "order_busy",
        "temporal_unavailable",
        repeated=TopUpView,
    )
    | AWAITS_MEMBER,
)
async def pay_directly(
    order_no: PathNumber,
    body: DirectPaymentOpening,
    request: Request,
    response: Response,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> TopUpView:
    """Have a channel collect the full price. Answers as soon as the channel says what the payer has to do.

    The order is paid as soon as the channel has the money. What comes when the order has ended or is paid otherwise
    goes back through the channel. A refund of the order goes the same way, and when the channel refuses it, to the
    owner's sub-account. By paying, the owner also consents that silence for the inspection period is acceptance.
    """
    remote_address = address_of(request)
    operation = PayDirectly(order_no=order_no, request_no=body.request_no, by=body.by, how=body.paying_by())
    collection, is_new = await direct_payments.collect(services, platform_no, operation, remote_address=remote_address)
    if not is_new:
        response.status_code = status.HTTP_200_OK
    return top_up_view(services, await shown_to_payer(services, collection))


@router.get("/{request_no}", summary="One direct payment", responses=problems("not_found"))
async def get_direct_payment(
    order_no: PathNumber, request_no: PathNumber, platform_no: CallerPlatform, services: UsedServices
) -> TopUpView:
    """What the payer has to do, and every payment that the channel took."""
    collection = await get_object(services.reader, platform_no, "pay_in", direct_pay_in_no(order_no, request_no))
    if collection is None:
        raise Refused("not_found", f"There is no direct payment {request_no} of {order_no}.")
    return top_up_view(services, collection)
