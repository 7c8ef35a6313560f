"""Calls to Temporal: each has a time limit and one set of errors, and the client connects with the first one.

What a workflow answers is never read, not even decoded: whoever holds its id may answer anything. The books say what
became of a call.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

from temporalio.client import (
    Client,
    RPCError,
    RPCTimeoutOrCancelledError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
    WorkflowUpdateStage,
)
from temporalio.common import TypedSearchAttributes, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCStatusCode

from api.problems import OrderBusy, TemporalUnavailable
from escrow.stack.known_attributes import KnownAttributes
from workflows.messages import PROCESSES
from workflows.timeouts import WORKFLOW_TASK

#: A server under load is late, not away.
_PROBE = timedelta(seconds=3)
_AWAY = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.UNKNOWN,
    }
)


class WorkflowEnded(Exception):
    """The workflow does not exist or has ended; the ledger knows which."""


async def brought(call: Callable[[], Awaitable[None]], begin: Callable[[], Awaitable[bool]]) -> None:
    """Call a process; one that does not run is begun, and called again.

    Args:
        begin: begins it, where the books say that it should run; whether they do.
    """
    try:
        await call()
    except WorkflowEnded:
        if await begin():
            with suppress(WorkflowEnded):  # it has done by now what the books say
                await call()


class TemporalCalls:
    """What every call to a workflow goes through.

    Args:
        client: lazily connected client with the pydantic data converter.
        answer_seconds: how long a workflow may take to answer a command.
    """

    def __init__(self, client: Client, *, answer_seconds: float) -> None:
        self._client = client
        self._answer = timedelta(seconds=answer_seconds)
        self._known = KnownAttributes(client, answer=self._answer)

    @property
    def client(self) -> Client:
        """For what is no call to one workflow."""
        return self._client

    async def is_ready(self) -> bool:
        """Whether Temporal answers now; a first question may meet the end of an old connection."""
        return await self._is_serving() or await self._is_serving()

    async def _is_serving(self) -> bool:
        try:
            return await asyncio.wait_for(
                self._client.service_client.check_health(timeout=_PROBE), _PROBE.total_seconds()
            )
        except (RPCError, RuntimeError, TimeoutError):
            return False

    async def _update(self, workflow_id: str, operation: str, command: Any, *, update_id: str | None = None) -> None:
        """Send an update and wait until it is answered, also by a refusal; without an id, each call is another update.

        Raises:
            WorkflowEnded: nobody is there.
            OrderBusy: no answer in time; the command may still take effect.
            TemporalUnavailable: nobody answers.
        """
        handle = self._client.get_workflow_handle(workflow_id)
        try:
            async with self._translated(), asyncio.timeout(self._answer.total_seconds()):
                await handle.start_update(
                    operation,
                    command,
                    wait_for_stage=WorkflowUpdateStage.COMPLETED,
                    id=update_id,
                    rpc_timeout=self._answer,
                )
        except (WorkflowUpdateRPCTimeoutOrCancelledError, TimeoutError, TemporalUnavailable) as error:
            # A server that drops an update whose workflow task failed says of itself that it is unavailable.
            raise await self._silence() from error

    async def _signal(self, workflow_id: str, name: str, *payloads: Any) -> None:
        """Signal a workflow; one that has ended or never was needs none."""
        handle = self._client.get_workflow_handle(workflow_id)
        try:
            async with self._translated():
                await handle.signal(name, args=payloads, rpc_timeout=self._answer)
        except WorkflowEnded:
            return

    async def _start(
        self,
        workflow: str,
        argument: Any,
        *,
        workflow_id: str,
        task_queue: str,
        summary: str,
        attributes: TypedSearchAttributes,
        reuse: WorkflowIDReusePolicy = WorkflowIDReusePolicy.REJECT_DUPLICATE,
    ) -> None:
        try:
            async with self._translated():
                await self._client.start_workflow(
                    workflow,
                    argument,
                    id=workflow_id,
                    task_queue=task_queue,
                    id_reuse_policy=reuse,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    task_timeout=WORKFLOW_TASK,
                    static_summary=summary,
                    search_attributes=await self._known.among(attributes),
                    rpc_timeout=self._answer,
                )
        except WorkflowAlreadyStartedError:
            return  # it ran under this number and has ended: the books have it

    async def _look_after(
        self, kind: str, platform_no: str, number: str, *, summary: str, attributes: TypedSearchAttributes
    ) -> None:
        """Have the process of an object look at the books: one that runs is told to, one that does not is started."""
        process = PROCESSES[kind]
        async with self._translated():
            await self._client.start_workflow(
                process.workflow,
                process.reference(platform_no, number),
                id=process.workflow_id(platform_no, number),
                task_queue=process.task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                start_signal="look",
                task_timeout=WORKFLOW_TASK,
                static_summary=summary,
                search_attributes=await self._known.among(attributes),
                rpc_timeout=self._answer,
            )

    async def _silence(self) -> OrderBusy | TemporalUnavailable:
        """Why no answer came: Temporal itself is away, or the workflow has not got to it."""
        if await self.is_ready():
            return _busy()
        return _temporal_away()

    @asynccontextmanager
    async def _translated(self) -> AsyncIterator[None]:
        try:
            yield
        except RPCTimeoutOrCancelledError:
            raise  # the caller of an update asks why; RPC time-outs of other calls come as RPCError
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise WorkflowEnded from error
            if error.status in _AWAY:
                raise _temporal_away() from error
            if error.status is RPCStatusCode.FAILED_PRECONDITION:  # its tasks fail, or it is paused: callers repeat
                raise _busy() from error
            raise
        except RuntimeError as error:
            # What the SDK raises when a lazy client's first connection fails; there is no class of its own.
            if "Failed client connect" not in str(error):
                raise
            raise _temporal_away() from error


def _busy() -> OrderBusy:
    return OrderBusy("order_busy", "No answer yet; repeat the same request to learn the outcome.")


def _temporal_away() -> TemporalUnavailable:
    return TemporalUnavailable("temporal_unavailable", "Temporal cannot be reached; repeat the same request.")
