"""AccountVerification: something is sent, its receiver types it back; three wrong tries or time end it.

The payloads name what the ledger holds sealed: no amount, code, mobile or account number is here.
"""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError
from temporalio.workflow import HandlerUnfinishedPolicy

with workflow.unsafe.imports_passed_through():
    from activities.verification import Standing, VerificationActivities, VerificationRef
    from escrow.domain.members.verification_rules import VerificationStatus
    from workflows.books_clock import BooksClock
    from workflows.timeouts import CHANNEL_BOOKING, OPERATOR_MAY_TAKE
    from workflows.uncancelled import why_unfinished
    from workflows.verification_messages import AccountVerificationInput, SendAgain, Try


@workflow.defn(name="AccountVerification")
class AccountVerification:
    """One verification of a bank account."""

    @workflow.init
    def __init__(self, verification: AccountVerificationInput) -> None:
        self.verification = verification
        self.ref = VerificationRef(platform_no=verification.platform_no, verification_no=verification.verification_no)
        self.clock = BooksClock(verification.platform_no)
        self.standing = Standing(status=VerificationStatus.ASKED)
        self.turns = asyncio.Lock()

    @workflow.run
    async def run(self, verification: AccountVerificationInput) -> str:
        """Send, wait for what is typed, end; status of the verification."""
        await self.clock.begin()
        try:
            await self.send(verification.verification_no)
        except ActivityError as error:
            workflow.logger.warning("nothing sent", extra={"reason": why_unfinished(error)})
            await self.end(VerificationStatus.FAILED, "bank_unreachable")
        while self.standing.status is VerificationStatus.SENT:
            await self.wait()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.standing.status.value

    @workflow.signal(unfinished_policy=HandlerUnfinishedPolicy.ABANDON)
    async def look(self) -> None:
        """The books' time was moved: what is left of the time to confirm is counted anew."""
        await self.clock.look()

    @workflow.update
    async def send_again(self, request: SendAgain) -> Standing:
        """Send another micro-deposit or code.

        Raises:
            Refused: too soon, too often, or nothing is waited for.
        """
        return await self.send(request.request_no)

    @workflow.update
    async def confirm(self, typed: Try) -> Standing:
        """Have a stored try compared by the bank."""
        async with self.turns:
            self.show(
                await workflow.execute_activity_method(
                    VerificationActivities.check_try,
                    args=[self.ref, typed.number],
                    summary=f"compare try {typed.number}",
                    **CHANNEL_BOOKING,
                )
            )
            return self.standing

    async def send(self, request_no: str) -> Standing:
        """Send once for this request."""
        async with self.turns:
            self.show(
                await workflow.execute_activity_method(
                    VerificationActivities.send_verification,
                    args=[self.ref, request_no],
                    summary="send",
                    **CHANNEL_BOOKING,
                )
            )
            return self.standing

    async def wait(self) -> None:
        """Wait until something ended it, or sent it again, or its time is over."""
        expires_at = self.standing.expires_at
        if expires_at is None:
            raise ValueError("what was sent has a time limit")

        def changed() -> bool:
            return self.standing.status is not VerificationStatus.SENT or self.standing.expires_at != expires_at

        if not await self.clock.until(changed, expires_at, summary="the time to confirm"):
            async with self.turns:
                if not changed():
                    await self.end(VerificationStatus.EXPIRED, "not_confirmed_in_time")

    async def end(self, status: VerificationStatus, reason: str) -> None:
        """Record how it ended, unless it ended otherwise before; however long the ledger is away."""
        while True:
            try:
                standing = await workflow.execute_activity_method(
                    VerificationActivities.end_verification,
                    args=[self.ref, status, reason],
                    summary=f"record: {status}",
                    **CHANNEL_BOOKING,
                )
            except ActivityError as error:
                workflow.set_current_details(f"**Not recorded yet:** {why_unfinished(error)}")
                await self.clock.pause(OPERATOR_MAY_TAKE, summary="try again")
            else:
                return self.show(standing)

    def show(self, standing: Standing) -> None:
        """Remember where it stands, and show it."""
        self.standing = standing
        workflow.set_current_details(f"{standing.status} {standing.reason}".strip())
