"""The environment for workflow tests in Python: an order lives a day in a moment, and books and bank live it too."""

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from temporalio import activity, workflow
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from escrow.domain.orders.contract import opening_consent_no
from escrow.domain.requests import PLATFORM_ITSELF
from escrow.ledger.books_time import books_now
from escrow.ledger.consents import NewConsent, record_consent
from escrow.ledger.objects import get_object
from escrow.registry.members.members import MemberKind
from escrow.testing import environment
from escrow.testing.environment import story_environment
from workflows.messages import ORDERS_TASK_QUEUE, OrderInput, order_workflow_id
from workflows.order import DecorationOrder

_HOUR = timedelta(hours=1)


@activity.defn
async def take_a_moment() -> None:
    """Something that takes its time while no time may be skipped."""
    await asyncio.sleep(0.1)


@workflow.defn
class Hourly:
    """Does something every hour, as a withdrawal asks the bank again and again."""

    @workflow.run
    async def run(self, hours: int) -> list[datetime]:
        """When it was done each time."""
        done_at = []
        for _ in range(hours):
            await workflow.sleep(_HOUR)
            await workflow.execute_activity(take_a_moment, start_to_close_timeout=_HOUR)
            done_at.append(workflow.now())
        return done_at


async def test_however_long_a_skip_takes_each_hour_has_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_ASKED_FOR", timedelta(seconds=0.5))  # a slow machine needs longer
    async with (
        story_environment() as story,
        Worker(
            story.client,
            task_queue="hours",
            workflows=[Hourly],
            activities=[take_a_moment],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ),
    ):
        hourly = await story.client.start_workflow(Hourly.run, 24, id="hourly", task_queue="hours")
        await story.clock.skip(timedelta(hours=24.5))
        done_at = await hourly.result()
    assert max(later - earlier for earlier, later in pairwise(done_at)) < _HOUR + timedelta(minutes=1)


async def test_an_order_that_nobody_pays_closes_after_a_day_of_all_clocks() -> None:
    async with story_environment() as story:
        members = story.registry.members
        for number, kind, name in (
            ("O-1", MemberKind.PERSON, "王小明"),
            ("C-1", MemberKind.COMPANY, "精工装饰有限公司"),
        ):
            await members.open(story.platform_no, member_no=number, kind=kind, name=name, mobile=None)
        await record_consent(
            story.recorder,
            NewConsent(
                platform_no=story.platform_no,
                consent_no=opening_consent_no("D-1"),
                object_kind="order",
                object_no="D-1",
                operation="open",
                given_by=PLATFORM_ITSELF,
                terms={"order_no": "D-1", "owner_no": "O-1", "contractor_no": "C-1", "total_fen": 18_600_000},
                valid_for=timedelta(days=1),
                asked=True,
                config_version=1,
            ),
        )
        await story.client.start_workflow(
            DecorationOrder.run,
            OrderInput(platform_no=story.platform_no, order_no="D-1"),
            id=order_workflow_id(story.platform_no, "D-1"),
            task_queue=ORDERS_TASK_QUEUE,
        )
        await story.clock.skip(timedelta(hours=25))

        order = await get_object(story.recorder, story.platform_no, "order", "D-1")
        assert order is not None
        assert order.status == "closed_unpaid"
        assert timedelta(hours=24) <= await books_now(story.recorder, story.platform_no) - story.begins_at
        at_bank = await story.servers.steering.clock(story.custody_account_no)
        assert timedelta(hours=24) <= at_bank - story.begins_at < timedelta(hours=26)
