"""DecorationOrder: the contract between owner and contractor, from payment to the end of the warranty.

Read `run` first. Commands (`pay`, `start`, `complete`, `accept`, `rectify`, `cancel`) arrive as updates or as
signals of the same names and are carried out one at a time; every wait has a deadline with a default, or is
shown to an operator. Money moves only in the ledger's transaction, and only on a recorded basis.
"""

from collections.abc import Sequence
from datetime import datetime

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from activities.failures import to_temporal
    from activities.order_money import OpenOrder, OrderActivities
    from escrow.domain.collections.direct_payments import DirectPaid
    from escrow.domain.errors import Refused
    from escrow.domain.orders.milestones import MilestoneKind
    from escrow.domain.orders.states import MilestoneStatus, OrderStatus
    from escrow.domain.orders.states import OrderCommand as Operation
    from workflows import order_state as states
    from workflows.batch_messages import PaidInBatch
    from workflows.correspondence import Letter
    from workflows.messages import (
        CommandResult,
        MilestoneTerms,
        OperatorCommand,
        OrderCommand,
        OrderInput,
        OrderOutcome,
        OrderState,
        as_document,
    )
    from workflows.order_actions import Acceptance, OrderActions, OrderEnded
    from workflows.order_payment import PaidElsewhere


@workflow.defn(name="DecorationOrder")
class DecorationOrder(OrderActions):
    """One decoration order."""

    @workflow.init
    def __init__(self, order: OrderInput) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: OrderInput) -> OrderOutcome:
        """Freeze the full price, release it stage by stage, refund what is not released; end with nothing held."""
        await self.clock.begin(on_cancel=self.note_cancel)
        try:
            await self.opening()
            await self.payment()
            await self.start_of_work()
            for milestone in self.milestones(MilestoneKind.ACCEPTANCE):
                while not self.released(milestone):
                    acceptance = await self.acceptance_of(milestone)
                    await self.release(milestone, acceptance)
            for milestone in self.milestones(MilestoneKind.WARRANTY):
                while not self.released(milestone):
                    await self.release(milestone, await self.end_of_warranty(milestone))
        except OrderEnded:
            pass
        self.mail.close()
        self.show("", None)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return OrderOutcome(
            order_no=self.contract.order_no,
            status=self.state.status,
            paid_fen=self.state.paid_fen,
            released_fen=self.state.released_fen,
            commission_fen=self.state.commission_fen,
            refunded_fen=self.state.refunded_fen,
        )

    # ---- the contract, step by step ----

    async def opening(self) -> None:
        """Enter the order in the books; the payment deadline runs."""
        if self.order.state is not None:
            return
        after = self.state.model_copy(deep=True)
        after.step_due_at = self.clock.now() + self.contract.periods.payment_deadline
        step = self.step(
            "open",
            event_type="order.opened",
            after=after,
            deadlines=[self.deadline("payment", after.step_due_at)],
            document={"contract": as_document(self.contract)},
            is_first=True,
        )
        request = OpenOrder(step=step, started_as=workflow.info().first_execution_run_id)
        try:
            await self.posted(OrderActivities.open_order, request, summary="enter the order in the books")
        except Refused as refusal:
            # The number was used by an order whose closed workflow the server has forgotten: no money was touched.
            raise to_temporal(refusal) from refusal
        self.adopt(after)

    async def payment(self) -> None:
        """Wait for the owner to pay in full; close unpaid at the deadline."""
        try:
            while self.state.status is OrderStatus.AWAITING_PAYMENT:
                letter = await self.next_command(awaited="payment by the owner")
                if letter is None:
                    await self.close_unpaid()
                else:
                    await self.freeze_price(letter)
        except PaidElsewhere:
            pass  # with a batch, of which this order had not heard yet

    async def start_of_work(self) -> None:
        """Wait for the contractor to start, which releases the deposit; refund in full at the deadline."""
        while self.state.status is OrderStatus.AWAITING_START:
            letter = await self.next_command(awaited="start of work by the contractor")
            if letter is None:
                await self.refund_rest([self.deadline_basis("start")], reason="not started in time")
            else:
                await self.begin(letter)

    async def acceptance_of(self, milestone: MilestoneTerms) -> Acceptance:
        """Wait until the owner accepts the stage, or the inspection period ends in silence."""
        label = f"M{milestone.number} {milestone.name}"
        while True:
            current = states.milestone_of(self.state, milestone.number)
            if current.status is not MilestoneStatus.IN_INSPECTION:
                letter = await self.next_command(awaited=f"contractor to complete {label}")
                if letter is None:
                    await self.overdue(f"{label} is overdue: ask both sides, the order goes on with complete or cancel")
                else:
                    await self.begin_inspection(milestone, letter)
                continue
            assert current.inspection_due_at is not None  # noqa: S101 - set whenever a milestone is in inspection
            async with self.owner_reminded(milestone):
                letter = await self.next_command(
                    until=current.inspection_due_at, awaited=f"acceptance of {label} by the owner or by silence"
                )
            if letter is None:
                return Acceptance(self.deadline_basis(self.inspection_name(milestone)), by="silence")
            if letter.operation is Operation.RECTIFY:
                await self.pause_inspection(milestone, letter)
            else:
                return Acceptance(self.consent_of(letter), by=letter.command.by, letter=letter)

    async def end_of_warranty(self, milestone: MilestoneTerms) -> Acceptance:
        """Wait until the retention period is over."""
        while await self.next_command(awaited=f"end of the retention period of M{milestone.number}") is not None:
            pass  # only cancel is possible in the warranty, and next_command carries it out
        return Acceptance(self.deadline_basis("warranty"), by="end of warranty")

    async def next_command(self, *, awaited: str, until: datetime | None = None) -> Letter | None:
        """The next letter that this step must deal with; a wish to cancel is dealt with here, whatever is awaited."""
        while True:
            letter = await self.next_letter(until=until or self.state.step_due_at, awaited=awaited)
            if letter is None or letter.operation is not Operation.CANCEL:
                return letter
            await self.consider_cancel(letter)

    # ---- what owner and contractor say ----

    @workflow.update
    async def pay(self, command: OrderCommand) -> CommandResult:
        """Owner: freeze the full price from my available balance."""
        return await self.mail.deliver(Operation.PAY, command)

    @workflow.update
    async def start(self, command: OrderCommand) -> CommandResult:
        """Contractor: work has started; releases the deposit."""
        return await self.mail.deliver(Operation.START, command)

    @workflow.update
    async def complete(self, command: OrderCommand) -> CommandResult:
        """Contractor: a stage is complete; the inspection period runs."""
        return await self.mail.deliver(Operation.COMPLETE, command)

    @workflow.update
    async def accept(self, command: OrderCommand) -> CommandResult:
        """Owner: I accept the stage; its money is released."""
        return await self.mail.deliver(Operation.ACCEPT, command)

    @workflow.update
    async def rectify(self, command: OrderCommand) -> CommandResult:
        """Owner: the stage must be put right; the inspection clock stands still."""
        return await self.mail.deliver(Operation.RECTIFY, command)

    @workflow.update
    async def cancel(self, command: OrderCommand) -> CommandResult:
        """Either side: cancel; after the start it takes both."""
        return await self.mail.deliver(Operation.CANCEL, command)

    @pay.validator
    def check_pay(self, command: OrderCommand) -> None:
        """Refuse an untimely payment before it enters the history."""
        self.mail.check(Operation.PAY, command)

    @start.validator
    def check_start(self, command: OrderCommand) -> None:
        """Refuse an untimely start before it enters the history."""
        self.mail.check(Operation.START, command)

    @complete.validator
    def check_complete(self, command: OrderCommand) -> None:
        """Refuse an untimely completion before it enters the history."""
        self.mail.check(Operation.COMPLETE, command)

    @accept.validator
    def check_accept(self, command: OrderCommand) -> None:
        """Refuse an untimely acceptance before it enters the history."""
        self.mail.check(Operation.ACCEPT, command)

    @rectify.validator
    def check_rectify(self, command: OrderCommand) -> None:
        """Refuse an untimely rectification before it enters the history."""
        self.mail.check(Operation.RECTIFY, command)

    @cancel.validator
    def check_cancel(self, command: OrderCommand) -> None:
        """Refuse an untimely cancellation before it enters the history."""
        self.mail.check(Operation.CANCEL, command)

    @workflow.signal
    async def paid_directly(self, direct: DirectPaid) -> None:
        """A channel took a payment for this order; what the channel says of it is asked before it is frozen."""
        await self.take_direct_payment(direct)

    @workflow.signal
    async def paid_in_batch(self, batch: PaidInBatch) -> None:
        """A batch says that this order is paid with it; the books are asked before that is believed."""
        await self.take_batch_payment(batch.batch_no)

    @workflow.signal(dynamic=True)
    async def notified(self, name: str, payloads: Sequence[RawValue]) -> None:
        """The same commands from those who only notify; what cannot be carried out is shown to the operator."""
        self.mail.notify(name, payloads)

    # ---- what operators and callers ask ----

    @workflow.update
    async def resume(self, command: OperatorCommand) -> str:
        """Operator: the cause is mended, try the step again that waits."""
        self.operator_calls += 1
        return f"resumed for {command.operator}"

    @resume.validator
    def check_resume(self, command: OperatorCommand) -> None:
        """Refuse when nothing waits for an operator."""
        if not self.state.attention:
            raise to_temporal(Refused("order_state", "The order needs no attention; there is nothing to resume."))

    @workflow.query(name="state")
    def state_now(self) -> OrderState:
        """The whole state of the order."""
        return self.state
