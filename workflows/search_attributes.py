"""Typed search attributes by which operators filter the workflow list. They hold no personal data."""

from typing import Any

from temporalio import workflow
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributeUpdate,
    TypedSearchAttributes,
)

PLATFORM = SearchAttributeKey.for_keyword("Platform")
ORDER_STATUS = SearchAttributeKey.for_keyword("OrderStatus")
STAGE = SearchAttributeKey.for_keyword("Stage")
OWNER = SearchAttributeKey.for_keyword("Owner")
CONTRACTOR = SearchAttributeKey.for_keyword("Contractor")
MEMBER = SearchAttributeKey.for_keyword("Member")
AMOUNT_FEN = SearchAttributeKey.for_int("AmountFen")
NEEDS_ATTENTION = SearchAttributeKey.for_bool("NeedsAttention")


def of_order(*, platform_no: str, owner_no: str, contractor_no: str, amount_fen: int) -> TypedSearchAttributes:
    """Attributes that an order is started with; its process brings them up to what the books say."""
    return TypedSearchAttributes(
        [
            SearchAttributePair(PLATFORM, platform_no),
            SearchAttributePair(ORDER_STATUS, "awaiting_payment"),
            SearchAttributePair(STAGE, "payment"),
            SearchAttributePair(OWNER, owner_no),
            SearchAttributePair(CONTRACTOR, contractor_no),
            SearchAttributePair(AMOUNT_FEN, amount_fen),
            SearchAttributePair(NEEDS_ATTENTION, False),
        ]
    )


def of_members_money(*, platform_no: str, member_no: str | None, amount_fen: int) -> TypedSearchAttributes:
    """Attributes that a withdrawal, a top-up or a transfer is started with.

    Args:
        member_no: whose money moves; None, or empty, where it is no member's.
    """
    whose = [SearchAttributePair(MEMBER, member_no)] if member_no else []
    return TypedSearchAttributes(
        [
            SearchAttributePair(PLATFORM, platform_no),
            *whose,
            SearchAttributePair(AMOUNT_FEN, amount_fen),
            SearchAttributePair(NEEDS_ATTENTION, False),
        ]
    )


def of_batch(*, platform_no: str, owner_no: str, total_fen: int) -> TypedSearchAttributes:
    """Attributes that a batch payment is started with."""
    return TypedSearchAttributes(
        [
            SearchAttributePair(PLATFORM, platform_no),
            SearchAttributePair(STAGE, "payment"),
            SearchAttributePair(OWNER, owner_no),
            SearchAttributePair(AMOUNT_FEN, total_fen),
            SearchAttributePair(NEEDS_ATTENTION, False),
        ]
    )


def of_member(*, platform_no: str) -> TypedSearchAttributes:
    """Attributes that what happens to a member is started with."""
    return TypedSearchAttributes(
        [SearchAttributePair(PLATFORM, platform_no), SearchAttributePair(NEEDS_ATTENTION, False)]
    )


def show_search_attributes(*, status: str | None, stage: str | None, needs_attention: bool) -> None:
    """Bring the running workflow's attributes up to date: only changed ones, only those present at its start.

    Attributes are optional, since a server where they are not registered must run orders all the same.
    """
    present = workflow.info().typed_search_attributes
    updates: list[SearchAttributeUpdate[Any]] = []
    if status is not None and present.get(ORDER_STATUS) not in (None, status):
        updates.append(ORDER_STATUS.value_set(status))
    if stage is not None and present.get(STAGE) not in (None, stage):
        updates.append(STAGE.value_set(stage))
    if present.get(NEEDS_ATTENTION) not in (None, needs_attention):
        updates.append(NEEDS_ATTENTION.value_set(needs_attention))
    if updates:
        workflow.upsert_search_attributes(updates)


def show_members_process(attention: str | None) -> None:
    """Show operators of what looks after a member why they are needed, None for nothing."""
    workflow.set_current_details("" if attention is None else f"**NEEDS ATTENTION:** {attention}")
    show_search_attributes(status=None, stage=None, needs_attention=attention is not None)
