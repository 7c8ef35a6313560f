"""Ends processes by force, as an operator or a thief does in Temporal."""

from typing import Any

from temporalio.api.enums.v1 import EventType, PendingActivityState
from temporalio.client import WorkflowHandle

from tests.waiting import until

_TASK_ENDS = (
    EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
)
_TASK_BEGINS = (EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED)


async def terminated_at_rest(handle: WorkflowHandle[Any, Any], reason: str) -> None:
    """Terminate a process that is at rest: after one that is not, the time-skipping server never skips again."""
    await until(lambda: _is_at_rest(handle), f"{handle.id} is at rest")
    await handle.terminate(reason)


async def at_rest(handle: WorkflowHandle[Any, Any]) -> None:
    """Wait until a process has nothing to do before it is told something, or time has passed."""

    async def has_nothing_to_do() -> bool:
        return not (await handle.describe()).raw_description.pending_activities and await _is_at_rest(handle)

    await until(has_nothing_to_do, f"{handle.id} has nothing to do")


async def _is_at_rest(handle: WorkflowHandle[Any, Any]) -> bool:
    """No step of it is under way; an activity that waits to be tried again is none."""
    found = (await handle.describe()).raw_description
    tried = [
        activity.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED and activity.attempt > 1
        for activity in found.pending_activities
    ]
    if not all(tried):
        return False
    events = (await handle.fetch_history()).events
    last = next(event.event_type for event in reversed(events) if event.event_type in (*_TASK_BEGINS, *_TASK_ENDS))
    return last in _TASK_ENDS
