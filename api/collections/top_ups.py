"""Top-ups through a collection channel: open one, show the payer what to do, see what became of it."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field

from api.collections.collecting import COLLECTING_PROBLEMS, Collecting
from api.collections.top_up_views import TopUpView, shown_to_payer, top_up_view
from api.dependencies import CallerPlatform, UsedServices, address_of
from api.operations.collecting import opened, require_payer
from api.problems import problems
from api.schemas import AmountFen, Line, Number, PageQuery, PathNumber, View
from escrow.domain.collections.terms import TOP_UP, CollectionStatus, collecting_terms, opening_consent_no
from escrow.domain.errors import Refused
from escrow.domain.platforms.functions import Function
from escrow.domain.platforms.rules import require_function
from escrow.ledger.consents import NewConsent, get_consent, record_consent
from escrow.ledger.objects import get_object, list_objects

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


class TopUpPage(View):
    """Top-ups in the order of their numbers."""

    top_ups: list[TopUpView]


class TopUpQuery(PageQuery):
    """Which top-ups to list."""

    status: CollectionStatus | None = Field(default=None, description="Only top-ups in this status.")


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
    how, current = body.paying_by(), await services.registry.platforms.configurations.current(platform_no)
    number = opening_consent_no(body.top_up_no)
    if await get_consent(services.reader, platform_no, number) is None:
        # What can be seen to be wrong leaves no trace; what the books know besides they say when it is opened.
        require_function(current.config, Function(body.method.value))
        await require_payer(services, platform_no, body.member_no, body.top_up_no, body.amount_fen, how)
    consent, is_new = await record_consent(
        services.recorder,
        NewConsent(
            platform_no=platform_no,
            consent_no=number,
            object_kind="pay_in",
            object_no=body.top_up_no,
            operation=TOP_UP,
            given_by=body.member_no,
            terms=collecting_terms(
                how.terms(body.amount_fen),
                subject=body.subject,
                expires_in_minutes=body.expires_in_minutes,
                return_url=body.return_url,
            ),
            valid_for=timedelta(minutes=body.expires_in_minutes) + _CONSENT_OUTLIVES,
            remote_address=address_of(request),
            asked=True,
            config_version=current.version,
        ),
    )
    collection = await opened(
        services,
        consent,
        body.top_up_no,
        member_no=body.member_no,
        amount_fen=body.amount_fen,
        method=body.method,
    )
    if not is_new:
        response.status_code = status.HTTP_200_OK
    return top_up_view(services, await shown_to_payer(services, collection))


@router.get("", summary="List top-ups", responses=problems())
async def list_top_ups(
    query: Annotated[TopUpQuery, Query()], platform_no: CallerPlatform, services: UsedServices
) -> TopUpPage:
    """Top-ups in the order of their numbers."""
    found = await list_objects(
        services.reader, platform_no, "pay_in", status=query.status, after=query.after, limit=query.limit
    )
    return TopUpPage(
        top_ups=[top_up_view(services, collection) for collection in found if "refusal" not in collection.body]
    )


@router.get("/{top_up_no}", summary="One top-up", responses=problems("not_found"))
async def get_top_up(top_up_no: PathNumber, platform_no: CallerPlatform, services: UsedServices) -> TopUpView:
    """What the payer has to do, and every payment that the channel took."""
    collection = await get_object(services.reader, platform_no, "pay_in", top_up_no)
    if collection is None:
        raise Refused("not_found", f"There is no top-up {top_up_no}.")
    return top_up_view(services, collection)
