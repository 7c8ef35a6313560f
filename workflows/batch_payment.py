"""BatchPayment: a list of orders of one owner is paid by one posting, and each order lives alone from there.

Read `run` first. From the owner's balance all orders are frozen or none. Where a channel collects the total, what it
collected is frozen by who asked the channel, for the orders that still wait; this process starts that collection and
waits for its end. An order that was not told finds in the books that it is paid.
"""

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.workflow import HandlerUnfinishedPolicy

with workflow.unsafe.imports_passed_through():
    from activities.batch_payments import BatchNo, BatchPaymentActivities
    from escrow.domain.collections.batch_payments import BatchStatus, ShareOutcome, batch_pay_in_no
    from escrow.domain.collections.view import BatchView
    from escrow.domain.money.amounts import format_fen
    from workflows.batch_messages import BatchPaymentOutcome, BatchProcessState
    from workflows.elapsed import Elapsed
    from workflows.messages import BatchRef, OperatorCommand
    from workflows.search_attributes import show_search_attributes
    from workflows.supervision import Supervision, require_attention
    from workflows.waking import look_at, wake

#: A batch is told when its collection has ended; one that was not looks by itself.
_LOOKED_AT_EVERY = timedelta(hours=6)


@workflow.defn(name="BatchPayment")
class BatchPayment:
    """One batch."""

    @workflow.init
    def __init__(self, batch: BatchRef) -> None:
        self.number = BatchNo(platform_no=batch.platform_no, batch_no=batch.batch_no)
        self.supervision = Supervision(refresh=self.refresh, begun_with=batch, now=self.now)
        self.view: BatchView | None = None
        self.since_seen = Elapsed()
        self.is_stale = False
        workflow.register_random_seed_callback(lambda _: self.told_to_look())

    @workflow.run
    async def run(self, batch: BatchRef) -> BatchPaymentOutcome:
        """Pay all orders from the balance, or have their total collected; those that are paid are told to look."""
        refusal = await self.take("pay it, or enter it for a channel to collect")
        if self.view is None:
            return BatchPaymentOutcome(
                batch_no=self.number.batch_no, status=BatchStatus.REFUSED, frozen_fen=0, reason=refusal
            )
        if self.seen.status is BatchStatus.AWAITING_PAYMENT:
            collection = ("pay_in", batch_pay_in_no(self.number.batch_no))
            await wake(self.supervision, self.number.platform_no, (collection,))
            await self.collected()
        await self.tell_orders()
        await self.supervision.last_answers()
        return BatchPaymentOutcome(
            batch_no=self.number.batch_no,
            status=self.seen.status,
            frozen_fen=self.seen.frozen_fen,
            reason=self.seen.reason,
        )

    async def take(self, summary: str) -> str | None:
        """Have the books decide, or see where the batch stands; answers why a rule said no."""
        taken = await self.supervision.certain(BatchPaymentActivities.take_batch, self.number, summary=summary)
        if taken.view is not None:
            self.view, self.since_seen = taken.view, Elapsed()
            self.refresh()
        return None if taken.refusal is None else taken.refusal.message

    async def collected(self) -> None:
        """Stay until the channel has paid, or no payment can come any more."""
        while self.seen.status is BatchStatus.AWAITING_PAYMENT:
            self.is_stale = False
            await self.supervision.pause(
                _LOOKED_AT_EVERY, summary="while its collection goes on", unless=lambda: self.is_stale
            )
            self.supervision.begin_anew_if_long()
            await self.take("where the batch stands in the books")

    async def tell_orders(self) -> None:
        """The orders that are paid look into the books."""
        paid = (share.order_no for share in self.seen.orders if share.outcome is ShareOutcome.FROZEN)
        await look_at(self.supervision, self.number.platform_no, tuple(("order", number) for number in paid))

    @property
    def seen(self) -> BatchView:
        """Where the batch stands, as last seen."""
        assert self.view is not None  # noqa: S101 - the process begins with it
        return self.view

    def now(self) -> datetime:
        """The present moment by the books, as far as this process has heard of it."""
        return self.since_seen.now(None if self.view is None else self.view.seen_at)

    def told_to_look(self) -> None:
        """What was seen of the books may be old."""
        self.is_stale = True
        self.supervision.look()

    def refresh(self) -> None:
        """Bring details and search attributes up to date."""
        attention = self.supervision.attention
        lines = [f"### batch {self.number.batch_no}"]
        if self.view is not None:
            seen = self.view
            lines = [
                f"### batch {self.number.batch_no}: {seen.status.value.replace('_', ' ')}",
                f"{len(seen.orders)} orders of {seen.payer_no}, paid by {seen.paid_by}; "
                f"{format_fen(seen.frozen_fen)} yuan frozen",
                "\n".join(
                    [
                        "| order | share |\n|---|---|",
                        *(f"| {share.order_no} | {share.outcome} |" for share in seen.orders),
                    ]
                ),
            ]
            lines += [f"**Reason:** {seen.reason}"] if seen.reason else []
        lines += [f"**NEEDS ATTENTION:** {attention}"] if attention else []
        lines += [f"- noted {note.name}: {note.reason}" for note in self.supervision.noted]
        workflow.set_current_details("\n\n".join(lines))
        show_search_attributes(status=None, stage=None, needs_attention=attention is not None)

    @workflow.signal(unfinished_policy=HandlerUnfinishedPolicy.ABANDON)
    async def look(self) -> None:
        """The books may have moved, or their time: look at them anew."""
        self.told_to_look()

    @workflow.update
    async def resume(self, command: OperatorCommand) -> str:
        """Operator: the cause is mended, try again now."""
        self.supervision.resume()
        return f"resumed for {command.operator}"

    @resume.validator
    def check_resume(self, command: OperatorCommand) -> None:
        """Refuse when nothing waits for an operator."""
        require_attention(self.supervision.attention, code="batch_state", what="batch")

    @workflow.query(name="state")
    def state_now(self) -> BatchProcessState:
        """Where the batch stands as this process has seen it."""
        return BatchProcessState(
            batch=self.view, attention=self.supervision.attention, noted=tuple(self.supervision.noted)
        )
