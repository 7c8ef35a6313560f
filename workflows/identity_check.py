"""IdentityCheck: the registry is asked about a member until it answers, for a day at most.

The input names a stored check; whom it is about, and the answer, stay in the ledger.
"""

from temporalio import workflow
from temporalio.exceptions import ActivityError
from temporalio.workflow import HandlerUnfinishedPolicy

with workflow.unsafe.imports_passed_through():
    from activities.identity import CheckRef, IdentityActivities
    from workflows.books_clock import BooksClock
    from workflows.messages import IdentityCheckInput
    from workflows.timeouts import (
        BANK_QUESTION,
        LEDGER_POSTING,
        REGISTRY_ANSWERS_WITHIN,
        REGISTRY_ASKED_AT_MOST_EVERY,
        REGISTRY_FIRST_ASKED_AGAIN_AFTER,
    )
    from workflows.uncancelled import why_unfinished


@workflow.defn(name="IdentityCheck")
class IdentityCheck:
    """One question to the identity registry."""

    @workflow.init
    def __init__(self, check: IdentityCheckInput) -> None:
        self.clock = BooksClock(check.platform_no)

    @workflow.run
    async def run(self, check: IdentityCheckInput) -> str:
        """Ask until there is an answer; status of the check."""
        await self.clock.begin()
        ref = CheckRef(platform_no=check.platform_no, check_no=check.check_no)
        give_up_at, pause = self.clock.now() + REGISTRY_ANSWERS_WITHIN, REGISTRY_FIRST_ASKED_AGAIN_AFTER
        while self.clock.now() < give_up_at:
            try:
                return await self.ask(ref)
            except ActivityError as error:
                workflow.set_current_details(f"**No answer yet:** {why_unfinished(error)}. Asked again in {pause}.")
            await self.clock.pause(pause, summary="ask the registry again")
            pause = min(pause * 2, REGISTRY_ASKED_AT_MOST_EVERY)
        return await workflow.execute_activity_method(
            IdentityActivities.leave_unanswered,
            ref,
            summary="record that there is no answer",
            **LEDGER_POSTING,
        )

    async def ask(self, ref: CheckRef) -> str:
        """Ask once, with some patience for a line that is down for a moment."""
        return await workflow.execute_activity_method(
            IdentityActivities.check_identity,
            ref,
            summary="ask the identity registry",
            **BANK_QUESTION,
        )

    @workflow.signal(unfinished_policy=HandlerUnfinishedPolicy.ABANDON)
    async def look(self) -> None:
        """The books' time was moved: the registry is asked again now."""
        await self.clock.look()
