"""What operators decided is started as a workflow, once, and looked at when it stands in the books."""

import asyncio
from collections.abc import Mapping
from typing import Any

from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from escrow.ledger.consents import answer_of
from escrow.ledger.engine import Reader
from escrow.ledger.objects import BusinessObject, get_object
from escrow.stack.processes import StackError
from escrow.stack.temporal_client import connect_temporal

#: Contract with the worker: where it takes withdrawals and transfers.
_TASK_QUEUE = "payments"
_TIMEOUT_SECONDS, _PAUSE_SECONDS = 20.0, 0.2


async def start_once(workflow: str, request: Mapping[str, Any], *, workflow_id: str, summary: str) -> None:
    """Start a workflow; one that runs or ran under this id is left as it is.

    Raises:
        StackError: Temporal does not answer.
    """
    try:
        client = await connect_temporal()
        await client.start_workflow(
            workflow,
            request,
            id=workflow_id,
            task_queue=_TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            static_summary=summary,
        )
    except WorkflowAlreadyStartedError:
        return
    except (RPCError, RuntimeError) as error:
        raise StackError("Temporal cannot be reached; what was decided is kept. Repeat the command.") from error


async def entered(
    reader: Reader, platform_no: str, kind: str, object_no: str, *, consent_no: str | None = None
) -> BusinessObject:
    """The object, once its workflow entered it in the books.

    Args:
        consent_no: consent that it stands on, by which a refusal is known.

    Raises:
        StackError: no worker did so in time.
        Refused: the books say no; the consent is void.
    """
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            while True:
                found = await get_object(reader, platform_no, kind, object_no)
                if found is not None:
                    return found
                if consent_no is not None:
                    refusal = (await answer_of(reader, platform_no, consent_no)).refusal
                    if refusal is not None:
                        raise refusal
                await asyncio.sleep(_PAUSE_SECONDS)
    except TimeoutError as error:
        raise StackError("No worker takes it now; it is done as soon as one does.") from error
