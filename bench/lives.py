"""The whole life of one order over the API, and the same life of a floor order that does nothing."""

import itertools
from typing import Final

from bench.house import PAIRS, PLATFORM_NO, House
from workflows.messages import order_workflow_id, withdrawal_workflow_id

MILESTONES: Final = 3
STAGE_FEN: Final = 10_000_00
_NUMBERS: Final = itertools.count(1)


class OrderLife:
    """One order over HTTP: three stages, commission, and one withdrawal of all that was earned.

    Args:
        house: where it happens.
    """

    def __init__(self, house: House) -> None:
        number = next(_NUMBERS)
        self.house = house
        self.order_no = f"D-{number}"
        self.withdrawal_no = f"W-{number}"
        self.owner_no = f"O-{number % PAIRS}"
        self.contractor_no = f"C-{number % PAIRS}"

    async def open(self) -> None:
        """Open the order by its contract."""
        stages = [
            {"name": f"Stage {number}", "kind": "acceptance", "amount_fen": STAGE_FEN}
            for number in range(1, MILESTONES + 1)
        ]
        await self.house.post(
            "/orders",
            order_no=self.order_no,
            owner_no=self.owner_no,
            contractor_no=self.contractor_no,
            total_fen=STAGE_FEN * MILESTONES,
            milestones=stages,
        )

    async def begin(self) -> None:
        """The owner pays, the contractor starts."""
        await self._command("pay", self.owner_no)
        await self._command("start", self.contractor_no)

    async def complete(self, milestone: int) -> None:
        """The contractor reports a stage complete."""
        await self._command(f"milestones/{milestone}/complete", self.contractor_no)

    async def accept(self, milestone: int) -> int:
        """The owner accepts a stage; what was released, in fen."""
        answer = await self._command(f"milestones/{milestone}/accept", self.owner_no)
        released_fen: int = answer["released_fen"]
        return released_fen

    async def withdraw(self, principal_fen: int) -> None:
        """The contractor withdraws what was earned; returns when the bank has paid it and the books say so."""
        await self.house.post(
            "/withdrawals",
            withdrawal_no=self.withdrawal_no,
            member_no=self.contractor_no,
            principal_fen=principal_fen,
        )
        handle = self.house.client.get_workflow_handle(withdrawal_workflow_id(PLATFORM_NO, self.withdrawal_no))
        outcome = await handle.result()
        if outcome["status"] != "paid":
            raise RuntimeError(f"{self.withdrawal_no} ended otherwise: {outcome}")

    async def live(self) -> None:
        """From the contract to the money in the contractor's bank account."""
        await self.open()
        await self.begin()
        earned_fen = 0
        for milestone in range(1, MILESTONES + 1):
            await self.complete(milestone)
            earned_fen += await self.accept(milestone)
        await self.house.client.get_workflow_handle(order_workflow_id(PLATFORM_NO, self.order_no)).result()
        await self.withdraw(earned_fen)

    async def _command(self, path: str, by: str) -> dict[str, int]:
        request_no = f"{self.order_no}-{path.replace('/', '-')}"
        answer = await self.house.post(f"/orders/{self.order_no}/{path}", request_no=request_no, by=by)
        result: dict[str, int] = answer["result"]
        return result
