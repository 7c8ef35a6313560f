"""From a consent to a transfer that is done: what payments, assignments and their reversals have in common."""

from typing import Any

from api.dependencies import Services
from api.waiting import wait_until_recorded
from escrow.domain.errors import Refused
from escrow.domain.requests import derived
from escrow.domain.transfers.moves import TransferKind, TransferStatus, transfer_terms
from escrow.ledger.consents import CONSENT_VALIDITY, Consent, NewConsent, keep_refusal, raise_kept_refusal
from escrow.ledger.objects import BusinessObject, get_object
from escrow.registry.members.members import PLATFORM_ITSELF
from workflows.transfer_messages import TransferInput


def transfer_consent(transfer: TransferInput, *, remote_address: str) -> NewConsent:
    """The consent to exactly this transfer: the payer's to a payment, the platform's own instruction to the others."""
    return NewConsent(
        platform_no=transfer.platform_no,
        consent_no=transfer.consent_no,
        object_kind=transfer.kind.value,
        object_no=transfer.transfer_no,
        operation=transfer.kind.value,
        given_by=transfer.member_no if transfer.kind is TransferKind.PAYMENT else PLATFORM_ITSELF,
        terms=transfer_terms(
            subject_no=transfer.subject_no, member_no=transfer.member_no, amount_fen=transfer.amount_fen
        ),
        valid_for=CONSENT_VALIDITY,
        remote_address=remote_address,
    )


def transfer_of(platform_no: str, kind: TransferKind, transfer_no: str, **content: Any) -> TransferInput:
    """The transfer that a platform asks for; its consent's number cannot meet one that a platform gives."""
    consent_no = derived("", kind, transfer_no, "consent")
    return TransferInput(platform_no=platform_no, kind=kind, transfer_no=transfer_no, consent_no=consent_no, **content)


async def known_transfer(services: Services, platform_no: str, kind: TransferKind, transfer_no: str) -> BusinessObject:
    """A transfer that was made.

    Raises:
        Refused: `not_found`.
    """
    found = await get_object(services.reader, platform_no, kind, transfer_no)
    if found is None or found.status != TransferStatus.DONE:
        raise Refused("not_found", f"There is no {kind} {transfer_no}.")
    return found


async def made(services: Services, transfer: TransferInput, consent: Consent) -> BusinessObject:
    """Have a transfer made under its consent and wait until it is in the books; a repeat is answered as the first time.

    Raises:
        Refused: a rule says no, now or at the first time; the consent is void.
        OrderBusy, TemporalUnavailable, LedgerUnavailable: repeat the call.
    """
    if consent.outcome is not None:
        raise_kept_refusal(consent.outcome)
    found = await get_object(services.reader, transfer.platform_no, transfer.kind, transfer.transfer_no)
    if found is None:
        await services.processes.start_transfer(transfer)
        found = await wait_until_recorded(services, transfer.platform_no, transfer.kind, transfer.transfer_no)
    if found.status == TransferStatus.REFUSED:
        told = found.body["refusal"]
        refusal = Refused(told["code"], told["message"], told["details"])
        await keep_refusal(services.reader, transfer.platform_no, transfer.consent_no, refusal)
        raise refusal
    return found
