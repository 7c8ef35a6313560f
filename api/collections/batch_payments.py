"""Batch payment: an owner pays a list of its orders on one consent, from its balance or through one collection."""

from fastapi import APIRouter, Request, Response, status

from api.collections.batch_bodies import BatchOpening, BatchPaymentView, batch_view, known_batch
from api.collections.collecting import COLLECTING_PROBLEMS
from api.collections.top_up_views import shown_to_payer
from api.dependencies import CallerPlatform, Services, UsedServices, address_of
from api.member_consents import AWAITING_PROBLEMS, AWAITS_MEMBER
from api.operations import batch_payments
from api.problems import problems
from api.schemas import PathNumber
from api.waiting import wait_until_recorded
from escrow.domain.collections.batch_payments import BatchStatus, batch_pay_in_no
from escrow.ledger.objects import BusinessObject

router = APIRouter(prefix="/batch-payments", tags=["batch payments"])


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    summary="Pay a list of orders",
    responses=problems(
        "not_found",
        "request_no_reused",
        "function_off",
        *AWAITING_PROBLEMS,
        "not_the_party",
        "batch_differs",
        "order_state",
        "insufficient_balance",
        "limit_exceeded",
        "member_state",
        *COLLECTING_PROBLEMS,
        "order_busy",
        "temporal_unavailable",
        repeated=BatchPaymentView,
    )
    | AWAITS_MEMBER,
)
async def pay_batch(
    body: BatchOpening, request: Request, response: Response, platform_no: CallerPlatform, services: UsedServices
) -> BatchPaymentView:
    """Pay orders of one owner, of as many payees as there are, on one consent. Each order then lives alone.

    From the balance the prices of all orders are frozen by one posting or, when the money does not suffice or one of
    the orders does not wait for its payment, none. With `collection` a channel collects the total once: the orders that
    still wait when it has the money are paid, the shares of the others go back through the channel. By paying, the
    owner also consents that silence for each order's inspection period is acceptance.
    """
    remote_address = address_of(request)
    batch, is_new = await batch_payments.pay_together(
        services, platform_no, body.operation(), remote_address=remote_address
    )
    if not is_new:
        response.status_code = status.HTTP_200_OK
    return await batch_view(services, await _answerable(services, batch))


@router.get("/{batch_no}", summary="One batch payment", responses=problems("not_found"))
async def get_batch_payment(
    batch_no: PathNumber, platform_no: CallerPlatform, services: UsedServices
) -> BatchPaymentView:
    """What became of each order's share, where each order stands now, and what the payer has to do."""
    return await batch_view(services, await known_batch(services, platform_no, batch_no))


async def _answerable(services: Services, batch: BusinessObject) -> BusinessObject:
    """The batch once the channel has said what the payer has to do, or as it stands by then."""
    if batch.status == BatchStatus.AWAITING_PAYMENT:
        pay_in_no = batch_pay_in_no(batch.object_no)
        await shown_to_payer(services, await wait_until_recorded(services, batch.platform_no, "pay_in", pay_in_no))
    return batch
