"""Waking the processes of what the books have written down to follow, or have changed besides.

It is a wake-up and no more: what has to be done stands in the books, and whoever finds it undone wakes it again.
"""

from temporalio import workflow
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from workflows.messages import LOOK, PROCESSES
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


async def look_at(supervision: Supervision, platform_no: str, changed: tuple[tuple[str, str], ...]) -> None:
    """Tell the process of each object to look at the books; one that does not run finds them when it is started."""
    for kind, number in changed:
        process = workflow.get_external_workflow_handle(PROCESSES[kind].workflow_id(platform_no, number))
        try:
            await supervision.uncancelled(process.signal(LOOK))
        except FailureError:
            supervision.note(LOOK, f"{kind} {number} does not run; it finds the books as they are")
