"""The desk at which an order is worked on: its letters, its postings, its operator; no business in it."""

from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.order_money import OrderActivities
    from activities.steps import Step
    from escrow.domain.money.journal import Basis, DeadlineChange
    from escrow.domain.orders.operations import milestone_terms, order_operation_hash, pay_terms
    from escrow.domain.orders.states import OrderCommand as Operation
    from escrow.domain.requests import derived
    from workflows import order_state as states
    from workflows.correspondence import Correspondence, Letter
    from workflows.desk import Desk
    from workflows.messages import CommandResult, OrderInput, OrderState
    from workflows.order_display import order_details, stage_of
    from workflows.search_attributes import show_search_attributes
    from workflows.timeouts import LEDGER_POSTING, LEDGER_RECORD

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class OrderDesk(Desk):
    """Letters in, postings out, and a hand for the operator."""

    def __init__(self, order: OrderInput) -> None:
        super().__init__(order.contract.platform_no, order.continue_after_events)
        self.order = order
        self.contract = order.contract
        self.state: OrderState = order.state or states.opening_state(order.contract)
        self.mail = Correspondence(order.contract, lambda: self.state, self.note)

    @property
    def attended(self) -> OrderState:
        """The state that operators look at."""
        return self.state

    async def next_letter(self, *, until: datetime | None, awaited: str) -> Letter | None:
        """The next command that the order can take now, None once `until` has passed."""
        while True:
            self.show(awaited, until)
            if not self.mail.waiting:
                if self.history_is_long():
                    workflow.continue_as_new(self.order.model_copy(update={"state": self.state}))
                self.mail.is_awaited = True
                has_come = await self.clock.until(
                    lambda: self.mail.waiting, until, summary=awaited, on_cancel=self.note_cancel
                )
                self.mail.is_awaited = False
                if not has_come:
                    return None
            letter = self.mail.open_next()
            if letter is not None:
                return letter

    async def posted(
        self,
        activity: Callable[[OrderActivities, Request], Coroutine[Any, Any, Answer]],
        request: Request,
        *,
        summary: str,
    ) -> Answer:
        """Run an activity that moves money until its outcome is certain.

        Raises:
            Refused: the ledger said no, and nothing was moved.
        """
        return await self.certain(
            lambda: workflow.execute_activity_method(activity, request, summary=summary, **LEDGER_POSTING)
        )

    async def recorded(self, step: Step, *, summary: str) -> None:
        """Record a change that moves no money, inside the workflow task.

        Raises:
            Refused: the ledger said no, and nothing was recorded.
        """
        await self.locally(OrderActivities.record_order, step, summary=summary)

    async def locally(
        self,
        activity: Callable[[OrderActivities, Request], Coroutine[Any, Any, Answer]],
        request: Request,
        *,
        summary: str,
    ) -> Answer:
        """Run an activity that moves no money inside the workflow task, until its outcome is certain.

        Raises:
            Refused: the ledger said no, and nothing was recorded.
        """
        return await self.certain(
            lambda: workflow.execute_local_activity_method(activity, request, summary=summary, **LEDGER_RECORD)
        )

    def step(
        self,
        *request: str | int,
        event_type: str,
        after: OrderState,
        bases: Sequence[Basis] = (),
        deadlines: Sequence[DeadlineChange] = (),
        document: dict[str, Any] | None = None,
        is_first: bool = False,
    ) -> Step:
        """One step of this order; `request` are the parts of its request number after the order number."""
        return Step(
            platform_no=self.contract.platform_no,
            object_kind="order",
            object_no=self.contract.order_no,
            request_no=derived(self.contract.order_no, *request),
            event_type=event_type,
            status=after.status.value,
            document={**states.document(after), **(document or {})},
            occurred_at=self.clock.now(),
            bases=tuple(bases),
            deadlines=tuple(deadlines),
            is_first=is_first,
        )

    def deadline(self, name: str, due_at: datetime | None) -> DeadlineChange:
        """Arm a deadline of this order, or with None disarm it."""
        return DeadlineChange(object_kind="order", object_no=self.contract.order_no, name=name, due_at=due_at)

    def deadline_basis(self, name: str) -> Basis:
        """The basis that a deadline of this order has passed."""
        return Basis(kind="deadline", reference=f"order/{self.contract.order_no}/{name}")

    def consent(
        self, operation: Operation, *, request_no: str, by: str, milestone: int | None = None, method: str = ""
    ) -> Basis:
        """The basis that a party consented to exactly this operation of this order; `method` of a direct payment."""
        terms: dict[str, Any] = {}
        if operation is Operation.PAY:
            days = self.contract.periods.inspection_period // timedelta(days=1)
            terms = pay_terms(total_fen=self.contract.total_fen, inspection_days=days, method=method)
        elif milestone is not None:
            amount_fen = states.milestone_of(self.state, milestone).amount_fen
            terms = milestone_terms(milestone=milestone, amount_fen=amount_fen)
        return Basis(
            kind="consent",
            reference=request_no,
            operation_hash=order_operation_hash(
                platform_no=self.contract.platform_no,
                order_no=self.contract.order_no,
                operation=operation.value,
                by=by,
                terms=terms,
            ),
        )

    def consent_of(self, letter: Letter) -> Basis:
        """The consent that a letter quotes."""
        command = letter.command
        return self.consent(
            letter.operation,
            request_no=command.request_no,
            by=command.by,
            milestone=command.milestone,
            method=letter.direct.method.value if letter.direct is not None else "",
        )

    def adopt(self, after: OrderState, letter: Letter | None = None, **amounts_fen: int) -> None:
        """The step is in the ledger: `after` is the state, and the letter that asked for it is answered."""
        after.noted, after.answered = self.state.noted, self.state.answered
        after.attention = ""
        self.state = after
        if letter is not None:
            result = CommandResult(
                request_no=letter.command.request_no,
                operation=letter.operation.value,
                order_status=after.status,
                milestone=letter.command.milestone,
                **amounts_fen,
            )
            self.mail.done(letter, result)

    def show(self, awaited: str, until: datetime | None) -> None:
        """Say what is awaited until when, and bring everything that an operator sees up to date."""
        self.state.awaiting, self.state.awaiting_until = awaited, until
        self.refresh()

    def refresh(self) -> None:
        """Bring details and search attributes up to date."""
        workflow.set_current_details(order_details(self.contract, self.state))
        show_search_attributes(
            status=self.state.status.value, stage=stage_of(self.state), needs_attention=bool(self.state.attention)
        )
