"""Commands on their way into an order: from updates, whose sender waits, and from signals, whose sender does not.

They are carried out one at a time in the order of arrival. Nothing is decided here: what a command does the books say,
also of one that was carried out before.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pydantic import ValidationError
from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.failures import to_temporal
    from activities.messages import RefusalView
    from activities.orders import OrderTaken
    from escrow.domain.errors import Refused
    from escrow.domain.orders.commands import PartyCommand
    from escrow.domain.orders.states import OrderCommand
    from escrow.domain.orders.view import OrderPlan
    from workflows.messages import PartyMessage


class CommandInbox:
    """Commands of one order.

    Args:
        take: gives one command to the books.
        note: keeps what could not be carried out and nobody waits for.
    """

    def __init__(self, take: Callable[[PartyCommand], Awaitable[OrderTaken]], note: Callable[[str, str], None]) -> None:
        self._take = take
        self._note = note
        self._one_at_a_time = asyncio.Lock()

    async def deliver(self, operation: OrderCommand, message: PartyMessage) -> dict[str, Any]:
        """Carry a command out and answer what it did.

        Raises:
            ApplicationError: type `Refused`.
        """
        taken = await self.carry_out(message.to(operation))
        if taken.refusal is not None:
            raise refused(taken.refusal)
        return taken.answer or {}

    async def notify(self, name: str, payloads: Sequence[RawValue]) -> None:
        """Take a signal as it came; what cannot be read or carried out is noted, not lost."""
        command = self._read(name, payloads)
        if command is None:
            return
        taken = await self.carry_out(command)
        if taken.refusal is not None:
            self._note(name, f"{command.request_no}: {taken.refusal.message}")

    def check(self, command: PartyCommand, plan: OrderPlan | None) -> None:
        """Refuse what no state of the order can ever allow; without a view of it everything passes.

        Raises:
            ApplicationError: type `Refused`.
        """
        if plan is None:
            return
        try:
            plan.check(command.operation, by=command.by, milestone=command.milestone)
        except Refused as refusal:
            raise to_temporal(refusal) from refusal

    async def carry_out(self, command: PartyCommand) -> OrderTaken:
        """Give one command to the books, once those that came before it are answered."""
        async with self._one_at_a_time:
            return await self._take(command)

    def _read(self, name: str, payloads: Sequence[RawValue]) -> PartyCommand | None:
        try:
            operation = OrderCommand(name)
        except ValueError:
            self._note(name, "no such command; possible are " + ", ".join(OrderCommand))
            return None
        if len(payloads) != 1:
            self._note(name, f"expected one payload, got {len(payloads)}")
            return None
        try:
            return PartyMessage.model_validate_json(payloads[0].payload.data).to(operation)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "payload"
            self._note(name, f"malformed: {where}: {first['msg']}")
            return None


def refused(refusal: RefusalView) -> ApplicationError:
    """A refusal of the books as Temporal carries it."""
    return to_temporal(Refused(refusal.code, refusal.message, refusal.details))
