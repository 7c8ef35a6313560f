"""How the demo follows a withdrawal to the contractor's bank account, also across the death of the worker."""

import asyncio
from collections import Counter
from typing import Any

from temporalio.api.enums.v1 import EventType

from escrow.channels.sandbox_bank.steering import SentSms
from escrow.commands.demo.stage import Stage
from escrow.domain.errors import Refused
from escrow.domain.members.identity_numbers import mask
from escrow.domain.money.amounts import format_fen
from escrow.logs import mask_numbers

_ENDED = ("paid", "failed", "refused")
_POLL_SECONDS = 0.1
_WITHIN_SECONDS = 90.0


async def withdrawal_after_release(stage: Stage, milestone: int, net_fen: int) -> str:
    """Number of the withdrawal that follows a release: the order's own, or one the contractor asks for now."""
    if stage.contract.order.withdraw_automatically:
        return f"{stage.order_no}:M{milestone}:withdrawal:1"
    withdrawal_no = f"W-{milestone}"
    member_no = stage.contract.contractor.member_no
    await stage.api.post(
        "withdrawals", {"withdrawal_no": withdrawal_no, "member_no": member_no, "principal_fen": net_fen}
    )
    return withdrawal_no


async def paid(stage: Stage, withdrawal_no: str) -> dict[str, Any]:
    """Wait until the money has arrived; a queued withdrawal's hours are skipped.

    Raises:
        Refused: `demo_failed`, it did not arrive.
    """
    give_up_at = asyncio.get_running_loop().time() + _WITHIN_SECONDS
    while True:
        withdrawal = await _withdrawal(stage, withdrawal_no)
        status = withdrawal["status"] if withdrawal else "not there yet"
        if withdrawal and status in _ENDED:
            if status != "paid":
                raise Refused("demo_failed", f"Withdrawal {withdrawal_no} is {status}: {withdrawal['reasons']}")
            return withdrawal
        if withdrawal and status == "queued":
            async with stage.skipping() as skipping:
                now = await skipping.until(await skipping.when_due(withdrawal["workflow_id"]))
            stage.narrator.line(
                f"no open rail carries {withdrawal_no}: hours pass, it is {now:%Y-%m-%d %H:%M} in Shanghai"
            )
        if asyncio.get_running_loop().time() > give_up_at:
            raise Refused("demo_failed", f"Withdrawal {withdrawal_no} is still {status} after {_WITHIN_SECONDS:g} s.")
        await asyncio.sleep(_POLL_SECONDS)


async def tell_arrival(stage: Stage, withdrawal_no: str, *, by_itself: bool, in_full: bool) -> None:
    """Follow a withdrawal to its arrival and tell it; in full with the reasons for the rail and the SMS."""
    withdrawal = await paid(stage, withdrawal_no)
    account = stage.contract.contractor.bank_account
    serial_no = withdrawal["attempts"][-1]["bank_serial_no"]
    stage.narrator.line(
        f"{'withdrawn by itself: ' if by_itself else ''}{format_fen(withdrawal['principal_fen'])} arrived at "
        f"{account.bank_name} {mask(account.account_no)} over {withdrawal['rail']}, bank serial number {serial_no}"
    )
    if not in_full:
        return
    stage.narrator.line("why this rail, as the withdrawal keeps it:")
    for reason in withdrawal["reasons"]:
        stage.narrator.aside(f"  {reason}")
    announced = await sms_about(stage, f"{withdrawal_no}:sms")
    if not announced:
        stage.narrator.line("no SMS: the amount is not above the platform's threshold for large withdrawals")
    for message in announced:
        tell_sms(stage, message)


async def worker_killed_while_paying(stage: Stage, withdrawal_no: str) -> None:
    """Kill the worker after the bank took the payment order in and before it answers, then start it again.

    The bank's answer must have been ordered slow before the release.

    Raises:
        Refused: `demo_failed`, the payout was sent twice or not found by query.
    """
    request_no = f"{stage.platform_no}/{withdrawal_no}:payout:1"
    give_up_at = asyncio.get_running_loop().time() + _WITHIN_SECONDS
    while not await _at_bank(stage, request_no):
        withdrawal = await _withdrawal(stage, withdrawal_no)
        if withdrawal and withdrawal["status"] == "queued":
            stage.narrator.line("no rail is open now: the withdrawal waits, and the worker is killed when it is sent")
            async with stage.skipping() as skipping:
                await skipping.until(await skipping.when_due(withdrawal["workflow_id"]))
        if asyncio.get_running_loop().time() > give_up_at:
            raise Refused("demo_failed", f"The payment order {request_no} did not reach the bank.")
        await asyncio.sleep(_POLL_SECONDS)
    worker = stage.stack.worker
    stage.narrator.line(f"the bank has the payment order {request_no} and is slow to answer …")
    stage.narrator.line(f"worker, process {worker.pid}: killed with SIGKILL")
    await worker.kill()
    killed_at = asyncio.get_running_loop().time()
    await worker.start()
    stage.narrator.line(f"worker, process {worker.pid}: started")
    withdrawal = await paid(stage, withdrawal_no)
    seconds = asyncio.get_running_loop().time() - killed_at
    at_bank = await _at_bank(stage, request_no)
    calls = await _activities(stage, withdrawal["workflow_id"])
    if at_bank != 1 or calls["send_payout"] != 1 or calls["ask_about_payout"] < 1 or len(withdrawal["attempts"]) != 1:
        raise Refused("demo_failed", f"{withdrawal_no}: {at_bank} payouts at the bank, calls {dict(calls)}")
    stage.narrator.line(
        f"paid {seconds:.1f} s after the kill; sent once, found by query: "
        f"the history shows {calls['send_payout']} × send_payout and "
        f"{calls['ask_about_payout']} × ask_about_payout, the bank has {at_bank} payout under this number"
    )


async def sms_about(stage: Stage, request_no: str) -> list[SentSms]:
    """Messages in the bank's outbox under one request number of ours, or under one that begins with it."""
    prefix = f"{stage.platform_no}/{request_no}"
    return [message for message in await stage.sandbox.sms_outbox() if message.req_seq.startswith(prefix)]


def tell_sms(stage: Stage, message: SentSms) -> None:
    """Show a message as the member got it, the mobile masked."""
    stage.narrator.line(f"SMS to {mask_numbers(message.mobile)}: {message.text}")


async def _withdrawal(stage: Stage, withdrawal_no: str) -> dict[str, Any] | None:
    try:
        return await stage.api.get(f"withdrawals/{withdrawal_no}")
    except Refused as refusal:
        if refusal.code != "not_found":
            raise
        return None


async def _at_bank(stage: Stage, request_no: str) -> int:
    return sum(payout["reqSeq"] == request_no for payout in await stage.sandbox.payouts())


async def _activities(stage: Stage, workflow_id: str) -> Counter[str]:
    history = await stage.temporal.get_workflow_handle(workflow_id).fetch_history()
    return Counter(
        event.activity_task_scheduled_event_attributes.activity_type.name
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    )
