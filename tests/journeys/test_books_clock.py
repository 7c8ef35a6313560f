"""How workflows keep the books' time on a real server: carried along, read anew at a look, awaited when a bit early."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.books_time import BooksTimeActivities
from activities.failures import FailureMapping, from_temporal
from escrow.domain.errors import Refused
from escrow.ledger.books_time import begin_story, books_now, move_story
from escrow.ledger.engine import Recorder
from escrow.ledger.posting import transaction
from escrow.stack.postgres import PostgresServer
from escrow.stack.processes import free_port
from escrow.stack.temporal import TemporalDevServer
from tests.beginning import beginning
from tests.postgres import new_database
from tests.waiting import until, within_reason
from workflows.books_clock import BooksClock

_QUEUE = "clocks"
_WEEK = timedelta(days=7)
#: By how much a posting comes too early.
_EARLY_SECONDS = 0.3
_PATIENCE = timedelta(seconds=30)


@activity.defn
async def take_silence_for_an_answer() -> int:
    """Stands on a deadline whose moment comes in a moment; answers how often it was tried."""
    attempt = activity.info().attempt
    if attempt == 1:
        raise Refused("basis_not_due", "Not yet.", {"remaining_seconds": _EARLY_SECONDS})
    return attempt


@activity.defn
async def take_silence_too_early() -> None:
    """Stands on a deadline that is long to come."""
    raise Refused("basis_not_due", "Not yet.", {"remaining_seconds": 61.0})


@workflow.defn
class Waiting:
    """Waits for a moment of the books, whoever wants to cancel it."""

    @workflow.init
    def __init__(self, platform_no: str, moment: datetime) -> None:
        self.clock = BooksClock(platform_no)
        self.cancels = 0

    @workflow.run
    async def run(self, platform_no: str, moment: datetime) -> tuple[datetime, int]:
        """Wait; the books' time afterwards, and how often somebody wanted to cancel this."""
        await self.clock.begin(on_cancel=self.cancelled)
        await self.clock.until(lambda: False, moment, summary="wait", on_cancel=self.cancelled)
        return self.clock.now(), self.cancels

    @workflow.signal(unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)
    async def look(self) -> None:
        """The books' time was moved."""
        await self.clock.look()

    def cancelled(self) -> None:
        """Goes on all the same."""
        self.cancels += 1


@workflow.defn
class Trying:
    """Tries something again after ten days."""

    @workflow.init
    def __init__(self, platform_no: str) -> None:
        self.clock = BooksClock(platform_no)

    @workflow.run
    async def run(self, platform_no: str) -> datetime:
        """Pause; the books' time afterwards."""
        await self.clock.begin()
        await self.clock.pause(timedelta(days=10), summary="try again")
        return self.clock.now()

    @workflow.signal(unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)
    async def look(self) -> None:
        """The books' time was moved."""
        await self.clock.look()


@workflow.defn
class Early:
    """Takes silence for an answer a little too early, outside of the workflow task and inside of it."""

    @workflow.run
    async def run(self) -> list[int]:
        """How often each was tried."""
        return [
            await workflow.execute_activity(take_silence_for_an_answer, start_to_close_timeout=_PATIENCE),
            await workflow.execute_local_activity(take_silence_for_an_answer, start_to_close_timeout=_PATIENCE),
        ]


@workflow.defn
class MuchTooEarly:
    """Takes silence for an answer much too early."""

    @workflow.run
    async def run(self) -> None:
        """Fail."""
        await workflow.execute_activity(take_silence_too_early, start_to_close_timeout=_PATIENCE)


@pytest.fixture(scope="module")
async def recorder(server: PostgresServer) -> AsyncIterator[Recorder]:
    """Books of a sandbox."""
    opened = Recorder((await new_database(server)).dsn)
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory, recorder: Recorder) -> AsyncIterator[Client]:
    """A dev server, and a worker for the workflows above."""
    temporal = TemporalDevServer(tmp_path_factory.mktemp("temporal"), port=free_port(), ui_port=free_port())
    await temporal.start()
    try:
        connected = await Client.connect(temporal.address, data_converter=pydantic_data_converter)
        async with Worker(
            connected,
            task_queue=_QUEUE,
            workflows=[Waiting, Trying, Early, MuchTooEarly],
            activities=[
                BooksTimeActivities(recorder).books_time,
                take_silence_for_an_answer,
                take_silence_too_early,
            ],
            interceptors=[FailureMapping()],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ):
            yield connected
    finally:
        await temporal.stop()


@pytest.fixture
async def platform_no(recorder: Recorder) -> str:
    """A platform whose story begins."""
    number = f"HOME-{uuid4().hex[:8]}"
    async with transaction(recorder) as session:
        await begin_story(session, number, beginning())
    return number


async def begun(client: Client, workflow_type: str, *terms: Any) -> WorkflowHandle[Any, Any]:
    """A workflow that has read the books' time and waits."""
    handle = await client.start_workflow(
        workflow_type, args=terms, id=f"{workflow_type}-{uuid4().hex}", task_queue=_QUEUE
    )
    await waits(handle)
    return handle


async def waits(handle: WorkflowHandle[Any, Any], *, times: int = 1) -> None:
    """A workflow waits, for so many times by now."""

    async def does() -> bool:
        events = (await handle.fetch_history()).events
        return sum(event.HasField("timer_started_event_attributes") for event in events) == times

    await until(does, f"{handle.id} waits")


async def test_seven_days_are_over_at_once_when_the_books_are_moved_and_looked_at(
    client: Client, recorder: Recorder, platform_no: str
) -> None:
    moment = await books_now(recorder, platform_no) + _WEEK
    handle = await begun(client, "Waiting", platform_no, moment)
    await move_story(recorder, platform_no, moment - timedelta(days=1))
    await handle.signal("look")
    await waits(handle, times=2)  # for the day that is left
    await move_story(recorder, platform_no, moment)
    await handle.signal("look")
    ended_at, _ = await within_reason(handle.result(), "the wait is over")
    assert datetime.fromisoformat(ended_at) >= moment


async def test_one_that_begins_after_a_skip_waits_for_what_is_left_by_the_books(
    client: Client, recorder: Recorder, platform_no: str
) -> None:
    moment = await books_now(recorder, platform_no) + _WEEK
    await move_story(recorder, platform_no, moment - timedelta(seconds=2))
    handle = await client.start_workflow("Waiting", args=[platform_no, moment], id=platform_no, task_queue=_QUEUE)
    ended_at, _ = await within_reason(handle.result(), "two seconds pass")
    assert datetime.fromisoformat(ended_at) >= moment
    assert await books_now(recorder, platform_no) >= moment


async def test_a_pause_ends_at_a_look(client: Client, recorder: Recorder, platform_no: str) -> None:
    handle = await begun(client, "Trying", platform_no)
    later = await move_story(recorder, platform_no, await books_now(recorder, platform_no) + timedelta(hours=1))
    await handle.signal("look")
    assert datetime.fromisoformat(await within_reason(handle.result(), "it is tried again")) >= later


async def test_a_wait_outlives_a_cancellation_and_a_look_before_it_began_is_none(
    client: Client, recorder: Recorder, platform_no: str
) -> None:
    moment = await books_now(recorder, platform_no) + _WEEK
    handle = await client.start_workflow(
        "Waiting", args=[platform_no, moment], id=platform_no, task_queue=_QUEUE, start_signal="look"
    )
    await handle.cancel()
    await move_story(recorder, platform_no, moment)
    await handle.signal("look")
    _, cancels = await within_reason(handle.result(), "the wait is over")
    assert cancels == 1


async def test_what_comes_a_little_too_early_is_tried_again_when_it_is_due(client: Client) -> None:
    result = client.execute_workflow("Early", id=f"early-{uuid4().hex}", task_queue=_QUEUE)
    assert await within_reason(result, "both were tried again") == [2, 2]


async def test_what_comes_much_too_early_is_refused(client: Client) -> None:
    result = client.execute_workflow("MuchTooEarly", id=f"early-{uuid4().hex}", task_queue=_QUEUE)
    with pytest.raises(WorkflowFailureError) as failure:
        await within_reason(result, "it is refused")
    assert failure.value.cause is not None
    refusal = from_temporal(failure.value.cause)
    assert refusal is not None
    assert refusal.code == "basis_not_due"
