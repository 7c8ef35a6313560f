"""Starting the processes of what the books have written down to follow; they live on their own from there.

It is a wake-up and no more: what has to be done stands in the books, and whoever finds it undone starts it again.
"""

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from workflows.messages import PROCESSES
    from workflows.supervision import Supervision
    from workflows.timeouts import WORKFLOW_TASK


async def wake(supervision: Supervision, platform_no: str, starts: tuple[tuple[str, str], ...]) -> None:
    """Start the process of each object that has one; `starts` names them by kind and number."""
    for kind, number in starts:
        process = PROCESSES.get(kind)
        if process is None:
            continue
        child = workflow.start_child_workflow(
            process.workflow,
            process.reference(platform_no, number),
            id=process.workflow_id(platform_no, number),
            task_queue=process.task_queue,
            parent_close_policy=ParentClosePolicy.ABANDON,
            task_timeout=WORKFLOW_TASK,
            static_summary=f"{kind} {number}",
        )
        try:
            await supervision.uncancelled(child)
        except WorkflowAlreadyStartedError:
            supervision.note(kind, f"{number} was started before; not started again")
