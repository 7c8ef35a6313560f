"""SMS codes of quick payments, typed by the payer on the cashier page or relayed by the platform where configured."""

from fastapi import APIRouter
from pydantic import Field

from api.collections.top_up_views import TopUpView, top_up_view
from api.dependencies import CallerPlatform, Services, UsedServices
from api.payer_codes import awaits_code, compare, known_collection, send_again
from api.problems import problems
from api.schemas import Body, PathNumber, RequestNumber, View
from escrow.domain.collections.terms import direct_pay_in_no
from escrow.domain.errors import Refused
from escrow.domain.members.code_checks import CodeCheck

router = APIRouter()

_SENDING = problems(
    "not_found",
    "request_no_reused",
    "sms_codes_on_page",
    "sms_code_limit",
    "code_not_awaited",
    "order_busy",
    "temporal_unavailable",
)
_CONFIRMING = problems(
    "not_found",
    "request_no_reused",
    "sms_codes_on_page",
    "code_not_awaited",
    "code_tries_spent",
    "order_busy",
    "temporal_unavailable",
)
_TOP_UP, _DIRECT = "/top-ups/{top_up_no}", "/orders/{order_no}/direct-payments/{payment_request_no}"


class PayerCodeWish(Body):
    """A wish for another code to the payer's mobile."""

    request_no: RequestNumber


class PayerCodeEntry(Body):
    """The code that the payer read on its mobile; kept encrypted until the bank has answered, and after."""

    request_no: RequestNumber
    code: str = Field(pattern=r"^[0-9]{6}$", examples=["204518"])


class PayerCodeView(View):
    """How the code compared, and what the payment is by it."""

    outcome: CodeCheck
    tries_left: int
    payment: TopUpView


@router.post(f"{_TOP_UP}/sms-codes", tags=["top-ups"], summary="Send another code", responses=_SENDING)
async def send_top_up_code(
    top_up_no: PathNumber, body: PayerCodeWish, platform_no: CallerPlatform, services: UsedServices
) -> TopUpView:
    """Have the bank send the payer of a quick payment another code; the one before is void. At most five in all."""
    return await _relayed_sending(services, platform_no, top_up_no, body)


@router.post(f"{_TOP_UP}/confirm", tags=["top-ups"], summary="Confirm by the payer's code", responses=_CONFIRMING)
async def confirm_top_up(
    top_up_no: PathNumber, body: PayerCodeEntry, platform_no: CallerPlatform, services: UsedServices
) -> PayerCodeView:
    """Try the code of a quick payment, valid for 120 s. The third wrong one ends the payment."""
    return await _relayed_try(services, platform_no, top_up_no, body)


@router.post(f"{_DIRECT}/sms-codes", tags=["orders"], summary="Send the owner another code", responses=_SENDING)
async def send_direct_payment_code(
    order_no: PathNumber,
    payment_request_no: PathNumber,
    body: PayerCodeWish,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> TopUpView:
    """Have the bank send the owner another code for a quick payment; the one before is void. At most five in all."""
    return await _relayed_sending(services, platform_no, direct_pay_in_no(order_no, payment_request_no), body)


@router.post(f"{_DIRECT}/confirm", tags=["orders"], summary="Confirm by the owner's code", responses=_CONFIRMING)
async def confirm_direct_payment(
    order_no: PathNumber,
    payment_request_no: PathNumber,
    body: PayerCodeEntry,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> PayerCodeView:
    """Try the code of a quick payment, valid for 120 s. The third wrong one ends the payment, not the order."""
    return await _relayed_try(services, platform_no, direct_pay_in_no(order_no, payment_request_no), body)


async def _relayed_sending(services: Services, platform_no: str, pay_in_no: str, body: PayerCodeWish) -> TopUpView:
    await _require_relayed(services, platform_no)
    await send_again(services, await known_collection(services, platform_no, pay_in_no), body.request_no)
    return top_up_view(services, await known_collection(services, platform_no, pay_in_no))


async def _relayed_try(services: Services, platform_no: str, pay_in_no: str, body: PayerCodeEntry) -> PayerCodeView:
    await _require_relayed(services, platform_no)
    outcome = await compare(
        services, await known_collection(services, platform_no, pay_in_no), body.request_no, body.code
    )
    collection = await known_collection(services, platform_no, pay_in_no)
    left = await services.registry.collection_codes.tries.left(platform_no, pay_in_no)
    return PayerCodeView(
        outcome=outcome, tries_left=left if awaits_code(collection) else 0, payment=top_up_view(services, collection)
    )


async def _require_relayed(services: Services, platform_no: str) -> None:
    config = (await services.registry.platforms.configurations.current(platform_no)).config
    if not config.sms_codes_by_api:
        raise Refused("sms_codes_on_page", "The code is entered on the cashier page, not through the API.")
