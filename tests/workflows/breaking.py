"""What somebody with the key to Temporal can do to the run of a process: end, delete, replace, reset it."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

from pydantic import BaseModel
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType
from temporalio.api.history.v1 import WorkflowExecutionStartedEventAttributes
from temporalio.api.workflowservice.v1 import (
    DeleteWorkflowExecutionRequest,
    PauseWorkflowExecutionRequest,
    ResetWorkflowExecutionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from escrow.stack.runs import run_that_holds
from tests.waiting import until

Break = Callable[[Client, str], Awaitable[None]]

#: A type and a queue that nobody of ours has.
STRANGER = "Stranger"
#: A run that is only to begin after so long holds its id meanwhile, and is told in vain: not too long to be ours, and
#: longer than any test goes on.
HOLDING = timedelta(minutes=9)
#: So long the server may take for one answer.
_ANSWER = timedelta(minutes=1)


async def terminated(client: Client, workflow_id: str) -> None:
    """Its run is ended."""
    await client.get_workflow_handle(workflow_id).terminate("an intruder")


async def deleted(client: Client, workflow_id: str) -> None:
    """Its run is gone, with its history."""
    execution = WorkflowExecution(workflow_id=workflow_id)
    await client.workflow_service.delete_workflow_execution(
        DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=execution)
    )

    async def is_gone() -> bool:
        try:
            await client.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return True
        return False

    await until(is_gone, f"{workflow_id} is deleted")


async def squatted(client: Client, workflow_id: str) -> None:
    """A stranger holds its id, which nobody serves."""
    await terminated(client, workflow_id)
    await stranger_comes(client, workflow_id)


async def squatted_on_another_queue(client: Client, workflow_id: str) -> None:
    """A run of the same type holds its id, on a task queue that nobody serves."""
    described = await client.get_workflow_handle(workflow_id).describe()
    await terminated(client, workflow_id)
    await client.start_workflow(described.workflow_type, {}, id=workflow_id, task_queue="nobody")


async def impersonated(client: Client, workflow_id: str) -> None:
    """A run of the same type on the same task queue holds its id, and is about another object."""
    described = await client.get_workflow_handle(workflow_id).describe()
    begun_with = await input_of(client, workflow_id)
    await terminated(client, workflow_id)
    names = [name for name in begun_with if name.endswith("_no")]
    await client.start_workflow(
        described.workflow_type,
        {**begun_with, names[-1]: "another"},
        id=workflow_id,
        task_queue=described.task_queue,
        start_delay=HOLDING,
    )


async def delayed(client: Client, workflow_id: str) -> None:
    """A run that is ours in all else holds its id, and only begins in a year."""
    described = await client.get_workflow_handle(workflow_id).describe()
    begun_with = await input_of(client, workflow_id)
    await terminated(client, workflow_id)
    await client.start_workflow(
        described.workflow_type,
        begun_with,
        id=workflow_id,
        task_queue=described.task_queue,
        start_delay=timedelta(days=365),
    )


async def paused(client: Client, workflow_id: str) -> None:
    """Its run is told to do nothing any more."""
    handle = client.get_workflow_handle(workflow_id)
    await client.workflow_service.pause_workflow_execution(
        PauseWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_id=workflow_id,
            run_id=(await handle.describe()).run_id,
            identity="an intruder",
            request_id=uuid4().hex,
        )
    )


async def input_of(client: Client, workflow_id: str) -> dict[str, Any]:
    """What the run that holds an id was begun with."""
    (given,) = (await _beginning_of(client, workflow_id)).input.payloads
    found: dict[str, Any] = json.loads(given.data)
    return found


async def _beginning_of(client: Client, workflow_id: str) -> WorkflowExecutionStartedEventAttributes:
    first = await anext(client.get_workflow_handle(workflow_id).fetch_history_events(page_size=1))
    return first.workflow_execution_started_event_attributes


async def stranger_comes(client: Client, workflow_id: str) -> None:
    """A stranger holds the id."""
    await client.start_workflow(STRANGER, id=workflow_id, task_queue="nobody")


def reset_to(which: str, *, reapply: bool) -> Break:
    """The run is reset to the end of its first, middle or last workflow task, with or without what came after."""

    async def reset(client: Client, workflow_id: str) -> None:
        handle = client.get_workflow_handle(workflow_id)
        described = await handle.describe()
        history = await handle.fetch_history()
        done = [e.event_id for e in history.events if e.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED]
        excluded = [
            ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL,
            ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE,
        ]
        finished = {"first": done[0], "middle": done[len(done) // 2], "last": done[-1]}
        await client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace=client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=described.run_id),
                reason="an intruder",
                workflow_task_finish_event_id=finished[which],
                request_id=uuid4().hex,
                reset_reapply_exclude_types=() if reapply else excluded,
            ),
            timeout=_ANSWER,
        )

    return reset


BREAKS: dict[str, Break] = {
    "terminated": terminated,
    "deleted": deleted,
    "squatted": squatted,
    "squatted elsewhere": squatted_on_another_queue,
    "impersonated": impersonated,
    "delayed": delayed,
    "paused": paused,
    **{
        f"reset to the {which} task, {'with' if reapply else 'without'} reapply": reset_to(which, reapply=reapply)
        for which in ("first", "middle", "last")
        for reapply in (True, False)
    },
}


async def runs_as(client: Client, workflow_id: str, workflow: str, task_queue: str, reference: BaseModel) -> bool:
    """Whether a run of this type on this queue, begun with this and without a delay, holds the id."""
    found = await run_that_holds(client, workflow_id, answer=_ANSWER)
    if found is None or found.is_paused or (found.workflow, found.task_queue) != (workflow, task_queue):
        return False
    if (await _beginning_of(client, workflow_id)).first_workflow_task_backoff.ToTimedelta() >= HOLDING:
        return False
    named = reference.model_dump(mode="json", exclude_unset=True)
    return (await input_of(client, workflow_id)).items() >= named.items()
