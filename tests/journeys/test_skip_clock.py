"""What `escrow skip` relies on: how one workflow's clock is moved on the real dev server, and when it refuses."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio import activity, workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.workflow import ParentClosePolicy

from escrow.domain.errors import Refused
from escrow.sandbox.workflow_clock import Sight, WorkflowClock, reaches_out
from escrow.stack.processes import free_port
from escrow.stack.temporal import TemporalDevServer
from tests.histories.recording import FOLDER
from tests.waiting import PATIENCE_SECONDS

_QUEUE = "clocks"
_WEEK = timedelta(days=7)
_MOMENT = 0.2


@activity.defn
async def take_seconds(seconds: float) -> None:
    """Something that takes its time."""
    await asyncio.sleep(seconds)


@workflow.defn
class Follower:
    """A child that waits a minute, as a withdrawal waits for the bank."""

    @workflow.run
    async def run(self) -> None:
        """Wait."""
        await workflow.sleep(timedelta(minutes=1))


@workflow.defn
class Patient:
    """Does something for so many seconds, waits a week, starts a child, and waits for ever."""

    @workflow.run
    async def run(self, busy_seconds: float) -> None:
        """Work, wait, start, wait."""
        if busy_seconds:
            await workflow.execute_activity(
                take_seconds, busy_seconds, start_to_close_timeout=timedelta(seconds=busy_seconds + PATIENCE_SECONDS)
            )
        await workflow.sleep(_WEEK)
        await workflow.start_child_workflow(
            Follower.run, id=f"{workflow.info().workflow_id}/child", parent_close_policy=ParentClosePolicy.ABANDON
        )
        await workflow.wait_condition(lambda: False)

    @workflow.query
    def is_there(self) -> bool:
        """Answered once the first step is taken."""
        return True


@workflow.defn
class Warranted:
    """Waits a week, does something for a moment, and then waits ninety days, as an order does at its end."""

    @workflow.run
    async def run(self) -> None:
        """Wait, work, wait."""
        await workflow.sleep(_WEEK)
        await workflow.execute_activity(take_seconds, _MOMENT, start_to_close_timeout=timedelta(seconds=5))
        await workflow.sleep(timedelta(days=90))


@pytest.fixture(scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A dev server with our flags, and a worker for the workflows above."""
    folder: Path = tmp_path_factory.mktemp("temporal")
    server = TemporalDevServer(folder, port=free_port(), ui_port=free_port())
    await server.start()
    try:
        connected = await Client.connect(server.address)
        async with Worker(
            connected,
            task_queue=_QUEUE,
            workflows=[Patient, Follower, Warranted],
            activities=[take_seconds],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ):
            yield connected
    finally:
        await server.stop()


async def started(client: Client, *, busy_seconds: float = 0) -> WorkflowHandle[Patient, None]:
    """A workflow that has taken its first step."""
    handle = await client.start_workflow(Patient.run, busy_seconds, id=f"patient-{uuid4().hex}", task_queue=_QUEUE)
    await handle.query(Patient.is_there)
    return handle


async def seen_waiting(clock: WorkflowClock, *, for_more_than: timedelta) -> Sight:
    """The workflow once its next timer is so far away."""
    while True:
        seen = await clock.idle()
        if seen.next_timer_at is None or seen.next_timer_at - seen.now > for_more_than:
            return seen
        await asyncio.sleep(_MOMENT)


async def test_days_pass_in_a_moment_and_stay_passed(client: Client) -> None:
    handle = await started(client)
    clock = WorkflowClock(client, handle.id, limit_seconds=PATIENCE_SECONDS)
    before = await clock.idle()
    await clock.forward(before, timedelta(days=6))
    after = await clock.idle()
    assert timedelta(days=6) <= after.now - before.now < timedelta(days=6, minutes=1)
    assert before.next_timer_at == after.next_timer_at
    await asyncio.sleep(1.2)
    assert (await clock.look()).now - after.now >= timedelta(seconds=1), "time goes on at its normal speed"
    await handle.terminate()


async def test_no_skip_reaches_a_timer_so_that_none_leaps_over_what_is_armed_then(client: Client) -> None:
    handles = [
        await client.start_workflow(Warranted.run, id=f"warranted-{uuid4().hex}", task_queue=_QUEUE) for _ in range(8)
    ]
    clocks = [WorkflowClock(client, handle.id, limit_seconds=PATIENCE_SECONDS) for handle in handles]
    before = [await clock.idle() for clock in clocks]
    # About as long as the week's timer may be late, and the activity and the steps around it take.
    spans = [_WEEK + timedelta(seconds=1 + _MOMENT + 0.01 * number) for number in range(len(clocks))]
    await asyncio.gather(*(clock.forward(seen, span) for clock, seen, span in zip(clocks, before, spans, strict=True)))
    for clock, handle, began in zip(clocks, handles, before, strict=True):
        in_warranty = await seen_waiting(clock, for_more_than=timedelta(days=80))
        assert in_warranty.now - began.now < _WEEK + timedelta(minutes=2), "on into the ninety days"
        skips = [
            event.workflow_execution_time_skipping_transitioned_event_attributes
            for event in (await handle.fetch_history()).events
            if event.HasField("workflow_execution_time_skipping_transitioned_event_attributes")
        ]
        assert skips
        assert all(skip.disabled_after_fast_forward for skip in skips), "under way beyond the time it went to"
        await handle.terminate()


async def test_a_clock_that_somebody_else_moves_too_is_noticed(client: Client) -> None:
    handle = await started(client)
    clocks = [WorkflowClock(client, handle.id, limit_seconds=PATIENCE_SECONDS) for _ in range(6)]
    seen = await clocks[0].idle()
    ends = await asyncio.gather(*(clock.forward(seen, timedelta(days=1)) for clock in clocks), return_exceptions=True)
    refusals = [end for end in ends if isinstance(end, Refused)]
    assert {refusal.code for refusal in refusals} == {"clock_overshot"}
    assert handle.id in refusals[0].message
    await handle.terminate()


async def test_a_child_started_after_a_skip_has_the_new_time_and_its_parent_waits_for_it(client: Client) -> None:
    handle = await started(client)
    clock = WorkflowClock(client, handle.id, limit_seconds=1)
    await clock.forward(await WorkflowClock(client, handle.id, limit_seconds=PATIENCE_SECONDS).idle(), _WEEK)
    while not (seen := await WorkflowClock(client, handle.id, limit_seconds=PATIENCE_SECONDS).idle()).children:
        await asyncio.sleep(_MOMENT)
    assert seen.children == (f"{handle.id}/child",)
    child = await WorkflowClock(client, seen.children[0], limit_seconds=PATIENCE_SECONDS).idle()
    assert child.running, "its minute is not over"
    assert child.now - datetime.now(UTC) > _WEEK - timedelta(minutes=1)

    with pytest.raises(Refused) as refused:
        await clock.forward(seen, _WEEK)
    assert refused.value.code == "workflow_busy"
    assert f"{handle.id}/child" in refused.value.message
    await client.get_workflow_handle(f"{handle.id}/child").terminate()
    await asyncio.sleep(1)
    assert (await clock.look()).now - seen.now < timedelta(minutes=2), "the refused skip happens later all the same"
    await handle.terminate()


async def test_a_running_activity_refuses_and_is_named(client: Client) -> None:
    handle = await started(client, busy_seconds=4)
    with pytest.raises(Refused) as refused:
        await WorkflowClock(client, handle.id, limit_seconds=0.5).idle()
    assert "take_seconds" in refused.value.message
    after = await WorkflowClock(client, handle.id, limit_seconds=PATIENCE_SECONDS).idle()
    assert after.now - datetime.now(UTC) < timedelta(minutes=1)
    await handle.terminate()


async def test_an_unknown_workflow_is_not_found_and_an_ended_one_does_not_run(client: Client) -> None:
    with pytest.raises(Refused) as refused:
        await WorkflowClock(client, "order/HOME/nobody", limit_seconds=1).look()
    assert refused.value.code == "not_found"
    handle = await started(client)
    await handle.terminate()
    assert not (await WorkflowClock(client, handle.id, limit_seconds=1).idle()).running


@pytest.mark.parametrize(
    ("history", "begins", "ends"),
    [
        (
            "overdue_order_with_automatic_withdrawals",
            EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED,
            EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED,
        ),
        (
            "collection_for_an_order",
            EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
            EventType.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED,
        ),
    ],
)
def test_a_workflow_does_not_only_wait_while_the_server_starts_its_child_or_carries_its_signal(
    history: str, begins: EventType.ValueType, ends: EventType.ValueType
) -> None:
    events = WorkflowHistory.from_json(history, (FOLDER / f"{history}.json").read_text()).events
    under_way = False
    seen = set()
    for number, event in enumerate(events, start=1):
        under_way = event.event_type == begins or (under_way and event.event_type != ends)
        assert reaches_out(events[:number]) is under_way, event
        seen.add(event.event_type)
    assert {begins, ends} <= seen
