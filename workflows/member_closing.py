"""MemberClosing: waits until a member's last payout can no longer come back, then closes the member for good."""

from datetime import datetime

from temporalio import workflow
from temporalio.workflow import HandlerUnfinishedPolicy

with workflow.unsafe.imports_passed_through():
    from activities.member_closing import ClosingRef, ClosingStanding, MemberClosingActivities
    from workflows.backoff import Backoff
    from workflows.books_clock import BooksClock
    from workflows.messages import MemberClosingInput, NotedMessage, OperatorCommand
    from workflows.search_attributes import show_members_process
    from workflows.supervision import Supervision, require_attention
    from workflows.timeouts import LEDGER_POSTING, OPERATOR_MAY_TAKE, STEP_FIRST_TRIED_AGAIN_AFTER


@workflow.defn(name="MemberClosing")
class MemberClosing:
    """One closing of a member, which began in the ledger before."""

    @workflow.init
    def __init__(self, closing: MemberClosingInput) -> None:
        self.ref = ClosingRef(
            platform_no=closing.platform_no, member_no=closing.member_no, request_no=closing.request_no
        )
        self.clock = BooksClock(closing.platform_no)
        self.supervision = Supervision(refresh=self.refresh, begun_with=closing, now=self.clock.now)
        self.backoff = Backoff(
            self.supervision,
            first=STEP_FIRST_TRIED_AGAIN_AFTER,
            at_most=OPERATOR_MAY_TAKE,
        )

    @workflow.run
    async def run(self, closing: MemberClosingInput) -> str:
        """Wait for the day, look again, close or break off; the member's status."""
        await self.clock.begin(on_cancel=self.supervision.note_cancel)
        standing = await self.standing()
        status = standing.status or "unknown" if standing.closes_at is None else await self.closed(standing.closes_at)
        await self.supervision.last_answers()
        return status

    async def closed(self, closes_at: datetime) -> str:
        """Wait for the day and have the closing completed; the member's status."""
        workflow.set_current_details(f"{self.ref.member_no} closes at {closes_at.isoformat()}")
        await self.clock.until(
            lambda: False,
            closes_at,
            summary="the last payout can still come back",
            on_cancel=self.supervision.note_cancel,
        )
        return await self.backoff.until_it_succeeds(
            lambda: workflow.execute_activity_method(
                MemberClosingActivities.complete_closing, self.ref, summary="look again, then close", **LEDGER_POSTING
            ),
            summary="close the member",
        )

    async def standing(self) -> ClosingStanding:
        """Where the closing stands in the books."""
        return await self.supervision.certain(
            MemberClosingActivities.look_at_closing, self.ref, summary="where the closing stands"
        )

    @workflow.signal(unfinished_policy=HandlerUnfinishedPolicy.ABANDON)
    async def look(self) -> None:
        """The books' time was moved: what is left until the closing is counted anew."""
        self.supervision.look()
        await self.clock.look()

    @workflow.update
    async def resume(self, command: OperatorCommand) -> str:
        """Operator: the cause is mended, try again now."""
        self.supervision.resume()
        return f"resumed for {command.operator}"

    @resume.validator
    def check_resume(self, command: OperatorCommand) -> None:
        """Refuse when nothing waits for an operator."""
        require_attention(self.supervision.attention, code="member_state", what="closing")

    @workflow.query
    def noted(self) -> tuple[NotedMessage, ...]:
        """What somebody wanted of this process that was not carried out, such as to cancel it."""
        return tuple(self.supervision.noted)

    def refresh(self) -> None:
        """Show operators why they are needed."""
        show_members_process(self.supervision.attention)
