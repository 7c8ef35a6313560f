"""How an order is paid, from the owner's balance or by a channel for just this order, and refunded through it."""

from collections.abc import Sequence

from temporalio import workflow
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.direct_payments import DirectPaymentActivities, FreezeDirect
    from activities.order_money import FreezePrice, OrderActivities, OrderRef
    from escrow.domain.collections.batch_payments import batch_consent_no
    from escrow.domain.collections.direct_payments import DirectPaid
    from escrow.domain.collections.methods import payment_booking_no
    from escrow.domain.errors import Refused
    from escrow.domain.money.funding import FundingLeg, direct_leg
    from escrow.domain.orders.states import OrderCommand as Operation
    from escrow.domain.orders.states import OrderStatus
    from workflows import order_state as states
    from workflows.batch_messages import ORDER_KNOWS, PAID_IN_BATCH, OrderKnows, batch_payment_workflow_id
    from workflows.correspondence import Letter
    from workflows.direct_refund import DirectRefundProcess
    from workflows.messages import (
        PAYMENTS_TASK_QUEUE,
        DirectRefundInput,
        OrderCommand,
        direct_refund_workflow_id,
    )
    from workflows.order_desk import OrderDesk
    from workflows.pay_in_messages import ORDER_HAS_ANSWERED, OrderAnswer, pay_in_workflow_id
    from workflows.timeouts import CHANNEL_BOOKING


#: Why a step that ends the wait for the payment may be refused: it ended before.
_ENDED_OTHERWISE = frozenset({"claim_taken", "money_inside"})


class PaidElsewhere(Exception):
    """The books say that the order is paid, though not by its own doing."""


def as_order_state_refusal(refusal: Refused) -> Refused:
    """The refusal of a step that would end the wait for the payment, in the words of one who asked for it."""
    if refusal.code not in _ENDED_OTHERWISE:
        return refusal
    return Refused("order_state", "The order waits for its payment no more; look at it and decide anew.")


class OrderPayment(OrderDesk):
    """Payment of an order."""

    async def freeze_price(self, letter: Letter) -> None:
        """Freeze the full price; refused while the owner's available balance does not cover it.

        Raises:
            PaidElsewhere: the order is paid already, and goes on so.
        """
        if letter.batch_no:
            await self.adopt_payment(letter)
            return
        if letter.direct is not None:
            await self.freeze_direct(letter, letter.direct)
            return
        after = states.after_payment(self.state, self.contract, self.clock.now() + self.contract.periods.start_deadline)
        request = FreezePrice(
            step=self.step(
                "freeze",
                event_type="order.paid",
                after=after,
                bases=[self.consent_of(letter)],
                deadlines=[self.deadline("payment", None), self.deadline("start", after.step_due_at)],
            ),
            owner_no=self.contract.owner_no,
            total_fen=self.contract.total_fen,
        )
        try:
            receipt = await self.posted(OrderActivities.freeze_price, request, summary="freeze the full price")
        except Refused as refusal:
            await self.not_taken(letter, refusal)
            return
        after.funding = list(receipt.funding)
        self.adopt(after, letter)

    async def freeze_direct(self, letter: Letter, direct: DirectPaid) -> None:
        """Freeze what a channel collected for this order."""
        after = states.after_payment(self.state, self.contract, self.clock.now() + self.contract.periods.start_deadline)
        after.direct = direct
        after.funding = [direct_leg(payment_no=direct.payment_no, amount_fen=self.contract.total_fen)]
        step = self.step(
            "freeze",
            event_type="order.paid",
            after=after,
            bases=[self.consent_of(letter)],
            deadlines=[self.deadline("payment", None), self.deadline("start", after.step_due_at)],
        )
        request = FreezeDirect(
            # The payment's own number: it is booked once, for the order, or by what had it collected.
            step=step.model_copy(update={"request_no": payment_booking_no(direct.payment_no)}),
            owner_no=self.contract.owner_no,
            total_fen=self.contract.total_fen,
            direct=direct,
        )
        try:
            await self.certain(
                lambda: workflow.execute_activity_method(
                    DirectPaymentActivities.freeze_direct,
                    request,
                    summary="freeze what the channel collected",
                    **CHANNEL_BOOKING,
                )
            )
        except Refused as refusal:
            await self.not_taken(letter, refusal)
            return
        self.adopt(after, letter)

    async def not_taken(self, letter: Letter, refusal: Refused) -> None:
        """Answer who wants to pay with the refusal; the reason may be that the order is paid already.

        Raises:
            PaidElsewhere: it is.
        """
        self.mail.refuse(letter, as_order_state_refusal(refusal))
        await self.if_paid_elsewhere(refusal)

    async def if_paid_elsewhere(self, refusal: Refused) -> None:
        """A step that ends the wait for the payment was refused: look whether it ended otherwise.

        Raises:
            PaidElsewhere: the order is paid, and goes on so.
        """
        waits = self.state.status is OrderStatus.AWAITING_PAYMENT
        if waits and refusal.code in _ENDED_OTHERWISE and await self.adopt_payment(None):
            raise PaidElsewhere

    async def adopt_payment(self, letter: Letter | None) -> bool:
        """Go on as the books say that the order is paid; False when they do not."""
        ref = OrderRef(platform_no=self.contract.platform_no, order_no=self.contract.order_no)
        paid = await self.locally(OrderActivities.payment_in_books, ref, summary="look whether the order is paid")
        if paid is None or (letter is not None and paid.batch_no != letter.batch_no):
            if letter is not None:
                told = f"The books do not say that the order is paid with {letter.batch_no}."
                self.mail.refuse(letter, Refused("order_state", told))
                self.note(PAID_IN_BATCH, told)
            return False
        after = states.after_payment(self.state, self.contract, paid.start_due_at)
        after.funding, after.direct, after.batch_no = list(paid.funding), paid.direct, paid.batch_no
        self.adopt(after, letter)
        return True

    async def take_batch_payment(self, batch_no: str) -> None:
        """A batch says that it has paid this order: look into the books, and answer whether it goes on so."""
        if self.state.batch_no != batch_no:
            command = OrderCommand(request_no=batch_consent_no(batch_no), by=self.contract.owner_no)
            await self.mail.answer_to(Letter(Operation.PAY, command, notified_only=False, batch_no=batch_no))
        answer = OrderKnows(order_no=self.contract.order_no, is_paid=self.state.batch_no == batch_no)
        workflow_id = batch_payment_workflow_id(self.contract.platform_no, batch_no)
        try:
            await workflow.get_external_workflow_handle(workflow_id).signal(ORDER_KNOWS, answer)
        except FailureError:
            self.note(ORDER_KNOWS, f"{batch_no} could not be told")  # it has ended: nobody waits for it any more

    async def take_direct_payment(self, direct: DirectPaid) -> None:
        """A channel took a payment for this order: freeze it, or say that it must go back."""
        command = OrderCommand(request_no=direct.consent_no, by=self.contract.owner_no)
        letter = Letter(Operation.PAY, command, notified_only=False, direct=direct)
        await self.mail.answer_to(letter)
        pay_in = workflow.get_external_workflow_handle(pay_in_workflow_id(self.contract.platform_no, direct.pay_in_no))
        try:
            await pay_in.signal(ORDER_HAS_ANSWERED, OrderAnswer(payment_no=direct.payment_no))
        except FailureError:
            self.note(ORDER_HAS_ANSWERED, f"{direct.pay_in_no} could not be told")  # then it looks into the books

    async def refund_through_channel(self, parts: Sequence[FundingLeg]) -> None:
        """Start the refund of what a channel collected; it lives on its own from here."""
        refund_fen = sum(part.amount_fen for part in parts if part.payment_no)
        if refund_fen == 0 or self.state.direct is None:
            return
        platform_no, order_no = self.contract.platform_no, self.contract.order_no
        try:
            await workflow.start_child_workflow(
                DirectRefundProcess.run,
                DirectRefundInput(
                    platform_no=platform_no,
                    order_no=order_no,
                    owner_no=self.contract.owner_no,
                    amount_fen=refund_fen,
                    direct=self.state.direct,
                ),
                id=direct_refund_workflow_id(platform_no, order_no),
                task_queue=PAYMENTS_TASK_QUEUE,
                parent_close_policy=ParentClosePolicy.ABANDON,
                static_summary=f"refund of {order_no} through {self.state.direct.method}",
            )
        except WorkflowAlreadyStartedError:
            self.note("refund", "its refund was started before; not started again")

    @property
    def payee_no(self) -> str:
        """Member that is paid; empty when it is the platform itself."""
        return "" if self.contract.payee_is_platform else self.contract.contractor_no
