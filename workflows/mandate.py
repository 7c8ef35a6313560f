"""Mandate: signed in the books, it is told to the bank; revoked there or over, the bank is told that too."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError
from temporalio.workflow import HandlerUnfinishedPolicy

with workflow.unsafe.imports_passed_through():
    from activities.mandates import MandateActivities, MandateRef, MandateStanding
    from escrow.domain.collections.mandates import MandateStatus
    from workflows.books_clock import BooksClock
    from workflows.mandate_messages import MandateInput
    from workflows.timeouts import CHANNEL_BOOKING, OPERATOR_MAY_TAKE
    from workflows.uncancelled import why_unfinished

#: A signal that was lost is made good by looking.
_LOOKED_AT_EVERY = timedelta(days=30)


@workflow.defn(name="Mandate")
class MandateProcess:
    """One mandate."""

    @workflow.init
    def __init__(self, mandate: MandateInput) -> None:
        self.ref = MandateRef(platform_no=mandate.platform_no, mandate_no=mandate.mandate_no)
        self.clock = BooksClock(mandate.platform_no)
        self.changes = 0

    @workflow.run
    async def run(self, mandate: MandateInput) -> str:
        """Register the mandate, wait for its end, deregister it; its last status."""
        await self.clock.begin()
        standing = await self.step(MandateActivities.register_mandate, "tell the bank")
        while standing.status is MandateStatus.ACTIVE:
            standing = await self.until_changed(standing)
        if standing.status is not MandateStatus.REFUSED:
            await self.step(MandateActivities.deregister_mandate, "tell the bank that it has ended")
        return str(standing.status.value)

    async def until_changed(self, standing: MandateStanding) -> MandateStanding:
        """Wait until somebody says that it changed, or its last day is over; how it stands then."""
        seen = self.changes
        changed = await self.clock.until(
            lambda: self.changes > seen,
            min(standing.ends_at, self.clock.now() + _LOOKED_AT_EVERY),
            summary="while it is in force",
        )
        if not changed and self.clock.now() >= standing.ends_at:
            return await self.step(MandateActivities.expire_mandate, "its last day is over")
        return await self.step(MandateActivities.look_at_mandate, "look at it")

    async def step(self, activity: Any, summary: str) -> MandateStanding:
        """Run an activity about this mandate until it succeeds; while it does not, an operator sees why."""
        while True:
            try:
                standing: MandateStanding = await workflow.execute_activity_method(
                    activity, self.ref, summary=summary, **CHANNEL_BOOKING
                )
            except ActivityError as error:
                workflow.set_current_details(f"**NEEDS ATTENTION:** {summary}: {why_unfinished(error)}")
                await self.clock.pause(OPERATOR_MAY_TAKE, summary="try again")
            else:
                workflow.set_current_details(f"{standing.status}, at the latest until {standing.ends_at.isoformat()}")
                return standing

    @workflow.signal(unfinished_policy=HandlerUnfinishedPolicy.ABANDON)
    async def look(self) -> None:
        """The books' time was moved: what is left until its last day is over is counted anew."""
        await self.clock.look()

    @workflow.signal(dynamic=True)
    async def changed(self, name: str, payloads: Sequence[RawValue]) -> None:
        """Whatever is said, the books are looked at."""
        self.changes += 1
