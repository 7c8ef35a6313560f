"""Direct payment of an order: a channel collects the price at the moment of paying, no top-up first."""

from datetime import timedelta

from fastapi import APIRouter, Request, Response, status
from pydantic import Field

from api.collections.collecting import COLLECTING_PROBLEMS, Collecting, ask_to_collect, opened, require_payer
from api.collections.top_ups import TopUpView, shown_to_payer, top_up_view
from api.dependencies import CallerPlatform, Services, UsedServices
from api.member_consents import AWAITING_PROBLEMS, AWAITS_MEMBER, consent_of
from api.problems import problems
from api.schemas import Number, PathNumber, RequestNumber
from escrow.domain.collections.pay_ins import collect_consent_no, direct_pay_in_no
from escrow.domain.errors import Refused
from escrow.domain.orders.contract import OrderContract
from escrow.domain.orders.states import MilestoneStatus, OrderCommand, OrderStatus, check_command
from escrow.domain.platforms.authorisations import AuthorisedOperation
from escrow.domain.platforms.functions import Function
from escrow.domain.platforms.rules import require_function
from escrow.ledger.consents import CONSENT_VALIDITY, NewConsent, get_consent, keep_refusal, raise_kept_refusal
from escrow.ledger.objects import BusinessObject, get_object, known_object

router = APIRouter(prefix="/orders/{order_no}/direct-payments", tags=["orders"])

#: The consent outlives the collection by the time in which the order may still take the payment.
_CONSENT_OUTLIVES = timedelta(hours=1)


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
    remote_address = request.client.host if request.client else ""
    pay_in, is_new = await collect(services, platform_no, order_no, body, remote_address=remote_address)
    if not is_new:
        response.status_code = status.HTTP_200_OK
    return top_up_view(services, await shown_to_payer(services, pay_in))


async def collect(
    services: Services, platform_no: str, order_no: str, body: DirectPaymentOpening, *, remote_address: str
) -> tuple[BusinessObject, bool]:
    """Have the price collected; the flag says whether the consent is new.

    Raises:
        AwaitsMember: the owner has to authorise it first.
        Refused: a rule says no, now or at the first time.
        OrderBusy, TemporalUnavailable, LedgerUnavailable: repeat the call.
    """
    order = await known_object(services.reader, platform_no, "order", order_no)
    contract = contract_of(order)
    configurations = services.registry.platforms.configurations
    config = (await configurations.version(platform_no, contract.config_version)).config
    for function in (Function.DIRECT_PAYMENT, Function(body.method.value)):
        require_function(config, function)
    consent, is_new = await consent_of(
        services,
        _consent(order, body, remote_address),
        config,
        AuthorisedOperation.DIRECT_PAYMENT,
        carry_out=body.model_dump(mode="json", include=set(Collecting.model_fields) - {"method"}),
    )
    pay_in_no = direct_pay_in_no(order_no, body.request_no)
    pay_in = None if is_new else await get_object(services.reader, platform_no, "pay_in", pay_in_no)
    if pay_in is not None:
        return pay_in, False
    if consent.outcome is not None:
        raise_kept_refusal(consent.outcome)
    try:
        if await get_consent(services.reader, platform_no, collect_consent_no(pay_in_no)) is None:
            await _require_possible(services, order, body, pay_in_no)
        asked = await ask_to_collect(
            services,
            platform_no,
            body.by,
            pay_in_no,
            contract.total_fen,
            body,
            subject=order_no,
            pays=consent,
            order_no=order_no,
            config_version=contract.config_version,
            remote_address=remote_address,
        )
        pay_in = await opened(
            services,
            asked,
            pay_in_no,
            member_no=contract.owner_no,
            amount_fen=contract.total_fen,
            method=body.method,
        )
    except Refused as refusal:
        await keep_refusal(services.reader, platform_no, consent.consent_no, refusal)
        raise
    return pay_in, is_new


def contract_of(order: BusinessObject) -> OrderContract:
    """The contract of an order in the books."""
    return OrderContract.model_validate(order.body["contract"])


@router.get("/{request_no}", summary="One direct payment", responses=problems("not_found"))
async def get_direct_payment(
    order_no: PathNumber, request_no: PathNumber, platform_no: CallerPlatform, services: UsedServices
) -> TopUpView:
    """What the payer has to do, and every payment that the channel took."""
    pay_in = await get_object(services.reader, platform_no, "pay_in", direct_pay_in_no(order_no, request_no))
    if pay_in is None:
        raise Refused("not_found", f"There is no direct payment {request_no} of {order_no}.")
    return top_up_view(services, pay_in)


def _consent(order: BusinessObject, body: DirectPaymentOpening, address: str) -> NewConsent:
    """The owner's consent to pay the order by this method."""
    return NewConsent(
        platform_no=order.platform_no,
        consent_no=body.request_no,
        object_kind="order",
        object_no=order.object_no,
        operation=OrderCommand.PAY.value,
        given_by=body.by,
        terms=contract_of(order).terms(OrderCommand.PAY, None, method=body.method.value),
        valid_for=CONSENT_VALIDITY + _CONSENT_OUTLIVES,
        remote_address=address,
    )


async def _require_possible(
    services: Services, order: BusinessObject, body: DirectPaymentOpening, pay_in_no: str
) -> None:
    """What can be seen to be wrong is not asked for; the books say the rest when it is opened.

    Raises:
        Refused: `not_the_party`, `order_state`, or as `require_payer`.
    """
    contract = contract_of(order)
    if body.by != contract.owner_no:
        raise Refused("not_the_party", "Only the owner of this order may pay it; name that member in `by`.")
    milestones = [MilestoneStatus(milestone["status"]) for milestone in order.body["milestones"]]
    check_command(OrderStatus(order.status), milestones, OrderCommand.PAY)
    await require_payer(services, order.platform_no, body.by, pay_in_no, contract.total_fen, body)
