"""Statements: all that happened on a member's accounts in a period."""

from datetime import date
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import Field, model_validator

from api.books.lines import LineView, line_view
from api.dependencies import CallerPlatform, UsedServices
from api.problems import problems
from api.schemas import BalanceFen, Body, Number, View
from escrow.ledger.history import member_history

router = APIRouter(tags=["accounts"])


class StatementQuery(Body):
    """Whose statement, and of which accounting days, both ends included."""

    member_no: Number
    first_day: date = Field(examples=["2026-03-01"])
    last_day: date = Field(examples=["2026-03-31"])
    after: str = Field(
        default="", pattern=r"^([0-9]{1,18}\.[0-9]{1,18})?$", description="`cursor` of the last line already read."
    )
    limit: int = Field(default=100, ge=1, le=500)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last_day < self.first_day:
            raise ValueError("last_day must not be before first_day")
        return self


class StatementView(View):
    """A member's statement: opening balance + all lines of the period = closing balance, over all its accounts."""

    member_no: str
    first_day: date
    last_day: date
    opening_fen: BalanceFen
    closing_fen: BalanceFen
    lines: list[LineView]


@router.get("/statements", summary="Statement of a member", responses=problems("not_found"))
async def get_statement(
    query: Annotated[StatementQuery, Query()], platform_no: CallerPlatform, services: UsedServices
) -> StatementView:
    """Every line of every account of the member in the period, in the order of posting."""
    await services.registry.members.get(platform_no, query.member_no)
    history = await member_history(
        services.reader,
        platform_no,
        query.member_no,
        first_day=query.first_day,
        last_day=query.last_day,
        after=query.after,
        limit=query.limit,
    )
    return StatementView(
        member_no=query.member_no,
        first_day=query.first_day,
        last_day=query.last_day,
        opening_fen=history.opening_fen,
        closing_fen=history.closing_fen,
        lines=[line_view(line) for line in history.lines],
    )
