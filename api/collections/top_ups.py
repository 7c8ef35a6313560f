"""Top-ups through a collection channel: open one, show the payer what to do, see what became of it."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import AwareDatetime, Field

from api.collections.collecting import COLLECTING_PROBLEMS, Collecting, opened, require_payer
from api.dependencies import CallerPlatform, Services, UsedServices
from api.member_consents import public_base
from api.problems import problems
from api.schemas import AmountFen, BalanceFen, Line, Number, PageQuery, PathNumber, Time, View
from api.waiting import until, wait_until_recorded
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.collections.pay_ins import TOP_UP, PayInStatus, collecting_terms, opening_consent_no
from escrow.domain.errors import Refused
from escrow.domain.platforms.functions import Function
from escrow.domain.platforms.rules import require_function
from escrow.ledger.consents import NewConsent, get_consent, record_consent
from escrow.ledger.objects import BusinessObject, get_object, list_objects
from workflows.messages import pay_in_workflow_id

router = APIRouter(prefix="/top-ups", tags=["top-ups"])

#: The consent outlives the collection by the time in which a late payment is still credited.
_CONSENT_OUTLIVES = timedelta(days=3)


class TopUpOpening(Collecting):
    """Money that a channel collects from a payer for a member. The member has consented to exactly this."""

    top_up_no: Number = Field(examples=["T-1"])
    member_no: Number = Field(description="Whose sub-account is credited.", examples=["O-1"])
    amount_fen: AmountFen
    subject: Line = Field(
        default="装修款", min_length=1, max_length=60, description="What the payer is shown; no personal data."
    )


class InteractionView(View):
    """What the payer has to do: go to `url`, scan `qr_content`, open the wallet with `app_parameters`, type a code."""

    kind: Literal["redirect", "qr", "app", "sms_code", "none"]
    url: str
    qr_content: str
    app_parameters: dict[str, str]
    code_expires_at: AwareDatetime | None = Field(description="Until when the SMS code that was sent last is good.")


class ChannelPaymentView(View):
    """One payment that the channel took, and what became of it."""

    payment_no: str
    amount_fen: BalanceFen
    fee_fen: BalanceFen
    outcome: Literal["credited", "suspended", "returned"]
    suspended_fen: BalanceFen = Field(description="What of it is neither credited nor returned yet.")


class TopUpView(View):
    """A top-up as the ledger has it."""

    top_up_no: str
    status: PayInStatus
    member_no: str
    method: CollectionMethod
    amount_fen: BalanceFen
    expires_at: AwareDatetime
    interaction: InteractionView | None = Field(description="While the payer is waited for.")
    cashier_url: str = Field(
        description="Hosted page that shows the payer what to do and how it stands, in Chinese and English; add "
        "`?lang=en` or `?lang=zh`. Who knows it can pay."
    )
    payments: list[ChannelPaymentView]
    reason: str = Field(description="Why it was closed or failed; else empty.")
    reason_code: str = Field(description="Stable code of the rule that said no before anything was sent; else empty.")
    debit_channel: str = Field(description="Of a direct debit: the channel that it was last made over; else empty.")
    debit_route: list[str] = Field(description="Of a direct debit: every channel with why it was or was not taken.")
    updated_at: Time
    sequence_no: int = Field(description="Number of the top-up's last event.")
    workflow_id: str = Field(description="Id in the Temporal UI.", examples=["pay_in/HOME/T-1"])


class TopUpPage(View):
    """Top-ups in the order of their numbers."""

    top_ups: list[TopUpView]


class TopUpQuery(PageQuery):
    """Which top-ups to list."""

    status: PayInStatus | None = Field(default=None, description="Only top-ups in this status.")


def top_up_view(services: Services, pay_in: BusinessObject) -> TopUpView:
    """A top-up as the ledger has it."""
    body = pay_in.body
    return TopUpView(
        top_up_no=pay_in.object_no,
        status=PayInStatus(pay_in.status),
        member_no=body["member_no"],
        method=CollectionMethod(body["method"]),
        amount_fen=body["amount_fen"],
        expires_at=body["expires_at"],
        interaction=body["interaction"],
        cashier_url=public_base(services) + services.registry.cashier_links.path(pay_in.platform_no, pay_in.object_no),
        payments=[{name: payment[name] for name in ChannelPaymentView.model_fields} for payment in body["payments"]],
        reason=body["reason"],
        reason_code=body["reason_code"],
        debit_channel=body["debit_channel"],
        debit_route=body["debit_route"],
        updated_at=pay_in.updated_at,
        sequence_no=pay_in.sequence_no,
        workflow_id=pay_in_workflow_id(pay_in.platform_no, pay_in.object_no),
    )


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    summary="Top a member up through a channel",
    responses=problems(
        "request_no_reused",
        "function_off",
        "member_unknown",
        "member_state",
        *COLLECTING_PROBLEMS,
        "order_busy",
        "temporal_unavailable",
        repeated=TopUpView,
    ),
)
async def open_top_up(
    body: TopUpOpening, request: Request, response: Response, platform_no: CallerPlatform, services: UsedServices
) -> TopUpView:
    """Have a channel collect money for a member. Answers as soon as the channel says what the payer has to do.

    The first payment of at least the amount is credited once, as pending money until its channel has settled it;
    whatever else the payer sends goes back through the channel, or waits in suspense when the channel refuses that.
    """
    current = await services.registry.platforms.configurations.current(platform_no)
    number = opening_consent_no(body.top_up_no)
    if await get_consent(services.reader, platform_no, number) is None:
        # What can be seen to be wrong leaves no trace; what the books know besides they say when it is opened.
        require_function(current.config, Function(body.method.value))
        await require_payer(services, platform_no, body.member_no, body.top_up_no, body.amount_fen, body)
    consent, is_new = await record_consent(
        services.reader,
        NewConsent(
            platform_no=platform_no,
            consent_no=number,
            object_kind="pay_in",
            object_no=body.top_up_no,
            operation=TOP_UP,
            given_by=body.member_no,
            terms=collecting_terms(
                body.terms(body.amount_fen),
                subject=body.subject,
                expires_in_minutes=body.expires_in_minutes,
                return_url=body.return_url,
            ),
            valid_for=timedelta(minutes=body.expires_in_minutes) + _CONSENT_OUTLIVES,
            remote_address=request.client.host if request.client else "",
            asked=True,
            config_version=current.version,
        ),
    )
    pay_in = await opened(
        services,
        consent,
        body.top_up_no,
        member_no=body.member_no,
        amount_fen=body.amount_fen,
        method=body.method,
    )
    if not is_new:
        response.status_code = status.HTTP_200_OK
    return top_up_view(services, await shown_to_payer(services, pay_in))


async def shown_to_payer(services: Services, pay_in: BusinessObject) -> BusinessObject:
    """The top-up once the channel has answered, or as it stands when the channel takes its time."""

    async def now() -> BusinessObject:
        return await wait_until_recorded(services, pay_in.platform_no, pay_in.kind, pay_in.object_no)

    return await until(services, now, lambda found: found.status != PayInStatus.OPENED)


@router.get("", summary="List top-ups", responses=problems())
async def list_top_ups(
    query: Annotated[TopUpQuery, Query()], platform_no: CallerPlatform, services: UsedServices
) -> TopUpPage:
    """Top-ups in the order of their numbers."""
    found = await list_objects(
        services.reader, platform_no, "pay_in", status=query.status, after=query.after, limit=query.limit
    )
    return TopUpPage(top_ups=[top_up_view(services, pay_in) for pay_in in found if "refusal" not in pay_in.body])


@router.get("/{top_up_no}", summary="One top-up", responses=problems("not_found"))
async def get_top_up(top_up_no: PathNumber, platform_no: CallerPlatform, services: UsedServices) -> TopUpView:
    """What the payer has to do, and every payment that the channel took."""
    pay_in = await get_object(services.reader, platform_no, "pay_in", top_up_no)
    if pay_in is None:
        raise Refused("not_found", f"There is no top-up {top_up_no}.")
    return top_up_view(services, pay_in)
