"""Speaking to the stack's Temporal server past the API, as an operator would."""

from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter

from escrow.stack.up import Stack
from workflows.messages import order_workflow_id


async def signal_order(stack: Stack, platform_no: str, order_no: str, name: str, payload: Any) -> None:
    """Send an order a signal by hand."""
    await (await workflow_of(stack, order_workflow_id(platform_no, order_no))).signal(name, payload)


async def workflow_of(stack: Stack, workflow_id: str) -> WorkflowHandle[Any, Any]:
    """A workflow on the stack's server."""
    client = await Client.connect(stack.temporal.address, data_converter=pydantic_data_converter)
    return client.get_workflow_handle(workflow_id)
