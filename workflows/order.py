"""DecorationOrder: the contract between owner and contractor, from payment to the end of the warranty.

Read `run` first. The books decide, this process waits: commands (`pay`, `start`, `complete`, `accept`, `rectify`,
`cancel`) arrive as updates or as signals of the same names and are given to the books one at a time; when a deadline
passes first, the books say what was agreed for it. The process branches on where the books say the order stands, and on
nothing else, so it can be begun anew at any moment.
"""

from collections.abc import Sequence

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.workflow import HandlerUnfinishedPolicy

with workflow.unsafe.imports_passed_through():
    from activities.orders import OrderRef
    from escrow.domain.orders.contract import MilestoneTerms
    from escrow.domain.orders.milestones import MilestoneKind
    from escrow.domain.orders.states import MilestoneStatus, OrderCommand, OrderStatus
    from escrow.domain.orders.view import OrderView
    from workflows.inbox import CommandInbox
    from workflows.messages import (
        CommandResult,
        OperatorCommand,
        OrderInput,
        OrderOutcome,
        OrderProcessState,
        PartyMessage,
    )
    from workflows.order_books import OrderBooks
    from workflows.order_display import order_details
    from workflows.search_attributes import show_search_attributes
    from workflows.supervision import Supervision, require_attention


@workflow.defn(name="DecorationOrder")
class DecorationOrder:
    """One decoration order."""

    @workflow.init
    def __init__(self, order: OrderInput) -> None:
        self.supervision = Supervision(refresh=self.refresh, begun_with=order, now=lambda: self.books.now())
        ref = OrderRef(platform_no=order.platform_no, order_no=order.order_no)
        self.books = OrderBooks(ref, self.supervision, refresh=self.refresh)
        self.inbox = CommandInbox(self.books.take, self.supervision.note)
        self.awaiting: str | None = None
        # After a reset the books are ahead of what this run has seen of them.
        workflow.register_random_seed_callback(lambda _: self.books.go_stale())

    @workflow.run
    async def run(self, order: OrderInput) -> OrderOutcome:
        """Freeze the full price, release it stage by stage, refund what is not released; end with nothing held."""
        await self.opening()
        await self.payment()
        await self.start_of_work()
        for stage in self.books.signed.of_kind(MilestoneKind.ACCEPTANCE):
            await self.acceptance_of(stage)
        for retention in self.books.signed.of_kind(MilestoneKind.WARRANTY):
            await self.end_of_warranty(retention)
        self.show(None)
        await self.supervision.last_answers()
        return OrderOutcome(
            order_no=self.order.order_no,
            status=self.order.status,
            paid_fen=self.order.paid_fen,
            released_fen=self.order.released_fen,
            commission_fen=self.order.commission_fen,
            refunded_fen=self.order.refunded_fen,
        )

    # ---- the contract, step by step ----

    async def opening(self) -> None:
        """Find the order in the books, or enter it there by the contract that was recorded; the payment deadline runs.

        What was said to it before anybody could hear it is taken up.

        Raises:
            ApplicationError: type `Refused`, it could not be opened; no money was touched.
        """
        for command in await self.books.enter():
            await self.inbox.carry_out(command)

    async def payment(self) -> None:
        """Wait for the owner to pay in full; at the deadline it closes unpaid."""
        while self.order.status is OrderStatus.AWAITING_PAYMENT:
            await self.word_or_deadline("payment by the owner")

    async def start_of_work(self) -> None:
        """Wait for the contractor to start, which releases the deposit; at the deadline all is refunded."""
        while self.order.status is OrderStatus.AWAITING_START:
            await self.word_or_deadline("start of work by the contractor")

    async def acceptance_of(self, stage: MilestoneTerms) -> None:
        """Wait until the owner accepts the stage, or the inspection period ends in silence after a reminder."""
        label = f"M{stage.number} {stage.name}"
        while self.is_open(stage):
            in_inspection = self.order.milestone(stage.number).status is MilestoneStatus.IN_INSPECTION
            await self.word_or_deadline(
                f"acceptance of {label} by the owner or by silence"
                if in_inspection
                else f"contractor to complete {label}"
            )

    async def end_of_warranty(self, retention: MilestoneTerms) -> None:
        """Wait until the retention period is over."""
        while self.is_open(retention):
            await self.word_or_deadline(f"end of the retention period of M{retention.number}")

    async def word_or_deadline(self, awaited: str) -> None:
        """Wait until somebody's word has changed the order; when a deadline passes first, the books say what then."""
        self.show(awaited)
        self.supervision.begin_anew_if_long()
        version, deadline = self.order.version, self.books.nearest_deadline
        await self.supervision.until(
            lambda: self.order.version != version or self.books.is_stale,
            at_most=self.books.left_of(deadline),
            summary=awaited,
        )
        if self.books.is_stale:
            await self.opening()
        elif self.order.version == version and deadline is not None and not await self.books.happens_at(deadline):
            await self.opening()  # something was said before it, and is answered first

    # ---- what owner and contractor say ----

    @workflow.update
    async def pay(self, message: PartyMessage) -> CommandResult:
        """Owner: freeze the full price from my available balance."""
        return await self.said(OrderCommand.PAY, message)

    @workflow.update
    async def start(self, message: PartyMessage) -> CommandResult:
        """Contractor: work has started; releases the deposit."""
        return await self.said(OrderCommand.START, message)

    @workflow.update
    async def complete(self, message: PartyMessage) -> CommandResult:
        """Contractor: a stage is complete; the inspection period runs."""
        return await self.said(OrderCommand.COMPLETE, message)

    @workflow.update
    async def accept(self, message: PartyMessage) -> CommandResult:
        """Owner: I accept the stage; its money is released."""
        return await self.said(OrderCommand.ACCEPT, message)

    @workflow.update
    async def rectify(self, message: PartyMessage) -> CommandResult:
        """Owner: the stage must be put right; the inspection clock stands still."""
        return await self.said(OrderCommand.RECTIFY, message)

    @workflow.update
    async def cancel(self, message: PartyMessage) -> CommandResult:
        """Either side: cancel; after the start it takes both."""
        return await self.said(OrderCommand.CANCEL, message)

    @pay.validator
    def check_pay(self, message: PartyMessage) -> None:
        """Refuse a payment that no state allows before it enters the history."""
        self.check(OrderCommand.PAY, message)

    @start.validator
    def check_start(self, message: PartyMessage) -> None:
        """Refuse a start that no state allows before it enters the history."""
        self.check(OrderCommand.START, message)

    @complete.validator
    def check_complete(self, message: PartyMessage) -> None:
        """Refuse a completion that no state allows before it enters the history."""
        self.check(OrderCommand.COMPLETE, message)

    @accept.validator
    def check_accept(self, message: PartyMessage) -> None:
        """Refuse an acceptance that no state allows before it enters the history."""
        self.check(OrderCommand.ACCEPT, message)

    @rectify.validator
    def check_rectify(self, message: PartyMessage) -> None:
        """Refuse a rectification that no state allows before it enters the history."""
        self.check(OrderCommand.RECTIFY, message)

    @cancel.validator
    def check_cancel(self, message: PartyMessage) -> None:
        """Refuse a cancellation that no state allows before it enters the history."""
        self.check(OrderCommand.CANCEL, message)

    @workflow.signal(dynamic=True)
    async def notified(self, name: str, payloads: Sequence[RawValue]) -> None:
        """The same commands from those who only notify; what cannot be carried out is shown to the operator."""
        await self.inbox.notify(name, payloads)

    # ---- what operators and callers ask ----

    @workflow.signal(unfinished_policy=HandlerUnfinishedPolicy.ABANDON)
    async def look(self) -> None:
        """The books may have moved, or their time: look at them anew."""
        self.books.go_stale()
        self.supervision.look()

    @workflow.update
    async def resume(self, command: OperatorCommand) -> str:
        """Operator: the cause is mended, try the step again that waits."""
        self.supervision.resume()
        return f"resumed for {command.operator}"

    @resume.validator
    def check_resume(self, command: OperatorCommand) -> None:
        """Refuse when nothing waits for an operator."""
        require_attention(self.attention, code="order_state", what="order")

    @workflow.query(name="state")
    def state_now(self) -> OrderProcessState:
        """Where the order stands as this process has seen it."""
        return OrderProcessState(
            plan=self.books.plan,
            order=self.books.view,
            awaiting=self.awaiting,
            attention=self.attention,
            noted=tuple(self.supervision.noted),
        )

    # ---- parts ----

    @property
    def order(self) -> OrderView:
        """Where the order stands, as last seen."""
        return self.books.order

    @property
    def attention(self) -> str | None:
        """Why an operator is needed."""
        seen = self.books.view
        return self.supervision.attention or (None if seen is None else seen.attention)

    def is_open(self, milestone: MilestoneTerms) -> bool:
        """Whether the milestone's money is still in escrow."""
        released = self.order.milestone(milestone.number).status is MilestoneStatus.RELEASED
        return not (released or self.order.status.is_final)

    async def said(self, operation: OrderCommand, message: PartyMessage) -> CommandResult:
        """Give a party's word to the books, and answer what it did.

        Raises:
            ApplicationError: type `Refused`.
        """
        return CommandResult.model_validate(await self.inbox.deliver(operation, message))

    def check(self, operation: OrderCommand, message: PartyMessage) -> None:
        """Refuse what no state of the order can allow; what the books may know better passes.

        So does what comes from somebody who has read a later version than this process has seen.

        Raises:
            ApplicationError: type `Refused`.
        """
        if self.books.is_behind(message.seen_version):
            return
        self.inbox.check(message.to(operation), self.books.plan)

    def show(self, awaited: str | None) -> None:
        """Say what is awaited, None for nothing any more."""
        self.awaiting = awaited
        self.refresh()

    def refresh(self) -> None:
        """Bring details and search attributes up to date."""
        seen = self.books.view
        if seen is None:
            return
        workflow.set_current_details(order_details(self.state_now()))
        show_search_attributes(status=seen.status.value, stage=seen.stage, needs_attention=self.attention is not None)
