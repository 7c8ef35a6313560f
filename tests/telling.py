"""Signals to processes that may have ended before they come."""

from typing import Any

from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode


async def told(handle: WorkflowHandle[Any, Any], name: str, *payload: Any) -> None:
    """A process is told something; one that has ended meanwhile needs nothing."""
    try:
        await handle.signal(name, args=payload)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
