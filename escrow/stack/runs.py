"""The run that holds a workflow id now, asked for so that no state of it is an error.

The SDK's own description raises for a run in a state that it has no word for, as it has none for one that is paused.
"""

from dataclasses import dataclass
from datetime import timedelta

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
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


async def run_that_holds(client: Client, workflow_id: str, *, answer: timedelta) -> Run | None:
    """The run that holds an id, None when nothing does.

    Args:
        answer: how long Temporal may take to say it.

    Raises:
        RPCError: it does not answer, or refuses.
    """
    request = DescribeWorkflowExecutionRequest(
        namespace=client.namespace, execution=WorkflowExecution(workflow_id=workflow_id)
    )
    try:
        said = await client.workflow_service.describe_workflow_execution(request, retry=True, timeout=answer)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None
    found = said.workflow_execution_info
    if found.status not in _HOLDING:
        return None
    return Run(
        workflow_id=workflow_id,
        run_id=found.execution.run_id,
        workflow=found.type.name,
        task_queue=found.task_queue,
        is_paused=found.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED,
        is_pinned=found.versioning_info.HasField("versioning_override"),
    )
