"""Binding and unbinding bank accounts: the platform vouches for the member, or the member authorises it itself."""

from collections.abc import Mapping
from typing import Any

from api.dependencies import Services
from api.member_consents import consent_of
from escrow.domain.errors import Refused
from escrow.domain.members.account_operations import BIND, UNBIND, binding_terms, unbinding_terms
from escrow.domain.members.identity_numbers import mask
from escrow.domain.money.journal import Basis
from escrow.domain.operations.members import BindAccount, UnbindAccount
from escrow.domain.platforms.authorisations import AuthorisationMethod, AuthorisedOperation
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.requests import derived
from escrow.ledger.consents import CONSENT_VALIDITY, NewConsent, keep_refusal, raise_kept_refusal
from escrow.registry.accounts.rows import BankAccount, NewBankAccount

_KIND = "bank_account"


async def bind(
    services: Services, platform_no: str, operation: BindAccount, *, remote_address: str | None
) -> tuple[BankAccount, bool]:
    """Bind an account, on the member's own authorisation where the configuration wants one.

    Raises:
        AwaitsMember: the member has to authorise it first.
        Refused: a rule says no, now or at the first time.
    """
    accounts, member_no = services.registry.bank_accounts, operation.member_no
    account = NewBankAccount(**operation.model_dump(exclude={"member_no"}))
    config = await _config(services, platform_no)
    vouched = config.authorisation.bind_account is AuthorisationMethod.NONE
    if vouched or await accounts.is_known(platform_no, account.account_id):  # a repeat is answered by what was done
        return await accounts.bind(platform_no, member_no, account)
    consent_no = derived("", _KIND, account.account_id, BIND)
    if not await services.registry.page_links.is_known(platform_no, consent_no):
        await accounts.require_bindable(platform_no, member_no, account)
    terms = binding_terms(
        account_digest=accounts.digest(platform_no, account),
        account_no_masked=mask(account.account_no),
        is_corporate=account.is_corporate,
        cnaps_code=account.cnaps_code,
        bank_name=account.bank_name,
        make_default=account.make_default,
    )
    new = _consent(platform_no, member_no, account.account_id, consent_no, BIND, terms, remote_address)
    basis = await _given(
        services,
        new,
        config,
        operation.authorised_as,
        carry_out={"sealed": accounts.sealed(platform_no, account)},
    )
    try:
        return await accounts.bind(platform_no, member_no, account, consent=basis)
    except Refused as refusal:
        await keep_refusal(services.recorder, platform_no, consent_no, refusal)
        raise


async def unbind(
    services: Services, platform_no: str, operation: UnbindAccount, *, remote_address: str | None
) -> BankAccount:
    """Unbind an account, on the member's own authorisation where the configuration wants one; raises as `bind`."""
    accounts, member_no, account_id = services.registry.bank_accounts, operation.member_no, operation.account_id
    config = await _config(services, platform_no)
    account = await accounts.get(platform_no, member_no, account_id)
    if not account.is_bound or config.authorisation.unbind_account is AuthorisationMethod.NONE:
        return await accounts.unbind(platform_no, member_no, account_id)
    consent_no = derived("", _KIND, account_id, UNBIND, operation.request_no)
    terms = unbinding_terms(account_no_masked=mask(account.account_no))
    new = _consent(platform_no, member_no, account_id, consent_no, UNBIND, terms, remote_address)
    basis = await _given(services, new, config, operation.authorised_as, carry_out=operation.carry_out())
    try:
        return await accounts.unbind(platform_no, member_no, account_id, consent=basis)
    except Refused as refusal:
        await keep_refusal(services.recorder, platform_no, consent_no, refusal)
        raise


async def _given(
    services: Services,
    new: NewConsent,
    config: PlatformConfig,
    operation: AuthorisedOperation,
    *,
    carry_out: Mapping[str, Any],
) -> Basis:
    consent, _ = await consent_of(services, new, config, operation, carry_out=carry_out)
    if consent.outcome is not None:
        raise_kept_refusal(consent.outcome)
    return Basis(kind="consent", reference=consent.consent_no, operation_hash=consent.operation_hash)


def _consent(
    platform_no: str,
    member_no: str,
    account_id: str,
    consent_no: str,
    operation: str,
    terms: Mapping[str, Any],
    remote_address: str | None,
) -> NewConsent:
    return NewConsent(
        platform_no=platform_no,
        consent_no=consent_no,
        object_kind=_KIND,
        object_no=account_id,
        operation=operation,
        given_by=member_no,
        terms=terms,
        valid_for=CONSENT_VALIDITY,
        remote_address=remote_address,
    )


async def _config(services: Services, platform_no: str) -> PlatformConfig:
    return (await services.registry.platforms.configurations.current(platform_no)).config
