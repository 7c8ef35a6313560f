"""What an order's process has seen of its order in the books, and how it has the books decide."""

from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.orders import (
        OrderActivities,
        OrderRef,
        OrderTaken,
        RemindOwner,
        TakeOrderCommand,
    )
    from escrow.domain.orders.commands import DeadlinePassed, PartyCommand
    from escrow.domain.orders.view import DeadlineView, OrderPlan, OrderView
    from workflows.elapsed import Elapsed
    from workflows.inbox import refused
    from workflows.supervision import Supervision
    from workflows.timeouts import REMINDER
    from workflows.uncancelled import why_unfinished
    from workflows.waking import wake


class OrderBooks:
    """One order as the books have it.

    Args:
        refresh: brings what operators see up to date.
    """

    def __init__(self, ref: OrderRef, supervision: Supervision, *, refresh: Callable[[], None]) -> None:
        self._ref = ref
        self._supervision = supervision
        self._refresh = refresh
        self.plan: OrderPlan | None = None
        self.view: OrderView | None = None
        self._seen = Elapsed()
        #: Whether what was seen may be old.
        self.is_stale = False

    # ---- what was seen ----

    @property
    def order(self) -> OrderView:
        """Where the order stands, as last seen."""
        assert self.view is not None  # noqa: S101 - a process begins with `enter`
        return self.view

    @property
    def signed(self) -> OrderPlan:
        """What was signed."""
        assert self.plan is not None  # noqa: S101 - a process begins with `enter`
        return self.plan

    @property
    def nearest_deadline(self) -> DeadlineView | None:
        """The deadline that passes first."""
        return self.order.deadlines[0] if self.order.deadlines else None

    def left_of(self, deadline: DeadlineView | None) -> timedelta | None:
        """What is left of a deadline now, by what the books said of it."""
        return None if deadline is None else deadline.left - self._seen.passed

    def now(self) -> datetime:
        """The present moment by the books, as far as this process has heard of it."""
        return self._seen.now(None if self.view is None else self.view.seen_at)

    def is_behind(self, version: int | None) -> bool:
        """Whether somebody has read a later version of the order than this."""
        return version is not None and (self.view is None or self.view.version < version)

    def go_stale(self) -> None:
        """What was seen of the books may be old."""
        self.is_stale = True

    # ---- what is asked of the books ----

    async def enter(self) -> tuple[PartyCommand, ...]:
        """See where the order stands, opened if it was not; answers what was said to it that nobody has answered.

        Raises:
            ApplicationError: type `Refused`, it could not be opened; no money was touched.
        """
        self.is_stale = False
        entered = await self._supervision.certain(
            OrderActivities.enter_order, self._ref, summary="where the order stands in the books"
        )
        if entered.refusal is not None:
            raise refused(entered.refusal)
        self.plan = entered.plan
        self._adopt(entered.view)
        return entered.asked

    async def take(self, command: PartyCommand | DeadlinePassed) -> OrderTaken:
        """Let the books decide what a command does, see where the order stands then, and wake what follows."""
        request = TakeOrderCommand(**self._ref.model_dump(), command=command)
        taken = await self._supervision.certain(
            OrderActivities.take_order_command, request, summary=_summary_of(command)
        )
        self._adopt(taken.view)
        await wake(self._supervision, self._ref.platform_no, taken.starts)
        return taken

    async def happens_at(self, deadline: DeadlineView) -> bool:
        """What was agreed for a deadline that has passed; False when something that was said before comes first."""
        if deadline.is_reminder:
            await self._remind(deadline)
            return True
        taken = await self.take(DeadlinePassed(deadline=deadline.name))
        if self.order.attention is not None and taken.answer is None and taken.remaining is None:
            await self._supervision.operator(self.order.attention, unless=lambda: self.is_stale)
        return taken.remaining is None or taken.remaining > timedelta(0)

    async def _remind(self, deadline: DeadlineView) -> None:
        """Have the owner told that silence is about to count; without it silence does not count."""
        stage, _, round_no = deadline.name.removeprefix("M").split(":")
        request = RemindOwner(**self._ref.model_dump(), milestone=int(stage), round=int(round_no))
        reminding = workflow.execute_activity_method(
            OrderActivities.remind_owner, request, summary=f"M{stage}: remind the owner", **REMINDER
        )
        try:
            taken = await self._supervision.uncancelled(reminding)
        except ActivityError as error:
            reason = f"the owner could not be reminded of M{stage}: {why_unfinished(error)}"
            await self._supervision.operator(reason, unless=lambda: self.is_stale)
            return
        self._adopt(taken.view)
        version, attention = self.order.version, self.order.attention
        if attention is not None and self.nearest_deadline is not None and self.nearest_deadline.name == deadline.name:
            await self._supervision.operator(attention, unless=lambda: self.is_stale or self.order.version != version)

    def _adopt(self, view: OrderView | None) -> None:
        """Go on from what the books say now; what was seen before is not gone back to."""
        if view is None or (self.view is not None and view.version < self.view.version):
            return
        self.view, self._seen = view, Elapsed()
        self._refresh()


def _summary_of(command: PartyCommand | DeadlinePassed) -> str:
    if isinstance(command, DeadlinePassed):
        return f"the deadline {command.deadline} has passed"
    about = "" if command.milestone is None else f" M{command.milestone}"
    return f"{command.by}: {command.operation}{about}"
