"""IdentityCheck: the registry is asked about a member until it answers, or has been silent for a day.

The input names a stored check; whom it is about, the answer, and how long is enough stay in the books.
"""

from temporalio import workflow
from temporalio.workflow import HandlerUnfinishedPolicy

with workflow.unsafe.imports_passed_through():
    from activities.identity import CheckRef, IdentityActivities
    from workflows.backoff import Backoff
    from workflows.messages import IdentityCheckInput, NotedMessage, OperatorCommand
    from workflows.search_attributes import show_members_process
    from workflows.supervision import Supervision, require_attention
    from workflows.timeouts import BANK_QUESTION, REGISTRY_ASKED_AT_MOST_EVERY, REGISTRY_FIRST_ASKED_AGAIN_AFTER


@workflow.defn(name="IdentityCheck")
class IdentityCheck:
    """One question to the identity registry."""

    @workflow.init
    def __init__(self, check: IdentityCheckInput) -> None:
        self.ref = CheckRef(platform_no=check.platform_no, check_no=check.check_no)
        self.supervision = Supervision(refresh=self.refresh, begun_with=check)
        self.backoff = Backoff(
            self.supervision,
            first=REGISTRY_FIRST_ASKED_AGAIN_AFTER,
            at_most=REGISTRY_ASKED_AT_MOST_EVERY,
        )

    @workflow.run
    async def run(self, check: IdentityCheckInput) -> str:
        """Ask until there is an answer, or none any more; status of the check."""
        status = await self.backoff.until_it_succeeds(
            lambda: workflow.execute_activity_method(
                IdentityActivities.check_identity, self.ref, summary="ask the identity registry", **BANK_QUESTION
            ),
            summary="ask the registry again",
        )
        await self.supervision.last_answers()
        return status

    @workflow.signal(unfinished_policy=HandlerUnfinishedPolicy.ABANDON)
    async def look(self) -> None:
        """The books may have moved, or their time: the registry is asked again now."""
        self.supervision.look()

    @workflow.update
    async def resume(self, command: OperatorCommand) -> str:
        """Operator: the cause is mended, ask again now."""
        self.supervision.resume()
        return f"resumed for {command.operator}"

    @resume.validator
    def check_resume(self, command: OperatorCommand) -> None:
        """Refuse when nothing waits for an operator."""
        require_attention(self.supervision.attention, code="member_state", what="identity check")

    @workflow.query
    def noted(self) -> tuple[NotedMessage, ...]:
        """What somebody wanted of this process that was not carried out, such as to cancel it."""
        return tuple(self.supervision.noted)

    def refresh(self) -> None:
        """Show operators why they are needed."""
        show_members_process(self.supervision.attention)
