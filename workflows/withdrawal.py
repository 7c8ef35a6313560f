"""Withdrawal: money from a sub-account to a bound bank account, over the best rail that is open.

Read `run` first. Each payment order is sent once under its own derived request number. Whatever ends without
an answer is unknown and is asked about; the next rail is tried only after a definite failure; when no rail is
left the money returns to the sub-account.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.failures import from_temporal, to_temporal
    from activities.payments import PaymentActivities, PayoutSurvey, QueryPayout, SubmitPayout
    from escrow.domain.errors import BankDeclined, Refused
    from escrow.domain.platforms.config import RoutingObjective
    from escrow.domain.requests import derived
    from escrow.domain.time.calendars import SHANGHAI, WorkingCalendar
    from escrow.domain.withdrawals.payouts import PayoutAnswer, PayoutStatus
    from escrow.domain.withdrawals.rails import Rail, rail_rules_on
    from escrow.domain.withdrawals.routing import RouteDecision, RouteReason, choose_route, explain
    from escrow.domain.withdrawals.states import WithdrawalEvent as Event
    from escrow.domain.withdrawals.states import WithdrawalStatus as Status
    from escrow.domain.withdrawals.tariff import tariff_on
    from workflows.messages import (
        OperatorCommand,
        PayoutAttempt,
        WithdrawalInput,
        WithdrawalOutcome,
        WithdrawalState,
    )
    from workflows.timeouts import (
        BANK_QUESTION,
        BANK_SUBMISSION,
        UNKNOWN_ASKED_AT_MOST_EVERY,
        UNKNOWN_FIRST_ASKED_AFTER,
        UNKNOWN_NEEDS_OPERATOR_AFTER,
    )
    from workflows.uncancelled import uncancelled
    from workflows.withdrawal_desk import WithdrawalDesk

#: How often one rail may lose a payment order that the bank never received before it counts as failed.
_LOST_AT_MOST = 2


@workflow.defn(name="Withdrawal")
class Withdrawal(WithdrawalDesk):
    """One withdrawal."""

    @workflow.init
    def __init__(self, withdrawal: WithdrawalInput) -> None:
        super().__init__(withdrawal)

    @workflow.run
    async def run(self, withdrawal: WithdrawalInput) -> WithdrawalOutcome:
        """Hold the money, tell the member of a large amount, pay over the best rail, or give the money back."""
        await self.clock.begin(on_cancel=self.note_cancel)
        try:
            await self.hold()
        except Refused as refusal:
            return await self.refused(refusal)
        self.announcement = asyncio.create_task(self.announce_large_withdrawal())
        paid = await self.answer_to_open_attempt()
        while paid is None:
            rail = await self.choose_rail()
            if rail is None:
                break
            paid = await self.pay_over(rail)
        outcome = await self.give_money_back() if paid is None else await self.settle(paid)
        await self.announcement
        await workflow.wait_condition(workflow.all_handlers_finished)
        return outcome

    async def choose_rail(self) -> Rail | None:
        """The rail to pay over now, waiting for one to open; None when none ever will."""
        while True:
            survey = await self.survey()
            if isinstance(survey, Refused):
                self.state.reasons = [survey.message]
                return None
            decision = self.decide(survey)
            self.state.reasons, self.state.opens_at = explain(decision), decision.opens_at
            if decision.chosen is not None:
                return decision.chosen
            if decision.opens_at is None and any(
                item.reason is RouteReason.CALENDAR_UNKNOWN for item in decision.candidates
            ):
                await self.wait_for_operator("nobody knows the working days ahead: complete the calendar")
                self.continue_as_new_if_long()
                continue
            if decision.opens_at is None:
                return None
            await self.queue_for(decision.opens_at - decision.decided_at)

    def decide(self, survey: PayoutSurvey) -> RouteDecision:
        """Choose by the bank's own clock, since it is the bank that keeps the hours."""
        now = survey.capabilities.as_of
        today = now.astimezone(SHANGHAI).date()
        return choose_route(
            rules=rail_rules_on(today),
            calendar=WorkingCalendar(overrides=survey.working_days),
            tariff=tariff_on(today),
            amount_fen=self.withdrawal.principal_fen,
            account=survey.account,
            capabilities=survey.capabilities.rails,
            objective=RoutingObjective(self.withdrawal.routing_objective),
            now=now,
            excluded=self.failed_rails(),
        )

    def failed_rails(self) -> set[Rail]:
        """Rails that definitely failed, or that lost too many payment orders."""
        failed = {attempt.rail for attempt in self.state.attempts if attempt.outcome == "failed"}
        for rail in Rail:
            lost = sum(a.rail is rail and a.outcome == "never_arrived" for a in self.state.attempts)
            if lost >= _LOST_AT_MOST:
                failed.add(rail)
        return failed

    async def pay_over(self, rail: Rail) -> PayoutAnswer | None:
        """Send one payment order and find out what became of it; None after a definite failure."""
        number = len(self.state.attempts) + 1
        request_no = derived(self.withdrawal.withdrawal_no, "payout", number)
        now = self.clock.now()
        await self.begin_attempt(PayoutAttempt(number=number, rail=rail, request_no=request_no, sent_at=now))
        order = SubmitPayout(
            target=self.target,
            withdrawal_no=self.withdrawal.withdrawal_no,
            request_no=request_no,
            rail=rail,
            amount_fen=self.withdrawal.principal_fen,
            purpose_text=self.withdrawal.order_no or self.withdrawal.withdrawal_no,
        )
        try:
            answer = await uncancelled(
                workflow.execute_activity_method(
                    PaymentActivities.submit_payout,
                    order,
                    summary=f"send the payment order over {rail}",
                    **BANK_SUBMISSION,
                ),
                on_cancel=self.note_cancel,
            )
        except ActivityError as error:
            known = from_temporal(error)
            if isinstance(known, (BankDeclined, Refused)):
                self.end_attempt("failed", reason=known.message)
                return None
            self.move(Event.NO_ANSWER)
            return await self.find_out(request_no, first_after=timedelta(0))
        if answer.status is PayoutStatus.PROCESSING:
            self.move(Event.BANK_PROCESSING)
            return await self.find_out(request_no, first_after=UNKNOWN_FIRST_ASKED_AFTER)
        return self.taken(answer)

    async def answer_to_open_attempt(self) -> PayoutAnswer | None:
        """What became of the payment order that was under way when this run began, if any."""
        if self.state.attempts and self.state.attempts[-1].outcome == "sent":
            return await self.find_out(self.state.attempts[-1].request_no, first_after=self.pause_before_asking_bank())
        return None

    def pause_before_asking_bank(self) -> timedelta:
        """Pause before the bank is asked again: as long as it has been silent so far, within limits."""
        silent_for = self.clock.now() - self.state.attempts[-1].sent_at
        return min(max(silent_for, UNKNOWN_FIRST_ASKED_AFTER), UNKNOWN_ASKED_AT_MOST_EVERY)

    async def find_out(self, request_no: str, *, first_after: timedelta) -> PayoutAnswer | None:
        """Ask the bank by request number until it gives a definite answer; None when that is a failure.

        A notice of the bank only makes us ask sooner. An unknown that lasts is shown to an operator.
        """
        pause = first_after
        while True:
            await self.wait_for_notice(pause, summary=f"ask the bank about {request_no}")
            try:
                answer = await uncancelled(
                    workflow.execute_activity_method(
                        PaymentActivities.query_payout,
                        QueryPayout(
                            platform_no=self.withdrawal.platform_no,
                            request_no=request_no,
                            rail=self.state.attempts[-1].rail,
                        ),
                        summary="ask the bank what became of the payment order",
                        **BANK_QUESTION,
                    ),
                    on_cancel=self.note_cancel,
                )
            except ActivityError:
                self.still_open(Event.NO_ANSWER)
            else:
                if answer.status in (PayoutStatus.SUCCEEDED, PayoutStatus.FAILED) or answer.final:
                    return self.taken(answer)
                processing = answer.status is PayoutStatus.PROCESSING
                self.still_open(Event.BANK_PROCESSING if processing else Event.NO_ANSWER)
            pause = self.pause_before_asking_bank()
            lasts_for = self.clock.now() - self.state.attempts[-1].sent_at
            if lasts_for >= UNKNOWN_NEEDS_OPERATOR_AFTER and not self.state.attention:
                await self.call_operator(f"the bank has not said for a day what became of {request_no}: ask it")
            self.continue_as_new_if_long()

    def taken(self, answer: PayoutAnswer) -> PayoutAnswer | None:
        """Take a definite answer: the payout, or None after a failure."""
        if answer.status is PayoutStatus.SUCCEEDED:
            self.end_attempt("succeeded", bank_serial_no=answer.bank_serial_no)
            return answer
        if answer.status is PayoutStatus.NOT_FOUND:
            self.end_attempt("never_arrived", reason="the bank never received it and never will")
        else:
            self.end_attempt("failed", reason=answer.reason)
        return None

    @workflow.signal(dynamic=True)
    async def notified(self, name: str, payloads: Sequence[RawValue]) -> None:
        """`bank_notice` wakes the withdrawal, which then asks the bank itself; anything else is noted."""
        if name == "bank_notice":
            self.notices += 1
        else:
            self.note(name, "a withdrawal takes no such message")

    @workflow.update
    async def resume(self, command: OperatorCommand) -> str:
        """Operator: the cause is mended, try or ask again now."""
        self.operator_calls += 1
        self.notices += 1
        if self.state.status == Status.NEEDS_ATTENTION:
            self.state.attention = ""
            self.move(Event.OPERATOR_ASKS_BANK_AGAIN)
        return f"resumed for {command.operator}"

    @resume.validator
    def check_resume(self, command: OperatorCommand) -> None:
        """Refuse when nothing waits for an operator."""
        if not self.state.attention:
            raise to_temporal(Refused("withdrawal_state", "The withdrawal needs no attention; nothing to resume."))

    @workflow.query(name="state")
    def state_now(self) -> WithdrawalState:
        """The whole state of the withdrawal."""
        return self.state
