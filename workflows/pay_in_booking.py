"""What becomes of each payment that a channel took: credited, frozen for its order, or suspended and given back."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError

with workflow.unsafe.imports_passed_through():
    from activities.failures import from_temporal
    from activities.pay_ins import BookPayment, PayInActivities, PaymentRef
    from activities.returns import BookReturn, ReturnActivities, ReturnPayment
    from escrow.domain.collections.direct_payments import DirectPaid
    from escrow.domain.collections.methods import ChannelPayment, payment_booking_no
    from escrow.domain.collections.pay_ins import PayInStatus as Status
    from escrow.domain.collections.pay_ins import pay_in_operation_hash, pay_in_terms
    from escrow.domain.errors import Refused
    from escrow.domain.money.journal import Basis
    from escrow.domain.requests import derived
    from workflows.batch_messages import batch_payment_workflow_id
    from workflows.messages import order_workflow_id
    from workflows.pay_in_desk import PayInDesk
    from workflows.pay_in_messages import ORDER_PAID_DIRECTLY, BookedPayment, PayInInput
    from workflows.timeouts import (
        BANK_SUBMISSION,
        CHANNEL_BOOKING,
        COLLECTION_ASKED_AT_MOST_EVERY,
        LEDGER_RECORD,
        ORDER_ANSWERS_WITHIN,
    )
    from workflows.uncancelled import uncancelled


class PayInBooking(PayInDesk):
    """Bookings of a top-up, or of what pays an order."""

    def __init__(self, pay_in: PayInInput) -> None:
        super().__init__(pay_in)
        self.order_answers: set[str] = set()

    async def book(self, payment: ChannelPayment) -> None:
        """Credit the payment, or let it wait in suspense and return it."""
        booked = BookedPayment(
            payment_no=payment.payment_no, amount_fen=payment.amount_fen, fee_fen=payment.fee_fen, outcome="credited"
        )
        excess_fen = payment.amount_fen - self.pay_in.amount_fen
        if not self.is_credited and excess_fen < 0:
            self.state.reason = "less than asked was paid, and goes back"
        may_be_asked = not self.is_credited and excess_fen >= 0
        asked = booked.model_copy(update={"suspended_fen": excess_fen})
        if may_be_asked and self.pays_orders:
            await self.offer_to_order(payment)
            await self.suspend(payment, booked)
        elif not (may_be_asked and await self.credit(payment, asked)):
            await self.suspend(payment, booked)
        await self.give_back(len(self.state.payments) - 1)

    async def offer_to_order(self, payment: ChannelPayment) -> None:
        """Offer the payment to the order, which freezes it, and wait until it has had its time.

        The order books it under the payment's own number. What it answers ends the waiting, no more: anybody can
        say so. Trying to suspend the payment under the same number tells whether it did.
        """
        direct = DirectPaid(
            consent_no=self.pay_in.consent.reference,
            pay_in_no=self.pay_in.pay_in_no,
            collection_no=self.state.request_no,
            method=self.pay_in.method,
            payment_no=payment.payment_no,
            paid_fen=payment.amount_fen,
            settles_on=payment.settles_on,
        )
        order = workflow.get_external_workflow_handle(self.payee_workflow_id)
        try:
            await order.signal(ORDER_PAID_DIRECTLY, direct)
        except FailureError:
            self.state.reason = "the order has ended"
            return
        await self.clock.until(
            lambda: payment.payment_no in self.order_answers,
            self.clock.now() + ORDER_ANSWERS_WITHIN,
            summary="wait for the order",
            on_cancel=self.note_cancel,
        )
        self.state.reason = "the order did not take the payment"

    async def taken_by_order(self, booked: BookedPayment) -> None:
        """The order has frozen the payment: the books of the collection say so.

        Of what paid a batch, the shares of orders that waited for it no more wait in suspense.
        """
        if self.pay_in.batch_no:
            ref = PaymentRef(platform_no=self.pay_in.platform_no, payment_no=booked.payment_no)
            suspended_fen = await self.certain(
                lambda: workflow.execute_local_activity_method(
                    PayInActivities.suspended_fen, ref, summary="look what the batch did not take", **LEDGER_RECORD
                )
            )
            booked = booked.model_copy(update={"suspended_fen": suspended_fen})
        self.state.payments.append(booked)
        self.end(Status.PAID, "")
        await self.record("paid", "pay_in.paid")

    async def suspend(self, payment: ChannelPayment, booked: BookedPayment) -> None:
        """Let a payment wait in suspense."""
        update = {"outcome": "suspended", "suspended_fen": payment.amount_fen}
        self.state.payments.append(booked.model_copy(update=update))
        request = self.booking(payment, bases=[Basis(kind="none")], event_type="pay_in.payment_suspended")
        while True:
            try:
                await self.certain(
                    lambda: workflow.execute_activity_method(
                        PayInActivities.book_payment,
                        request,
                        summary="let the payment wait in suspense",
                        **CHANNEL_BOOKING,
                    )
                )
            except Refused as refusal:
                if refusal.code == "request_no_reused" and self.pays_orders and not self.is_credited:
                    self.state.payments.pop()
                    excess_fen = payment.amount_fen - self.pay_in.amount_fen
                    await self.taken_by_order(booked.model_copy(update={"suspended_fen": excess_fen}))
                    return
                await self.wait_for_operator(f"a payment could not be booked: {refusal.message}")
            else:
                return

    async def credit(self, payment: ChannelPayment, booked: BookedPayment) -> bool:
        """Credit a payment on the member's consent; False when a rule forbids it."""
        before = self.state.model_copy(deep=True)
        self.state.payments.append(booked)
        self.end(Status.PAID, "")
        request = self.booking(payment, bases=[self.consent()], event_type="pay_in.paid").model_copy(
            update={"member_no": self.pay_in.member_no, "asked_fen": self.pay_in.amount_fen}
        )
        try:
            await self.certain(
                lambda: workflow.execute_activity_method(
                    PayInActivities.book_payment, request, summary="credit the payment", **CHANNEL_BOOKING
                )
            )
        except Refused as refusal:
            self.state.payments, self.state.status = before.payments, before.status
            self.state.reason = refusal.message
            return False
        return True

    def booking(self, payment: ChannelPayment, *, bases: Sequence[Basis], event_type: str) -> BookPayment:
        """A payment is booked under its own number, so only once, whoever books it."""
        return BookPayment(
            step=self.step(payment_booking_no(payment.payment_no), event_type, bases=bases),
            collection=self.collection,
            method=self.pay_in.method,
            payment=ChannelPayment(**asdict(payment)),
        )

    async def give_back(self, index: int) -> None:
        """Return what of a payment waits in suspense, through its channel; after a definite no it stays there."""
        booked = self.state.payments[index]
        if booked.suspended_fen == 0:
            return
        self.state.refunds_sent += 1
        returned = ReturnPayment(
            collection=self.collection,
            refund_no=derived(self.pay_in.pay_in_no, "return", self.state.refunds_sent),
            payment_no=booked.payment_no,
            amount_fen=booked.suspended_fen,
        )
        hold = self.returning(returned, "hold", "pay_in.return_held")
        try:
            await self.certain(
                lambda: workflow.execute_activity_method(
                    ReturnActivities.hold_return, hold, summary="hold the money that goes back", **CHANNEL_BOOKING
                )
            )
        except Refused as refusal:
            self.note("return", refusal.message)  # it was assigned meanwhile
            return
        try:
            await uncancelled(
                workflow.execute_activity_method(
                    ReturnActivities.refund_payment, returned, summary="give the money back", **BANK_SUBMISSION
                ),
                on_cancel=self.note_cancel,
            )
        except ActivityError as error:
            self.note("return", str(from_temporal(error) or "no answer: the channel is asked what became of it"))
        await self.end_return(index, returned)

    async def end_return(self, index: int, returned: ReturnPayment) -> None:
        """Ask until the refund has ended, and book how."""
        pause = timedelta(seconds=1)
        while True:
            try:
                answer = await uncancelled(
                    workflow.execute_activity_method(
                        ReturnActivities.query_refund,
                        returned,
                        summary="ask what became of the refund",
                        **CHANNEL_BOOKING,
                    ),
                    on_cancel=self.note_cancel,
                )
            except ActivityError:
                answer = None
            if answer is not None and (answer.status in ("succeeded", "failed") or answer.final):
                break
            await self.wait_for_notice(pause, summary="wait for the refund")
            pause = min(pause * 2, COLLECTION_ASKED_AT_MOST_EVERY)
        if answer.status == "succeeded":
            booked = self.state.payments[index]
            self.state.payments[index] = booked.model_copy(
                update={"suspended_fen": 0, "outcome": "credited" if booked.outcome == "credited" else "returned"}
            )
        else:
            self.note("return", f"{returned.payment_no} cannot be returned ({answer.reason}); it waits in suspense")
        settle = self.returning(returned, "end", "pay_in.return_ended")
        await self.insist(
            lambda: workflow.execute_activity_method(
                ReturnActivities.settle_return, settle, summary="book how the return ended", **CHANNEL_BOOKING
            ),
            "a return could not be booked",
        )
        self.refresh()

    def returning(self, returned: ReturnPayment, part: str, event_type: str) -> BookReturn:
        """One step of a return in the ledger."""
        request_no = derived(returned.refund_no, part)
        step = self.step(request_no, event_type, bases=[Basis(kind="none")])
        return BookReturn(step=step, returned=returned, method=self.pay_in.method)

    @property
    def has_ended(self) -> bool:
        """Whether the collection waits for nobody any more."""
        return self.state.status in (Status.PAID, Status.CLOSED, Status.FAILED)

    @property
    def is_credited(self) -> bool:
        """Whether the asked amount was credited."""
        return self.state.status is Status.PAID

    @property
    def pays_orders(self) -> bool:
        """Whether an order or a batch is paid, not a member topped up."""
        return bool(self.pay_in.order_no or self.pay_in.batch_no)

    @property
    def payee_workflow_id(self) -> str:
        """Workflow of the order or batch that is paid."""
        if self.pay_in.batch_no:
            return batch_payment_workflow_id(self.pay_in.platform_no, self.pay_in.batch_no)
        return order_workflow_id(self.pay_in.platform_no, self.pay_in.order_no)

    def consent(self) -> Basis:
        """The member's consent; a top-up's hash is taken of this very top-up, an order's is checked by the order."""
        if self.pays_orders:
            return self.pay_in.consent
        expected = pay_in_operation_hash(
            platform_no=self.pay_in.platform_no,
            pay_in_no=self.pay_in.pay_in_no,
            by=self.pay_in.member_no,
            terms=pay_in_terms(
                method=self.pay_in.method.value,
                amount_fen=self.pay_in.amount_fen,
                account_id=self.pay_in.account_id,
                mandate_no=self.pay_in.mandate_no,
            ),
        )
        return Basis(kind="consent", reference=self.pay_in.consent.reference, operation_hash=expected)

    def end(self, status: Status, reason: str) -> None:
        """The collection has ended so; a payment can still come."""
        self.state.status, self.state.reason, self.state.interaction = status, reason, None
