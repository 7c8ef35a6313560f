"""Payments without a guarantee, and from a consent to a transfer that is done: assignments and reversals share that."""

from api.dependencies import Services
from api.member_consents import consent_of
from api.problems import OrderBusy
from api.waiting import until
from escrow.domain.errors import Refused
from escrow.domain.operations.transfers import PayAtOnce
from escrow.domain.platforms.functions import Function
from escrow.domain.platforms.rules import require_function
from escrow.domain.requests import PLATFORM_ITSELF
from escrow.domain.transfers.moves import TransferKind, TransferStatus, transfer_consent_no, transfer_terms
from escrow.ledger.consents import CONSENT_VALIDITY, Consent, NewConsent, answer_of, keep_refusal
from escrow.ledger.objects import BusinessObject, get_object


async def pay(
    services: Services, platform_no: str, operation: PayAtOnce, *, remote_address: str | None
) -> tuple[BusinessObject, bool]:
    """Make a payment once; the flag says whether its number is new.

    Raises:
        AwaitsMember: the payer has to authorise it first.
        Refused: a rule says no, now or at the first time.
        OrderBusy, TemporalUnavailable, LedgerUnavailable: repeat the call.
    """
    current = await services.registry.platforms.configurations.current(platform_no)
    require_function(current.config, Function.UNGUARANTEED_PAYMENT)  # a page comes here past the router
    consent, is_new = await consent_of(
        services,
        transfer_consent(
            platform_no,
            TransferKind.PAYMENT,
            operation.payment_no,
            subject_no=operation.payee_no or "",
            member_no=operation.payer_no,
            amount_fen=operation.amount_fen,
            config_version=current.version,
            remote_address=remote_address,
        ),
        current.config,
        operation.authorised_as,
        carry_out=operation.carry_out(),
    )
    return await made(services, consent), is_new


def transfer_consent(
    platform_no: str,
    kind: TransferKind,
    transfer_no: str,
    *,
    subject_no: str,
    member_no: str,
    amount_fen: int,
    config_version: int,
    remote_address: str | None = None,
) -> NewConsent:
    """The consent to exactly this transfer: the payer's to a payment, the platform's own instruction to the others.

    Args:
        subject_no: the payee of a payment (empty: the platform), the suspense credit of an assignment, the assignment
            of a reversal.
        member_no: who pays, is given to, or gives back.
    """
    return NewConsent(
        platform_no=platform_no,
        consent_no=transfer_consent_no(kind, transfer_no),
        object_kind=kind.value,
        object_no=transfer_no,
        operation=kind.value,
        given_by=member_no if kind is TransferKind.PAYMENT else PLATFORM_ITSELF,
        terms=transfer_terms(subject_no=subject_no, member_no=member_no, amount_fen=amount_fen),
        valid_for=CONSENT_VALIDITY,
        remote_address=remote_address,
        asked=True,
        config_version=config_version,
    )


async def known_transfer(services: Services, platform_no: str, kind: TransferKind, transfer_no: str) -> BusinessObject:
    """A transfer that was made.

    Raises:
        Refused: `not_found`.
    """
    found = await get_object(services.reader, platform_no, kind, transfer_no)
    if found is None or found.status != TransferStatus.DONE:
        raise Refused("not_found", f"There is no {kind} {transfer_no}.")
    return found


async def made(services: Services, consent: Consent) -> BusinessObject:
    """The transfer that a consent asks for, as soon as it is made; a repeat is answered as the first time.

    Raises:
        Refused: a rule says no.
        OrderBusy, TemporalUnavailable, LedgerUnavailable: repeat the call.
    """
    recorder, platform_no = services.recorder, consent.platform_no
    kind, transfer_no = TransferKind(consent.object_kind), consent.object_no

    async def look() -> BusinessObject | Refused | None:
        found = await get_object(recorder, platform_no, kind, transfer_no)
        if found is not None and found.status == TransferStatus.REFUSED:  # as the first release entered it
            told = found.body["refusal"]
            return Refused(told["code"], told["message"], told["details"])
        return found or (await answer_of(recorder, platform_no, consent.consent_no)).refusal

    found = await look()
    if found is None:
        terms = consent.terms
        await services.processes.make_transfer(
            platform_no, kind, transfer_no, member_no=terms["member_no"], amount_fen=terms["amount_fen"]
        )
        found = await until(services, look, lambda seen: seen is not None)
    if found is None:
        raise OrderBusy("order_busy", "It is started but not entered in the books yet; repeat the call.")
    if isinstance(found, Refused):
        await keep_refusal(recorder, platform_no, consent.consent_no, found)
        raise found
    return found
