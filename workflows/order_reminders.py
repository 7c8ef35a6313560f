"""Reminding the owner, beside the wait for acceptance, that silence is about to count."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.notices import NoticeActivities, OrderReminder
    from workflows import order_state as states
    from workflows.messages import MilestoneTerms
    from workflows.order_desk import OrderDesk
    from workflows.timeouts import SMS
    from workflows.uncancelled import why_unfinished


class OrderReminders(OrderDesk):
    """One SMS in each round of inspection."""

    @asynccontextmanager
    async def owner_reminded(self, milestone: MilestoneTerms) -> AsyncIterator[None]:
        """Have the owner reminded in time while the block waits for acceptance."""
        reminder = asyncio.create_task(self.remind_in_time(milestone))
        try:
            yield
        finally:
            reminder.cancel()

    async def remind_in_time(self, milestone: MilestoneTerms) -> None:
        """Remind the owner once a round, shortly before the inspection period ends."""
        current = states.milestone_of(self.state, milestone.number)
        if current.reminded or current.inspection_due_at is None:
            return
        reminder_at = current.inspection_due_at - self.contract.periods.reminder_before_end
        label = f"M{milestone.number} {milestone.name}"
        summary = f"remind the owner of {label}"
        if self.clock.was_asked():
            await self.clock.until(lambda: False, reminder_at, summary=summary)
        elif reminder_at > self.clock.now():
            await workflow.sleep(reminder_at - self.clock.now(), summary=summary)  # as the first release began it
        await self.remind_owner(milestone)

    async def remind_owner(self, milestone: MilestoneTerms) -> None:
        """Tell the owner by SMS that silence is about to count as acceptance; a failing SMS stops nothing."""
        current = states.milestone_of(self.state, milestone.number)
        reminder = OrderReminder(
            platform_no=self.contract.platform_no,
            order_no=self.contract.order_no,
            owner_no=self.contract.owner_no,
            milestone=milestone.number,
            milestone_name=milestone.name,
            amount_fen=milestone.amount_fen,
            round=current.round,
            due_at=current.inspection_due_at or self.clock.now(),
        )
        sending = workflow.start_activity_method(
            NoticeActivities.remind_owner, reminder, summary=f"M{milestone.number}: remind the owner", **SMS
        )
        sending.add_done_callback(_look_at)
        try:
            # Shielded: an answer of the owner ends the wait for the reminder, not the message that is on its way.
            await asyncio.shield(sending)
        except ActivityError as error:
            self.note("reminder", f"the owner could not be reminded of M{milestone.number}: {why_unfinished(error)}")
        self.state = states.with_milestone(self.state, milestone.number, reminded=True)


def _look_at(sending: "asyncio.Task[None]") -> None:
    """Nobody may be waiting any more for a message that failed; its failure is in the history."""
    if not sending.cancelled():
        sending.exception()
