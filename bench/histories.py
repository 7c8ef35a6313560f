"""How long the histories are: counted from those that the Temporal server keeps."""

from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType

from bench.doors import HttpDoor
from bench.house import PLATFORM_NO, House
from bench.lives import OrderLife
from workflows.messages import order_workflow_id, withdrawal_workflow_id


@dataclass(frozen=True)
class HistoryLengths:
    """Events of one order without its payout, of one payout, and how often the payout asked the bank."""

    order_events: int
    payout_events: int
    payout_queries: int


async def count_history_events(house: House) -> HistoryLengths:
    """Let one order live and count.

    Raises:
        RuntimeError: its payout did not need exactly one query, so it is not the one to be counted.
    """
    life = OrderLife(house.client, HttpDoor(house))
    await life.live()
    order = await house.client.get_workflow_handle(order_workflow_id(PLATFORM_NO, life.order_no)).fetch_history()
    payout = await house.client.get_workflow_handle(
        withdrawal_workflow_id(PLATFORM_NO, life.withdrawal_no)
    ).fetch_history()
    queries = sum(
        event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
        and event.activity_task_scheduled_event_attributes.activity_type.name == "ask_about_payout"
        for event in payout.events
    )
    if queries != 1:
        raise RuntimeError(f"the payout was asked about {queries} times instead of once")
    return HistoryLengths(order_events=len(order.events), payout_events=len(payout.events), payout_queries=queries)
