"""The three ways that are followed: an accept, a withdrawal, a top-up by QR code."""

import itertools
from typing import Any, Final, Protocol

import httpx2

from bench.checkout import Refused
from bench.trails.house import CONTRACTOR, OWNER, House

_STAGE_FEN: Final = 10_000_00
_PAYOUT_FEN: Final = 100_00
_TOP_UP_FEN: Final = 100_00


class Way(Protocol):
    """Something that can be asked for again and again."""

    name: str

    async def prepare(self) -> None:
        """What must have been done before, each time; not recorded."""

    async def go(self) -> None:
        """Ask for it, and wait for its end."""


class Accept:
    """Accept a milestone in inspection on a running order; ends with the answer.

    Args:
        times: how often it is asked for; the order has one milestone more, so it still runs after the last accept.
    """

    name = "accept"

    def __init__(self, house: House, *, times: int) -> None:
        self._house = house
        self._stages = times + 1
        self._next = 0

    async def prepare(self) -> None:
        """The contractor reports the next milestone complete; the first time the order is opened, paid and started."""
        if self._next == 0:
            await self._open_order()
        self._next += 1
        await self._command(f"milestones/{self._next}/complete", CONTRACTOR)

    async def go(self) -> None:
        """The owner accepts it."""
        stage = f"milestones/{self._next}/accept"
        answer = await self._house.measured(f"/orders/D-1/{stage}", **_by(OWNER, stage))
        if answer["result"]["released_fen"] == 0:
            raise Refused(f"an accepted milestone released nothing: {answer}")

    async def _open_order(self) -> None:
        stages = [
            {"name": f"Stage {number}", "kind": "acceptance", "amount_fen": _STAGE_FEN}
            for number in range(1, self._stages + 1)
        ]
        await self._house.prepare(
            "/orders",
            order_no="D-1",
            owner_no=OWNER,
            contractor_no=CONTRACTOR,
            total_fen=_STAGE_FEN * self._stages,
            milestones=stages,
        )
        await self._command("pay", OWNER)
        await self._command("start", CONTRACTOR)

    async def _command(self, command: str, by: str) -> None:
        await self._house.prepare(f"/orders/D-1/{command}", **_by(by, command))


class Withdraw:
    """Withdraw to an account at another bank, of what an accept has earned; ends when the books say `paid`."""

    name = "withdrawal"

    def __init__(self, house: House) -> None:
        self._house = house
        self._numbers = itertools.count(1)

    async def prepare(self) -> None:
        """Nothing."""

    async def go(self) -> None:
        """The contractor withdraws a little of it."""
        number = f"W-{next(self._numbers)}"
        await self._house.measured(
            "/withdrawals", withdrawal_no=number, member_no=CONTRACTOR, principal_fen=_PAYOUT_FEN
        )
        await self._house.seen(f"/withdrawals/{number}", status="paid")


class TopUp:
    """Top up by QR code, paid at the sandbox at once; ends when the books say that it is credited."""

    name = "top-up"

    def __init__(self, house: House) -> None:
        self._house = house
        self._numbers = itertools.count(1)

    async def prepare(self) -> None:
        """Nothing."""

    async def go(self) -> None:
        """The owner opens it, scans and pays."""
        number = f"T-{next(self._numbers)}"
        opened = await self._house.measured(
            "/top-ups", top_up_no=number, member_no=OWNER, method="qr_wechat", amount_fen=_TOP_UP_FEN
        )
        async with httpx2.AsyncClient(trust_env=False) as wallet:
            (await wallet.post(opened["interaction"]["qr_content"])).raise_for_status()
        await self._house.seen(f"/top-ups/{number}", status="paid")


def _by(member_no: str, command: str) -> dict[str, Any]:
    return {"by": member_no, "request_no": command.replace("/", "-")}
