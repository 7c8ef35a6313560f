"""Batch payment: an owner pays a list of its orders on one consent, from its balance or through one collection."""

from datetime import timedelta

from api.dependencies import Services
from api.member_consents import consent_of
from api.operations.collecting import ask_to_collect, require_payer
from api.problems import OrderBusy
from api.waiting import until, wait_until_recorded
from escrow.domain.collections.batch_payments import (
    BATCH_PAYMENT,
    BatchStatus,
    Share,
    batch_consent_no,
    batch_pay_in_no,
    batch_terms,
)
from escrow.domain.collections.batch_rules import authorised_by, require_payable
from escrow.domain.collections.terms import collect_consent_no
from escrow.domain.errors import Refused
from escrow.domain.operations.orders import PayTogether
from escrow.domain.orders.contract import OrderContract
from escrow.domain.orders.opening import ORDERS
from escrow.domain.platforms.authorisations import AuthorisedOperation
from escrow.domain.platforms.config import PlatformConfig
from escrow.ledger.books import known
from escrow.ledger.consents import (
    CONSENT_VALIDITY,
    Consent,
    NewConsent,
    answer_of,
    get_consent,
    keep_refusal,
    raise_kept_refusal,
)
from escrow.ledger.objects import BusinessObject, get_object

#: The consent outlives the collection by the time in which the orders may still take the payment.
_CONSENT_OUTLIVES = timedelta(hours=1)


async def pay_together(
    services: Services, platform_no: str, operation: PayTogether, *, remote_address: str | None
) -> tuple[BusinessObject, bool]:
    """Have the orders of a batch paid once; the flag says whether its number is new.

    Raises:
        AwaitsMember: the owner has to authorise it first.
        Refused: a rule says no, now or at the first time.
        OrderBusy, TemporalUnavailable, LedgerUnavailable: repeat the call.
    """
    contracts = await _contracts(services, platform_no, operation)
    current = await services.registry.platforms.configurations.current(platform_no)
    version = current.version
    config, authorised_as = await _authorised_by(services, platform_no, operation, contracts, current.config)
    consent, is_new = await consent_of(
        services,
        _consent(platform_no, operation, contracts, remote_address, config_version=version),
        config,
        authorised_as,
        carry_out=operation.carry_out(),
    )
    batch = None if is_new else await get_object(services.reader, platform_no, BATCH_PAYMENT, operation.batch_no)
    if batch is not None and batch.status == BatchStatus.REFUSED:  # as the first release entered what it refused
        told = batch.body["refusal"]
        raise Refused(told["code"], told["message"], told["details"])
    if consent.outcome is not None:
        raise_kept_refusal(consent.outcome)
    if batch is None:
        try:
            batch = await _begun(
                services, platform_no, operation, consent, config_version=version, remote_address=remote_address
            )
        except Refused as refusal:
            await keep_refusal(services.recorder, platform_no, consent.consent_no, refusal)
            raise
    if batch.status == BatchStatus.AWAITING_PAYMENT:
        await wait_until_recorded(services, platform_no, "pay_in", batch_pay_in_no(operation.batch_no))
    return batch, is_new


async def _begun(
    services: Services,
    platform_no: str,
    operation: PayTogether,
    consent: Consent,
    *,
    config_version: int,
    remote_address: str | None,
) -> BusinessObject:
    """The batch once it is paid or entered; a process that does not run is started.

    Raises:
        Refused: a rule says no.
        OrderBusy, TemporalUnavailable, LedgerUnavailable: repeat the call.
    """
    if operation.collection is not None:
        pay_in_no = batch_pay_in_no(operation.batch_no)
        if await get_consent(services.reader, platform_no, collect_consent_no(pay_in_no)) is None:
            # Refused at once, where it can be; the debit itself is held against the books again.
            await require_payer(
                services, platform_no, operation.payer_no, pay_in_no, operation.total_fen, operation.collection
            )
        await ask_to_collect(
            services,
            platform_no,
            operation.payer_no,
            pay_in_no,
            operation.total_fen,
            operation.collection,
            subject=operation.batch_no,
            pays=consent,
            batch_no=operation.batch_no,
            config_version=config_version,
            remote_address=remote_address,
        )
    await services.processes.start_batch_payment(
        platform_no,
        operation.batch_no,
        payer_no=operation.payer_no,
        orders=len(operation.orders),
        paid_by=operation.paid_by,
        total_fen=operation.total_fen,
    )

    async def look() -> BusinessObject | Refused | None:
        found = await get_object(services.reader, platform_no, BATCH_PAYMENT, operation.batch_no)
        return found or (await answer_of(services.reader, platform_no, consent.consent_no)).refusal

    found = await until(services, look, lambda seen: seen is not None)
    if isinstance(found, Refused):
        raise found
    if found is None:
        raise OrderBusy("order_busy", "It is started but not entered in the books yet; repeat the call.")
    return found


async def _contracts(services: Services, platform_no: str, operation: PayTogether) -> list[OrderContract]:
    """The contracts of the orders, which must be the payer's and cost what the batch says.

    Raises:
        Refused: `not_found`, `not_the_party` or `batch_differs`.
    """
    contracts = []
    for named in operation.orders:
        contract = (await known(services.reader, ORDERS, platform_no, named.order_no)).contract
        if contract.owner_no != operation.payer_no:
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
    services: Services,
    platform_no: str,
    operation: PayTogether,
    contracts: list[OrderContract],
    current: PlatformConfig,
) -> tuple[PlatformConfig, AuthorisedOperation]:
    """Which configuration says how the owner authorises this, and as what.

    Raises:
        Refused: `function_off`, for one of its orders: nobody is asked to authorise what cannot be done.
    """
    configurations = services.registry.platforms.configurations
    versions = sorted({contract.config_version for contract in contracts})
    under = [(await configurations.version(platform_no, version)).config for version in versions]
    for config in under:
        require_payable(config, operation.paid_by)
    return authorised_by(current, under, operation.paid_by)


def _consent(
    platform_no: str,
    operation: PayTogether,
    contracts: list[OrderContract],
    remote_address: str | None,
    *,
    config_version: int,
) -> NewConsent:
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
    outlives = timedelta(0) if operation.collection is None else _CONSENT_OUTLIVES
    return NewConsent(
        platform_no=platform_no,
        consent_no=batch_consent_no(operation.batch_no),
        object_kind=BATCH_PAYMENT,
        object_no=operation.batch_no,
        operation=BATCH_PAYMENT,
        given_by=operation.payer_no,
        terms=batch_terms(shares, paid_by=operation.paid_by),
        valid_for=CONSENT_VALIDITY + outlives,
        remote_address=remote_address,
        config_version=config_version,
    )
