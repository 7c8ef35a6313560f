"""`python -m tests.histories.recording`: record the histories that every later version of the workflows must replay.

Run it when a workflow changes on purpose in a way that `workflow.patched` keeps replayable. The histories of what was
released stay in folders of their own beside the new ones, since orders that began under them still run.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from activities.rounds import TakeUp
from escrow.domain.withdrawals.rails import Rail
from escrow.leave import leave
from tests.beginning import beginning
from tests.histories import money_in
from tests.postgres import new_database, running_server
from tests.sandbox import running_sandbox
from tests.stage import TUESDAY_MORNING
from tests.story import Story, told
from tests.story_batches import batches_of
from tests.story_ground import CONTRACTOR, OWNER
from workflows.messages import ORDERS_TASK_QUEUE, bank_watch_workflow_id
from workflows.rounds import ROUNDS_WORKFLOW_ID, Rounds, RoundsInput

FOLDER = Path(__file__).parent

Recording = Callable[[Story], Awaitable[WorkflowHandle[Any, Any]]]


async def settled_order(story: Story) -> WorkflowHandle[Any, Any]:
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


async def unpaid_order(story: Story) -> WorkflowHandle[Any, Any]:
    """Nobody pays; closed at the payment deadline."""
    await story.members_open()
    await story.order_opens()
    await story.order_ends()
    return story.order


async def cancelled_order(story: Story) -> WorkflowHandle[Any, Any]:
    """Cancelled by both sides during an inspection, after signals that moved nothing."""
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    await story.signals("accept", "release it all, please")
    await story.signals("accept", {"request_no": "R-none", "by": OWNER, "milestone": 2})
    await story.cancels(OWNER)
    await story.cancels(CONTRACTOR)
    await story.order_ends()
    return story.order


async def overdue_order_with_automatic_withdrawals(story: Story) -> WorkflowHandle[Any, Any]:
    """A stage is overdue, an operator is shown it, the order goes on; each release is withdrawn; still running."""
    await story.paid_order(withdraw_automatically=True)
    await story.starts()
    await story.days_pass(90.1)
    await story.order.cancel()
    await story.completes(2)
    await story.accepts(2)
    for number in (1, 2):
        await story.withdrawal_ends(f"D-1001:M{number}:withdrawal:1")
    return story.order


async def withdrawal_found_by_asking(story: Story) -> WorkflowHandle[Any, Any]:
    """The payment order was booked and its answer lost; an SMS was sent."""
    await story.payee_has("60,000.00")
    await story.stage.sandbox.steer.next_suffers("timeout_booked")
    await story.withdraws("60,000.00")
    await story.withdrawal_ends()
    return story.withdrawal()


async def withdrawal_over_the_third_rail(story: Story) -> WorkflowHandle[Any, Any]:
    """Declined, then never arrived twice, then paid."""
    await story.payee_has("20,000.00")
    for misfortune in ("declined", "timeout_not_booked", "timeout_not_booked"):
        await story.stage.sandbox.steer.next_suffers(misfortune)
    await story.withdraws("20,000.00")
    await story.withdrawal_ends()
    return story.withdrawal()


async def withdrawal_returned(story: Story) -> WorkflowHandle[Any, Any]:
    """Declined by every rail: the money is given back."""
    await story.payee_has("20,000.00")
    for _ in range(3):
        await story.stage.sandbox.steer.next_suffers("declined")
    await story.withdraws("20,000.00")
    await story.withdrawal_ends()
    return story.withdrawal()


async def withdrawal_queued(story: Story) -> WorkflowHandle[Any, Any]:
    """Too much for any rail but the large-value one, which is made to open again after a disturbance."""
    await story.payee_has("1,000,000.01")
    await story.stage.sandbox.steer.set_rail_health(Rail.HVPS, "DOWN")
    await story.withdraws("1,000,000.01")
    await story.withdrawal_is("queued")
    await story.stage.sandbox.steer.set_rail_health(Rail.HVPS, "UP")
    await story.withdrawal_ends()
    return story.withdrawal()


async def bank_watch(story: Story) -> WorkflowHandle[Any, Any]:
    """A member's transfer and a stranger's, the bank away and back, a charge, looks without news; still running."""
    await story.payee_has("20,000.00")
    await story.transfer_arrives("3.00", "6222020000000000000")
    await story.stage.sandbox.steer.set_bank_health("DOWN")
    await story.bank_notifies()
    await story.hours_pass(0.1)
    await story.stage.sandbox.steer.set_bank_health("UP")
    await story.withdraws("10,000.00")
    await story.withdrawal_ends()
    await story.bank_lines_are_booked()
    return story.stage.client.get_workflow_handle(bank_watch_workflow_id(story.platform_no))


async def order_paid_in_batch(story: Story) -> WorkflowHandle[Any, Any]:
    """Paid with a batch, of which it hears at its payment deadline only; told again; cancelled with a refund."""
    batches = await batches_of(story)
    await batches.owner_consents()
    await batches.is_posted()
    await story.hours_pass(24.1)
    await batches.knows("D-1")
    await batches.order("D-1").signal("look")
    await batches.about("D-1").cancels(CONTRACTOR)
    await story.order_ends()
    return story.order


async def rounds(story: Story) -> WorkflowHandle[Any, Any]:
    """Rounds in which an order is begun anew and another is told to look, an operator's wish, and a cancellation."""
    await story.paid_order()
    await story.order.terminate("an intruder")
    handle = await story.stage.client.start_workflow(
        Rounds.run, RoundsInput(), id=ROUNDS_WORKFLOW_ID, task_queue=ORDERS_TASK_QUEUE
    )

    async def runs_again() -> bool:
        return (await story.order.describe()).status is WorkflowExecutionStatus.RUNNING

    await story.until(runs_again, "the order is begun anew")
    await handle.cancel()
    await handle.execute_update("resume", TakeUp(platform_no=story.platform_no, object_no="D-1001"))
    await story.time_passes(timedelta(minutes=3))
    return handle


RECORDINGS: dict[str, Recording] = {
    recording.__name__: recording
    for recording in (
        settled_order,
        unpaid_order,
        cancelled_order,
        overdue_order_with_automatic_withdrawals,
        withdrawal_found_by_asking,
        withdrawal_over_the_third_rail,
        withdrawal_returned,
        withdrawal_queued,
        bank_watch,
        order_paid_in_batch,
        rounds,
        *money_in.RECORDINGS,
    )
}


async def record(names: list[str], folder: Path) -> None:
    """Play these stories and write their histories, one file each."""
    async with AsyncExitStack() as opened:
        server = await opened.enter_async_context(running_server())
        books = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="recording-")))
        bank = await opened.enter_async_context(
            running_sandbox(books, "--closing-grace-seconds", "0.02", "--delay-factor", "0.1")
        )
        database = await new_database(server)
        for name in names:
            async with told(database, bank, begins_at=beginning(TUESDAY_MORNING)) as story:
                history = await (await RECORDINGS[name](story)).fetch_history()
            text = json.dumps(_impersonal(json.loads(history.to_json())), ensure_ascii=False, indent=1)
            await asyncio.to_thread((folder / f"{name}.json").write_text, text + "\n")
            sys.stdout.write(f"{name}: {len(history.events)} events\n")


def _impersonal(value: Any) -> Any:
    """The same without the names of machines, processes and folders, which no replay looks at."""
    if isinstance(value, list):
        return [_impersonal(item) for item in value]
    if isinstance(value, dict):
        kept = {key: _impersonal(item) for key, item in value.items() if key not in ("stackTrace", "encodedAttributes")}
        return kept | ({"identity": "recorded"} if "identity" in kept else {})
    return value


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:] or list(RECORDINGS), FOLDER))
    leave(0)
