"""A thief who moves the clock of a workflow: silence is acceptance only when the signed time has really passed."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.clocks import Clock
from activities.mandates import MandateRef
from activities.member_closing import ClosingRef
from activities.order_money import OrderActivities, ReleaseMilestone
from activities.signed_order import signed_order
from activities.steps import Step
from escrow.domain.errors import Refused
from escrow.domain.journal import Basis
from tests.stage import settings_for
from tests.story import Story
from tests.story_ground import CONTRACTOR, OWNER
from tests.workflows.test_direct_debit import debtors
from tests.workflows.test_member_closing import begins_to_close
from tests.workflows.test_thief_collections import Accomplice
from worker import Activities


def honest_clock(story: Story) -> tuple[ActivityEnvironment, OrderActivities]:
    """A worker as it runs where money is real: there nobody skips time."""
    worker = Accomplice(story.stage, story.order.id)
    registry = worker.activities.registry
    orders = OrderActivities(
        story.stage.writer,
        story.stage.reader,
        registry.members,
        registry.platforms.configurations,
        time_may_be_skipped=False,
    )
    return worker.environment, orders


def by_silence(story: Story, clock: str, milestone: int, gross_fen: int, commission_fen: int) -> ReleaseMilestone:
    """A release on a clock that has run off, as the workflow says by its own."""
    step = Step(
        platform_no=story.platform_no,
        object_kind="order",
        object_no="D-1001",
        request_no=f"D-1001:M{milestone}:release:1",
        event_type="order.released",
        status="in_progress",
        document={},
        occurred_at=datetime.now(UTC) + timedelta(days=400),
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
    environment, orders = honest_clock(story)

    with pytest.raises(Refused) as refusal:
        await environment.run(orders.release_milestone, by_silence(story, "M2:inspection:1", 2, 5_580_000, 279_000))

    assert refusal.value.code == "basis_not_due"
    assert await story.balances() == before


async def test_a_warranty_that_a_workflow_has_skipped_is_not_over(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    for milestone in (2, 3, 4):
        await story.completes(milestone)
        await story.accepts(milestone)
    before, terms = await story.balances(), story.signed.milestones[-1]
    environment, orders = honest_clock(story)
    forged = by_silence(story, "warranty", terms.number, terms.amount_fen, terms.amount_fen // 20)

    with pytest.raises(Refused) as refusal:
        await environment.run(orders.release_milestone, forged)

    assert refusal.value.code == "basis_not_due"
    assert await story.balances() == before


async def test_a_signed_time_that_has_passed_is_silence(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    step = by_silence(story, "M2:inspection:1", 2, 5_580_000, 279_000).step
    order = await signed_order(story.stage.reader, story.platform_no, "D-1001")
    now = datetime.now(UTC)

    order.require_elapsed(step, now=now + timedelta(days=7))
    with pytest.raises(Refused):
        order.require_elapsed(step, now=now + timedelta(days=6.9))


def honest_worker(story: Story, workflow_id: str) -> Accomplice:
    """A worker of the thief's on a workflow of its own, where money is real."""
    worker = Accomplice(story.stage, workflow_id)
    settings = settings_for(story.stage.database, story.stage.sandbox)
    settings = settings.model_copy(update={"time_may_be_skipped": False})
    worker.activities = Activities(settings, story.stage.writer, story.stage.reader, story.stage.sandbox.bank)
    return worker


async def test_a_member_is_not_closed_before_its_day_has_come(story: Story) -> None:
    await story.members_open()
    closing = await begins_to_close(story, OWNER)
    thief = honest_worker(story, "member-closing")
    ref = ClosingRef(platform_no=story.platform_no, member_no=OWNER, request_no=closing.request_no)

    with pytest.raises(Refused) as refusal:
        await thief.runs(thief.activities.closings.complete_closing, ref, closing.closes_at + timedelta(days=1))

    assert refusal.value.code == "too_early"


async def test_a_mandate_does_not_end_before_its_last_day_is_over(story: Story) -> None:
    last_day = datetime.now(UTC).date() + timedelta(days=100)
    await debtors(story, last_day=last_day)
    thief = honest_worker(story, f"mandate/{story.platform_no}/M-1")
    ref = MandateRef(platform_no=story.platform_no, mandate_no="M-1")

    with pytest.raises(Refused) as refusal:
        await thief.runs(thief.activities.mandates.expire_mandate, ref, datetime.now(UTC) + timedelta(days=200))

    assert refusal.value.code == "too_early"


def test_a_workflows_time_is_believed_only_when_it_is_now_or_where_time_is_skipped() -> None:
    now, skipped = datetime.now(UTC), timedelta(minutes=3)
    assert Clock(time_may_be_skipped=True).moment(now + skipped) == now + skipped
    honest = Clock(time_may_be_skipped=False)
    assert honest.moment(now + timedelta(seconds=1)) == now + timedelta(seconds=1)
    for said in (now - skipped, now + skipped):
        assert abs(honest.moment(said) - now) < timedelta(seconds=2)
