"""A thief beside the API: Temporal is written to by hand before, while and after a platform calls."""

from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter

from escrow.stack.up import Stack
from tests.api.platforms import Platform, order_body
from workflows.messages import ORDERS_TASK_QUEUE, order_workflow_id


async def start_by_hand(stack: Stack, platform: Platform, order_no: str, order: Any) -> WorkflowHandle[Any, Any]:
    """Start the workflow of an order past the API, in place of one that runs."""
    client = await Client.connect(stack.temporal.address, data_converter=pydantic_data_converter)
    return await client.start_workflow(
        "DecorationOrder",
        order,
        id=order_workflow_id(platform.number, order_no),
        task_queue=ORDERS_TASK_QUEUE,
        run_timeout=timedelta(minutes=10),
    )


async def end_by_hand(stack: Stack, platform: Platform, order_no: str) -> None:
    """Terminate the workflow of an order."""
    client = await Client.connect(stack.temporal.address)
    await client.get_workflow_handle(order_workflow_id(platform.number, order_no)).terminate("a thief")


async def test_an_order_is_opened_by_the_platforms_contract_whoever_started_it_with_another(
    stack: Stack, platform: Platform
) -> None:
    await platform.open_owner()
    await platform.open_contractor()
    await platform.open_contractor("C-666")
    forged = order_body("D-1001", contractor_no="C-666")
    thiefs = await start_by_hand(
        stack, platform, "D-1001", {"platform_no": platform.number, "order_no": "D-1001", "contract": forged}
    )
    with pytest.raises(WorkflowFailureError):
        await thiefs.result()
    assert (await platform.get("/orders/D-1001")).status_code == 404

    answer = await platform.post("/orders", **order_body("D-1001"))
    again = await platform.post("/orders", **order_body("D-1001"))

    assert (answer.status_code, answer.json()["contractor_no"]) == (201, "C-1")
    assert (again.status_code, again.json()) == (200, answer.json())


@pytest.mark.parametrize(
    ("party", "refusal"),
    [("owner_no", (422, "member_unknown")), ("contractor_no", (409, "business_model_forbids"))],
)
async def test_on_a_marketplace_the_platform_itself_is_no_party_of_an_order(
    platform: Platform, party: str, refusal: tuple[int, str]
) -> None:
    await platform.open_owner()
    await platform.open_contractor()

    answer = await platform.post("/orders", **order_body(**{party: "platform"}))

    assert (answer.status_code, answer.json()["code"]) == refusal
