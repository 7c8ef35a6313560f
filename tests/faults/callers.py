"""What a careful caller does: the same call again until it is answered, and an order led to its end."""

from typing import Any

import httpx2

from escrow.domain.orders.states import OrderStatus
from tests.api.platforms import Platform, order_body
from tests.identities import verify
from tests.waiting import saw, until

PRICE_FEN = 100_000
DEPOSIT_FEN, STAGE_FEN = 30_000, 70_000
#: Net of the commission of 5 %.
RELEASED_FEN = 95_000

_PLAN = [
    {"name": "定金", "kind": "start", "amount_fen": DEPOSIT_FEN},
    {"name": "竣工验收", "kind": "acceptance", "amount_fen": STAGE_FEN},
]
_PAUSE_SECONDS = 0.2


async def insist(platform: Platform, path: str, **body: Any) -> dict[str, Any]:
    """Make a call again and again until it is answered by other than "away" or "busy"; it must succeed."""

    async def answer() -> httpx2.Response | None:
        try:
            given = await platform.http.post(f"/v1{path}", json=body)
        except httpx2.TransportError as error:
            saw(repr(error))
            return None
        return None if given.status_code == httpx2.codes.SERVICE_UNAVAILABLE else given

    given = await until(answer, f"{path} is answered", pause_seconds=_PAUSE_SECONDS)
    assert given.is_success, f"{path}: {given.text}"
    found: dict[str, Any] = given.json()
    return found


async def open_order(platform: Platform, order_no: str, **terms: Any) -> dict[str, Any]:
    """Open an order of 1,000.00 yuan in a deposit and one stage."""
    return await insist(platform, "/orders", **order(order_no, **terms))


def order(order_no: str, **terms: Any) -> dict[str, Any]:
    """What opens an order of 1,000.00 yuan in a deposit and one stage."""
    return order_body(order_no, **{"total_fen": PRICE_FEN, "milestones": _PLAN, **terms})


async def command(
    platform: Platform, order_no: str, operation: str, *, by: str = "", request_no: str = "", milestone: int = 2
) -> dict[str, Any]:
    """Give one command under the request number that belongs to it, unless told otherwise."""
    by = by or ("C-1" if operation in ("start", "complete") else "O-1")
    stage = f"/milestones/{milestone}" if operation in ("complete", "accept", "rectify") else ""
    request_no = request_no or f"{order_no}-{operation}"
    return await insist(platform, f"/orders/{order_no}{stage}/{operation}", request_no=request_no, by=by)


async def commands(platform: Platform, order_no: str, *operations: str) -> None:
    """Give commands one after the other."""
    for operation in operations:
        await command(platform, order_no, operation)


async def lead_to_end(platform: Platform, order_no: str, owner_no: str = "O-1") -> str:
    """Give an order every command that leads on until it has ended; its last status."""

    async def last_status() -> str:
        answer = await platform.get(f"/orders/{order_no}")
        order: dict[str, Any] = answer.json() if answer.is_success else {"status": "", "possible_now": []}
        status: str = order["status"]
        if status and OrderStatus(status).is_final:
            return status
        possible = {text.split()[0] for text in order["possible_now"]}
        for operation in ("pay", "start", "complete", "accept"):
            if operation in possible:
                # Under a number of its own: a stage that was sent back is reported complete once more.
                await command(
                    platform,
                    order_no,
                    operation,
                    by=owner_no if operation in ("pay", "accept") else "",
                    request_no=f"{order_no}-{operation}-at-last",
                )
                break
        return ""

    return await until(last_status, f"{order_no} ends", pause_seconds=_PAUSE_SECONDS)


async def withdraw(platform: Platform, withdrawal_no: str, principal_fen: int, member_no: str = "C-1") -> None:
    """Ask for a withdrawal; returns when its money is held."""
    await insist(
        platform, "/withdrawals", withdrawal_no=withdrawal_no, member_no=member_no, principal_fen=principal_fen
    )


async def withdrawal_status(platform: Platform, withdrawal_no: str) -> str:
    """Where a withdrawal stands in the books."""
    answer = await platform.get(f"/withdrawals/{withdrawal_no}")
    return str(answer.json()["status"]) if answer.is_success else "not there"


async def open_contractor(platform: Platform, account_no: str) -> None:
    """Open the contractor C-1, a company, with an account that any rail but the card network reaches."""
    name = "安居装饰有限公司"
    await insist(platform, "/members", member_no="C-1", kind="company", name=name, mobile="13800000002")
    await verify(platform.registry, platform.number, "C-1")
    await insist(
        platform,
        "/members/C-1/bank-accounts",
        account_id="A-C-1",
        account_no=account_no,
        account_name=name,
        is_corporate=True,
        cnaps_code="102100099996",
    )
