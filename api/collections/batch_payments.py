"""Batch payment: an owner pays a list of its orders on one consent, from its balance or through one collection."""

import asyncio
from datetime import timedelta

from fastapi import APIRouter, Request, Response, status

from api.collections.batch_bodies import BatchOpening, BatchPaymentView, batch_view, known_batch
from api.collections.collecting import COLLECTING_PROBLEMS, consent_to_collect, require_payer
from api.collections.top_ups import shown_to_payer
from api.dependencies import CallerPlatform, Services, UsedServices
from api.member_consents import AWAITING_PROBLEMS, AWAITS_MEMBER, consent_of
from api.problems import problems
from api.schemas import PathNumber
from api.waiting import wait_until_recorded
from escrow.domain.collections.batch_payments import (
    BATCH_PAYMENT,
    BatchStatus,
    Share,
    batch_consent_no,
    batch_pay_in_no,
    batch_terms,
)
from escrow.domain.errors import Refused
from escrow.domain.orders.contract import OrderContract
from escrow.domain.orders.opening import ORDERS
from escrow.domain.platforms.authorisations import AuthorisationMethod, AuthorisedOperation
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.platforms.functions import Function
from escrow.domain.platforms.rules import require_function, require_limit
from escrow.ledger.books import known
from escrow.ledger.consents import CONSENT_VALIDITY, Consent, NewConsent, keep_refusal, raise_kept_refusal
from escrow.ledger.objects import BusinessObject, get_object
from escrow.registry.platforms.limits import uses_of_day
from workflows.batch_messages import BatchPaymentInput

router = APIRouter(prefix="/batch-payments", tags=["batch payments"])

#: The consent outlives the collection by the time in which the orders may still take the payment.
_CONSENT_OUTLIVES = timedelta(hours=1)
_PAUSE_SECONDS = 0.03


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
    remote_address = request.client.host if request.client else ""
    batch, is_new = await pay_together(services, platform_no, body, remote_address=remote_address)
    if not is_new:
        response.status_code = status.HTTP_200_OK
    return await batch_view(services, await _answerable(services, batch))


@router.get("/{batch_no}", summary="One batch payment", responses=problems("not_found"))
async def get_batch_payment(
    batch_no: PathNumber, platform_no: CallerPlatform, services: UsedServices
) -> BatchPaymentView:
    """What became of each order's share, where each order stands now, and what the payer has to do."""
    return await batch_view(services, await known_batch(services, platform_no, batch_no))


async def pay_together(
    services: Services, platform_no: str, body: BatchOpening, *, remote_address: str
) -> tuple[BusinessObject, bool]:
    """Have the orders of a batch paid once; the flag says whether its number is new.

    Raises:
        AwaitsMember: the owner has to authorise it first.
        Refused: a rule says no, now or at the first time.
        OrderBusy, TemporalUnavailable, LedgerUnavailable: repeat the call.
    """
    contracts = await _contracts(services, platform_no, body)
    current = (await services.registry.platforms.configurations.current(platform_no)).config
    config, operation = await _authorised_by(services, platform_no, body, contracts, current)
    consent, is_new = await consent_of(
        services,
        _consent(platform_no, body, contracts, remote_address),
        config,
        operation,
        carry_out={} if body.collection is None else body.collection.model_dump(mode="json"),
    )
    if consent.outcome is not None:
        raise_kept_refusal(consent.outcome)
    batch = None if is_new else await get_object(services.reader, platform_no, BATCH_PAYMENT, body.batch_no)
    if batch is None:
        try:
            await _require_allowed(services, platform_no, body, current)
        except Refused as not_allowed:
            await keep_refusal(services.reader, platform_no, consent.consent_no, not_allowed)
            raise
        collect_consent = ""
        if body.collection is not None:
            collect_consent = await consent_to_collect(
                services,
                platform_no,
                body.payer_no,
                batch_pay_in_no(body.batch_no),
                body.total_fen,
                body.collection,
                pays=consent,
                remote_address=remote_address,
            )
        await services.processes.start_batch_payment(
            _paying(platform_no, body, consent, collect_consent), total_fen=body.total_fen
        )
        batch = await wait_until_recorded(services, platform_no, BATCH_PAYMENT, body.batch_no)
    if batch.status == BatchStatus.REFUSED:
        told = batch.body["refusal"]
        refusal = Refused(told["code"], told["message"], told["details"])
        await keep_refusal(services.reader, platform_no, consent.consent_no, refusal)
        raise refusal
    if batch.status == BatchStatus.AWAITING_PAYMENT:
        await wait_until_recorded(services, platform_no, "pay_in", batch_pay_in_no(body.batch_no))
    return batch, is_new


async def _contracts(services: Services, platform_no: str, body: BatchOpening) -> list[OrderContract]:
    """The contracts of the orders, which must be the payer's and cost what the batch says.

    Raises:
        Refused: `not_found`, `not_the_party` or `batch_differs`.
    """
    contracts = []
    for named in body.orders:
        contract = (await known(services.reader, ORDERS, platform_no, named.order_no)).contract
        if contract.owner_no != body.payer_no:
            raise Refused(
                "not_the_party",
                f"Only the owner of {named.order_no} may pay it; name orders of one owner, and it in `payer_no`.",
                {"order_no": named.order_no},
            )
        if contract.total_fen != named.amount_fen:
            raise Refused(
                "batch_differs",
                f"The order {named.order_no} costs another amount.",
                {"order_no": named.order_no, "total_fen": contract.total_fen},
            )
        contracts.append(contract)
    return contracts


async def _authorised_by(
    services: Services, platform_no: str, body: BatchOpening, contracts: list[OrderContract], current: PlatformConfig
) -> tuple[PlatformConfig, AuthorisedOperation]:
    """Which configuration says how the owner authorises this, and as what.

    A batch is no way around what paying one of its orders alone would need.

    Raises:
        Refused: `function_off`, for the batch or for one of its orders.
    """
    single, functions = AuthorisedOperation.PAY, [Function.BALANCE_PAYMENT]
    if body.collection is not None:
        single = AuthorisedOperation.DIRECT_PAYMENT
        functions = [Function.DIRECT_PAYMENT, Function(body.collection.method.value)]
    wanted = [(current, AuthorisedOperation.BATCH_PAYMENT)]
    for version in sorted({contract.config_version for contract in contracts}):
        config = (await services.registry.platforms.configurations.version(platform_no, version)).config
        for function in functions:
            require_function(config, function)
        wanted.append((config, single))
    strict = (pair for pair in wanted if pair[0].authorisation.method_of(pair[1]) is not AuthorisationMethod.NONE)
    return next(strict, wanted[0])


def _consent(platform_no: str, body: BatchOpening, contracts: list[OrderContract], remote_address: str) -> NewConsent:
    """The owner's consent to pay exactly these orders so."""
    shares = [
        Share(
            order_no=contract.order_no,
            payee_no="" if contract.payee_is_platform else contract.contractor_no,
            amount_fen=contract.total_fen,
            inspection_days=contract.periods.inspection_period // timedelta(days=1),
        )
        for contract in contracts
    ]
    outlives = timedelta(0) if body.collection is None else _CONSENT_OUTLIVES
    return NewConsent(
        platform_no=platform_no,
        consent_no=batch_consent_no(body.batch_no),
        object_kind=BATCH_PAYMENT,
        object_no=body.batch_no,
        operation=BATCH_PAYMENT,
        given_by=body.payer_no,
        terms=batch_terms(shares, paid_by=body.paid_by),
        valid_for=CONSENT_VALIDITY + outlives,
        remote_address=remote_address,
    )


async def _require_allowed(services: Services, platform_no: str, body: BatchOpening, config: PlatformConfig) -> None:
    """The total within the batch's limit, all orders together within the limit of a day, and a payer to be debited.

    Raises:
        Refused: `limit_exceeded`, or as `require_payer`.
    """
    amounts_fen = {order.order_no: order.amount_fen for order in body.orders}
    require_limit(config.limits.batch_payment_fen, body.total_fen, name="limits.batch_payment_fen")
    if body.collection is not None:
        pay_in_no = batch_pay_in_no(body.batch_no)
        await require_payer(services, platform_no, body.payer_no, pay_in_no, body.total_fen, body.collection)
    await uses_of_day(
        services.reader,
        platform_no=platform_no,
        member_no=body.payer_no,
        kind="order",
        amounts_fen=amounts_fen,
        limit_fen=config.limits.payments_per_day_fen,
        name="limits.payments_per_day_fen",
    )


def _paying(platform_no: str, body: BatchOpening, consent: Consent, collect_consent: str) -> BatchPaymentInput:
    batch = BatchPaymentInput(
        platform_no=platform_no,
        batch_no=body.batch_no,
        payer_no=body.payer_no,
        order_nos=tuple(sorted(order.order_no for order in body.orders)),
        paid_by=body.paid_by,
    )
    collection = body.collection
    if collection is None:
        return batch
    how = {
        "expires_at": consent.recorded_at + timedelta(minutes=collection.expires_in_minutes),
        "return_url": collection.return_url,
        "account_id": collection.account_id or "",
        "mandate_no": collection.mandate_no or "",
        "collect_consent": collect_consent,
    }
    return batch.model_copy(update=how)


async def _answerable(services: Services, batch: BusinessObject) -> BusinessObject:
    """The batch once its orders know that they are paid, or the channel has answered; or as it stands by then."""
    if batch.status == BatchStatus.AWAITING_PAYMENT:
        pay_in_no = batch_pay_in_no(batch.object_no)
        await shown_to_payer(services, await wait_until_recorded(services, batch.platform_no, "pay_in", pay_in_no))
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + services.settings.command_answer_seconds
    while batch.status == BatchStatus.PAID and "told" not in batch.body and loop.time() < give_up_at:
        await asyncio.sleep(_PAUSE_SECONDS)
        batch = await wait_until_recorded(services, batch.platform_no, BATCH_PAYMENT, batch.object_no)
    return batch
