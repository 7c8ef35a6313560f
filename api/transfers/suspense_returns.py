"""Money in suspense that goes back to the account it came from, as a payout."""

from fastapi import APIRouter, Request, Response, status
from pydantic import Field

from api.dependencies import CallerPlatform, UsedServices, address_of
from api.operations.withdrawals import held
from api.problems import problems
from api.schemas import AmountFen, Body, Number
from api.transfers.numbers import CreditNumber
from api.withdrawal_views import WithdrawalView, withdrawal_view
from escrow.domain.members.identity_numbers import require_cnaps_code
from escrow.domain.requests import derived
from escrow.domain.transfers.suspense_returns import RETURN_SUSPENSE, suspense_return_terms
from escrow.ledger.consents import CONSENT_VALIDITY, NewConsent, record_consent
from escrow.registry.members.members import PLATFORM_ITSELF

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
    require_cnaps_code(body.cnaps_code)
    current = await services.registry.platforms.configurations.current(platform_no)
    address = address_of(request)
    asked = _consent(platform_no, credit_no, body, address, config_version=current.version)
    consent, is_new = await record_consent(services.recorder, asked)
    returned = await held(services, consent, body.return_no, member_no=None, principal_fen=body.amount_fen)
    if not is_new:
        response.status_code = status.HTTP_200_OK
    return withdrawal_view(returned)


def _consent(
    platform_no: str, credit_no: str, body: ReturnOpening, remote_address: str | None, *, config_version: int
) -> NewConsent:
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
        asked=True,
        config_version=config_version,
    )
