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
    from activities.failures import from_temporal, to_temporal
    from activities.pay_ins import CreateCollection, OpenPayIn, PayInActivities
    from escrow.domain.collections import CollectionAnswer, CollectionStatus
    from escrow.domain.errors import BankDeclined, Refused
    from escrow.domain.pay_ins import PayInStatus as Status
    from escrow.domain.requests import derived
    from workflows.messages import OperatorCommand
    from workflows.patience import (
        BANK_SUBMISSION,
        CHANNEL_BOOKING,
        COLLECTION_ASKED_AT_MOST_EVERY,
        COLLECTION_FIRST_ASKED_AFTER,
        LATE_PAYMENTS_ASKED_EVERY,
        LEDGER_POSTING,
    )
    from workflows.pay_in_booking import PayInBooking
    from workflows.pay_in_messages import ORDER_HAS_ANSWERED, OrderAnswer, PayInInput, PayInOutcome, PayInState
    from workflows.steadfast import steadfast

#: How often the channel may lose the order to collect before the top-up counts as failed.
_LOST_AT_MOST = 2


@workflow.defn(name="PayIn")
class PayIn(PayInBooking):
    """One top-up."""

    @workflow.init
    def __init__(self, pay_in: PayInInput) -> None:
        super().__init__(pay_in)

    @workflow.run
    async def run(self, pay_in: PayInInput) -> PayInOutcome:
        """Let the channel collect, book what is paid, and look for late payments for some days."""
        try:
            await self.open()
        except Refused as refusal:
            self.end(Status.FAILED, refusal.message)
            if refusal.code != "object_exists":
                await self.record("refuse", "pay_in.refused", is_first=True, refusal=refusal.code)
            return self.outcome()
        if await self.collect():
            await self.wait_for_payer()
            await self.wait_for_late_payments()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.outcome()

    # ---- what the channel is asked for ----

    async def open(self) -> None:
        """Enter the top-up in the books.

        Raises:
            Refused: a rule says no, nothing is collected.
        """
        self.state.watched_until = self.pay_in.expires_at + self.pay_in.watch_late_payments_for
        request = OpenPayIn(
            step=self.step(
                derived(self.pay_in.pay_in_no, "open"), "pay_in.opened", bases=[self.consent()], is_first=True
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

    async def collect(self) -> bool:
        """Have the channel open the collection; False when it definitely does not."""
        answer: CollectionAnswer | None = None
        for attempt in range(1, _LOST_AT_MOST + 1):
            self.state.request_no = derived(self.pay_in.pay_in_no, "collect", attempt)
            answer = await self.create()
            if answer is None or answer.status is not CollectionStatus.NOT_FOUND:
                break
        if answer is None or answer.status in (CollectionStatus.NOT_FOUND, CollectionStatus.FAILED):
            self.end(Status.FAILED, self.state.reason or (answer.reason if answer else "") or "the channel lost it")
            await self.record("fail", "pay_in.failed")
            return False
        if answer.interaction is not None:
            self.state.interaction = {
                "kind": answer.interaction.kind,
                "url": answer.interaction.url,
                "qr_content": answer.interaction.qr_content,
                "app_parameters": dict(answer.interaction.app_parameters or {}),
            }
        self.state.status = Status.AWAITING_PAYER
        await self.record("collect", "pay_in.awaiting_payer")
        return True

    async def create(self) -> CollectionAnswer | None:
        """Send the order once; a lost answer is asked about. None after a definite no."""
        request = CreateCollection(
            collection=self.collection,
            method=self.pay_in.method,
            amount_fen=self.pay_in.amount_fen,
            subject=self.pay_in.subject,
            expires_at=self.pay_in.expires_at,
            return_url=self.pay_in.return_url,
        )
        try:
            return await steadfast(
                workflow.execute_activity_method(
                    PayInActivities.create_collection,
                    request,
                    summary=f"open the collection by {self.pay_in.method.value}",
                    **BANK_SUBMISSION,
                ),
                on_cancel=self.note_cancel,
            )
        except ActivityError as error:
            known = from_temporal(error)
            if isinstance(known, (BankDeclined, Refused)):
                self.state.reason = known.message
                return None
        pause = timedelta(seconds=1)
        while True:
            answer = await self.ask_channel()
            if answer is not None and (answer.status is not CollectionStatus.NOT_FOUND or answer.final):
                return answer
            await self.wait_for_notice(pause, summary="ask the channel what became of the order to collect")
            pause = min(pause * 2, COLLECTION_ASKED_AT_MOST_EVERY)

    # ---- what the payer does ----

    async def wait_for_payer(self) -> None:
        """Until it is paid, failed, or its time is over and the channel has closed it."""
        pause = COLLECTION_FIRST_ASKED_AFTER
        while not self.has_ended:
            until_expiry = self.pay_in.expires_at - workflow.now()
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
            return await steadfast(
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
        while (left := self.state.watched_until - workflow.now()) > timedelta(0):
            await self.wait_for_notice(min(left, LATE_PAYMENTS_ASKED_EVERY), summary="look for late payments")
            answer = await self.ask_channel()
            if answer is not None:
                await self.take(answer)

    async def take(self, answer: CollectionAnswer) -> None:
        """Book every payment that is new, and take over how the collection ended."""
        known = {item.payment_no for item in self.state.payments}
        for payment in answer.payments:
            if payment.payment_no not in known:
                await self.book(payment)
        if not self.has_ended and answer.status is CollectionStatus.FAILED:
            self.end(Status.FAILED, answer.reason)
            await self.record("fail", "pay_in.failed")
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
        """The order that is paid says whether it took a payment."""
        self.order_answers[answer.payment_no] = answer.taken

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
