"""What `escrow skip` relies on: how one workflow's clock is moved on the real dev server, and when it refuses."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
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
from tests.waiting import PATIENCE_SECONDS, until
from tests.workflows.breaking import paused

_QUEUE = "clocks"
_WEEK = timedelta(days=7)
_MOMENT = 0.2
_PATIENCE = timedelta(seconds=PATIENCE_SECONDS)
_enough = asyncio.Event()


@activity.defn
async def take_a_moment() -> None:
    """Something that takes its time."""
    await asyncio.sleep(_MOMENT)


@activity.defn
async def work_until_it_is_enough() -> None:
    """Something that takes as long as a test says."""
    await _enough.wait()


@workflow.defn
class Follower:
    """A child that waits a minute, as a withdrawal waits for the bank."""

    @workflow.run
    async def run(self) -> None:
        """Wait."""
        await workflow.sleep(timedelta(minutes=1))


@workflow.defn
class Patient:
    """Works until it is enough, if it is busy, waits a week, starts a child, and waits for ever."""

    @workflow.run
    async def run(self, is_busy: bool) -> None:
        """Work, wait, start, wait."""
        if is_busy:
            await workflow.execute_activity(work_until_it_is_enough, start_to_close_timeout=_PATIENCE)
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
        await workflow.execute_activity(take_a_moment, start_to_close_timeout=_PATIENCE)
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
            activities=[take_a_moment, work_until_it_is_enough],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ):
            yield connected
    finally:
        await server.stop()


async def started(client: Client, *, is_busy: bool = False) -> WorkflowHandle[Patient, None]:
    """A workflow that has taken its first step."""
    handle = await client.start_workflow(Patient.run, is_busy, id=f"patient-{uuid4().hex}", task_queue=_QUEUE)
    await handle.query(Patient.is_there)
    return handle


def clock_of(client: Client, workflow_id: str) -> WorkflowClock:
    """A workflow's clock, with the patience of tests."""
    return WorkflowClock(client, workflow_id, limit_seconds=PATIENCE_SECONDS)


async def forwarded(clock: WorkflowClock, span: timedelta) -> Sight:
    """Move a clock; answers how the workflow stood before. A look that got too old for the server is taken again."""

    async def moved() -> Sight | None:
        seen = await clock.idle()
        await clock.forward(seen, span)
        return seen if (await clock.look()).now - seen.now > timedelta(days=1) else None

    return await until(moved, f"the clock of {clock.workflow_id} moves")


async def seen_waiting(clock: WorkflowClock, *, for_more_than: timedelta) -> Sight:
    """The workflow once its next timer is so far away."""

    async def waits() -> Sight | None:
        seen = await clock.idle()
        return seen if seen.next_timer_at is None or seen.next_timer_at - seen.now > for_more_than else None

    return await until(waits, f"{clock.workflow_id} waits for more than {for_more_than}")


async def refusal_of(attempt: Callable[[], Awaitable[None]]) -> Refused:
    """What an attempt is refused with that comes to nothing when the machine is slow."""

    async def refused() -> Refused | None:
        try:
            await attempt()
        except Refused as refusal:
            return refusal
        return None

    return await until(refused, "it is refused")


async def test_days_pass_in_a_moment_and_stay_passed(client: Client) -> None:
    handle = await started(client)
    clock = clock_of(client, handle.id)
    before = await forwarded(clock, timedelta(days=6))
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
    clocks = [clock_of(client, handle.id) for handle in handles]
    # About as long as the week's timer may be late, and the activity and the steps around it take.
    spans = [_WEEK + timedelta(seconds=1 + _MOMENT + 0.01 * number) for number in range(len(clocks))]
    before = await asyncio.gather(*(forwarded(clock, span) for clock, span in zip(clocks, spans, strict=True)))
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
    async def all_at_once() -> None:
        handle = await started(client)
        clocks = [clock_of(client, handle.id) for _ in range(6)]
        seen = await clocks[0].idle()
        forwards = (clock.forward(seen, timedelta(days=1)) for clock in clocks)
        ends = await asyncio.gather(*forwards, return_exceptions=True)
        await handle.terminate()
        for end in ends:
            if end is not None:
                raise end

    refusal = await refusal_of(all_at_once)
    assert refusal.code == "clock_overshot"
    assert "the clock of patient-" in refusal.message


async def test_a_child_started_after_a_skip_has_the_new_time_and_its_parent_waits_for_it(client: Client) -> None:
    handle = await started(client)
    patient_clock, clock = clock_of(client, handle.id), WorkflowClock(client, handle.id, limit_seconds=1)
    await forwarded(patient_clock, _WEEK)

    async def has_children() -> Sight | None:
        seen = await patient_clock.idle()
        return seen if seen.children else None

    seen = await until(has_children, "the child is started")
    assert seen.children == (f"{handle.id}/child",)
    child = await clock_of(client, seen.children[0]).idle()
    assert child.running, "its minute is not over"
    assert child.now - datetime.now(UTC) > _WEEK - timedelta(minutes=1)

    async def forward_all_the_same() -> None:
        await clock.forward(await patient_clock.idle(), _WEEK)

    refusal = await refusal_of(forward_all_the_same)
    assert refusal.code == "workflow_busy"
    assert f"{handle.id}/child" in refusal.message
    await client.get_workflow_handle(f"{handle.id}/child").terminate()
    await asyncio.sleep(1)
    assert (await clock.look()).now - seen.now < timedelta(minutes=2), "the refused skip happens later all the same"
    await handle.terminate()


async def test_a_running_activity_refuses_and_is_named(client: Client) -> None:
    handle = await started(client, is_busy=True)
    with pytest.raises(Refused) as refused:
        await WorkflowClock(client, handle.id, limit_seconds=0.5).idle()
    assert "work_until_it_is_enough" in refused.value.message
    _enough.set()
    after = await clock_of(client, handle.id).idle()
    assert after.now - datetime.now(UTC) < timedelta(minutes=1)
    await handle.terminate()


async def test_a_workflow_that_somebody_paused_refuses_and_says_so(client: Client) -> None:
    handle = await started(client)
    await paused(client, handle.id)
    seen = await clock_of(client, handle.id).look()
    assert (seen.running, seen.busy) == (True, "being paused by somebody")
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
            {
                EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED,
                EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED,
            },
        ),
        (
            "collection_for_an_order",
            EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
            {EventType.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED},
        ),
    ],
)
def test_a_workflow_does_not_only_wait_while_the_server_starts_its_child_or_carries_its_signal(
    history: str, begins: EventType.ValueType, ends: set[EventType.ValueType]
) -> None:
    events = WorkflowHistory.from_json(history, (FOLDER / f"{history}.json").read_text()).events
    under_way = False
    seen = set()
    for number, event in enumerate(events, start=1):
        under_way = event.event_type == begins or (under_way and event.event_type not in ends)
        assert reaches_out(events[:number]) is under_way, event
        seen.add(event.event_type)
    assert begins in seen
    assert ends & seen
