"""Withdrawal: money from a sub-account to a bank account, over the best rail that is open.

Read `run` first. What is held, sent, paid and given back the books decide; this process waits, and branches on what it
has seen of them. A payment order is sent once under its own number; whatever has no answer is asked about; the next
rail is tried after a definite failure only; when no rail is left the money is given back.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError
from temporalio.workflow import HandlerUnfinishedPolicy

with workflow.unsafe.imports_passed_through():
    from activities.failures import from_temporal
    from activities.withdrawals import TakeWithdrawal, WithdrawalActivities, WithdrawalNo
    from escrow.domain.withdrawals.states import WithdrawalStatus
    from escrow.domain.withdrawals.view import WithdrawalView
    from workflows.elapsed import Elapsed
    from workflows.messages import OperatorCommand, WithdrawalOutcome, WithdrawalProcessState, WithdrawalRef
    from workflows.search_attributes import show_search_attributes
    from workflows.supervision import Supervision, backoff, require_attention
    from workflows.timeouts import (
        ASKED_AGAIN_AFTER,
        BANK_QUESTION,
        BANK_SUBMISSION,
        SMS,
    )
    from workflows.uncancelled import why_unfinished
    from workflows.withdrawal_display import withdrawal_details


@workflow.defn(name="Withdrawal")
class Withdrawal:
    """One withdrawal."""

    @workflow.init
    def __init__(self, withdrawal: WithdrawalRef) -> None:
        self.number = WithdrawalNo(platform_no=withdrawal.platform_no, withdrawal_no=withdrawal.withdrawal_no)
        self.supervision = Supervision(refresh=self.refresh, begun_with=withdrawal, now=self.now)
        self.view: WithdrawalView | None = None
        self.since_seen = Elapsed()
        #: Whether what was seen of the books may be old: after a look, and after a reset.
        self.is_stale = False
        #: Why the bank could not be asked at last, and how often in a row a payment order could not be sent.
        self.trouble: str | None = None
        self.sent_in_vain = 0
        #: The payment order about which this run has asked.
        self.asked_about: str | None = None
        self.notices = 0
        #: How many of them had come when the bank was asked last: one that comes meanwhile has it asked again.
        self.notices_seen = 0
        workflow.register_random_seed_callback(lambda _: self.go_stale())

    @workflow.run
    async def run(self, withdrawal: WithdrawalRef) -> WithdrawalOutcome:
        """Hold the money, tell the member of a large amount, pay over the best rail, or give the money back."""
        refusal = await self.hold()
        if self.view is None:
            return WithdrawalOutcome(withdrawal_no=self.number.withdrawal_no, status="refused", reason=refusal)
        announcement = asyncio.create_task(self.announce())
        while not self.seen.status.is_final:
            self.supervision.begin_anew_if_long()
            if self.is_stale:
                await self.hold()
            elif self.seen.silent_for is not None:
                await self.ask()
            elif self.seen.status is WithdrawalStatus.QUEUED and self.left > timedelta(0):
                await self.opening()
            else:
                await self.send()
            await self.overdue()
        await self.supervision.finished(announcement)
        await self.supervision.last_answers()
        return self.outcome()

    # ---- the way of the money, step by step ----

    async def hold(self, *, overdue_at: int | None = None) -> str | None:
        """Have principal and fee held, or see where the withdrawal stands; answers why a rule said no."""
        self.is_stale = False
        taken = await self.supervision.certain(
            WithdrawalActivities.take_withdrawal,
            TakeWithdrawal(**self.number.model_dump(), overdue_at=overdue_at),
            summary="hold principal and fee" if overdue_at is None else "call an operator",
        )
        if taken.view is not None:
            self.adopt(taken.view)
        return taken.refusal

    async def send(self) -> None:
        """Send one payment order over the best rail that is open; what cannot be sent waits, or is given back."""
        if self.sent_in_vain:
            pause = self.within_limits(ASKED_AGAIN_AFTER * 2 ** min(self.sent_in_vain - 1, 10))
            await self.supervision.pause(pause, summary="ask the bank about its rails", unless=self.is_told)
        self.notices_seen = self.notices
        sending = workflow.execute_activity_method(
            WithdrawalActivities.send_payout,
            self.number,
            summary="choose a rail and send the payment order",
            **BANK_SUBMISSION,
        )
        try:
            self.succeeds(await self.supervision.uncancelled(sending))
        except ActivityError as error:
            self.sent_in_vain += 1
            self.is_stale = True  # it may have been sent all the same
            self.fails(f"the payment order could not be sent: {_why(error)}")
            return
        self.sent_in_vain = 0
        if self.seen.attention is not None and self.seen.silent_for is None:
            await self.supervision.operator(self.seen.attention, unless=lambda: self.is_stale)

    async def ask(self) -> None:
        """Ask the bank what became of the payment order: at once where it has not answered, else after a moment.

        A notice of the bank only makes us ask sooner.
        """
        number = self.seen.payout_no
        silent_for = (self.seen.silent_for or timedelta(0)) + self.since_seen.passed
        if self.seen.status is not WithdrawalStatus.UNKNOWN or self.asked_about == number:
            pause = self.within_limits(silent_for)
            await self.supervision.pause(pause, summary=f"ask the bank about {number}", unless=self.is_told)
        self.notices_seen = self.notices
        self.asked_about = number
        asking = workflow.execute_activity_method(
            WithdrawalActivities.ask_about_payout,
            self.number,
            summary="ask the bank what became of the payment order",
            **BANK_QUESTION,
        )
        try:
            self.succeeds(await self.supervision.uncancelled(asking))
        except ActivityError as error:
            self.fails(f"the bank does not say what became of {number}: {_why(error)}")

    async def opening(self) -> None:
        """Wait until a rail opens, then look again."""
        await self.supervision.until(lambda: self.is_stale, at_most=self.left, summary="wait for a rail to open")

    async def overdue(self) -> None:
        """What has taken too long, by the books, is shown to an operator; it is tried and asked about all the same."""
        seen = self.seen
        waits = seen.status.is_final or seen.status is WithdrawalStatus.QUEUED or seen.due_in is None
        if not waits and self.left <= timedelta(0):
            await self.hold(overdue_at=seen.version)

    async def announce(self) -> None:
        """One SMS for an accepted large withdrawal, whatever rails and retries follow; it never holds the money up."""
        if not self.seen.must_be_announced:
            return
        await self.supervision.told(
            self.text,
            is_due=lambda: self.seen.must_be_announced,
            failure=lambda: self.seen.unannounced,
            what="the large withdrawal could not be announced",
            wakes=self.is_told_from_now,
        )

    async def text(self) -> None:
        """Have the SMS sent."""
        telling = workflow.execute_activity_method(
            WithdrawalActivities.announce_withdrawal, self.number, summary="SMS: large withdrawal", **SMS
        )
        self.adopt(await self.supervision.uncancelled(telling))

    # ---- what the bank, operators and callers say ----

    @workflow.signal(dynamic=True)
    async def notified(self, name: str, payloads: Sequence[RawValue]) -> None:
        """`bank_notice` wakes the withdrawal, which then asks the bank itself; anything else is noted."""
        if name == "bank_notice":
            self.notices += 1
        else:
            self.supervision.note(name, "a withdrawal takes no such message")

    @workflow.signal(unfinished_policy=HandlerUnfinishedPolicy.ABANDON)
    async def look(self) -> None:
        """The books may have moved, or their time: look at them anew."""
        self.go_stale()

    @workflow.update
    async def resume(self, command: OperatorCommand) -> str:
        """Operator: the cause is mended, try or ask again now."""
        self.notices += 1
        self.supervision.resume()
        return f"resumed for {command.operator}"

    @resume.validator
    def check_resume(self, command: OperatorCommand) -> None:
        """Refuse when nothing waits for an operator."""
        require_attention(self.attention, code="withdrawal_state", what="withdrawal")

    @workflow.query(name="state")
    def state_now(self) -> WithdrawalProcessState:
        """Where the withdrawal stands as this process has seen it."""
        return WithdrawalProcessState(
            withdrawal=self.view,
            attention=self.attention,
            trouble=self.trouble,
            noted=tuple(self.supervision.noted),
        )

    # ---- parts ----

    @property
    def seen(self) -> WithdrawalView:
        """Where the withdrawal stands, as last seen."""
        assert self.view is not None  # noqa: S101 - a process begins with `hold`
        return self.view

    @property
    def left(self) -> timedelta:
        """What is left now until something has to happen."""
        return (self.seen.due_in or timedelta(0)) - self.since_seen.passed

    @property
    def attention(self) -> str | None:
        """Why an operator is needed."""
        return self.supervision.attention or (None if self.view is None else self.view.attention)

    def now(self) -> datetime:
        """The present moment by the books, as far as this process has heard of it."""
        return self.since_seen.now(None if self.view is None else self.view.seen_at)

    def go_stale(self) -> None:
        """What was seen of the books may be old, and whatever is paused is tried again now."""
        self.is_stale = True
        self.supervision.look()

    def is_told(self) -> bool:
        """Whether the bank or an operator has said something since the bank was asked last."""
        return self.notices > self.notices_seen

    def is_told_from_now(self) -> Callable[[], bool]:
        """Whether the bank or an operator has said something since now."""
        notices = self.notices
        return lambda: self.notices > notices

    def within_limits(self, in_vain_for: timedelta) -> timedelta:
        """Pause before the bank is asked again: as long as it was in vain so far; hours, once an operator looks on."""
        in_vain_for = max(in_vain_for, ASKED_AGAIN_AFTER)
        return backoff(in_vain_for, needs_attention=self.attention is not None)

    def adopt(self, view: WithdrawalView) -> None:
        """Go on from what the books say now; what was seen before is not gone back to."""
        if self.view is None or view.version >= self.view.version:
            self.view, self.since_seen = view, Elapsed()
            self.refresh()

    def succeeds(self, view: WithdrawalView) -> None:
        """The bank has spoken."""
        self.trouble = None
        self.adopt(view)

    def fails(self, reason: str) -> None:
        """The bank could not be asked; it is asked again later."""
        self.trouble = reason
        self.refresh()

    def refresh(self) -> None:
        """Bring details and search attributes up to date."""
        if self.view is not None:
            workflow.set_current_details(withdrawal_details(self.number.withdrawal_no, self.state_now()))
            show_search_attributes(status=None, stage=None, needs_attention=self.attention is not None)

    def outcome(self) -> WithdrawalOutcome:
        """How the withdrawal ended."""
        seen = self.seen
        is_paid = seen.status is WithdrawalStatus.PAID
        return WithdrawalOutcome(
            withdrawal_no=self.number.withdrawal_no,
            status="returned" if seen.status is WithdrawalStatus.FAILED else seen.status.value,
            rail=seen.rail if is_paid else None,
            bank_serial_no=seen.bank_serial_no,
            reason=seen.reason,
        )


def _why(error: ActivityError) -> str:
    known = from_temporal(error)
    return why_unfinished(error) if known is None else known.message
