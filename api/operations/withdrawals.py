"""Withdrawals: from what is asked for to money that is held, whatever asked for it."""

from collections.abc import Mapping
from typing import Any

from api.dependencies import Services
from api.member_consents import consent_of
from api.problems import OrderBusy
from api.waiting import until
from escrow.domain.errors import Refused
from escrow.domain.operations.transfers import Withdraw
from escrow.domain.platforms.authorisations import AuthorisationMethod
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.requests import PLATFORM_ITSELF, derived
from escrow.domain.withdrawals.commands import WITHDRAW
from escrow.domain.withdrawals.operations import withdrawal_terms
from escrow.domain.withdrawals.states import WithdrawalStatus
from escrow.ledger.consents import CONSENT_VALIDITY, Consent, NewConsent, answer_of, get_consent, keep_refusal
from escrow.ledger.objects import BusinessObject, get_object


async def withdraw(
    services: Services, platform_no: str, operation: Withdraw, *, remote_address: str | None
) -> tuple[BusinessObject, bool]:
    """Record what is asked for, have the money held and sent on its way; the flag says whether the number is new.

    Raises:
        AwaitsMember: the member has to authorise it first.
        Refused: a rule says no.
        OrderBusy, TemporalUnavailable, LedgerUnavailable: repeat the call.
    """
    current = await services.registry.platforms.configurations.current(platform_no)
    terms = await _terms(services, platform_no, operation, current.config)
    consent, is_new = await consent_of(
        services,
        _consent(platform_no, operation, terms, remote_address, config_version=current.version),
        current.config,
        operation.authorised_as,
        carry_out=operation.carry_out(),
    )
    withdrawal = await held(
        services, consent, operation.withdrawal_no, member_no=operation.member_no, principal_fen=operation.principal_fen
    )
    return withdrawal, is_new


async def _terms(services: Services, platform_no: str, operation: Withdraw, config: PlatformConfig) -> dict[str, Any]:
    """What is consented to. Fee and default account are those of the first call: both can change before a repeat.

    Who authorises is shown an account, so it consents to that one, not to whichever is the default later.

    Raises:
        Refused: `account_not_bound`, there is none to be shown.
    """
    known = await get_consent(services.reader, platform_no, _consent_no(operation))
    account_id, fee_fen = operation.account_id or "", config.withdrawal_fee_fen
    if known is not None:
        account_id, fee_fen = account_id or known.terms["account_id"], known.terms.get("fee_fen", 0)
    elif not account_id and config.authorisation.method_of(operation.authorised_as) is not AuthorisationMethod.NONE:
        account_id = (await services.registry.bank_accounts.to_pay(platform_no, operation.member_no or "")).account_id
    return withdrawal_terms(account_id=account_id, principal_fen=operation.principal_fen, fee_fen=fee_fen)


def _consent_no(operation: Withdraw) -> str:
    """Number of the consent to a withdrawal; it cannot meet one that a platform gives."""
    return derived("", "withdrawal", operation.withdrawal_no, "open")


def _consent(
    platform_no: str, operation: Withdraw, terms: Mapping[str, Any], remote_address: str | None, *, config_version: int
) -> NewConsent:
    """The member's consent to exactly this withdrawal, under the configuration that is in force."""
    return NewConsent(
        platform_no=platform_no,
        consent_no=_consent_no(operation),
        object_kind="withdrawal",
        object_no=operation.withdrawal_no,
        operation=WITHDRAW,
        given_by=operation.member_no or PLATFORM_ITSELF,
        terms=terms,
        valid_for=CONSENT_VALIDITY,
        remote_address=remote_address,
        asked=True,
        config_version=config_version,
    )


async def held(
    services: Services, consent: Consent, withdrawal_no: str, *, member_no: str | None, principal_fen: int
) -> BusinessObject:
    """The withdrawal that a recorded consent asks for, once its money is held; a process that does not run is started.

    Args:
        member_no: whose money it is, for those who look.

    Raises:
        Refused: the books say no, now or at the first time.
        OrderBusy: not within the time that a command may take.
        TemporalUnavailable: nobody answers.
    """
    recorder, platform_no = services.recorder, consent.platform_no

    async def look() -> BusinessObject | Refused | None:
        found = await get_object(recorder, platform_no, "withdrawal", withdrawal_no)
        answered = await answer_of(recorder, platform_no, consent.consent_no)
        if found is not None and answered.answer is None and answered.refusal is None:
            return Refused("object_exists", f"{withdrawal_no} is the number of another withdrawal; use a new one.")
        return answered.refusal or found

    found = await look()
    if found is None or (isinstance(found, BusinessObject) and not WithdrawalStatus(found.status).is_final):
        await services.processes.start_withdrawal(
            platform_no, withdrawal_no, member_no=member_no, principal_fen=principal_fen
        )
        found = await until(services, look, lambda seen: seen is not None)
    if found is None:
        raise OrderBusy("order_busy", "It is started but not entered in the books yet; repeat the call.")
    if isinstance(found, Refused):
        await keep_refusal(recorder, platform_no, consent.consent_no, found)
        raise found
    if found.status == WithdrawalStatus.REFUSED:  # as the first release entered what it refused
        raise Refused(found.body["refusal"], " ".join(found.body["route"]))
    return found
