"""Events: every change of every object, numbered per object without a gap."""

from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Query
from pydantic import Field, model_validator

from api.dependencies import CallerPlatform, UsedServices
from api.problems import problems
from api.schemas import Body, Time, View
from escrow.domain.errors import Refused
from escrow.ledger.objects import event_feed, get_object, object_events

router = APIRouter(tags=["events"])

ObjectKind = Literal[
    "order",
    "withdrawal",
    "bank_credit",
    "member",
    "bank_account",
    "account_verification",
    "micro_deposit",
    "platform",
    "sub_account",
]


class EventQuery(Body):
    """Either the platform's whole feed after `after`, or one object's events after `after_sequence_no`."""

    kind: ObjectKind | None = Field(default=None, description="With `object_no`: only this object's events.")
    object_no: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:\-]{0,127}$")
    after_sequence_no: int = Field(default=0, ge=0, le=2**63 - 1, description="For one object.")
    after: str = Field(
        default="",
        pattern=r"^([0-9]{1,18}\.[0-9]{1,18})?$",
        description="For the feed: `cursor` of the last event read.",
    )
    limit: int = Field(default=100, ge=1, le=500)

    @model_validator(mode="after")
    def _names_an_object_wholly(self) -> Self:
        if (self.kind is None) != (self.object_no is None):
            raise ValueError("kind and object_no go together")
        return self


class EventView(View):
    """One change of one object."""

    kind: str
    object_no: str
    sequence_no: int = Field(description="1, 2, 3 … per object, without a gap.")
    event_type: str = Field(examples=["order.paid"])
    status: str = Field(description="The object's status after the change.")
    body: dict[str, Any] = Field(description="What changed. No personal data.")
    occurred_at: Time
    recorded_at: Time
    request_no: str
    cursor: str = Field(description="Continues the feed after this event.")


class EventPage(View):
    """Events in an order that never changes; an empty page is the end for now."""

    events: list[EventView]


@router.get("/events", summary="Read events", responses=problems("not_found"))
async def get_events(
    query: Annotated[EventQuery, Query()], platform_no: CallerPlatform, services: UsedServices
) -> EventPage:
    """Read the platform's feed from a cursor, or one object's events. None is ever passed over or renumbered."""
    if query.kind is not None and query.object_no is not None:
        if await get_object(services.reader, platform_no, query.kind, query.object_no) is None:
            raise Refused("not_found", f"There is no {query.kind} {query.object_no}.")
        found = await object_events(
            services.reader,
            platform_no,
            query.kind,
            query.object_no,
            after_sequence_no=query.after_sequence_no,
            limit=query.limit,
        )
    else:
        found = await event_feed(services.reader, platform_no, after=query.after, limit=query.limit)
    return EventPage(events=[EventView.model_validate(event, from_attributes=True) for event in found])
