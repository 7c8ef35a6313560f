"""DirectRefund: what a channel collected for an order goes back through it, or else to the owner's sub-account."""

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.direct_payments import DirectRefundActivities
    from activities.failures import from_temporal, to_temporal
    from activities.notices import NoticeActivities, RefundCredited
    from activities.orders import OrderRef
    from escrow.domain.collections.direct_payments import DirectRefundStatus
    from escrow.domain.errors import Refused
    from workflows.desk import Desk
    from workflows.messages import OperatorCommand, RefundRef
    from workflows.timeouts import BANK_SUBMISSION, CHANNEL_BOOKING, COLLECTION_ASKED_AT_MOST_EVERY, SMS
    from workflows.transfer_messages import TransferState
    from workflows.uncancelled import uncancelled, why_unfinished

#: The desk's base wants a bound; a refund's history stays far below it.
_NEVER_CONTINUED = 50_000
_FIRST_ASKED_AFTER = timedelta(seconds=1)


@workflow.defn(name="DirectRefund")
class DirectRefundProcess(Desk):
    """One refund."""

    @workflow.init
    def __init__(self, refund: RefundRef) -> None:
        super().__init__(refund.platform_no, _NEVER_CONTINUED)
        self.refund = OrderRef(platform_no=refund.platform_no, order_no=refund.order_no)
        self.state = TransferState()

    @property
    def attended(self) -> TransferState:
        """The state that operators look at."""
        return self.state

    @workflow.run
    async def run(self, refund: RefundRef) -> str:
        """Ask the channel once, find out what became of it, book that."""
        await self.clock.begin(on_cancel=self.note_cancel)
        self.refresh()
        try:
            await self.call(DirectRefundActivities.refund_direct, BANK_SUBMISSION, "give the money back")
        except ActivityError as error:
            known = from_temporal(error)
            self.note("refund", known.message if known is not None else why_unfinished(error))
        await self.ended_at_channel()
        status = await self.book()
        if status == DirectRefundStatus.CREDITED:
            await self.tell_owner()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return status

    async def ended_at_channel(self) -> None:
        """Ask until the channel says how the refund ended."""
        pause = _FIRST_ASKED_AFTER
        while True:
            try:
                answer = await self.call(
                    DirectRefundActivities.query_direct_refund, CHANNEL_BOOKING, "ask what became of the refund"
                )
            except ActivityError as error:
                self.note("refund", why_unfinished(error))
            else:
                if answer.status in ("succeeded", "failed") or answer.final:
                    return
            await self.clock.pause(pause, summary="wait for the refund", on_cancel=self.note_cancel)
            pause = min(pause * 2, COLLECTION_ASKED_AT_MOST_EVERY)

    async def book(self) -> str:
        """Book how the refund ended; a refusal goes to an operator and is tried again."""
        while True:
            try:
                return await self.certain(
                    lambda: workflow.execute_activity_method(
                        DirectRefundActivities.settle_direct_refund,
                        self.refund,
                        summary="book how the refund ended",
                        **CHANNEL_BOOKING,
                    )
                )
            except Refused as refusal:
                await self.wait_for_operator(f"the refund could not be booked: {refusal.message}")

    async def tell_owner(self) -> None:
        """The owner has the refund otherwise than it paid: say so. What cannot be said holds nothing up."""
        notice = RefundCredited(platform_no=self.refund.platform_no, order_no=self.refund.order_no)
        try:
            await uncancelled(
                workflow.execute_activity_method(
                    NoticeActivities.tell_refund_credited, notice, summary="SMS: refund in the sub-account", **SMS
                ),
                on_cancel=self.note_cancel,
            )
        except ActivityError as error:
            self.note("sms", f"the owner could not be told: {why_unfinished(error)}")

    async def call(self, activity: Any, timeouts: Any, summary: str) -> Any:
        """Run an activity of this refund to its end."""
        return await uncancelled(
            workflow.execute_activity_method(activity, self.refund, summary=summary, **timeouts),
            on_cancel=self.note_cancel,
        )

    def refresh(self) -> None:
        """Bring the details up to date."""
        attention = f"**NEEDS ATTENTION:** {self.state.attention}" if self.state.attention else ""
        notes = "\n".join(f"- {note.reason}" for note in self.state.noted)
        workflow.set_current_details(f"refund of {self.refund.order_no}\n\n{attention}\n\n{notes}")

    @workflow.update
    async def resume(self, command: OperatorCommand) -> str:
        """Operator: the cause is mended, try again now."""
        self.operator_calls += 1
        return f"resumed for {command.operator}"

    @resume.validator
    def check_resume(self, command: OperatorCommand) -> None:
        """Refuse when nothing waits for an operator."""
        if not self.state.attention:
            raise to_temporal(Refused("refund_state", "The refund needs no attention; nothing to resume."))
