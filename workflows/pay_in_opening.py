"""How a channel is asked to collect: once under each number, and a debit over another channel after a definite no."""

from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.debits import DebitActivities, DebitOrder
    from activities.failures import from_temporal
    from activities.pay_ins import CreateCollection, PayInActivities
    from activities.quick_payments import QuickOrder, QuickPaymentActivities
    from escrow.domain.collections.debit_routing import DebitDecision
    from escrow.domain.collections.methods import CollectionAnswer, CollectionMethod, CollectionStatus
    from escrow.domain.collections.pay_ins import PayInStatus as Status
    from escrow.domain.errors import BankDeclined, Refused
    from escrow.domain.requests import derived
    from workflows.pay_in_booking import PayInBooking
    from workflows.timeouts import (
        BANK_QUESTION,
        BANK_SUBMISSION,
        CHANNEL_BOOKING,
        COLLECTION_ASKED_AT_MOST_EVERY,
        COLLECTION_FIRST_ASKED_AFTER,
    )
    from workflows.uncancelled import uncancelled

#: How often the channel may lose the order to collect before the top-up counts as failed.
_LOST_AT_MOST = 2


class PayInOpening(PayInBooking):
    """Opening of a collection at its channel."""

    async def collect(self) -> bool:
        """Have a channel open the collection; False when none definitely does."""
        lost = 0
        try:
            while lost < _LOST_AT_MOST and await self.route():
                self.state.attempts += 1
                self.state.request_no = self.collection_no(self.state.attempts)
                answer = await self.create()
                if answer is not None and answer.status not in (CollectionStatus.NOT_FOUND, CollectionStatus.FAILED):
                    await self.opened(answer)
                    return True
                if answer is not None:
                    self.state.reason = answer.reason or "the channel lost it"
                    lost += answer.status is CollectionStatus.NOT_FOUND
                if self.is_debit:
                    await self.rule_out()
                elif answer is None or answer.status is CollectionStatus.FAILED:
                    break
        except Refused as refusal:
            self.state.reason, self.state.reason_code = refusal.message, refusal.code
        self.end(Status.FAILED, self.state.reason or "no channel collects it")
        self.state.watched_until = None
        await self.record("fail", "pay_in.failed")
        return False

    async def opened(self, answer: CollectionAnswer) -> None:
        """The channel collects: show the payer what to do, where there is something."""
        if answer.interaction is not None:
            self.state.interaction = answer.interaction.document()
        self.state.status = Status.PROCESSING if self.is_debit else Status.AWAITING_PAYER
        await self.record(derived("asked", self.state.attempts), f"pay_in.{self.state.status}")

    async def route(self) -> bool:
        """Choose the debit channel, for other methods there is only one; False when none can do it.

        Raises:
            Refused: there is no such mandate.
        """
        if not self.is_debit:
            return True
        decision = await self.decision()
        if decision is None:
            self.state.reason = "the bank does not say how it debits"
            return False
        self.state.debit_channel = decision.chosen
        self.state.debit_route = [f"{item.channel}: {item.sentence}" for item in decision.candidates]
        if not decision.chosen:
            self.state.reason = self.state.reason or "no debit channel can do it"
        return bool(decision.chosen)

    async def decision(self) -> DebitDecision | None:
        """What the bank's debit channels allow; None when it does not say so while there is time."""
        pause = COLLECTION_FIRST_ASKED_AFTER
        while True:
            try:
                decision: DebitDecision = await self.sent(
                    DebitActivities.choose_debit_channel, self.debit(), BANK_QUESTION, "choose the debit channel"
                )
            except ActivityError as error:
                known = from_temporal(error)
                if isinstance(known, Refused):
                    raise known from error
            else:
                return decision
            if self.clock.now() >= self.pay_in.expires_at:
                return None
            await self.wait_for_notice(pause, summary="ask the bank again how it debits")
            pause = min(pause * 2, COLLECTION_ASKED_AT_MOST_EVERY)

    async def create(self) -> CollectionAnswer | None:
        """Send the order once; a lost answer is asked about. None after a definite no.

        Raises:
            Refused: a rule says no, nothing was sent.
        """
        summary = f"open the collection by {self.pay_in.method.value}"
        try:
            return await self.submission(summary)
        except ActivityError as error:
            known = from_temporal(error)
            if isinstance(known, Refused):
                raise known from error
            if isinstance(known, BankDeclined):
                self.state.reason = known.message
                return None
        pause = timedelta(seconds=1)
        while True:
            answer = await self.ask_channel()
            if answer is not None and (answer.status is not CollectionStatus.NOT_FOUND or answer.final):
                return answer
            await self.wait_for_notice(pause, summary="ask the channel what became of the order to collect")
            pause = min(pause * 2, COLLECTION_ASKED_AT_MOST_EVERY)

    def submission(self, summary: str) -> Awaitable[CollectionAnswer]:
        """The one call that opens the collection."""
        if self.is_debit:
            return self.sent(DebitActivities.submit_debit, self.debit(), BANK_SUBMISSION, summary)
        if self.pay_in.method is CollectionMethod.QUICK:
            return self.sent(QuickPaymentActivities.open_quick_payment, self.quick(), BANK_SUBMISSION, summary)
        request = CreateCollection(
            collection=self.collection,
            method=self.pay_in.method,
            amount_fen=self.pay_in.amount_fen,
            subject=self.pay_in.subject,
            expires_at=self.pay_in.expires_at,
            return_url=self.pay_in.return_url,
        )
        return self.sent(PayInActivities.create_collection, request, BANK_SUBMISSION, summary)

    async def rule_out(self) -> None:
        """The debit has definitely failed: the books are told, and another channel may be asked."""
        await self.insist(
            lambda: self.sent(
                DebitActivities.rule_out_debit, self.collection, CHANNEL_BOOKING, "keep that the debit has failed"
            ),
            "a failed debit could not be kept",
        )

    def debit(self) -> DebitOrder:
        """The debit as it is to be made now."""
        return DebitOrder(
            collection=self.collection,
            member_no=self.pay_in.member_no,
            mandate_no=self.pay_in.mandate_no,
            amount_fen=self.pay_in.amount_fen,
            consent_no=self.collect_consent,
            subject=self.pay_in.subject,
            expires_at=self.pay_in.expires_at,
            channel=self.state.debit_channel,
        )

    def quick(self) -> QuickOrder:
        """The quick payment as it is to be opened."""
        return QuickOrder(
            collection=self.collection,
            member_no=self.pay_in.member_no,
            account_id=self.pay_in.account_id,
            amount_fen=self.pay_in.amount_fen,
            consent_no=self.collect_consent,
            subject=self.pay_in.subject,
            expires_at=self.pay_in.expires_at,
        )

    def sent(self, activity: Any, request: Any, timeouts: Any, summary: str) -> Awaitable[Any]:
        """Run an activity to its end, whoever cancels meanwhile."""
        return uncancelled(
            workflow.execute_activity_method(activity, request, summary=summary, **timeouts),
            on_cancel=self.note_cancel,
        )

    def collection_no(self, attempt: int) -> str:
        """Our number at the channel of one attempt to collect."""
        return derived(self.pay_in.pay_in_no, "collect", attempt)

    @property
    def collect_consent(self) -> str:
        """Number of the consent to this very collection; a top-up's own."""
        return self.pay_in.collect_consent or self.pay_in.consent.reference

    @property
    def is_debit(self) -> bool:
        """Whether an account is debited under a mandate, with nobody there to pay."""
        return self.pay_in.method is CollectionMethod.DIRECT_DEBIT
