"""A thief who moves the clock of a workflow: silence is acceptance only when the signed time has really passed."""

from datetime import timedelta

import pytest
from activities.order_money import ReleaseMilestone
from activities.signed_order import signed_order

from activities.mandates import MandateRef
from activities.member_closing import ClosingRef
from activities.steps import Step
from escrow.domain.errors import Refused
from escrow.domain.money.journal import Basis
from tests.accomplice import Accomplice
from tests.story import Story
from tests.story_ground import CONTRACTOR, OWNER
from tests.workflows.test_direct_debit import debtors
from tests.workflows.test_member_closing import begins_to_close


async def by_silence(story: Story, clock: str, milestone: int, gross_fen: int, commission_fen: int) -> ReleaseMilestone:
    """A release on a clock that has run off, as the workflow says by its own."""
    step = Step(
        platform_no=story.platform_no,
        object_kind="order",
        object_no="D-1001",
        request_no=f"D-1001:M{milestone}:release:1",
        event_type="order.released",
        status="in_progress",
        document={},
        occurred_at=await story.now() + timedelta(days=400),
        bases=(Basis(kind="deadline", reference=f"order/D-1001/{clock}"),),
    )
    return ReleaseMilestone(
        step=step,
        recipe="retention_released" if clock == "warranty" else "milestone_released",
        owner_no=OWNER,
        contractor_no=CONTRACTOR,
        payee_no=CONTRACTOR,
        milestone=milestone,
        gross_fen=gross_fen,
        commission_fen=commission_fen,
        settles_next_day=False,
    )


async def test_days_that_a_workflow_has_skipped_are_no_silence(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    before = await story.balances()
    thief = Accomplice(story.stage, story.order.id)

    with pytest.raises(Refused) as refusal:
        await thief.runs(
            thief.activities.orders.release_milestone, await by_silence(story, "M2:inspection:1", 2, 5_580_000, 279_000)
        )

    assert refusal.value.code == "basis_not_due"
    assert await story.balances() == before


async def test_a_warranty_that_a_workflow_has_skipped_is_not_over(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    for milestone in (2, 3, 4):
        await story.completes(milestone)
        await story.accepts(milestone)
    before, terms = await story.balances(), story.signed.milestones[-1]
    thief = Accomplice(story.stage, story.order.id)
    forged = await by_silence(story, "warranty", terms.number, terms.amount_fen, terms.amount_fen // 20)

    with pytest.raises(Refused) as refusal:
        await thief.runs(thief.activities.orders.release_milestone, forged)

    assert refusal.value.code == "basis_not_due"
    assert await story.balances() == before


async def test_a_signed_time_that_has_passed_is_silence(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    step = (await by_silence(story, "M2:inspection:1", 2, 5_580_000, 279_000)).step
    order = await signed_order(story.stage.reader, story.platform_no, "D-1001")
    now = await story.now()

    order.require_elapsed(step, now=now + timedelta(days=7))
    with pytest.raises(Refused):
        order.require_elapsed(step, now=now + timedelta(days=6.9))


async def test_a_member_is_not_closed_before_its_day_has_come(story: Story) -> None:
    await story.members_open()
    closing = await begins_to_close(story, OWNER)
    thief = Accomplice(story.stage, "member-closing")
    ref = ClosingRef(platform_no=story.platform_no, member_no=OWNER, request_no=closing.request_no)

    with pytest.raises(Refused) as refusal:
        await thief.runs(thief.activities.closings.complete_closing, ref)

    assert refusal.value.code == "too_early"


async def test_a_mandate_does_not_end_before_its_last_day_is_over(story: Story) -> None:
    last_day = (await story.now()).date() + timedelta(days=100)
    await debtors(story, last_day=last_day)
    thief = Accomplice(story.stage, f"mandate/{story.platform_no}/M-1")
    ref = MandateRef(platform_no=story.platform_no, mandate_no="M-1")

    with pytest.raises(Refused) as refusal:
        await thief.runs(thief.activities.mandates.expire_mandate, ref)

    assert refusal.value.code == "too_early"
