"""Recordings of orders, so that together they go every way that the workflow of an order knows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from escrow.domain.errors import Refused
from escrow.domain.orders.operations import released_claim
from escrow.domain.orders.states import OrderCommand
from escrow.registry.members.members import MemberKind
from tests.story import Story
from tests.story_batches import BATCH, batches_of
from tests.story_ground import CONTRACTOR, CONTRACTORS_ACCOUNT, OWNER, OWNERS_CARD
from workflows.messages import ORDERS_TASK_QUEUE, OrderInput, order_workflow_id, withdrawal_workflow_id
from workflows.order import DecorationOrder

Recorded = WorkflowHandle[Any, Any]


async def settled_order(story: Story) -> Recorded:
    """Deposit, a rectification, an acceptance by silence after seven days, ninety days of retention."""
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    await story.rectifies(2)
    await story.completes(2)
    await story.accepts(2)
    await story.completes(3)
    await story.days_pass(7.1)
    await story.completes(4)
    await story.accepts(4)
    await story.order_ends()
    return story.order


async def unpaid_order(story: Story) -> Recorded:
    """Nobody pays; closed at the payment deadline."""
    await story.members_open()
    await story.order_opens()
    await story.order_ends()
    return story.order


async def refused_order(story: Story) -> Recorded:
    """Somebody starts the process of an order that nobody has signed, with a message that it does not take."""
    handle: Recorded = await story.stage.client.start_workflow(
        DecorationOrder.run,
        OrderInput(platform_no=story.platform_no, order_no="D-none"),
        id=order_workflow_id(story.platform_no, "D-none"),
        task_queue=ORDERS_TASK_QUEUE,
        start_signal="bless",
    )

    async def has_failed() -> bool:
        return (await handle.describe()).status is WorkflowExecutionStatus.FAILED

    await story.until(has_failed, "it has failed")
    return handle


async def cancelled_order(story: Story) -> Recorded:
    """Cancelled by both sides during an inspection, after signals that moved nothing and a repeat that was refused."""
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    await story.signals("accept", "release it all, please")
    await story.signals("accept", {"request_no": "R-none", "by": OWNER, "milestone": 2})
    await story.signals("accept")
    await story.signals("bless")
    try:
        await story.starts()
    except Refused:
        pass
    else:
        raise AssertionError("it was started twice")
    await story.cancels(OWNER)
    await story.signals("cancel", await story.consents(OrderCommand.CANCEL, CONTRACTOR, asked=True))
    await story.order_ends()
    return story.order


async def overdue_order_with_automatic_withdrawals(story: Story) -> Recorded:
    """A stage is overdue, an operator is shown it, the order goes on; each release is withdrawn, one by a process that
    ran before; still running."""
    await story.paid_order(withdraw_automatically=True)
    await story.starts()
    await story.days_pass(90.1)
    await story.order.cancel()
    await story.completes(2)
    second = withdrawal_workflow_id(story.platform_no, "D-1001:M2:withdrawal:1")
    await story.watch_begins(workflow_id=second)
    await story.accepts(2)

    async def is_noted() -> bool:
        return any(note.name == "withdrawal" for note in (await story.order_state()).noted)

    await story.until(is_noted, "it was started before")
    await story.stage.client.get_workflow_handle(second).terminate("a stranger")
    await story.start_withdrawal("D-1001:M2:withdrawal:1")
    for number in (1, 2):
        await story.withdrawal_ends(f"D-1001:M{number}:withdrawal:1")
    return story.order


async def order_continued_as_new(story: Story) -> Recorded:
    """The second run of an order, which found in the books where the first one left off; still running."""
    await story.paid_order(continue_after_events=10)
    first_run = (await story.order.describe()).run_id
    await story.starts()
    await story.completes(2)
    await story.days_pass(3)

    async def goes_on() -> bool:
        return bool((await story.order.describe()).run_id != first_run)

    await story.until(goes_on, "it continues as new")
    return story.stage.client.get_workflow_handle(story.order.id, run_id=first_run)


async def order_looked_at(story: Story) -> Recorded:
    """What was said while no process ran is taken up, and before the silence after it; told to look."""
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    await story.days_pass(6.1)
    await story.order.terminate("an intruder")
    await story.consents(OrderCommand.RECTIFY, OWNER, milestone=2, asked=True)
    await story.days_pass(3)
    await story.start_order(OrderInput(platform_no=story.platform_no, order_no="D-1001"))

    async def sent_back() -> bool:
        order = await story.in_the_books("order", "D-1001")
        return bool(order.body["milestones"][1]["status"] == "in_rectification")

    await story.until(sent_back, "what was said counts")
    await story.completes(2)
    # Its process has not heard of this when the deadline passes.
    await story.consents(OrderCommand.ACCEPT, OWNER, milestone=2, asked=True)
    await story.days_pass(8)
    await story.signals("look")

    async def accepted() -> bool:
        return bool((await story.order_view()).milestones[1].status == "released")

    await story.until(accepted, "what was said before the deadline is answered first")
    return story.order


async def order_that_waits_for_the_ledger(story: Story) -> Recorded:
    """The ledger takes nothing: not a command, until an operator resumes it, and not that somebody was reminded."""
    await story.paid_order()
    async with _takes_nothing(story):
        starting = asyncio.create_task(story.starts())
        await story.until(lambda: _waits_outside(story), "the command goes on outside of the workflow task")
        await story.hours_pass(0.2)
        await _needs_attention(story, "the ledger did not answer")
    await story.operator_resumes(story.order)
    await starting
    await story.completes(2)
    async with _takes_nothing(story):
        await story.days_pass(6.01)
        await _needs_attention(story, "the owner could not be reminded", passing=True)
    await story.operator_resumes(story.order)
    await story.days_pass(1)
    return story.order


async def order_whose_owner_has_no_mobile(story: Story) -> Recorded:
    """Nobody can be reminded: an operator is called, and looks an hour later again; then the owner accepts."""
    await story.member_opens(OWNER, MemberKind.PERSON, OWNERS_CARD)
    await story.member_opens(CONTRACTOR, MemberKind.COMPANY, CONTRACTORS_ACCOUNT)
    await story.owner_transfers("186,000.00")
    await story.order_opens()
    await story.pays()
    await story.starts()
    await story.completes(2)
    await story.days_pass(6.1)
    await _needs_attention(story, "could not be reminded")
    await story.hours_pass(1.1)
    await story.accepts(2)
    return story.order


async def order_that_cannot_be_released(story: Story) -> Recorded:
    """Somebody else has what a release must have: silence releases nothing, and an operator is called until it can."""
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    name = released_claim("D-1001", 2)
    await _planted(story, "INSERT INTO claim (platform_no, name, request_no) VALUES ($1, $2, 'planted')", name)
    await story.days_pass(7.1)
    await _needs_attention(story, "M2:inspection:1")
    await _planted(story, "DELETE FROM claim WHERE platform_no = $1 AND name = $2", name)
    await story.operator_resumes(story.order)

    async def is_released() -> bool:
        return bool((await story.order_view()).milestones[1].status == "released")

    await story.until(is_released, "it is released")
    return story.order


async def order_paid_in_batch(story: Story) -> Recorded:
    """Paid with a batch, of which it hears at its payment deadline only; told again; cancelled with a refund."""
    batches = await batches_of(story)
    await batches.owner_consents()
    await batches.is_posted()
    await story.hours_pass(24.1)
    await batches.knows("D-1")
    await batches.order("D-1").signal("paid_in_batch", {"batch_no": BATCH})
    await batches.about("D-1").cancels(CONTRACTOR)
    await story.order_ends()
    return story.order


@asynccontextmanager
async def _takes_nothing(story: Story) -> AsyncIterator[None]:
    """The ledger lets nobody post."""
    connection = await asyncpg.connect(story.stage.database.superuser_dsn)
    try:
        await connection.execute("REVOKE EXECUTE ON FUNCTION post_batch(jsonb) FROM escrow_app")
        yield
    finally:
        await connection.execute("GRANT EXECUTE ON FUNCTION post_batch(jsonb) TO escrow_app")
        await connection.close()


async def _waits_outside(story: Story) -> bool:
    return bool((await story.order.describe()).raw_description.pending_activities)


async def _needs_attention(story: Story, why: str, *, passing: bool = False) -> None:
    async def does() -> bool:
        if passing:
            await story.hours_pass(0.01)
        return why in str((await story.order_state()).attention)

    await story.until(does, f"an operator is called: {why}")


async def _planted(story: Story, statement: str, name: str) -> None:
    connection = await asyncpg.connect(story.stage.database.superuser_dsn)
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")  # claims are for ever
            await connection.execute(statement, story.platform_no, name)
    finally:
        await connection.close()


RECORDINGS = (
    settled_order,
    unpaid_order,
    refused_order,
    cancelled_order,
    overdue_order_with_automatic_withdrawals,
    order_continued_as_new,
    order_looked_at,
    order_that_waits_for_the_ledger,
    order_whose_owner_has_no_mobile,
    order_that_cannot_be_released,
    order_paid_in_batch,
)
