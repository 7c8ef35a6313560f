"""Money in suspense that goes back to the account it came from, as a payout."""

from fastapi import APIRouter, Request, Response, status
from pydantic import Field

from api.dependencies import CallerPlatform, Services, UsedServices
from api.problems import problems
from api.schemas import AmountFen, Body, Number
from api.transfers.suspense import CreditNumber
from api.withdrawals.bodies import WithdrawalView
from api.withdrawals.routes import keep_if_refused, start_withdrawal, withdrawal_view
from escrow.domain.errors import Refused
from escrow.domain.members.identity_numbers import is_cnaps_code
from escrow.domain.money.journal import Basis
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.requests import derived
from escrow.domain.transfers.suspense_returns import RETURN_SUSPENSE, suspense_return_terms
from escrow.ledger.consents import CONSENT_VALIDITY, NewConsent, keep_refusal, raise_kept_refusal, record_consent
from escrow.ledger.objects import BusinessObject, get_object
from escrow.registry.members.members import PLATFORM_ITSELF
from workflows.messages import WithdrawalInput

router = APIRouter(prefix="/suspense", tags=["suspense"])


class ReturnOpening(Body):
    """Your instruction to send money in suspense back to the account that it came from, as the bank says."""

    return_no: Number = Field(description="A number among your withdrawals.", examples=["SR-1"])
    amount_fen: AmountFen
    cnaps_code: str = Field(
        default="",
        max_length=12,
        description="CNAPS code of that account's branch, where you know it; the bank tells none, and without one only "
        "in-bank payments and UnionPay cards can be reached.",
        examples=["102100099996"],
    )


@router.post(
    "/{credit_no}/returns",
    status_code=status.HTTP_201_CREATED,
    summary="Send money in suspense back",
    responses=problems(
        "request_no_reused",
        "insufficient_balance",
        "suspense_source_unknown",
        "suspense_unsettled",
        "two_operators_required",
        "cnaps_code_invalid",
        "object_exists",
        "order_busy",
        "temporal_unavailable",
        repeated=WithdrawalView,
    ),
)
async def send_back(
    credit_no: CreditNumber,
    body: ReturnOpening,
    request: Request,
    response: Response,
    platform_no: CallerPlatform,
    services: UsedServices,
) -> WithdrawalView:
    """Send money in suspense, or a part of it, back to the account it came from; to no other.

    Answers as soon as the money is held; from then on it travels like a withdrawal, without a fee, and is looked at as
    one. When no rail carries it, it waits in suspense again.
    """
    current = await services.registry.platforms.configurations.current(platform_no)
    address = request.client.host if request.client else ""
    consent, is_new = await record_consent(services.reader, _consent(platform_no, credit_no, body, address))
    if consent.outcome is not None:
        raise_kept_refusal(consent.outcome)
    returned = None if is_new else await get_object(services.reader, platform_no, "withdrawal", body.return_no)
    if returned is None:
        try:
            await _require_allowed(services, platform_no, credit_no, body, current.config)
        except Refused as not_allowed:
            await keep_refusal(services.reader, platform_no, consent.consent_no, not_allowed)
            raise
        returned = await start_withdrawal(
            services,
            WithdrawalInput(
                platform_no=platform_no,
                withdrawal_no=body.return_no,
                member_no="",
                principal_fen=body.amount_fen,
                basis=Basis(kind="consent", reference=consent.consent_no, operation_hash=consent.operation_hash),
                routing_objective=current.config.routing_objective.value,
                large_withdrawal_sms_above_fen=current.config.large_withdrawal_sms_threshold_fen,
                config_version=current.version,
                credit_no=credit_no,
            ),
        )
    _require_this_return(returned, credit_no)
    await keep_if_refused(services, returned, consent.consent_no)
    if not is_new:
        response.status_code = status.HTTP_200_OK
    return withdrawal_view(returned)


async def _require_allowed(
    services: Services, platform_no: str, credit_no: str, body: ReturnOpening, config: PlatformConfig
) -> None:
    """The platform may send this money back by itself.

    Raises:
        Refused: `cnaps_code_invalid`, `suspense_source_unknown`, or `two_operators_required`.
    """
    if body.cnaps_code and not is_cnaps_code(body.cnaps_code):
        raise Refused("cnaps_code_invalid", "The CNAPS code is mistyped: its check digit does not fit.")
    line = await services.registry.suspense_payouts.source(platform_no, credit_no)
    if line.kind == "return" or not config.suspense_returned_by_platform:
        raise Refused("two_operators_required", "Two operators pay this money out; ask the institution.")


def _require_this_return(returned: BusinessObject, credit_no: str) -> None:
    """The number names no other withdrawal.

    Raises:
        Refused: `object_exists`.
    """
    if returned.body.get("credit_no") != credit_no:
        raise Refused("object_exists", f"{returned.object_no} is the number of another withdrawal; use a new one.")


def _consent(platform_no: str, credit_no: str, body: ReturnOpening, remote_address: str) -> NewConsent:
    return NewConsent(
        platform_no=platform_no,
        consent_no=derived("", "suspense_return", body.return_no, "open"),
        object_kind="withdrawal",
        object_no=body.return_no,
        operation=RETURN_SUSPENSE,
        given_by=PLATFORM_ITSELF,
        terms=suspense_return_terms(credit_no=credit_no, principal_fen=body.amount_fen, cnaps_code=body.cnaps_code),
        valid_for=CONSENT_VALIDITY,
        remote_address=remote_address,
    )
