"""The whole life of one order, and the same life of a floor order in which nothing happens."""

import itertools
from typing import Final, Protocol

from temporalio.client import Client, WorkflowHandle

from bench import floor
from bench.doors import STAGES, Door
from bench.house import PAIRS, PLATFORM_NO
from workflows.messages import order_workflow_id, withdrawal_workflow_id

_NUMBERS: Final = itertools.count(1)
_FLOOR_WATCH_ID: Final = "floor-watch"


class Life(Protocol):
    """One order, from the contract to the money in the contractor's bank account."""

    async def begin(self) -> None:
        """Until the work has started."""

    async def complete(self, milestone: int) -> None:
        """A stage is complete."""

    async def accept(self, milestone: int) -> int:
        """A stage is accepted; what was released, in fen."""

    async def live(self) -> None:
        """All of it."""


class OrderLife:
    """An order of ours: pay, start, three times complete and accept, one withdrawal of all that was earned."""

    def __init__(self, client: Client, door: Door) -> None:
        number = next(_NUMBERS)
        self._client = client
        self._door = door
        self.order_no = f"D-{number}"
        self.withdrawal_no = f"W-{number}"
        self.owner_no = f"O-{number % PAIRS}"
        self.contractor_no = f"C-{number % PAIRS}"

    async def begin(self) -> None:
        """Open, pay and start."""
        await self._door.open_order(self.order_no, self.owner_no, self.contractor_no)
        await self._door.command(self.order_no, "pay", self.owner_no)
        await self._door.command(self.order_no, "start", self.contractor_no)

    async def complete(self, milestone: int) -> None:
        """The contractor reports a stage complete."""
        await self._door.command(self.order_no, "complete", self.contractor_no, milestone)

    async def accept(self, milestone: int) -> int:
        """The owner accepts a stage; what was released, in fen."""
        return await self._door.command(self.order_no, "accept", self.owner_no, milestone)

    async def live(self) -> None:
        """All of it; ends when the bank has paid and the books say so."""
        await self.begin()
        earned_fen = 0
        for milestone in range(1, STAGES + 1):
            await self.complete(milestone)
            earned_fen += await self.accept(milestone)
        await self._client.get_workflow_handle(order_workflow_id(PLATFORM_NO, self.order_no)).result()
        await self._door.withdraw(self.withdrawal_no, self.contractor_no, earned_fen)
        withdrawal = self._client.get_workflow_handle(withdrawal_workflow_id(PLATFORM_NO, self.withdrawal_no))
        outcome = await withdrawal.result()
        if outcome["status"] != "paid":
            raise RuntimeError(f"{self.withdrawal_no} was not paid: {outcome}")


class FloorLife:
    """A floor order: the same messages and activities."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._number = next(_NUMBERS)
        self._order: WorkflowHandle[floor.FloorOrder, None] = client.get_workflow_handle_for(
            floor.FloorOrder.run, f"floor-order/{self._number}"
        )

    async def begin(self) -> None:
        """Open, pay and start."""
        await self._client.start_workflow(
            floor.FloorOrder.run, 2 + 2 * STAGES, id=self._order.id, task_queue=floor.TASK_QUEUE
        )
        await self._order.execute_update(floor.FloorOrder.move)
        await self._order.execute_update(floor.FloorOrder.record)

    async def complete(self, milestone: int) -> None:
        """A command that moves no money."""
        await self._order.execute_update(floor.FloorOrder.record)

    async def accept(self, milestone: int) -> int:
        """A command that moves money, which there is none of: one update with one empty activity."""
        await self._order.execute_update(floor.FloorOrder.move)
        return 0

    async def live(self) -> None:
        """All of it."""
        await self.begin()
        for milestone in range(1, STAGES + 1):
            await self.complete(milestone)
            await self.accept(milestone)
        await self._order.result()
        payout = await self._client.start_workflow(
            floor.FloorPayout.run, id=f"floor-payout/{self._number}", task_queue=floor.TASK_QUEUE
        )
        await payout.signal(floor.FloorPayout.notice)
        await self._client.get_workflow_handle(_FLOOR_WATCH_ID).signal(floor.FloorWatch.notice)
        await payout.result()


async def bare_update(order: WorkflowHandle[floor.FloorOrder, None]) -> None:
    """One update with one empty activity: the floor of a command that moves money."""
    await order.execute_update(floor.FloorOrder.move)


async def start_floor_watch(client: Client) -> None:
    """The floor's one watch."""
    await client.start_workflow(floor.FloorWatch.run, id=_FLOOR_WATCH_ID, task_queue=floor.TASK_QUEUE)
