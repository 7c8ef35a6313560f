"""What a channel collects: asked for with its payer's consent, and opened by a process of its own."""

from datetime import timedelta

from api.dependencies import Services
from api.problems import OrderBusy
from api.waiting import until
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.collections.terms import COLLECT, collect_consent_no, collecting_terms, require_payer_named
from escrow.domain.errors import Refused
from escrow.domain.operations.orders import PayingBy
from escrow.ledger.books_time import books_now
from escrow.ledger.consents import Consent, NewConsent, answer_of, record_consent
from escrow.ledger.objects import BusinessObject, get_object
from escrow.registry.collections.mandate_debits import Debit


async def require_payer(
    services: Services, platform_no: str, member_no: str, pay_in_no: str, amount_fen: int, how: PayingBy
) -> None:
    """Refuse at once what could not be debited now; the debit itself is held against the books again.

    Raises:
        Refused: `card_required`, `mandate_required`, or as `CardHolders.holder_of` and `MandateDebits.require_allowed`.
    """
    require_payer_named(how.method, account_id=how.account_id, mandate_no=how.mandate_no)
    if how.account_id is not None:
        await services.registry.card_holders.holder_of(platform_no, member_no, how.account_id)
    if how.mandate_no is not None:
        await services.registry.mandate_debits.require_allowed(
            Debit(
                platform_no=platform_no,
                collection_no="",
                pay_in_no=pay_in_no,
                mandate_no=how.mandate_no,
                member_no=member_no,
                channel="",
                amount_fen=amount_fen,
            )
        )


async def ask_to_collect(
    services: Services,
    platform_no: str,
    member_no: str,
    pay_in_no: str,
    amount_fen: int,
    how: PayingBy,
    *,
    subject: str,
    pays: Consent,
    order_no: str | None = None,
    batch_no: str | None = None,
    config_version: int,
    remote_address: str | None,
) -> Consent:
    """Record what is to be collected for an order or a batch, and that its payer consents to be debited so.

    Args:
        pays: the consent to pay, with which this one ends: a repeat after that debits nohow.
        config_version: of the configuration that it is judged by.

    Raises:
        Refused: `basis_expired`, or `request_no_reused`.
    """
    left = pays.expires_at - await books_now(services.reader, platform_no)
    if left <= timedelta(0):
        raise Refused("basis_expired", f"The consent {pays.consent_no} has expired; consent again under a new number.")
    consent, _ = await record_consent(
        services.recorder,
        NewConsent(
            platform_no=platform_no,
            consent_no=collect_consent_no(pay_in_no),
            object_kind="pay_in",
            object_no=pay_in_no,
            operation=COLLECT,
            given_by=member_no,
            terms=collecting_terms(
                how.terms(amount_fen),
                subject=subject,
                expires_in_minutes=how.expires_in_minutes,
                return_url=how.return_url,
                order_no=order_no,
                batch_no=batch_no,
                pays_by=pays.consent_no,
            ),
            valid_for=left,
            remote_address=remote_address,
            asked=True,
            config_version=config_version,
        ),
    )
    return consent


async def opened(
    services: Services, consent: Consent, pay_in_no: str, *, member_no: str, amount_fen: int, method: CollectionMethod
) -> BusinessObject:
    """The collection that a recorded consent asks for, once it is opened; a process that does not run is started.

    Args:
        member_no: who is credited, or pays, for those who look.

    Raises:
        Refused: the books say no.
        OrderBusy: not within the time that a command may take.
        TemporalUnavailable: nobody answers.
    """
    reader, platform_no = services.reader, consent.platform_no

    async def look() -> BusinessObject | Refused | None:
        found = await get_object(reader, platform_no, "pay_in", pay_in_no)
        return found or (await answer_of(reader, platform_no, consent.consent_no)).refusal

    found = await look()
    if found is None:
        await services.processes.start_collection(
            platform_no, pay_in_no, member_no=member_no, amount_fen=amount_fen, method=method
        )
        found = await until(services, look, lambda seen: seen is not None)
    if found is None:
        raise OrderBusy("order_busy", "It is started but not entered in the books yet; repeat the call.")
    if isinstance(found, Refused):
        raise found
    if "refusal" in found.body:  # as the first release entered what it refused
        raise Refused(found.body["refusal"], found.body["reason"])
    return found
