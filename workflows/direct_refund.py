"""DirectRefund: what a channel collected for an order goes back through it, or else to the owner's sub-account.

Read `run` first. What goes back stands in the books; the channel is asked once by the activity that books what it says.
"""

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError
from temporalio.workflow import HandlerUnfinishedPolicy

with workflow.unsafe.imports_passed_through():
    from activities.failures import from_temporal
    from activities.returns import RefundNo, ReturnActivities
    from escrow.domain.collections.direct_payments import DirectRefundStatus
    from escrow.domain.collections.view import RefundView
    from escrow.domain.errors import Refused
    from workflows.elapsed import Elapsed
    from workflows.messages import OperatorCommand, RefundProcessState, RefundRef
    from workflows.search_attributes import show_search_attributes
    from workflows.supervision import Supervision, backoff, require_attention
    from workflows.timeouts import CHANNEL_STEP, SMS
    from workflows.uncancelled import why_unfinished

#: What has no answer is asked about after this long, then after as long as it was in vain.
_ASKED_AGAIN_AFTER = timedelta(seconds=1)


@workflow.defn(name="DirectRefund")
class DirectRefundProcess:
    """One refund."""

    @workflow.init
    def __init__(self, refund: RefundRef) -> None:
        self.number = RefundNo(platform_no=refund.platform_no, order_no=refund.order_no)
        self.supervision = Supervision(refresh=self.refresh, begun_with=refund, now=self.now)
        self.view: RefundView | None = None
        self.since_seen = Elapsed()
        self.since_begun = Elapsed()
        self.trouble: str | None = None
        self.looks = 0
        #: How many of them it was told when the channel was asked last: one that comes meanwhile has it asked again.
        self.looks_seen = 0
        workflow.register_random_seed_callback(lambda _: self.told_to_look())

    @workflow.run
    async def run(self, refund: RefundRef) -> str:
        """Ask the channel once, find out what became of it; when the owner has the money otherwise, tell it."""
        if not await self.ask():
            return "not_found"
        while self.view is None or self.view.status is DirectRefundStatus.UNDER_WAY:
            await self.pause()
            self.supervision.begin_anew_if_long()
            await self.ask()
        if self.view.must_be_told:
            await self.supervision.finished(asyncio.create_task(self.tell_owner()))
        await self.supervision.last_answers()
        return str(self.view.status.value)

    async def ask(self) -> bool:
        """Have the channel asked, and what it says booked; False when the books know of no refund."""
        self.looks_seen = self.looks
        asking = workflow.execute_activity_method(
            ReturnActivities.refund_order, self.number, summary="give the money back, or ask about it", **CHANNEL_STEP
        )
        try:
            self.view = await self.supervision.uncancelled(asking)
            self.since_seen, self.trouble = Elapsed(), None
        except ActivityError as error:
            if isinstance(from_temporal(error), Refused):
                self.supervision.note("refund", why_unfinished(error))
                return False
            self.trouble = why_unfinished(error)
        self.refresh()
        return True

    async def pause(self) -> None:
        """Before it is asked again: as long as it was in vain so far; hours, once an operator looks on."""
        in_vain_for = self.since_begun.passed
        if self.view is not None and self.view.silent_for is not None:
            in_vain_for = self.view.silent_for + self.since_seen.passed
        await self.supervision.pause(
            backoff(max(in_vain_for, _ASKED_AGAIN_AFTER), needs_attention=self.attention is not None),
            summary="wait for the refund",
            unless=lambda: self.looks > self.looks_seen,
        )

    async def tell_owner(self) -> None:
        """The owner has the refund otherwise than it paid: say so."""
        await self.supervision.told(
            self.text,
            is_due=lambda: self.view is not None and self.view.must_be_told,
            failure=lambda: None if self.view is None else self.view.untold,
            what="the owner could not be told",
        )

    async def text(self) -> None:
        """Have the SMS sent."""
        telling = workflow.execute_activity_method(
            ReturnActivities.tell_refund_credited, self.number, summary="SMS: refund in the sub-account", **SMS
        )
        self.view = await self.supervision.uncancelled(telling)
        self.since_seen = Elapsed()

    @property
    def attention(self) -> str | None:
        """Why an operator is needed."""
        return self.supervision.attention or (None if self.view is None else self.view.attention)

    def now(self) -> datetime:
        """The present moment by the books, as far as this process has heard of it."""
        return self.since_seen.now(None if self.view is None else self.view.seen_at)

    def told_to_look(self) -> None:
        """What was seen of the books may be old."""
        self.looks += 1
        self.supervision.look()

    def refresh(self) -> None:
        """Bring details and search attributes up to date."""
        lines = [f"### refund of {self.number.order_no}"]
        lines += [f"**Tried in vain:** {self.trouble}"] if self.trouble else []
        lines += [f"**NEEDS ATTENTION:** {self.attention}"] if self.attention else []
        lines += [f"- noted {note.name}: {note.reason}" for note in self.supervision.noted]
        workflow.set_current_details("\n\n".join(lines))
        show_search_attributes(status=None, stage=None, needs_attention=self.attention is not None)

    @workflow.signal(unfinished_policy=HandlerUnfinishedPolicy.ABANDON)
    async def look(self) -> None:
        """The books may have moved, or their time: look at them anew."""
        self.told_to_look()

    @workflow.update
    async def resume(self, command: OperatorCommand) -> str:
        """Operator: the cause is mended, ask again now."""
        self.told_to_look()
        self.supervision.resume()
        return f"resumed for {command.operator}"

    @resume.validator
    def check_resume(self, command: OperatorCommand) -> None:
        """Refuse when nothing waits for an operator."""
        require_attention(self.attention, code="refund_state", what="refund")

    @workflow.query(name="state")
    def state_now(self) -> RefundProcessState:
        """Where the refund stands as this process has seen it."""
        return RefundProcessState(
            refund=self.view, attention=self.attention, trouble=self.trouble, noted=tuple(self.supervision.noted)
        )
