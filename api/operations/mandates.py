"""Mandates: signed by their member, then told to the bank."""

from api.dependencies import Services
from api.member_consents import consent_of
from api.waiting import until
from escrow.domain.collections.mandates import SIGN, MandateStatus, mandate_terms
from escrow.domain.errors import Refused
from escrow.domain.operations.members import SignMandate
from escrow.domain.requests import derived
from escrow.ledger.consents import CONSENT_VALIDITY, NewConsent, keep_refusal, raise_kept_refusal
from escrow.registry.collections.mandates import Mandate


async def sign(
    services: Services, platform_no: str, operation: SignMandate, *, remote_address: str | None
) -> tuple[Mandate, bool]:
    """Enter the mandate and have the bank take it; the flag says whether the number is new.

    Raises:
        AwaitsMember: the member has to authorise it first.
        Refused: a rule says no, now or at the first time.
        OrderBusy, TemporalUnavailable, LedgerUnavailable: repeat the call.
    """
    await services.registry.members.get(platform_no, operation.member_no)
    current = await services.registry.platforms.configurations.current(platform_no)
    new = NewConsent(
        platform_no=platform_no,
        consent_no=derived("", "mandate", operation.mandate_no, "sign"),
        object_kind="mandate",
        object_no=operation.mandate_no,
        operation=SIGN,
        given_by=operation.member_no,
        terms=mandate_terms(
            account_id=operation.account_id,
            per_debit_fen=operation.per_debit_fen,
            per_day_fen=operation.per_day_fen,
            last_day=operation.last_day,
        ),
        valid_for=CONSENT_VALIDITY,
        remote_address=remote_address,
        config_version=current.version,
    )
    consent, _ = await consent_of(
        services, new, current.config, operation.authorised_as, carry_out=operation.carry_out()
    )
    if consent.outcome is not None:
        raise_kept_refusal(consent.outcome)
    try:
        mandate, is_new = await services.registry.mandates.sign(consent)
    except Refused as refusal:
        await keep_refusal(services.recorder, platform_no, consent.consent_no, refusal)
        raise
    if mandate.status is MandateStatus.SIGNED:
        await services.processes.look_after_mandate(platform_no, mandate.mandate_no)
        mandate = await _registered(services, mandate)
    return mandate, is_new


async def _registered(services: Services, mandate: Mandate) -> Mandate:
    """The mandate once the bank has answered, or as it stands when the bank takes its time."""

    async def now() -> Mandate:
        return await services.registry.mandates.get(mandate.platform_no, mandate.mandate_no)

    return await until(services, now, lambda found: found.status is not MandateStatus.SIGNED)
