"""A cancellation from Temporal's pages after whichever event of an order's history: none of them ends or stops it."""

import asyncio

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowExecutionStatus

from escrow.domain.money.amounts import format_fen
from tests.story import Story
from workflows.messages import order_workflow_id

_PRICE_FEN = 1_000_000
#: Payment, start, three stages to be done and to be accepted, the warranty.
_WAITS = 9


async def _lived_through(story: Story, number: str) -> Story:
    """An order that is opened, paid, begun, reported complete and accepted; its retention is still to come."""
    order = Story(story.stage)
    await order.order_opens(order_no=number, price=format_fen(_PRICE_FEN))
    await order.pays()
    await order.starts()
    for milestone in (2, 3, 4):
        await order.completes(milestone)
        await order.accepts(milestone)
    return order


async def _cancelled_after(story: Story, number: str, events: int) -> None:
    """Cancel an order's process as soon as it has so many events."""
    client = story.stage.client
    handle = client.get_workflow_handle(order_workflow_id(story.platform_no, number))
    await story.until(lambda: story.is_entered("order", number), f"{number} is opened")
    while (await handle.describe()).history_length < events:
        await asyncio.sleep(0)
    await handle.cancel()


async def test_an_order_that_is_cancelled_after_any_of_its_events_goes_on_to_its_end(
    story: Story, tables: list[str]
) -> None:
    await story.members_open()
    await story.owner_transfers(format_fen(_PRICE_FEN * 200))
    lived = await _lived_through(story, "D-model")
    length = (await lived.order.describe()).history_length
    numbers = {f"D-{events}": events for events in range(1, length + 1)}
    for batch in range(0, len(numbers), 10):
        some = list(numbers)[batch : batch + 10]
        await asyncio.gather(
            *(_lived_through(story, number) for number in some),
            *(_cancelled_after(story, number, numbers[number]) for number in some),
        )

    await story.days_pass(90.1)

    places: set[tuple[int, str]] = set()
    for number in numbers:
        order = await story.in_the_books("order", number)
        assert order.status == "settled", number
        assert order.body["released_fen"] + order.body["commission_fen"] == _PRICE_FEN
        handle = story.stage.client.get_workflow_handle(order_workflow_id(story.platform_no, number))
        assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED
        types = [event.event_type for event in (await handle.fetch_history()).events]
        after = types.index(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED)
        places.add((after, EventType.Name(types[after - 1]).removeprefix("EVENT_TYPE_").lower()))
    tables.append("\n".join(f"an order was cancelled after event {after}, {what}" for after, what in sorted(places)))
    assert len(places) >= _WAITS - 2, "what falls into a workflow task is dealt with after it"
