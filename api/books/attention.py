"""Who waits for a person: orders, withdrawals and other processes that cannot go on by themselves."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from api.dependencies import CallerPlatform, UsedServices
from api.problems import problems
from api.schemas import BalanceFen, Body, Time, View
from escrow.ledger.attention import waiting_for_a_person
from escrow.ledger.progress import ObjectKey

router = APIRouter(tags=["attention"])


class AttentionView(View):
    """An object that waits for a person."""

    kind: str = Field(examples=["order"])
    object_no: str = Field(examples=["D-1001"])
    reason: str = Field(description="Why, for people.")
    since: Time
    held_fen: BalanceFen = Field(description="The money that it holds meanwhile.")
    cursor: str = Field(description="Continues the list after this object.")


class AttentionPage(View):
    """What waits for a person, in the order of kinds and numbers."""

    waiting: list[AttentionView]


class AttentionQuery(Body):
    """Which part of the list."""

    after: str = Field(
        default="",
        pattern=r"^([a-z_]{1,40}/[A-Za-z0-9_.:\-]{1,128})?$",
        description="`cursor` of the last object already read.",
    )
    limit: int = Field(default=50, ge=1, le=200)


@router.get("/attention", summary="List what waits for a person", responses=problems())
async def list_attention(
    query: Annotated[AttentionQuery, Query()], platform_no: CallerPlatform, services: UsedServices
) -> AttentionPage:
    """What cannot go on by itself, why, since when, and how much money it holds. The operators see the same list.

    An overdue stage goes on with the next command of its owner or contractor; the rest is for the operators to mend.
    """
    kind, _, object_no = query.after.partition("/")
    after = ObjectKey(platform_no=platform_no, kind=kind, object_no=object_no) if query.after else None
    found = await waiting_for_a_person(services.reader, platform_no, after=after, limit=query.limit)
    return AttentionPage(
        waiting=[
            AttentionView(
                kind=item.key.kind,
                object_no=item.key.object_no,
                reason=item.reason,
                since=item.since,
                held_fen=item.held_fen,
                cursor=f"{item.key.kind}/{item.key.object_no}",
            )
            for item in found
        ]
    )
