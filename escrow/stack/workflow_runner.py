"""The SDK's sandbox for workflows, spared a question.

Around every payload that enters or leaves a workflow, the SDK asks the sandboxed workflow several times to which
command the payload belongs, in case a converter, a codec or an external store cares. Ours do not, and each question
enters and leaves the sandbox: together a fifth of a worker's time in Python. The sandbox itself stays as it is.
"""

from typing import Any

from temporalio.converter import SerializationContext, StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import Info

#: Workflows of this process that have been in the sandbox once.
_PREPARED: set[type] = set()


class ContextFreeSandbox(SandboxedWorkflowRunner):
    """The sandbox for data converters and codecs that take no serialization context, and no external store."""

    def prepare_workflow(self, defn: Any) -> None:
        """See once in a process that a workflow can be sandboxed, however many workers it gets."""
        if defn.cls not in _PREPARED:
            super().prepare_workflow(defn)
            _PREPARED.add(defn.cls)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """One sandboxed workflow."""
        return _ContextFree(super().create_instance(det))


class _ContextFree(WorkflowInstance):
    """A sandboxed workflow that answers about contexts without being entered."""

    def __init__(self, sandboxed: WorkflowInstance) -> None:
        self._sandboxed = sandboxed

    def activate(self, act: Any) -> Any:
        return self._sandboxed.activate(act)

    def get_serialization_context(self, command_info: Any) -> SerializationContext | None:
        return None

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        return StorageDriverStoreContext(target=None)

    def get_info(self) -> Info:
        return self._sandboxed.get_info()

    def get_thread_id(self) -> int | None:
        return self._sandboxed.get_thread_id()
