"""Speaking to the stack's Temporal server past the API, as an operator would."""

from typing import Any

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from escrow.stack.up import Stack
from workflows.messages import order_workflow_id


async def signal_order(stack: Stack, platform_no: str, order_no: str, name: str, payload: Any) -> None:
    """Send an order a signal by hand."""
    client = await Client.connect(stack.temporal.address, data_converter=pydantic_data_converter)
    await client.get_workflow_handle(order_workflow_id(platform_no, order_no)).signal(name, payload)
