"""PayIn: a top-up that a channel collects, credited once; whatever else the payer sends goes back.

Read `run` first. The channel is asked to collect once; a notice only makes us ask it sooner, and each payment that
it names is booked once under the payment's own number. The first payment of at least the asked amount is credited on
the member's consent; a second one, a short one and the excess of a larger one wait in suspense and are returned.
"""

from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.failures import to_temporal
    from activities.pay_ins import OpenPayIn, PayInActivities
    from escrow.domain.collections.methods import CollectionAnswer, CollectionStatus
    from escrow.domain.collections.pay_ins import PayInStatus as Status
    from escrow.domain.errors import Refused
    from escrow.domain.requests import derived
    from workflows.messages import OperatorCommand
    from workflows.pay_in_codes import PayInCodes
    from workflows.pay_in_messages import ORDER_HAS_ANSWERED, OrderAnswer, PayInInput, PayInOutcome, PayInState
    from workflows.timeouts import (
        CHANNEL_BOOKING,
        COLLECTION_ASKED_AT_MOST_EVERY,
        COLLECTION_FIRST_ASKED_AFTER,
        LATE_PAYMENTS_ASKED_EVERY,
        LEDGER_POSTING,
    )
    from workflows.uncancelled import uncancelled


@workflow.defn(name="PayIn")
class PayIn(PayInCodes):
    """One top-up."""

    @workflow.init
    def __init__(self, pay_in: PayInInput) -> None:
        super().__init__(pay_in)
        self.debit_failed = False

    @workflow.run
    async def run(self, pay_in: PayInInput) -> PayInOutcome:
        """Let the channel collect, book what is paid, and look for late payments for some days."""
        await self.clock.begin(on_cancel=self.note_cancel)
        try:
            await self.open()
        except Refused as refusal:
            self.end(Status.FAILED, refusal.message)
            if refusal.code != "object_exists":
                await self.record("refuse", "pay_in.refused", is_first=True, refusal=refusal.code)
            return self.outcome()
        while await self.collect():
            await self.wait_for_payer()
            if self.has_ended:
                await self.wait_for_late_payments()
                break
            await self.rule_out()  # this debit failed; another channel may do it
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.outcome()

    async def open(self) -> None:
        """Enter the top-up in the books.

        Raises:
            Refused: a rule says no, nothing is collected.
        """
        self.state.watched_until = self.pay_in.expires_at + self.pay_in.watch_late_payments_for
        request = OpenPayIn(
            # Not `X:open`: a platform may have an order of the same number.
            step=self.step(
                derived("", "pay_in", self.pay_in.pay_in_no, "open"),
                "pay_in.opened",
                bases=[self.consent()],
                is_first=True,
            ),
            started_as=workflow.info().first_execution_run_id,
            member_no=self.pay_in.member_no,
        )
        await self.certain(
            lambda: workflow.execute_activity_method(
                PayInActivities.open_pay_in, request, summary="enter the top-up in the books", **LEDGER_POSTING
            )
        )
        self.refresh()

    # ---- what the payer does ----

    async def wait_for_payer(self) -> None:
        """Until it is paid, failed, or its time is over and the channel has closed it."""
        pause = COLLECTION_FIRST_ASKED_AFTER
        self.debit_failed = False
        while not (self.has_ended or self.debit_failed):
            until_expiry = self.pay_in.expires_at - self.clock.now()
            if until_expiry > timedelta(0):
                await self.wait_for_notice(min(pause, until_expiry), summary="wait for the payer")
                answer = await self.ask_channel()
            else:
                answer = await self.close()
            if answer is not None:
                await self.take(answer)
            if not self.has_ended and until_expiry <= timedelta(0):
                await self.wait_for_notice(pause, summary="close the collection again")
            pause = min(pause * 2, COLLECTION_ASKED_AT_MOST_EVERY)

    async def close(self) -> CollectionAnswer | None:
        """Have the channel take no payment any more; None when it does not answer now."""
        try:
            return await uncancelled(
                workflow.execute_activity_method(
                    PayInActivities.close_collection, self.collection, summary="close the collection", **CHANNEL_BOOKING
                ),
                on_cancel=self.note_cancel,
            )
        except ActivityError:
            return None

    async def wait_for_late_payments(self) -> None:
        """Payments can come after the end: look now and then, and book what came."""
        assert self.state.watched_until is not None  # noqa: S101 - set when the top-up was entered
        while (left := self.state.watched_until - self.clock.now()) > timedelta(0):
            await self.wait_for_notice(min(left, LATE_PAYMENTS_ASKED_EVERY), summary="look for late payments")
            last = self.state.request_no
            for attempt in range(1, self.state.attempts + 1):  # also under numbers that failed before
                self.state.request_no = self.collection_no(attempt)
                answer = await self.ask_channel()
                if answer is not None:
                    await self.take(answer)
            self.state.request_no = last

    async def take(self, answer: CollectionAnswer) -> None:
        """Book every payment that is new, and take over how the collection ended."""
        known = {item.payment_no for item in self.state.payments}
        for payment in answer.payments:
            if payment.payment_no not in known:
                await self.book(payment)
        if not self.has_ended and answer.status is CollectionStatus.FAILED:
            if self.is_debit:
                self.state.reason, self.debit_failed = answer.reason, True
                return
            self.end(Status.FAILED, answer.reason)
            await self.record("fail", "pay_in.failed")
        elif self.state.status is Status.AWAITING_PAYER and answer.status is CollectionStatus.PROCESSING:
            self.state.status, self.state.interaction = Status.PROCESSING, None
            await self.record("processing", "pay_in.processing")
        elif not self.has_ended and answer.status in (CollectionStatus.CLOSED, CollectionStatus.PAID):
            # Paid without being credited: the payment was short, and went back.
            self.end(Status.CLOSED, self.state.reason or "not paid in time")
            await self.record("close", "pay_in.closed")

    # ---- how it ended ----

    def outcome(self) -> PayInOutcome:
        """How the top-up ended."""
        return PayInOutcome(
            pay_in_no=self.pay_in.pay_in_no,
            status=self.state.status,
            credited_fen=self.pay_in.amount_fen if self.is_credited else 0,
            suspended_fen=sum(item.suspended_fen for item in self.state.payments),
            reason=self.state.reason,
        )

    # ---- who speaks to it ----

    @workflow.signal(name=ORDER_HAS_ANSWERED)
    async def order_has_answered(self, answer: OrderAnswer) -> None:
        """The order that is paid has decided about a payment; how, the books know."""
        self.order_answers.add(answer.payment_no)

    @workflow.signal(dynamic=True)
    async def notified(self, name: str, payloads: Sequence[RawValue]) -> None:
        """`bank_notice` wakes the top-up, which then asks the channel itself; anything else is noted."""
        if name == "bank_notice":
            self.notices += 1
        else:
            self.note(name, "a top-up takes no such message")

    @workflow.update
    async def resume(self, command: OperatorCommand) -> str:
        """Operator: the cause is mended, try or ask again now."""
        self.operator_calls += 1
        self.notices += 1
        return f"resumed for {command.operator}"

    @resume.validator
    def check_resume(self, command: OperatorCommand) -> None:
        """Refuse when nothing waits for an operator."""
        if not self.state.attention:
            raise to_temporal(Refused("pay_in_state", "The top-up needs no attention; nothing to resume."))

    @workflow.query(name="state")
    def state_now(self) -> PayInState:
        """The whole state of the top-up."""
        return self.state
