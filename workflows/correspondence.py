"""Commands on their way into an order: received from anywhere, checked, opened one at a time, answered once.

Updates wait for their answer; signals only notify, so what cannot be carried out of them is noted for the
operator. Everything that moves money is done by the order itself, in the order of arrival.
"""

from collections import deque
from collections.abc import Callable, Sequence

from pydantic import ValidationError
from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.failures import to_temporal
    from escrow.domain.collections.direct_payments import DirectPaid
    from escrow.domain.errors import Refused
    from escrow.domain.orders import states as order_states
    from escrow.domain.orders.states import Party, check_command, who_may
    from workflows.messages import CommandResult, OrderCommand, OrderContract, OrderState


class Letter:
    """One command and, later, its answer."""

    def __init__(
        self,
        operation: order_states.OrderCommand,
        command: OrderCommand,
        *,
        notified_only: bool,
        direct: DirectPaid | None = None,
        batch_no: str = "",
    ) -> None:
        self.operation = operation
        self.command = command
        self.notified_only = notified_only
        self.direct = direct
        self.batch_no = batch_no
        self.answer: CommandResult | ApplicationError | None = None


class Correspondence:
    """The order's letter box."""

    def __init__(
        self, contract: OrderContract, state_now: Callable[[], OrderState], note: Callable[[str, str], None]
    ) -> None:
        self._contract = contract
        self._state_now = state_now
        self._note = note
        self._letters: deque[Letter] = deque()
        self._is_closed = False
        #: Whether the order does nothing but wait for a letter.
        self.is_awaited = False

    @property
    def waiting(self) -> bool:
        """Whether a letter lies unopened."""
        return bool(self._letters)

    def check(self, operation: order_states.OrderCommand, command: OrderCommand) -> None:
        """Refuse a command that the order cannot take now; a repeated one passes, it will get its old answer.

        While a step is under way the order cannot tell: the books, which callers read, may be a step ahead of it.
        Then the command waits in the box and is judged when it is opened.

        Raises:
            ApplicationError: type `Refused`, naming the state the order is in and what is possible.
        """
        refusal = self._refusal(operation, command)
        if refusal is not None and not (refusal.code == "order_state" and self._step_is_under_way):
            raise to_temporal(refusal)

    async def deliver(self, operation: order_states.OrderCommand, command: OrderCommand) -> CommandResult:
        """Hand a command in and wait until the order has answered it.

        Raises:
            ApplicationError: type `Refused`.
        """
        answered = self._state_now().answered.get(command.request_no)
        if answered is not None:
            return answered
        letter = Letter(operation, command, notified_only=False)
        await self.answer_to(letter)
        if isinstance(letter.answer, ApplicationError):
            raise letter.answer
        assert letter.answer is not None  # noqa: S101 - the condition above; narrows the type
        return letter.answer

    async def answer_to(self, letter: Letter) -> None:
        """Put a letter into the box and wait until it has its answer; a closed box refuses it."""
        self._letters.append(letter)
        if self._is_closed:
            self._refuse_all()
        await workflow.wait_condition(lambda: letter.answer is not None)

    def notify(self, name: str, payloads: Sequence[RawValue]) -> None:
        """Take a signal as it came; what cannot be read is noted, not lost."""
        try:
            operation = order_states.OrderCommand(name)
        except ValueError:
            self._note(name, "no such command; possible are " + ", ".join(order_states.OrderCommand))
            return
        if len(payloads) != 1:
            self._note(name, f"expected one payload, got {len(payloads)}")
            return
        try:
            command = OrderCommand.model_validate_json(payloads[0].payload.data)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "payload"
            self._note(name, f"malformed: {where}: {first['msg']}")
            return
        if command.request_no in self._state_now().answered:
            self._note(name, f"{command.request_no} was carried out before; nothing done")
            return
        self._letters.append(Letter(operation, command, notified_only=True))

    def open_next(self) -> Letter | None:
        """The next letter if the order can take it now; one that it cannot take is answered with a refusal."""
        letter = self._letters.popleft()
        answered = self._state_now().answered.get(letter.command.request_no)
        if answered is not None:
            letter.answer = answered
            return None
        refusal = self._refusal(letter.operation, letter.command)
        if refusal is not None:
            self.refuse(letter, refusal)
            return None
        return letter

    def put_back(self, letter: Letter) -> None:
        """Put an opened letter back as the next one: the order has moved on since it was opened."""
        self._letters.appendleft(letter)

    def done(self, letter: Letter, result: CommandResult) -> None:
        """Answer a letter whose command took effect, and remember the answer for repeats."""
        letter.answer = result
        self._state_now().answered[result.request_no] = result

    def refuse(self, letter: Letter, refusal: Refused) -> None:
        """Answer a letter with a refusal; one that nobody waits for is noted."""
        letter.answer = to_temporal(refusal)
        if letter.notified_only:
            self._note(letter.operation, f"{letter.command.request_no}: {refusal.message}")

    def close(self) -> None:
        """The order has ended: refuse what still lies in the box, and what comes."""
        self._is_closed = True
        self._refuse_all()

    @property
    def _step_is_under_way(self) -> bool:
        return not self._is_closed and (self.waiting or not self.is_awaited)

    def _refuse_all(self) -> None:
        while self._letters:
            letter = self._letters[0]
            if self.open_next() is letter:
                self.refuse(letter, Refused("order_state", "The order has ended; nothing is possible any more."))

    def _refusal(self, operation: order_states.OrderCommand, command: OrderCommand) -> Refused | None:
        state, contract = self._state_now(), self._contract
        if command.request_no in state.answered:
            return None
        parties = {contract.owner_no: Party.OWNER, contract.contractor_no: Party.CONTRACTOR}
        if parties.get(command.by) not in who_may(operation):
            may = " or the ".join(sorted(who_may(operation)))
            return Refused(
                "not_the_party",
                f"Only the {may} of this order may {operation} it; name that member in `by`.",
                {"operation": operation.value},
            )
        try:
            check_command(state.status, [m.status for m in state.milestones], operation, command.milestone)
        except Refused as refusal:
            return refusal
        return None
