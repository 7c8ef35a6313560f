"""Direct payment of an order: a channel collects the price at the moment of paying, on its owner's consent."""

from datetime import timedelta

from api.dependencies import Services
from api.member_consents import consent_of
from api.operations.collecting import ask_to_collect, opened, require_payer
from escrow.domain.collections.terms import collect_consent_no, direct_pay_in_no
from escrow.domain.errors import Refused
from escrow.domain.operations.orders import PayDirectly
from escrow.domain.orders.contract import OrderContract
from escrow.domain.orders.states import MilestoneStatus, OrderCommand, OrderStatus, check_command
from escrow.domain.platforms.functions import Function
from escrow.domain.platforms.rules import require_function
from escrow.ledger.consents import CONSENT_VALIDITY, NewConsent, get_consent, keep_refusal, raise_kept_refusal
from escrow.ledger.objects import BusinessObject, get_object, known_object

#: The consent outlives the collection by the time in which the order may still take the payment.
_CONSENT_OUTLIVES = timedelta(hours=1)


async def collect(
    services: Services, platform_no: str, operation: PayDirectly, *, remote_address: str | None
) -> tuple[BusinessObject, bool]:
    """Have the price collected; the flag says whether the consent is new.

    Raises:
        AwaitsMember: the owner has to authorise it first.
        Refused: a rule says no, now or at the first time.
        OrderBusy, TemporalUnavailable, LedgerUnavailable: repeat the call.
    """
    order_no, how = operation.order_no, operation.how
    order = await known_object(services.reader, platform_no, "order", order_no)
    contract = _contract_of(order)
    configurations = services.registry.platforms.configurations
    config = (await configurations.version(platform_no, contract.config_version)).config
    for function in (Function.DIRECT_PAYMENT, Function(how.method.value)):
        require_function(config, function)
    consent, is_new = await consent_of(
        services,
        _consent(order, operation, remote_address),
        config,
        operation.authorised_as,
        carry_out=operation.carry_out(),
    )
    pay_in_no = direct_pay_in_no(order_no, operation.request_no)
    collection = None if is_new else await get_object(services.reader, platform_no, "pay_in", pay_in_no)
    if collection is not None:
        return collection, False
    if consent.outcome is not None:
        raise_kept_refusal(consent.outcome)
    try:
        if await get_consent(services.reader, platform_no, collect_consent_no(pay_in_no)) is None:
            await _require_possible(services, order, operation, pay_in_no)
        asked = await ask_to_collect(
            services,
            platform_no,
            operation.by,
            pay_in_no,
            contract.total_fen,
            how,
            subject=order_no,
            pays=consent,
            order_no=order_no,
            config_version=contract.config_version,
            remote_address=remote_address,
        )
        collection = await opened(
            services,
            asked,
            pay_in_no,
            member_no=contract.owner_no,
            amount_fen=contract.total_fen,
            method=how.method,
        )
    except Refused as refusal:
        await keep_refusal(services.recorder, platform_no, consent.consent_no, refusal)
        raise
    return collection, is_new


def _contract_of(order: BusinessObject) -> OrderContract:
    """The contract of an order in the books."""
    return OrderContract.model_validate(order.body["contract"])


def _consent(order: BusinessObject, operation: PayDirectly, address: str | None) -> NewConsent:
    """The owner's consent to pay the order by this method."""
    return NewConsent(
        platform_no=order.platform_no,
        consent_no=operation.request_no,
        object_kind="order",
        object_no=order.object_no,
        operation=OrderCommand.PAY.value,
        given_by=operation.by,
        terms=_contract_of(order).terms(OrderCommand.PAY, None, method=operation.how.method.value),
        valid_for=CONSENT_VALIDITY + _CONSENT_OUTLIVES,
        remote_address=address,
    )


async def _require_possible(services: Services, order: BusinessObject, operation: PayDirectly, pay_in_no: str) -> None:
    """What can be seen to be wrong is not asked for; the books say the rest when it is opened.

    Raises:
        Refused: `not_the_party`, `order_state`, or as `require_payer`.
    """
    contract = _contract_of(order)
    if operation.by != contract.owner_no:
        raise Refused("not_the_party", "Only the owner of this order may pay it; name that member in `by`.")
    milestones = [MilestoneStatus(milestone["status"]) for milestone in order.body["milestones"]]
    check_command(OrderStatus(order.status), milestones, OrderCommand.PAY)
    await require_payer(services, order.platform_no, operation.by, pay_in_no, contract.total_fen, operation.how)
