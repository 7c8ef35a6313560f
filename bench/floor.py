"""The floor: workflows with as many messages and activities as ours, in which nothing happens.

What an order costs on this machine before it does anything. `python -m bench.floor` is its worker, with the options
of ours.
"""

import asyncio
import signal
from datetime import timedelta
from typing import Final

import uvloop
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

from escrow.leave import leave
from escrow.stack.temporal_client import connect_temporal
from escrow.stack.workflow_runner import ContextFreeSandbox

TASK_QUEUE: Final = "floor"
_PATIENCE: Final = timedelta(seconds=10)


@activity.defn
async def nothing() -> None:
    """An activity that does nothing."""


async def _regular() -> None:
    await workflow.execute_activity(nothing, start_to_close_timeout=_PATIENCE)


async def _local() -> None:
    await workflow.execute_local_activity(nothing, start_to_close_timeout=_PATIENCE)


@workflow.defn
class FloorOrder:
    """As many updates and activities as an order."""

    @workflow.init
    def __init__(self, updates: int) -> None:
        self.left = updates

    @workflow.run
    async def run(self, updates: int) -> None:
        """One activity (the order is entered in the books), then wait for all updates."""
        await _regular()
        await workflow.wait_condition(lambda: self.left == 0)
        await workflow.wait_condition(workflow.all_handlers_finished)

    @workflow.update
    async def move(self) -> None:
        """A command that moves money: a regular activity."""
        await _regular()
        self.left -= 1

    @workflow.update
    async def record(self) -> None:
        """A command that moves none: a local activity."""
        await _local()
        self.left -= 1


@workflow.defn
class FloorPayout:
    """As many signals and activities as a withdrawal that is paid after one query."""

    def __init__(self) -> None:
        self.notices = 0

    @workflow.run
    async def run(self) -> None:
        """Hold, survey, record the attempt, submit; after the notice query and settle."""
        await _regular()
        await _local()
        await _local()
        await _regular()
        await workflow.wait_condition(lambda: self.notices > 0)
        await _regular()
        await _regular()

    @workflow.signal
    def notice(self) -> None:
        """The bank's notice."""
        self.notices += 1


@workflow.defn
class FloorWatch:
    """As many signals and activities as the watch over a custody account: a look and a booking per line."""

    def __init__(self) -> None:
        self.notices = 0

    @workflow.run
    async def run(self) -> None:
        """Look at every notice; begin anew before the history grows long."""
        looks = 0
        while looks < 300:
            await workflow.wait_condition(lambda: self.notices > 0)
            lines, self.notices = self.notices, 0
            await _regular()
            for _ in range(lines):
                await _regular()
            looks += 1
        workflow.continue_as_new()

    @workflow.signal
    def notice(self) -> None:
        """The bank's notice of a line."""
        self.notices += 1


def _worker(client: Client) -> Worker:
    """A worker with the options of ours (see `worker.py`)."""
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[FloorOrder, FloorPayout, FloorWatch],
        activities=[nothing],
        workflow_runner=ContextFreeSandbox(),
        graceful_shutdown_timeout=timedelta(seconds=1),
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
    )


async def _main() -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with _worker(await connect_temporal()):
        await stop.wait()
    return 0


if __name__ == "__main__":
    leave(uvloop.run(_main()))
