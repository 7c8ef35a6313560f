"""What runs under a workflow id, asked for so that no state of it is an error.

The SDK's own description raises for a run in a state that it has no word for, as it has none for one that is paused.
"""

from dataclasses import dataclass
from datetime import timedelta

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

_HOLDING = frozenset(
    {
        WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING,
        WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run that has not ended.

    Args:
        is_paused: it does nothing until somebody lets it go on.
        is_pinned: only workers of one version may serve it, by somebody's order; there may be none.
    """

    workflow_id: str
    run_id: str
    workflow: str
    task_queue: str
    is_paused: bool
    is_pinned: bool


async def described(
    client: Client, workflow_id: str, *, answer: timedelta | None = None
) -> DescribeWorkflowExecutionResponse | None:
    """What Temporal says of the newest run under an id, in its own words; None when it knows of none.

    Args:
        answer: how long Temporal may take to say it; None for as long as it likes.

    Raises:
        RPCError: it does not answer, or refuses.
    """
    request = DescribeWorkflowExecutionRequest(
        namespace=client.namespace, execution=WorkflowExecution(workflow_id=workflow_id)
    )
    try:
        return await client.workflow_service.describe_workflow_execution(request, retry=True, timeout=answer)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None


async def run_that_holds(client: Client, workflow_id: str, *, answer: timedelta) -> Run | None:
    """The run that holds an id, None when nothing does; arguments and errors as of `described`."""
    said = await described(client, workflow_id, answer=answer)
    if said is None or not is_running(said):
        return None
    found = said.workflow_execution_info
    return Run(
        workflow_id=workflow_id,
        run_id=found.execution.run_id,
        workflow=found.type.name,
        task_queue=found.task_queue,
        is_paused=is_paused(said),
        is_pinned=found.versioning_info.HasField("versioning_override"),
    )


def is_paused(said: DescribeWorkflowExecutionResponse) -> bool:
    """Whether a run does nothing because somebody paused it."""
    return said.workflow_execution_info.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED


def is_running(said: DescribeWorkflowExecutionResponse) -> bool:
    """Whether a run has not ended; one that is paused has not."""
    return said.workflow_execution_info.status in _HOLDING
