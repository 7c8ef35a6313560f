"""BatchPayment: a list of orders of one owner is paid by one posting, and each order is told and lives alone.

Read `run` first. From the owner's balance all orders are frozen or none. Where a channel collects the total, the
orders that still wait when it has the money are frozen, and the shares of the others go back through the channel.
The posting changes the orders in the books; a worker that dies before they are told tells them when it is back, and
an order that acts before it is told finds in the books that it is paid.
"""

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.batch_payments import BatchOpened, BatchPaid, BatchPaymentActivities, PayBatch
    from activities.failures import to_temporal
    from activities.steps import Step
    from escrow.domain.collections.batch_payments import BATCH_PAYMENT, BatchStatus, batch_pay_in_no
    from escrow.domain.collections.direct_payments import DirectPaid
    from escrow.domain.collections.methods import CollectionMethod
    from escrow.domain.errors import Refused
    from escrow.domain.money.amounts import format_fen
    from escrow.domain.money.journal import Basis
    from escrow.domain.requests import derived
    from workflows.batch_messages import (
        ORDER_KNOWS,
        PAID_IN_BATCH,
        BatchPaymentInput,
        BatchPaymentOutcome,
        BatchPaymentState,
        OrderKnows,
        PaidInBatch,
    )
    from workflows.desk import Desk
    from workflows.messages import PAYMENTS_TASK_QUEUE, OperatorCommand, order_workflow_id
    from workflows.pay_in import PayIn
    from workflows.pay_in_messages import (
        ORDER_HAS_ANSWERED,
        ORDER_PAID_DIRECTLY,
        OrderAnswer,
        PayInInput,
        pay_in_workflow_id,
    )
    from workflows.search_attributes import show_search_attributes
    from workflows.timeouts import CHANNEL_BOOKING, LEDGER_POSTING, LEDGER_RECORD, ORDER_ANSWERS_WITHIN, WORKFLOW_TASK
    from workflows.uncancelled import uncancelled, why_unfinished

#: The desk's base wants a bound; a batch's history stays far below it.
_NEVER_CONTINUED = 50_000


@workflow.defn(name="BatchPayment")
class BatchPayment(Desk):
    """One batch."""

    @workflow.init
    def __init__(self, batch: BatchPaymentInput) -> None:
        super().__init__(batch.platform_no, _NEVER_CONTINUED)
        self.batch = batch
        self.state = BatchPaymentState()
        self.booking = asyncio.Lock()

    @property
    def attended(self) -> BatchPaymentState:
        """The state that operators look at."""
        return self.state

    @workflow.run
    async def run(self, batch: BatchPaymentInput) -> BatchPaymentOutcome:
        """Pay all orders from the balance, or have their total collected; tell those that are paid."""
        await self.clock.begin(on_cancel=self.note_cancel)
        try:
            if isinstance(batch.paid_by, CollectionMethod):
                await self.collect(await self.opened())
            else:
                await self.freeze()
        except Refused as refusal:
            await self.record_refusal(refusal)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return BatchPaymentOutcome(
            batch_no=self.batch.batch_no,
            status=self.state.status,
            frozen_fen=self.state.frozen_fen,
            reason=self.state.reason,
        )

    # ---- from the balance ----

    async def freeze(self) -> None:
        """One posting for all orders, then each is told.

        Raises:
            Refused: a rule says no, no order is paid.
        """
        paid = await self.certain(
            lambda: workflow.execute_activity_method(
                BatchPaymentActivities.freeze_batch,
                self.request("pay", is_first=True),
                summary=f"freeze the prices of {len(self.batch.order_nos)} orders, all or none",
                **LEDGER_POSTING,
            )
        )
        await self.tell_orders(paid)

    # ---- collected by a channel ----

    async def opened(self) -> BatchOpened:
        """Enter the batch in the books.

        Raises:
            Refused: a rule says no, nothing is collected.
        """
        opened = await self.certain(
            lambda: workflow.execute_activity_method(
                BatchPaymentActivities.open_batch,
                self.request("open", is_first=True),
                summary="enter the batch in the books",
                **LEDGER_POSTING,
            )
        )
        self.refresh()
        return opened

    async def collect(self, opened: BatchOpened) -> None:
        """Have the total collected, and stay until no payment can come any more."""
        assert isinstance(self.batch.paid_by, CollectionMethod)  # noqa: S101 - narrows the type
        assert self.batch.expires_at is not None  # noqa: S101 - the API sets it wherever a channel collects
        number = batch_pay_in_no(self.batch.batch_no)
        try:
            collecting = await workflow.start_child_workflow(
                PayIn.run,
                PayInInput(
                    platform_no=self.batch.platform_no,
                    pay_in_no=number,
                    member_no=self.batch.payer_no,
                    method=self.batch.paid_by,
                    amount_fen=opened.total_fen,
                    subject=self.batch.batch_no,
                    expires_at=min(self.batch.expires_at, opened.waits_until),
                    return_url=self.batch.return_url,
                    consent=Basis(kind="consent", reference=opened.consent_no, operation_hash=opened.operation_hash),
                    batch_no=self.batch.batch_no,
                    account_id=self.batch.account_id,
                    mandate_no=self.batch.mandate_no,
                    collect_consent=self.batch.collect_consent,
                ),
                id=pay_in_workflow_id(self.batch.platform_no, number),
                task_queue=PAYMENTS_TASK_QUEUE,
                task_timeout=WORKFLOW_TASK,
                parent_close_policy=ParentClosePolicy.ABANDON,
                static_summary=f"{format_fen(opened.total_fen)} yuan by {self.batch.paid_by} for {number}",
            )
            ended = await uncancelled(collecting, on_cancel=self.note_cancel)
            self.state.reason = self.state.reason or ended.reason
        except WorkflowAlreadyStartedError:
            self.state.reason = "its collection was started by somebody else"
        except FailureError as error:
            self.state.reason = f"its collection ended early: {why_unfinished(error)}"
        if self.state.status is BatchStatus.AWAITING_PAYMENT:
            self.state.status = BatchStatus.CLOSED
            await self.record("close", f"{BATCH_PAYMENT}.closed", reason=self.state.reason)

    @workflow.signal(name=ORDER_PAID_DIRECTLY)
    async def paid_directly(self, direct: DirectPaid) -> None:
        """The channel took a payment for this batch; what the channel says of it is asked before it is frozen."""
        async with self.booking:
            paid = await self.take(direct)
        answer = OrderAnswer(payment_no=direct.payment_no)
        handle = workflow.get_external_workflow_handle(pay_in_workflow_id(self.batch.platform_no, direct.pay_in_no))
        try:
            await handle.signal(ORDER_HAS_ANSWERED, answer)
        except FailureError:
            self.note(ORDER_HAS_ANSWERED, f"{direct.pay_in_no} could not be told")  # then it looks into the books
        if paid is not None:
            await self.tell_orders(paid)

    async def take(self, direct: DirectPaid) -> BatchPaid | None:
        """Freeze what was collected for the orders that still wait; None when it must go back."""
        try:
            return await self.certain(
                lambda: workflow.execute_activity_method(
                    BatchPaymentActivities.freeze_batch_direct,
                    args=[self.request("pay"), direct],
                    summary="freeze what the channel collected",
                    **CHANNEL_BOOKING,
                )
            )
        except Refused as refusal:
            self.state.reason = refusal.message
            self.note(ORDER_PAID_DIRECTLY, refusal.message)
            return None

    # ---- the orders ----

    async def tell_orders(self, paid: BatchPaid) -> None:
        """Tell each order, and wait until it goes on as paid; one that does not answer finds it in the books."""
        self.state.status, self.state.paid = BatchStatus.PAID, paid.order_nos
        self.state.frozen_fen, self.state.reason = paid.frozen_fen, ""
        self.refresh()
        await asyncio.gather(*(self.tell(order_no) for order_no in paid.order_nos))
        await self.clock.until(
            lambda: set(self.state.told) >= set(paid.order_nos),
            self.clock.now() + ORDER_ANSWERS_WITHIN,
            summary="wait until the orders know",
            on_cancel=self.note_cancel,
        )
        for order_no in sorted(set(paid.order_nos) - set(self.state.told)):
            self.note(PAID_IN_BATCH, f"{order_no} has not answered; it finds in the books that it is paid")
        await self.record("told", f"{BATCH_PAYMENT}.orders_told", told=True)

    async def tell(self, order_no: str) -> None:
        """Tell one order."""
        order = workflow.get_external_workflow_handle(order_workflow_id(self.batch.platform_no, order_no))
        try:
            await order.signal(PAID_IN_BATCH, PaidInBatch(batch_no=self.batch.batch_no))
        except FailureError:
            self.note(PAID_IN_BATCH, f"{order_no} does not run: the books have its money, start it again")

    @workflow.signal(name=ORDER_KNOWS)
    async def order_knows(self, answer: OrderKnows) -> None:
        """An order goes on as paid."""
        if answer.is_paid and answer.order_no not in self.state.told:
            self.state.told.append(answer.order_no)
        elif not answer.is_paid:
            self.note(ORDER_KNOWS, f"{answer.order_no} does not find in the books that it is paid")

    # ---- books and operators ----

    async def record_refusal(self, refusal: Refused) -> None:
        """Enter the batch as refused, so that its number is answered so for ever."""
        self.state.status, self.state.reason = BatchStatus.REFUSED, refusal.message
        if refusal.code == "object_exists":
            return
        told = {"code": refusal.code, "message": refusal.message, "details": refusal.details}
        facts = {
            "payer_no": self.batch.payer_no,
            "paid_by": str(self.batch.paid_by),
            "started_as": workflow.info().first_execution_run_id,
        }
        await self.record("refuse", f"{BATCH_PAYMENT}.refused", is_first=True, refusal=told, **facts)

    async def record(self, part: str, event_type: str, *, is_first: bool = False, **document: Any) -> None:
        """Record a change that moves no money; a refusal is noted, since nothing depends on it."""
        step = self.step(part, event_type, is_first=is_first, **document)
        try:
            await self.certain(
                lambda: workflow.execute_local_activity_method(
                    BatchPaymentActivities.record_batch, step, summary=event_type, **LEDGER_RECORD
                )
            )
        except Refused as refusal:
            self.note(event_type, refusal.message)
        self.refresh()

    def request(self, part: str, *, is_first: bool = False) -> PayBatch:
        """What an activity needs to pay or enter this batch; all else it reads in the books."""
        return PayBatch(
            step=self.step(part, f"{BATCH_PAYMENT}.opened", is_first=is_first),
            payer_no=self.batch.payer_no,
            order_nos=self.batch.order_nos,
            paid_by=self.batch.paid_by,
            started_as=workflow.info().first_execution_run_id,
        )

    def step(self, part: str, event_type: str, *, is_first: bool = False, **document: Any) -> Step:
        """One step of this batch."""
        return Step(
            platform_no=self.batch.platform_no,
            object_kind=BATCH_PAYMENT,
            object_no=self.batch.batch_no,
            request_no=derived("", BATCH_PAYMENT, self.batch.batch_no, part),
            event_type=event_type,
            status=self.state.status.value,
            document=document,
            occurred_at=self.clock.now(),
            is_first=is_first,
        )

    def refresh(self) -> None:
        """Bring details and search attributes up to date."""
        state = self.state
        lines = [
            f"### batch {self.batch.batch_no}: {state.status.value.replace('_', ' ')}",
            f"{len(self.batch.order_nos)} orders of {self.batch.payer_no}, paid by {self.batch.paid_by}; "
            f"{format_fen(state.frozen_fen)} yuan frozen",
            "| order | paid | knows |\n|---|---|---|",
        ]
        rows = [
            f"| {number} | {'yes' if number in state.paid else 'no'} | {'yes' if number in state.told else 'no'} |"
            for number in self.batch.order_nos
        ]
        lines[-1] = "\n".join([lines[-1], *rows])
        lines += [f"**Reason:** {state.reason}"] if state.reason else []
        lines += [f"**NEEDS ATTENTION:** {state.attention}"] if state.attention else []
        lines += [f"- noted {note.name}: {note.reason}" for note in state.noted]
        workflow.set_current_details("\n\n".join(lines))
        show_search_attributes(status=None, stage=None, needs_attention=bool(state.attention))

    @workflow.update
    async def resume(self, command: OperatorCommand) -> str:
        """Operator: the cause is mended, try again now."""
        self.operator_calls += 1
        return f"resumed for {command.operator}"

    @resume.validator
    def check_resume(self, command: OperatorCommand) -> None:
        """Refuse when nothing waits for an operator."""
        if not self.state.attention:
            raise to_temporal(Refused("batch_state", "The batch needs no attention; nothing to resume."))

    @workflow.query(name="state")
    def state_now(self) -> BatchPaymentState:
        """The whole state of the batch."""
        return self.state
