"""The story of the demo, act by act; the acts follow from the contract's milestones."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from escrow.commands.contract_file import ContractFile
from escrow.commands.demo.design import design_accepted, design_paid, design_withdrawn
from escrow.commands.demo.figures import DEFAULTS, enough_own_money_fen, needs_own_money, splits_of, told_in_full
from escrow.commands.demo.members import members_open, owner_accepts, owner_sets_password
from escrow.commands.demo.payouts import (
    sms_about,
    tell_arrival,
    tell_sms,
    withdrawal_after_release,
    worker_killed_while_paying,
)
from escrow.commands.demo.stage import OWN_BANK_ACCOUNT, Stage
from escrow.commands.demo.waiting import until
from escrow.domain.errors import Refused
from escrow.domain.money.amounts import format_fen
from escrow.domain.orders.milestones import Milestone, MilestoneKind
from escrow.domain.time.calendars import SHANGHAI
from escrow.ledger.days import sweep_commission

#: A channel settles the day after, and money of that day can be withdrawn from the next one.
_DAYS_BEFORE_WORK = 2


@dataclass(frozen=True, slots=True)
class Act:
    """One act: what it is called, and what happens."""

    title: str
    play: Callable[[Stage], Awaitable[None]]


def acts_of(contract: ContractFile, begin_at: datetime) -> Sequence[Act]:
    """The acts of a contract's life, which begins at a moment in Shanghai.

    The first stage is accepted after a rectification, the second by silence, all others at once. The worker dies
    while the last stage that a person accepts is paid out; the first large withdrawal is told in full.
    """
    order = contract.order
    acceptances = [milestone for milestone in order.milestones if milestone.kind is MilestoneKind.ACCEPTANCE]
    silent = acceptances[1] if len(acceptances) > 1 else None
    fatal = [milestone for milestone in acceptances if milestone is not silent][-1]
    acts = [
        Act("The members open their accounts", members_open),
        Act("The owner sets a payment password", owner_sets_password),
        *(
            [Act("The platform pays in for the bank's charges", platform_pays_in)]
            if needs_own_money(contract, begin_at.date())
            else []
        ),
        *(
            [
                Act("The design is ordered first, and paid by QR code", design_paid),
                Act("The drawings are done and accepted", design_accepted),
            ]
            if contract.design
            else []
        ),
        Act("The owner transfers the price to the custody account", owner_transfers),
        Act("The order is opened, paid and frozen", order_paid),
        *([Act("The design's money is settled and withdrawn", _design_settled)] if contract.design else []),
        Act("Work starts", work_starts),
    ]
    for milestone in acceptances:
        if milestone is silent:
            acts.append(Act(f"M{milestone.no} {milestone.name}: accepted by silence", _by_silence(milestone)))
        else:
            acts.append(
                Act(
                    f"M{milestone.no} {milestone.name}: accepted"
                    + (" after a rectification" if milestone is acceptances[0] else "")
                    + (", and the worker is killed in the middle of the payout" if milestone is fatal else ""),
                    _accepted(milestone, rectified=milestone is acceptances[0], fatal=milestone is fatal),
                )
            )
    last = order.milestones[-1]
    if last.kind is MilestoneKind.WARRANTY:
        acts.append(Act(f"M{last.no} {last.name}: the warranty ends", _warranty_ends(last)))
    acts.append(Act("The platform sweeps its commission", commission_swept))
    return acts


async def owner_transfers(stage: Stage) -> None:
    """The owner pays in from the bound account; the bank's line is recognised and credited."""
    owner, price_fen = stage.contract.owner, stage.contract.order.price_fen
    line = await stage.sandbox.transfer(
        custody_account_no=stage.custody_account_no,
        amount_fen=price_fen,
        account_no=owner.bank_account.account_no,
        account_name=owner.name,
        remark="装修款",
    )
    stage.narrator.line(f"the bank booked {format_fen(line.amount_fen)} as {line.bank_serial_no} and told us")

    async def credited() -> bool:
        balances = await stage.api.get(f"members/{owner.member_no}/balances")
        return bool(balances["available_fen"] == price_fen)

    await until(credited, "the transfer was not credited to the owner")
    stage.narrator.line(f"recognised by its account: {format_fen(price_fen)} available to {owner.member_no}")


async def platform_pays_in(stage: Stage) -> None:
    """The platform transfers money of its own: its commission alone does not cover what the bank charges."""
    amount_fen = enough_own_money_fen(stage.contract)
    line = await stage.sandbox.transfer(
        custody_account_no=stage.custody_account_no,
        amount_fen=amount_fen,
        account_no=OWN_BANK_ACCOUNT.account_no,
        account_name=stage.contract.platform.name,
        remark="手续费备付",
    )

    async def credited() -> bool:
        platform = await stage.api.get("platform")
        return bool(platform["balances_fen"].get("own", 0) == amount_fen)

    await until(credited, "the platform's own transfer was not credited")
    stage.narrator.line(
        f"{format_fen(amount_fen)} as {line.bank_serial_no}: the commission does not cover the bank's charges here, "
        "and they are never members' money"
    )


async def order_paid(stage: Stage) -> None:
    """The order is opened by its contract; the owner freezes the full price."""
    order = stage.contract.order
    opening: dict[str, Any] = {
        "order_no": order.order_no,
        "owner_no": order.owner_no,
        "contractor_no": order.contractor_no,
        "total_fen": order.price_fen,
        "milestones": [
            {"name": milestone.name, "kind": milestone.kind, "amount_fen": milestone.amount_fen}
            for milestone in order.milestones
        ],
        "withdraw_automatically": order.withdraw_automatically,
    }
    opening |= {} if order.inspection_days is None else {"inspection_days": order.inspection_days}
    opening |= {} if order.retention_days is None else {"retention_days": order.retention_days}
    opened = await stage.api.post("orders", opening)
    stage.narrator.line(f"{order.order_no} is {opened['status']}; in Temporal's pages: {opened['workflow_id']}")
    answer = await stage.api.command(order.order_no, "pay", by=order.owner_no)
    held_fen = answer["order"]["held_fen"]
    if held_fen != order.price_fen:
        raise Refused("demo_failed", f"{format_fen(held_fen)} are held instead of {format_fen(order.price_fen)}.")
    stage.narrator.line(f"{format_fen(held_fen)} frozen in escrow; the order is {answer['order']['status']}")


async def work_starts(stage: Stage) -> None:
    """The contractor starts; where the contract has a deposit, it is released and withdrawn."""
    order = stage.contract.order
    answer = await stage.api.command(order.order_no, "start", by=order.contractor_no)
    first = order.milestones[0]
    if first.kind is not MilestoneKind.START:
        stage.narrator.line(f"the contract has no deposit; the order is {answer['order']['status']}")
        return
    await _released(stage, first)


async def _design_settled(stage: Stage) -> None:
    """Before work starts days pass, in which the channel settles and the books close."""
    await _days_pass(stage, _DAYS_BEFORE_WORK)
    await design_withdrawn(stage)


def _accepted(milestone: Milestone, *, rectified: bool, fatal: bool) -> Callable[[Stage], Awaitable[None]]:
    async def play(stage: Stage) -> None:
        order = stage.contract.order
        path = f"milestones/{milestone.no}"
        await stage.api.command(order.order_no, f"{path}/complete", by=order.contractor_no)
        stage.narrator.line(f"{order.contractor_no} reports M{milestone.no} complete; the inspection period runs")
        if rectified:
            note = "the switch in the kitchen is loose"
            await stage.api.command(order.order_no, f"{path}/rectify", by=order.owner_no, note=note)
            stage.narrator.line(f"{order.owner_no} asks for rectification: {note}; the clock stands still")
            await stage.api.command(order.order_no, f"{path}/complete", by=order.contractor_no)
            stage.narrator.line("put right and reported again; the clock goes on with the time that was left")
        fatal_here = fatal and splits_of(stage.contract)[milestone.no].net_fen > 0
        if fatal_here:
            await stage.sandbox.next_suffers("slow")
        await owner_accepts(stage, order.order_no, milestone.no)
        await _released(stage, milestone, fatal=fatal_here)

    return play


def _by_silence(milestone: Milestone) -> Callable[[Stage], Awaitable[None]]:
    async def play(stage: Stage) -> None:
        order = stage.contract.order
        await stage.api.command(order.order_no, f"milestones/{milestone.no}/complete", by=order.contractor_no)
        stage.narrator.line(f"{order.contractor_no} reports M{milestone.no} complete; the owner says nothing")
        days = order.inspection_days or DEFAULTS.inspection_days
        await _days_pass(stage, days)
        reminders = await sms_about(stage, f"{order.order_no}:M{milestone.no}:reminder:")
        if not reminders:
            raise Refused("demo_failed", "The owner was not reminded before the acceptance by silence.")
        for reminder in reminders:
            tell_sms(stage, reminder)
        await _released(stage, milestone)

    return play


def _warranty_ends(milestone: Milestone) -> Callable[[Stage], Awaitable[None]]:
    async def play(stage: Stage) -> None:
        await _days_pass(stage, stage.contract.order.retention_days or DEFAULTS.retention_days)
        await _released(stage, milestone)

    return play


async def commission_swept(stage: Stage) -> None:
    """What the platform earned goes to its own sub-account, as `escrow sweep` does it."""

    async def charges_booked() -> bool:
        kept = await stage.api.get("platform")
        bank_fen = await stage.bank.balance_fen(stage.custody_account_no)
        return bool(kept["custody_at_bank_fen"] == bank_fen)

    await until(charges_booked, "the bank's last charges were not booked")
    swept_fen = await sweep_commission(stage.books.recorder, stage.writer, stage.platform_no)
    stage.narrator.line(
        f"{format_fen(swept_fen)} from fees to its own sub-account, after the bank's charges"
        if swept_fen
        else "there is none: the bank's charges were as high"
    )


async def _released(stage: Stage, milestone: Milestone, *, fatal: bool = False) -> None:
    """Check and tell the release of a milestone, and follow its money to the contractor's bank account."""
    order = await stage.api.get(f"orders/{stage.order_no}")
    shown = order["milestones"][milestone.no - 1]
    expected = splits_of(stage.contract)[milestone.no]
    if shown["status"] != "released" or shown["commission_fen"] != expected.commission_fen:
        raise Refused("demo_failed", f"M{milestone.no} is {shown['status']} with {shown['commission_fen']} fen taken.")
    stage.narrator.line(
        f"released: {format_fen(expected.gross_fen)} = {format_fen(expected.net_fen)} to "
        f"{stage.contract.order.contractor_no} + {format_fen(expected.commission_fen)} commission; "
        f"the order is {order['status']} and holds {format_fen(order['held_fen'])}"
    )
    if expected.net_fen == 0:
        stage.narrator.line("nothing is left to withdraw")
        return
    withdrawal_no = await withdrawal_after_release(stage, milestone.no, expected.net_fen)
    if fatal:
        await worker_killed_while_paying(stage, withdrawal_no)
    await tell_arrival(
        stage,
        withdrawal_no,
        by_itself=stage.contract.order.withdraw_automatically,
        in_full=milestone.no == told_in_full(stage.contract),
    )


async def _days_pass(stage: Stage, days: int) -> None:
    async with stage.skipping() as skipping:
        now = await skipping.by(timedelta(days=days))
    stage.narrator.line(f"{days} days pass for the order, the books and the bank: it is {_local(now)}")


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M} in Shanghai"
