"""Withdrawals: ask for one, look at it and at the reasons of its route."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response, status
from pydantic import Field

from api.dependencies import CallerPlatform, Services, UsedServices
from api.member_consents import AWAITING_PROBLEMS, AWAITS_MEMBER, consent_of
from api.problems import problems
from api.schemas import PageQuery
from api.withdrawal_views import WithdrawalView, held, withdrawal_view
from api.withdrawals.bodies import WithdrawalOpening, WithdrawalPage
from escrow.domain.errors import Refused
from escrow.domain.platforms.authorisations import AuthorisationMethod, AuthorisedOperation
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.requests import derived
from escrow.domain.withdrawals.commands import WITHDRAW
from escrow.domain.withdrawals.operations import withdrawal_terms
from escrow.domain.withdrawals.states import WithdrawalStatus
from escrow.ledger.consents import CONSENT_VALIDITY, NewConsent, get_consent
from escrow.ledger.objects import BusinessObject, get_object, list_objects
from escrow.registry.members.members import PLATFORM_ITSELF

router = APIRouter(prefix="/withdrawals", tags=["withdrawals"])

#: An order's standing order numbers its withdrawals itself, with colons.
WithdrawalNumber = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:\-]{0,127}$", description="Its number.")]


class WithdrawalQuery(PageQuery):
    """Which withdrawals to list."""

    after: str = Field(default="", pattern=r"^([A-Za-z0-9][A-Za-z0-9_.:\-]{0,127})?$")
    status: WithdrawalStatus | None = Field(default=None, description="Only withdrawals in this status.")


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    summary="Ask for a withdrawal",
    responses=problems(
        "request_no_reused",
        "account_not_bound",
        "insufficient_balance",
        "function_off",
        *AWAITING_PROBLEMS,
        "identity_required",
        "member_state",
        "member_unknown",
        "limit_exceeded",
        "account_not_verified",
        "bank_charges_owed",
        "fee_differs",
        "object_exists",
        "order_busy",
        "temporal_unavailable",
        repeated=WithdrawalView,
    )
    | AWAITS_MEMBER,
)
async def open_withdrawal(
    body: WithdrawalOpening,
    request: Request,
    response: Response,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> WithdrawalView:
    """Withdraw a member's withdrawable money to a bound account, or the platform's own money to its own account.

    Your own withdrawal is always authorised by your contact person, by a code to its mobile on a hosted page.
    Answers as soon as the money is held. It then travels by itself: over the best rail that is open, queued until
    one opens, and back to the sub-account when none can carry it. A large one is announced by SMS.
    """
    remote_address = request.client.host if request.client else ""
    withdrawal, is_new = await withdraw(services, platform_no, body, remote_address=remote_address)
    if not is_new:
        response.status_code = status.HTTP_200_OK
    return withdrawal_view(withdrawal)


async def withdraw(
    services: Services, platform_no: str, body: WithdrawalOpening, *, remote_address: str
) -> tuple[BusinessObject, bool]:
    """Record what is asked for, have the money held and sent on its way; the flag says whether the number is new.

    Raises:
        AwaitsMember: the member has to authorise it first.
        Refused: a rule says no.
        OrderBusy, TemporalUnavailable, LedgerUnavailable: repeat the call.
    """
    current = await services.registry.platforms.configurations.current(platform_no)
    terms = await _terms(services, platform_no, body, current.config)
    consent, is_new = await consent_of(
        services,
        _consent(platform_no, body, terms, remote_address, config_version=current.version),
        current.config,
        _operation_of(body),
        carry_out={},
    )
    withdrawal = await held(
        services, consent, body.withdrawal_no, member_no=body.member_no, principal_fen=body.principal_fen
    )
    return withdrawal, is_new


async def _terms(
    services: Services, platform_no: str, body: WithdrawalOpening, config: PlatformConfig
) -> dict[str, Any]:
    """What is consented to. Fee and default account are those of the first call: both can change before a repeat.

    Who authorises is shown an account, so it consents to that one, not to whichever is the default later.

    Raises:
        Refused: `account_not_bound`, there is none to be shown.
    """
    known = await get_consent(services.reader, platform_no, _consent_no(body))
    account_id, fee_fen = body.account_id or "", config.withdrawal_fee_fen
    if known is not None:
        account_id, fee_fen = account_id or known.terms["account_id"], known.terms.get("fee_fen", 0)
    elif not account_id and config.authorisation.method_of(_operation_of(body)) is not AuthorisationMethod.NONE:
        account_id = (await services.registry.bank_accounts.to_pay(platform_no, body.member_no or "")).account_id
    return withdrawal_terms(account_id=account_id, principal_fen=body.principal_fen, fee_fen=fee_fen)


def _operation_of(body: WithdrawalOpening) -> AuthorisedOperation:
    return AuthorisedOperation.WITHDRAW if body.member_no else AuthorisedOperation.PLATFORM_WITHDRAW


def _consent_no(body: WithdrawalOpening) -> str:
    """Number of the consent to a withdrawal; it cannot meet one that a platform gives."""
    return derived("", "withdrawal", body.withdrawal_no, "open")


def _consent(
    platform_no: str, body: WithdrawalOpening, terms: Mapping[str, Any], remote_address: str, *, config_version: int
) -> NewConsent:
    """The member's consent to exactly this withdrawal, under the configuration that is in force."""
    return NewConsent(
        platform_no=platform_no,
        consent_no=_consent_no(body),
        object_kind="withdrawal",
        object_no=body.withdrawal_no,
        operation=WITHDRAW,
        given_by=body.member_no or PLATFORM_ITSELF,
        terms=terms,
        valid_for=CONSENT_VALIDITY,
        remote_address=remote_address,
        asked=True,
        config_version=config_version,
    )


@router.get("", summary="List withdrawals", responses=problems())
async def list_withdrawals(
    query: Annotated[WithdrawalQuery, Query()], platform_no: CallerPlatform, services: UsedServices
) -> WithdrawalPage:
    """Withdrawals in the order of their numbers, those of orders' standing orders included."""
    found = await list_objects(
        services.reader, platform_no, "withdrawal", status=query.status, after=query.after, limit=query.limit
    )
    return WithdrawalPage(withdrawals=[withdrawal_view(withdrawal) for withdrawal in found])


@router.get("/{withdrawal_no}", summary="One withdrawal", responses=problems("not_found"))
async def get_withdrawal(
    withdrawal_no: WithdrawalNumber, platform_no: CallerPlatform, services: UsedServices
) -> WithdrawalView:
    """Where the money is, over which rails it was sent, and why over these."""
    withdrawal = await get_object(services.reader, platform_no, "withdrawal", withdrawal_no)
    if withdrawal is None:
        raise Refused("not_found", f"There is no withdrawal {withdrawal_no}.")
    return withdrawal_view(withdrawal)
