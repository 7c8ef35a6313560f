"""The design, an order of its own before the work: paid directly by QR code, so its money is there a day later."""

from escrow.commands.contract_file import DesignTerms
from escrow.commands.demo.figures import design_split
from escrow.commands.demo.members import owner_accepts
from escrow.commands.demo.payouts import tell_arrival
from escrow.commands.demo.stage import Stage
from escrow.commands.demo.waiting import until
from escrow.domain.errors import Refused
from escrow.domain.money.amounts import format_fen
from escrow.domain.orders.splits import Split

_METHOD = "qr_wechat"


async def design_paid(stage: Stage) -> None:
    """The owner scans the code on the hosted cashier page; the channel's word is enough to freeze the price."""
    design, order = _terms(stage)[0], stage.contract.order
    opened = await stage.api.post(
        "orders",
        {
            "order_no": design.order_no,
            "owner_no": order.owner_no,
            "contractor_no": order.contractor_no,
            "total_fen": design.price_fen,
            "milestones": [{"name": "设计图 Drawings", "kind": "acceptance", "amount_fen": design.price_fen}],
        },
    )
    stage.narrator.line(f"{design.order_no} over {format_fen(design.price_fen)} is {opened['status']}")
    collected = await stage.api.post(
        f"orders/{design.order_no}/direct-payments",
        {"request_no": stage.api.next_request_no(), "by": order.owner_no, "method": _METHOD},
    )
    stage.narrator.line(
        await stage.visitor.scan_and_pay(collected["cashier_url"], collected["interaction"]["qr_content"])
    )

    async def frozen() -> bool:
        now = await stage.api.get(f"orders/{design.order_no}")
        return bool(now["status"] == "awaiting_start" and now["held_fen"] == design.price_fen)

    await until(frozen, f"{design.order_no} was not paid", within_seconds=stage.visitor.seconds)
    stage.narrator.line(
        f"{format_fen(design.price_fen)} collected over {_METHOD} and frozen in escrow; "
        "until the channel settles tomorrow, it owes us that much"
    )


async def design_accepted(stage: Stage) -> None:
    """The drawings are reported and accepted; what the channel has not settled is pending for the contractor."""
    (design, parts), order = _terms(stage), stage.contract.order
    await stage.api.command(design.order_no, "start", by=order.contractor_no)
    await stage.api.command(design.order_no, "milestones/1/complete", by=order.contractor_no)
    stage.narrator.line(f"{order.contractor_no} reports the drawings complete")
    await owner_accepts(stage, design.order_no, 1)
    balances = await stage.api.get(f"members/{order.contractor_no}/balances")
    if (balances["withdrawable_fen"], balances["pending_fen"]) != (0, parts.net_fen):
        raise Refused("demo_failed", "Money that its channel has not settled is not pending.")
    day = next(iter(balances["pending_fen_by_day"]), "")
    stage.narrator.line(
        f"released: {format_fen(parts.net_fen)} to {order.contractor_no} + {format_fen(parts.commission_fen)} "
        f"commission; pending until {day} is closed, since the channel has not settled yet"
    )


async def design_withdrawn(stage: Stage) -> None:
    """The channel has settled, less its fee, which is the platform's; the contractor withdraws what was pending."""
    (_, parts), contractor_no = _terms(stage), stage.contract.contractor.member_no

    async def settled() -> bool:
        return not (await stage.api.get("platform"))["balances_fen"].get("channel_due", 0)

    await until(settled, "the channel did not settle")
    stage.narrator.line("the channel has settled, less its fee, and owes nothing any more")
    if parts.net_fen == 0:
        stage.narrator.line("nothing is left to withdraw")
        return
    withdrawal_no = "W-design"
    await stage.api.post(
        "withdrawals",
        {"withdrawal_no": withdrawal_no, "member_no": contractor_no, "principal_fen": parts.net_fen},
    )
    await tell_arrival(stage, withdrawal_no, by_itself=False, in_full=False)


def _terms(stage: Stage) -> tuple[DesignTerms, Split]:
    design, parts = stage.contract.design, design_split(stage.contract)
    if design is None or parts is None:
        raise Refused("demo_failed", "The contract has no design.")
    return design, parts
