"""Mandate: signed in the books, it is told to the bank; revoked there or over, the bank is told that too."""

from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.workflow import HandlerUnfinishedPolicy

with workflow.unsafe.imports_passed_through():
    from activities.mandates import MandateActivities, MandateRef, MandateStanding
    from escrow.domain.collections.mandates import MandateStatus
    from workflows.backoff import Backoff
    from workflows.messages import MandateInput, NotedMessage, OperatorCommand
    from workflows.search_attributes import show_search_attributes
    from workflows.supervision import Supervision, require_attention
    from workflows.timeouts import CHANNEL_BOOKING, OPERATOR_MAY_TAKE, STEP_FIRST_TRIED_AGAIN_AFTER

#: A signal that was lost is made good by looking.
_LOOKED_AT_EVERY = timedelta(days=30)


@workflow.defn(name="Mandate")
class MandateProcess:
    """One mandate."""

    @workflow.init
    def __init__(self, mandate: MandateInput) -> None:
        self.ref = MandateRef(platform_no=mandate.platform_no, mandate_no=mandate.mandate_no)
        self.supervision = Supervision(refresh=self.refresh, begun_with=mandate)
        self.backoff = Backoff(
            self.supervision,
            first=STEP_FIRST_TRIED_AGAIN_AFTER,
            at_most=OPERATOR_MAY_TAKE,
        )
        self.standing: MandateStanding | None = None
        self.changes = 0

    @workflow.run
    async def run(self, mandate: MandateInput) -> str:
        """Register the mandate, wait for its end, deregister it; its last status."""
        standing = await self.step(MandateActivities.register_mandate, "tell the bank")
        while standing.status is MandateStatus.ACTIVE:
            standing = await self.until_changed(standing)
            self.supervision.begin_anew_if_long()
        if standing.status is not MandateStatus.REFUSED:
            await self.step(MandateActivities.deregister_mandate, "tell the bank that it has ended")
        await self.supervision.last_answers()
        return str(standing.status.value)

    async def until_changed(self, standing: MandateStanding) -> MandateStanding:
        """Wait until somebody says that it changed, or its last day is over by the books; how it stands then."""
        if standing.left <= timedelta(0):
            return await self.step(MandateActivities.expire_mandate, "its last day is over")
        seen = self.changes
        await self.supervision.until(
            lambda: self.changes > seen, at_most=min(standing.left, _LOOKED_AT_EVERY), summary="while it is in force"
        )
        return await self.step(MandateActivities.look_at_mandate, "look at it")

    async def step(
        self,
        activity: Callable[[MandateActivities, MandateRef], Coroutine[Any, Any, MandateStanding]],
        summary: str,
    ) -> MandateStanding:
        """Run an activity about this mandate until it succeeds."""
        standing: MandateStanding = await self.backoff.until_it_succeeds(
            lambda: workflow.execute_activity_method(activity, self.ref, summary=summary, **CHANNEL_BOOKING),
            summary=summary,
        )
        self.standing = standing
        self.refresh()
        return standing

    @workflow.query
    def noted(self) -> tuple[NotedMessage, ...]:
        """What somebody wanted of this process that was not carried out, such as to cancel it."""
        return tuple(self.supervision.noted)

    def refresh(self) -> None:
        """Bring details and search attributes up to date."""
        lines = []
        if self.standing is not None:
            lines.append(f"{self.standing.status}, at the latest until {self.standing.ends_at.isoformat()}")
        attention = self.supervision.attention
        lines += [f"**NEEDS ATTENTION:** {attention}"] if attention else []
        lines += [f"- noted {note.name}: {note.reason}" for note in self.supervision.noted]
        workflow.set_current_details("\n\n".join(lines))
        show_search_attributes(status=None, stage=None, needs_attention=attention is not None)

    @workflow.signal(unfinished_policy=HandlerUnfinishedPolicy.ABANDON)
    async def look(self) -> None:
        """The books may have moved, or their time: look at them anew."""
        self.changes += 1
        self.supervision.look()

    @workflow.signal(dynamic=True)
    async def changed(self, name: str, payloads: Sequence[RawValue]) -> None:
        """Whatever is said, the books are looked at."""
        self.changes += 1

    @workflow.update
    async def resume(self, command: OperatorCommand) -> str:
        """Operator: the cause is mended, try again now."""
        self.supervision.resume()
        return f"resumed for {command.operator}"

    @resume.validator
    def check_resume(self, command: OperatorCommand) -> None:
        """Refuse when nothing waits for an operator."""
        require_attention(self.supervision.attention, code="mandate_state", what="mandate")
