"""MemberClosing: waits until a member's last payout can no longer come back, then closes the member for good."""

from temporalio import workflow
from temporalio.exceptions import ActivityError
from temporalio.workflow import HandlerUnfinishedPolicy

with workflow.unsafe.imports_passed_through():
    from activities.member_closing import ClosingRef, MemberClosingActivities
    from workflows.books_clock import BooksClock
    from workflows.messages import MemberClosingInput
    from workflows.timeouts import LEDGER_POSTING, OPERATOR_MAY_TAKE
    from workflows.uncancelled import uncancelled, why_unfinished


@workflow.defn(name="MemberClosing")
class MemberClosing:
    """One closing of a member, which began in the ledger before."""

    @workflow.init
    def __init__(self, closing: MemberClosingInput) -> None:
        self.clock = BooksClock(closing.platform_no)
        self.cancels = 0

    @workflow.run
    async def run(self, closing: MemberClosingInput) -> str:
        """Wait for the day, look again, close or break off; the member's status."""
        ref = ClosingRef(platform_no=closing.platform_no, member_no=closing.member_no, request_no=closing.request_no)
        workflow.set_current_details(f"{closing.member_no} closes at {closing.closes_at.isoformat()}")
        await self.clock.begin(on_cancel=self.note_cancel)
        await self.clock.until(
            lambda: False,
            closing.closes_at,
            summary="the last payout can still come back",
            on_cancel=self.note_cancel,
        )
        while True:
            try:
                return await uncancelled(
                    workflow.execute_activity_method(
                        MemberClosingActivities.complete_closing,
                        ref,
                        summary="look again, then close",
                        **LEDGER_POSTING,
                    ),
                    on_cancel=self.note_cancel,
                )
            except ActivityError as error:
                workflow.set_current_details(f"**Not closed yet:** {why_unfinished(error)}")
            await self.clock.pause(OPERATOR_MAY_TAKE, summary="try again", on_cancel=self.note_cancel)

    def note_cancel(self) -> None:
        """A member must not stay between open and closed: a cancellation from outside is counted and passed over."""
        self.cancels += 1

    @workflow.signal(unfinished_policy=HandlerUnfinishedPolicy.ABANDON)
    async def look(self) -> None:
        """The books' time was moved: what is left until the closing is counted anew."""
        await self.clock.look()

    @workflow.query
    def cancels_passed_over(self) -> int:
        """How often somebody asked Temporal to cancel this."""
        return self.cancels
