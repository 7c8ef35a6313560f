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
from escrow.leave import leave
from tests.beginning import beginning
from tests.histories import members, money_in, orders, withdrawals
from tests.postgres import new_database, running_server
from tests.sandbox import running_sandbox
from tests.stage import TUESDAY_MORNING
from tests.story import Story, told
from workflows.messages import ORDERS_TASK_QUEUE, bank_watch_workflow_id
from workflows.rounds import ROUNDS_WORKFLOW_ID, Rounds, RoundsInput

FOLDER = Path(__file__).parent

Recording = Callable[[Story], Awaitable[WorkflowHandle[Any, Any]]]


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
        bank_watch,
        rounds,
        *orders.RECORDINGS,
        *withdrawals.RECORDINGS,
        *money_in.RECORDINGS,
        *members.RECORDINGS,
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
            begins_at = beginning(withdrawals.BEGINS_AT.get(name, TUESDAY_MORNING))
            async with told(database, bank, begins_at=begins_at) as story:
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
