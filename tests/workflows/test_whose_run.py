"""A run that holds an id is ours by how it was begun; the rounds, by how they are made."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionOptionsRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import (
    PinnedVersioningOverride,
    RawValue,
    TypedSearchAttributes,
    VersioningBehavior,
    WorkerDeploymentVersion,
    WorkflowIDConflictPolicy,
)
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerDeploymentConfig

from activities.taking_up import Did, TakingUp
from escrow.stack.payloads import data_converter
from escrow.stack.up import Stack
from tests.servers import RARELY
from tests.thieves import Foreign
from tests.waiting import until
from tests.workflows.breaking import paused, runs_as, terminated
from workflows.taking_up import process_of, the_rounds, watch_of

#: What an order's process is begun with, and what a long one carries on.
_D_1 = {"platform_no": "HOME", "order_no": "D-1"}
_NOTED = {"at": "2026-03-03T10:00:00+08:00", "name": "look", "reason": "untimely"}


@pytest.mark.parametrize(
    ("given", "did"),
    [
        ([], Did.STRANGER),
        ([{}], Did.STRANGER),
        (["D-1"], Did.STRANGER),
        ([None], Did.STRANGER),
        ([b"D-1"], Did.STRANGER),
        ([{**_D_1, "order_no": "D-2"}], Did.STRANGER),
        ([{**_D_1, "platform_no": "OTHER"}], Did.STRANGER),
        ([_D_1, {}], Did.STRANGER),
        ([{**_D_1, "noted": "nothing"}], Did.STRANGER),
        ([_D_1], Did.NOTHING),
        ([{**_D_1, "noted": [_NOTED], "continue_after_events": 10, "of a newer version": 1}], Did.NOTHING),
    ],
)
async def test_a_run_is_ours_by_what_it_was_begun_with(broken_stack: Stack, given: list[Any], did: Did) -> None:
    client = await Client.connect(broken_stack.temporal.address, data_converter=data_converter)
    ours = process_of("order", "HOME", "D-1", body={})
    assert ours is not None
    ours = replace(ours, task_queue="nobody", attributes=TypedSearchAttributes.empty)
    await client.start_workflow(ours.workflow, args=given, id=ours.workflow_id, task_queue=ours.task_queue)
    try:
        assert await TakingUp(client).tend(ours) is did
        assert await TakingUp(client).tend(ours) is Did.NOTHING, "what was begun is ours"
    finally:
        await terminated(client, ours.workflow_id)


async def test_what_cannot_even_be_read_is_a_strangers(broken_stack: Stack) -> None:
    client = await Client.connect(broken_stack.temporal.address, data_converter=data_converter)
    taking_up = TakingUp(client)
    reading = [
        Payload(metadata={"encoding": b"json/plain"}, data=b'{"platform_no": "HOME", "poll_every": -86399999999999.5}'),
        Payload(metadata={"encoding": b"json/plain", "__temporal_external_storage_reference": b"true"}, data=b"{}"),
        Payload(metadata={"encoding": b"json/plain"}, data=b"\xff{"),
    ]
    ours = replace(watch_of("HOME"), task_queue="nobody", workflow_id="bank-watch/unread")
    for payload in reading:
        await client.start_workflow(ours.workflow, RawValue(payload), id=ours.workflow_id, task_queue=ours.task_queue)
        assert await taking_up.tend(ours) is Did.STRANGER
        await terminated(client, ours.workflow_id)


async def test_what_somebody_paused_is_begun_anew(broken_stack: Stack) -> None:
    client = await Client.connect(broken_stack.temporal.address, data_converter=data_converter)
    ours = replace(watch_of("HOME"), task_queue="nobody", workflow_id="bank-watch/paused")
    assert await TakingUp(client).tend(ours) is Did.STARTED
    await paused(client, ours.workflow_id)
    assert await TakingUp(client).tend(ours) is Did.STRANGER
    assert await TakingUp(client).tend(ours) is Did.NOTHING
    await terminated(client, ours.workflow_id)


@pytest.mark.parametrize("from_the_beginning", [True, False])
async def test_what_somebody_keeps_for_workers_of_one_version_is_begun_anew(
    broken_stack: Stack, from_the_beginning: bool
) -> None:
    client = await Client.connect(broken_stack.temporal.address, data_converter=data_converter)
    ours = replace(watch_of("HOME"), task_queue="versioned", workflow_id=f"bank-watch/pinned/{from_the_beginning}")
    version = WorkerDeploymentVersion("thieves", "1")
    pinned = PinnedVersioningOverride(version)
    begun = partial(
        client.start_workflow, ours.workflow, ours.reference, id=ours.workflow_id, task_queue=ours.task_queue
    )
    async with Worker(
        client,
        task_queue=ours.task_queue,
        workflows=[Foreign],
        deployment_config=WorkerDeploymentConfig(
            version, use_worker_versioning=True, default_versioning_behavior=VersioningBehavior.PINNED
        ),
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):

        async def is_pinned() -> bool:
            try:
                if from_the_beginning:
                    await begun(versioning_override=pinned)
                else:
                    await begun(id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING)
                    await _pins(client, ours.workflow_id, pinned)
            except RPCError as error:
                if error.status is not RPCStatusCode.FAILED_PRECONDITION:  # no worker of this version is known yet
                    raise
                return False
            return True

        await until(is_pinned, "it is kept for one version")
        assert await TakingUp(client).tend(ours) is Did.STRANGER
        assert await TakingUp(client).tend(ours) is Did.NOTHING
        await terminated(client, ours.workflow_id)


async def _pins(client: Client, workflow_id: str, pinned: PinnedVersioningOverride) -> None:
    """Somebody says of a run that goes on which workers it is for."""
    await client.workflow_service.update_workflow_execution_options(
        UpdateWorkflowExecutionOptionsRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            workflow_execution_options=WorkflowExecutionOptions(versioning_override=pinned._to_proto()),
            update_mask=FieldMask(paths=["versioning_override"]),
        )
    )


async def test_rounds_that_somebody_paused_are_begun_anew(broken_stack: Stack) -> None:
    client = await Client.connect(broken_stack.temporal.address, data_converter=data_converter)
    ours = the_rounds(every=RARELY)
    await until(
        lambda: runs_as(client, ours.workflow_id, ours.workflow, ours.task_queue, ours.reference),
        "the worker has begun",
    )
    await paused(client, ours.workflow_id)
    await until(
        lambda: runs_as(client, ours.workflow_id, ours.workflow, ours.task_queue, ours.reference), "it begins anew"
    )


@pytest.mark.parametrize(("every", "begins_in"), [(timedelta(days=365), timedelta(0)), (RARELY, timedelta(days=365))])
async def test_rounds_that_are_made_otherwise_are_ended_and_those_of_the_worker_begun(
    broken_stack: Stack, every: timedelta, begins_in: timedelta
) -> None:
    """Somebody has them made once a year, or from next year on; the worker finds that within a minute."""
    client = await Client.connect(broken_stack.temporal.address, data_converter=data_converter)
    ours = the_rounds(every=RARELY)
    rarer = await client.start_workflow(
        ours.workflow,
        the_rounds(every=every).reference,
        id=ours.workflow_id,
        task_queue=ours.task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
        start_delay=begins_in or None,
    )

    async def are_made() -> bool:
        described = await client.get_workflow_handle(rarer.id, run_id=rarer.result_run_id).describe()
        return described.status is WorkflowExecutionStatus.TERMINATED and await runs_as(
            client, ours.workflow_id, ours.workflow, ours.task_queue, ours.reference
        )

    await until(are_made, "the worker has begun its own")
