"""Mandate: signed in the books, it is told to the bank; revoked there or over, the bank is told that too."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.mandates import MandateActivities, MandateRef, MandateStanding
    from escrow.domain.mandates import MandateStatus
    from workflows.mandate_messages import MandateInput
    from workflows.patience import CHANNEL_BOOKING, OPERATOR_MAY_TAKE
    from workflows.steadfast import why_unfinished

#: A signal that was lost is made good by looking.
_LOOKED_AT_EVERY = timedelta(days=30)


@workflow.defn(name="Mandate")
class MandateProcess:
    """One mandate."""

    @workflow.init
    def __init__(self, mandate: MandateInput) -> None:
        self.ref = MandateRef(platform_no=mandate.platform_no, mandate_no=mandate.mandate_no)
        self.changes = 0

    @workflow.run
    async def run(self, mandate: MandateInput) -> str:
        """Register the mandate, wait for its end, deregister it; its last status."""
        standing = await self.step(MandateActivities.register_mandate, "tell the bank", workflow.now)
        while standing.status is MandateStatus.ACTIVE:
            standing = await self.until_changed(standing)
        if standing.status is not MandateStatus.REFUSED:
            await self.step(MandateActivities.deregister_mandate, "tell the bank that it has ended", workflow.now)
        return str(standing.status.value)

    async def until_changed(self, standing: MandateStanding) -> MandateStanding:
        """Wait until somebody says that it changed, or its last day is over; how it stands then."""
        seen, left = self.changes, standing.ends_at - workflow.now()
        if left <= timedelta(0):
            return await self.step(MandateActivities.expire_mandate, "its last day is over", workflow.now)
        try:
            await workflow.wait_condition(
                lambda: self.changes > seen, timeout=min(left, _LOOKED_AT_EVERY), timeout_summary="while it is in force"
            )
        except TimeoutError:
            if left <= _LOOKED_AT_EVERY:
                return await self.until_changed(standing)
        return await self.step(MandateActivities.look_at_mandate, "look at it")

    async def step(self, activity: Any, summary: str, *moments: Callable[[], datetime]) -> MandateStanding:
        """Run an activity about this mandate until it succeeds; while it does not, an operator sees why."""
        while True:
            try:
                standing: MandateStanding = await workflow.execute_activity_method(
                    activity,
                    args=[self.ref, *(moment() for moment in moments)],
                    summary=summary,
                    **CHANNEL_BOOKING,
                )
            except ActivityError as error:
                workflow.set_current_details(f"**NEEDS ATTENTION:** {summary}: {why_unfinished(error)}")
                await workflow.sleep(OPERATOR_MAY_TAKE, summary="try again")
            else:
                workflow.set_current_details(f"{standing.status}, at the latest until {standing.ends_at.isoformat()}")
                return standing

    @workflow.signal(dynamic=True)
    async def changed(self, name: str, payloads: Sequence[RawValue]) -> None:
        """Whatever is said, the books are looked at."""
        self.changes += 1
