"""Unguaranteed payments: straight to the payee's sub-account, with no order to accept."""

from fastapi import APIRouter, Request, Response, status
from pydantic import Field

from api.dependencies import CallerPlatform, UsedServices, address_of
from api.member_consents import AWAITING_PROBLEMS, AWAITS_MEMBER
from api.operations import payments
from api.problems import problems
from api.schemas import AmountFen, BalanceFen, Body, Number, PathNumber, Time, View
from escrow.domain.operations.transfers import PayAtOnce
from escrow.domain.platforms.config import Settlement
from escrow.domain.transfers.moves import TransferKind
from escrow.ledger.objects import BusinessObject
from workflows.messages import transfer_workflow_id

router = APIRouter(prefix="/payments", tags=["payments"])


class PaymentOpening(Body):
    """A payment from one member to another. The payer has consented to exactly this."""

    payment_no: Number = Field(examples=["P-1"])
    payer_no: Number = Field(examples=["O-1"])
    payee_no: Number | None = Field(
        default=None,
        description="Member who is paid; absent exactly when the platform is self-operated.",
        examples=["C-1"],
    )
    amount_fen: AmountFen


class PaymentView(View):
    """A payment that was made."""

    payment_no: str
    payer_no: str
    payee_no: str | None
    amount_fen: BalanceFen
    settlement: Settlement = Field(
        description="When it became withdrawable. What was pending at the payer stays so at the payee until its day."
    )
    paid_at: Time
    workflow_id: str = Field(description="Id in the Temporal UI.", examples=["payment/HOME/P-1"])


def _view(payment: BusinessObject) -> PaymentView:
    body = payment.body
    return PaymentView(
        payment_no=payment.object_no,
        payer_no=body["member_no"],
        payee_no=body["subject_no"] or None,
        amount_fen=body["amount_fen"],
        settlement=Settlement(body["settlement"]),
        paid_at=payment.created_at,
        workflow_id=transfer_workflow_id(payment.platform_no, TransferKind.PAYMENT, payment.object_no),
    )


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    summary="Pay without a guarantee",
    responses=problems(
        "request_no_reused",
        "function_off",
        *AWAITING_PROBLEMS,
        "insufficient_balance",
        "member_unknown",
        "member_state",
        "business_model_forbids",
        "limit_exceeded",
        "order_busy",
        "temporal_unavailable",
        repeated=PaymentView,
    )
    | AWAITS_MEMBER,
)
async def make_payment(
    body: PaymentOpening, request: Request, response: Response, platform_no: CallerPlatform, services: UsedServices
) -> PaymentView:
    """Move money from the payer's available balance to the payee at once: pending money first, then withdrawable.

    What was withdrawable is so at the payee at once (T+0) or when the day is closed (T+1), as configured.
    """
    remote_address = address_of(request)
    operation = PayAtOnce(**body.model_dump())
    payment, is_new = await payments.pay(services, platform_no, operation, remote_address=remote_address)
    if not is_new:
        response.status_code = status.HTTP_200_OK
    return _view(payment)


@router.get("/{payment_no}", summary="One payment", responses=problems("not_found"))
async def get_payment(payment_no: PathNumber, platform_no: CallerPlatform, services: UsedServices) -> PaymentView:
    """Who paid whom how much."""
    return _view(await payments.known_transfer(services, platform_no, TransferKind.PAYMENT, payment_no))
