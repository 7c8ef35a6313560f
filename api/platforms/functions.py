"""Which endpoints belong to which function: one that is switched off answers 403 `function_off` on all of them."""

from collections.abc import Mapping

from fastapi import Request

from api.dependencies import CallerPlatform, UsedServices
from escrow.domain.platforms.functions import Function
from escrow.domain.platforms.rules import require_function

#: Under which all endpoints of platforms lie.
PREFIX = "/v1"

#: Method and path template, as the router knows them.
Endpoint = tuple[str, str]

#: Decided by the configuration of the moment.
NOW: Mapping[Function, tuple[Endpoint, ...]] = {
    Function.GUARANTEED_PAYMENT: (("POST", "/v1/orders"),),
    Function.UNGUARANTEED_PAYMENT: (("POST", "/v1/payments"),),
    Function.BATCH_PAYMENT: (("POST", "/v1/batch-payments"),),
    Function.DIRECT_DEBIT: (("POST", "/v1/members/{member_no}/mandates"),),
    Function.WITHDRAWAL: (("POST", "/v1/withdrawals"),),
    Function.IDENTITY_CHECK: (("POST", "/v1/members/{member_no}/identity-checks"),),
    Function.MICRO_DEPOSIT: (("POST", "/v1/members/{member_no}/bank-accounts/{account_id}/verify/micro-deposit"),),
    Function.UNIONPAY_CHECK: (("POST", "/v1/members/{member_no}/bank-accounts/{account_id}/verify/unionpay"),),
    Function.HOSTED_PAGES: (("POST", "/v1/members/{member_no}/payment-password-links"),),
}

#: Decided by the configuration that the order was opened under, since running orders keep theirs: see
#: `api.operations.orders`.
OF_THE_ORDER: Mapping[Function, tuple[Endpoint, ...]] = {
    Function.DIRECT_PAYMENT: (("POST", "/v1/orders/{order_no}/direct-payments"),),
    Function.BALANCE_PAYMENT: (("POST", "/v1/orders/{order_no}/pay"), ("POST", "/v1/orders/{order_no}/consents")),
}

_FUNCTION_OF = {endpoint: function for function, endpoints in NOW.items() for endpoint in endpoints}


async def refuse_switched_off(request: Request, platform_no: CallerPlatform, services: UsedServices) -> None:
    """Refuse a call to an endpoint whose function is off; every router of platforms depends on this.

    Raises:
        Refused: `function_off`.
    """
    # A route knows its path below the prefix that it was included with, or with older versions of FastAPI above it.
    path = PREFIX + request.scope["route"].path.removeprefix(PREFIX)
    function = _FUNCTION_OF.get((request.method, path))
    if function is not None:
        current = await services.registry.platforms.configurations.current(platform_no)
        require_function(current.config, function)
