"""AccountVerification: something is sent, its receiver types it back; three wrong tries or time end it.

The payloads name what the ledger holds sealed: no amount, code, mobile or account number is here. A run that begins
anew goes on where the books say that the verification stands.
"""

import asyncio
from functools import partial

from temporalio import workflow
from temporalio.exceptions import ActivityError
from temporalio.workflow import HandlerUnfinishedPolicy

with workflow.unsafe.imports_passed_through():
    from activities.verification import Standing, VerificationActivities, VerificationRef
    from escrow.domain.members.verification_rules import VerificationStatus
    from workflows.backoff import Backoff
    from workflows.books_clock import BooksClock
    from workflows.messages import AccountVerificationInput, NotedMessage, OperatorCommand
    from workflows.search_attributes import show_members_process
    from workflows.supervision import Supervision, require_attention
    from workflows.timeouts import CHANNEL_BOOKING, OPERATOR_MAY_TAKE, STEP_FIRST_TRIED_AGAIN_AFTER
    from workflows.uncancelled import why_unfinished
    from workflows.verification_messages import SendAgain, Try


@workflow.defn(name="AccountVerification")
class AccountVerification:
    """One verification of a bank account."""

    @workflow.init
    def __init__(self, verification: AccountVerificationInput) -> None:
        self.ref = VerificationRef(platform_no=verification.platform_no, verification_no=verification.verification_no)
        self.clock = BooksClock(verification.platform_no)
        self.supervision = Supervision(refresh=self.refresh, begun_with=verification, now=self.clock.now)
        self.backoff = Backoff(
            self.supervision,
            first=STEP_FIRST_TRIED_AGAIN_AFTER,
            at_most=OPERATOR_MAY_TAKE,
        )
        self.standing = Standing(status=VerificationStatus.ASKED)
        self.looks = 0
        #: How many of them it was told when it looked last: one that comes meanwhile has it look again.
        self.looks_seen = 0
        self.turns = asyncio.Lock()

    @workflow.run
    async def run(self, verification: AccountVerificationInput) -> str:
        """Send, wait for what is typed, end; status of the verification."""
        await self.clock.begin(on_cancel=self.supervision.note_cancel)
        await self.look_into_the_books()
        while self.standing.status is VerificationStatus.ASKED:
            await self.first_sending()
        while self.standing.status is VerificationStatus.SENT:
            await self.typed_or_over()
        await self.supervision.last_answers()
        return self.standing.status.value

    async def look_into_the_books(self) -> None:
        """See where it stands, and have those tries compared that were counted and that nobody has heard of."""
        async with self.turns:
            self.show(
                await self.supervision.certain(
                    VerificationActivities.look_at_verification, self.ref, summary="where the verification stands"
                )
            )
        for number in self.standing.uncompared:
            await self.backoff.until_it_succeeds(partial(self.compare, number), summary="compare a try")

    async def first_sending(self) -> None:
        """Send; what cannot be sent in time has failed, by the books."""
        self.supervision.begin_anew_if_long()
        try:
            await self.send(self.ref.verification_no)
        except ActivityError as error:
            why = why_unfinished(error)
            workflow.logger.warning("nothing sent", extra={"reason": why})
            await self.end_if_overdue()
            if self.standing.status is VerificationStatus.ASKED:
                await self.backoff.after(why, pause=STEP_FIRST_TRIED_AGAIN_AFTER, summary="send")

    async def typed_or_over(self) -> None:
        """Wait until something ended it, or sent it again, or its time is over."""
        self.supervision.begin_anew_if_long()
        seen = self.standing

        def changed() -> bool:
            now = self.standing
            return (now.status, now.expires_at) != (seen.status, seen.expires_at) or self.looks > self.looks_seen

        is_over = not await self.clock.until(
            changed,
            seen.expires_at,
            summary="the time to confirm",
            on_cancel=self.supervision.note_cancel,
        )
        if is_over:
            await self.end_if_overdue()
        elif self.looks > self.looks_seen:
            self.looks_seen = self.looks
            await self.look_into_the_books()

    # ---- what the holder does ----

    @workflow.update
    async def send_again(self, request: SendAgain) -> Standing:
        """Send another micro-deposit or code.

        Raises:
            Refused: too soon, too often, or nothing is waited for.
        """
        await self.send(request.request_no)
        return self.standing

    @workflow.update
    async def confirm(self, typed: Try) -> Standing:
        """Have a stored try compared by the bank."""
        await self.compare(typed.number)
        return self.standing

    # ---- what operators and callers ask ----

    @workflow.signal(unfinished_policy=HandlerUnfinishedPolicy.ABANDON)
    async def look(self) -> None:
        """The books may have moved, or their time: where it stands, and what time is left, is looked at anew."""
        self.looks += 1
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
        require_attention(self.supervision.attention, code="verification_state", what="verification")

    # ---- parts ----

    async def send(self, request_no: str) -> None:
        """Send once for this request."""
        async with self.turns:
            self.show(
                await self.supervision.uncancelled(
                    workflow.execute_activity_method(
                        VerificationActivities.send_verification,
                        args=[self.ref, request_no],
                        summary="send",
                        **CHANNEL_BOOKING,
                    )
                )
            )

    async def compare(self, number: int) -> None:
        """Have one try compared; compared before, it is not asked about again."""
        async with self.turns:
            self.show(
                await self.supervision.uncancelled(
                    workflow.execute_activity_method(
                        VerificationActivities.check_try,
                        args=[self.ref, number],
                        summary=f"compare try {number}",
                        **CHANNEL_BOOKING,
                    )
                )
            )

    async def end_if_overdue(self) -> None:
        """Have the books end it if its time is over; however long they are away."""
        async with self.turns:
            self.show(
                await self.backoff.until_it_succeeds(
                    lambda: workflow.execute_activity_method(
                        VerificationActivities.end_verification, self.ref, summary="end if overdue", **CHANNEL_BOOKING
                    ),
                    summary="record its end",
                )
            )

    def show(self, standing: Standing) -> None:
        """Remember where it stands, and show it."""
        self.standing = standing
        workflow.set_current_details(f"{standing.status} {standing.reason or ''}".strip())

    @workflow.query
    def noted(self) -> tuple[NotedMessage, ...]:
        """What somebody wanted of this process that was not carried out, such as to cancel it."""
        return tuple(self.supervision.noted)

    def refresh(self) -> None:
        """Show operators why they are needed."""
        show_members_process(self.supervision.attention)
