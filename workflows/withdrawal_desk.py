"""The desk of a withdrawal: its steps in the ledger, what it asks the bank beforehand, its operator."""

import asyncio
from datetime import timedelta
from typing import Any, Literal

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError

with workflow.unsafe.imports_passed_through():
    from activities.failures import from_temporal
    from activities.notices import LargeWithdrawal, NoticeActivities
    from activities.payments import (
        PaymentActivities,
        PayoutSurvey,
        PayoutTarget,
        ReturnMoney,
        SettleWithdrawal,
    )
    from activities.steps import Step
    from activities.withdrawal_permits import HoldMoney
    from escrow.domain.errors import Refused
    from escrow.domain.money.journal import Basis
    from escrow.domain.requests import derived
    from escrow.domain.withdrawals.charges import needs_large_withdrawal_sms
    from escrow.domain.withdrawals.operations import withdrawal_operation_hash, withdrawal_terms
    from escrow.domain.withdrawals.payouts import PayoutAnswer
    from escrow.domain.withdrawals.states import WithdrawalEvent as Event
    from escrow.domain.withdrawals.states import WithdrawalStatus as Status
    from escrow.domain.withdrawals.states import next_status
    from workflows.desk import Desk
    from workflows.messages import (
        PayoutAttempt,
        WithdrawalInput,
        WithdrawalOutcome,
        WithdrawalState,
        as_document,
    )
    from workflows.search_attributes import show_search_attributes
    from workflows.timeouts import BANK_SURVEY, LEDGER_POSTING, LEDGER_RECORD, SMS
    from workflows.uncancelled import uncancelled, why_unfinished
    from workflows.withdrawal_display import withdrawal_details

#: Pause before the bank is asked about its rails again when it could not be reached.
_SURVEY_AGAIN_AFTER = timedelta(seconds=30)


class WithdrawalDesk(Desk):
    """Steps of a withdrawal."""

    def __init__(self, withdrawal: WithdrawalInput) -> None:
        super().__init__(withdrawal.platform_no, withdrawal.continue_after_events)
        self.withdrawal = withdrawal
        self.state = withdrawal.state or WithdrawalState(status=Status.REQUESTED)
        self.announcement: asyncio.Task[None] | None = None
        self.notices = 0
        self.notices_seen = 0

    @property
    def attended(self) -> WithdrawalState:
        """The state that operators look at."""
        return self.state

    @property
    def target(self) -> PayoutTarget:
        """Where the money goes."""
        return PayoutTarget(
            platform_no=self.withdrawal.platform_no,
            member_no=self.withdrawal.member_no,
            account_id=self.state.account_id,
            returned_as=self.withdrawal.withdrawal_no if self.withdrawal.credit_no else "",
        )

    async def hold(self) -> None:
        """Move principal and fee into transit.

        Raises:
            Refused: no bound account, not enough money, or no basis; nothing was moved.
        """
        if self.state.held:
            return
        self.refresh()
        request = HoldMoney(
            step=self.step("hold", "withdrawal.held", Status.HELD, bases=[self.basis_of_hold()], is_first=True),
            started_as=workflow.info().first_execution_run_id,
            member_no=self.withdrawal.member_no,
            account_id=self.withdrawal.account_id,
            principal_fen=self.withdrawal.principal_fen,
            fee_fen=self.withdrawal.fee_fen,
            order_no=self.withdrawal.order_no,
            credit_no=self.withdrawal.credit_no,
        )
        receipt = await self.certain(
            lambda: workflow.execute_activity_method(
                PaymentActivities.hold_money, request, summary="hold principal and fee", **LEDGER_POSTING
            )
        )
        self.state.account_id, self.state.held = receipt.account_id, True
        self.move(Event.MONEY_HELD)

    def basis_of_hold(self) -> Basis:
        """What the money is held on; the hash of a consent is taken of this very withdrawal, not from its input."""
        given = self.withdrawal.basis
        if given.kind != "consent" or self.withdrawal.credit_no:
            return given  # of a return, the books have the terms besides what this input says
        terms = withdrawal_terms(
            account_id=self.withdrawal.account_id,
            principal_fen=self.withdrawal.principal_fen,
            fee_fen=self.withdrawal.fee_fen,
        )
        expected = withdrawal_operation_hash(
            platform_no=self.withdrawal.platform_no,
            withdrawal_no=self.withdrawal.withdrawal_no,
            by=self.withdrawal.member_no or "platform",
            terms=terms,
        )
        return Basis(kind="consent", reference=given.reference, operation_hash=expected)

    async def refused(self, refusal: Refused) -> WithdrawalOutcome:
        """Nothing was held: record why, where the number is free, and end."""
        self.move(Event.RULE_REFUSED)
        self.state.reasons = [refusal.message]
        if refusal.code != "object_exists":
            await self.record("refuse", "withdrawal.refused", is_first=True, refusal=refusal.code)
        return self.outcome("refused", refusal.message)

    async def announce_large_withdrawal(self) -> None:
        """One SMS for an accepted withdrawal strictly above the threshold, whatever rails and retries follow."""
        if self.state.sms:
            return
        if not needs_large_withdrawal_sms(
            principal_fen=self.withdrawal.principal_fen, threshold_fen=self.withdrawal.large_withdrawal_sms_above_fen
        ):
            self.state.sms = "not_needed"
            return
        notice = LargeWithdrawal(
            platform_no=self.withdrawal.platform_no,
            withdrawal_no=self.withdrawal.withdrawal_no,
            member_no=self.withdrawal.member_no,
            principal_fen=self.withdrawal.principal_fen,
            requested_at=self.clock.now(),
            config_version=self.withdrawal.config_version,
        )
        try:
            await uncancelled(
                workflow.execute_activity_method(
                    NoticeActivities.announce_large_withdrawal, notice, summary="SMS: large withdrawal", **SMS
                ),
                on_cancel=self.note_cancel,
            )
            self.state.sms = "sent"
        except ActivityError as error:
            self.state.sms = "failed"
            self.note("sms", f"the large withdrawal could not be announced: {why_unfinished(error)}")

    async def survey(self) -> PayoutSurvey | Refused:
        """The account's facts and the bank's rails as of now; Refused when the account was unbound meanwhile."""
        while True:
            try:
                return await uncancelled(
                    workflow.execute_local_activity_method(
                        PaymentActivities.survey_rails,
                        self.target,
                        summary="ask the bank about its rails",
                        **BANK_SURVEY,
                    ),
                    on_cancel=self.note_cancel,
                )
            except FailureError as error:
                known = from_temporal(error)
                if isinstance(known, Refused):
                    return known
                self.state.reasons = [f"The bank does not say which rails are open: {why_unfinished(error)}"]
                await self.wait_for_notice(_SURVEY_AGAIN_AFTER, summary="ask the bank about its rails again")
                self.continue_as_new_if_long()

    async def queue_for(self, wait: timedelta) -> None:
        """No rail can carry it now: wait until one opens, then look again."""
        self.move(Event.NO_RAIL_OPEN)
        await self.record(f"queue:{self.queue_round()}", "withdrawal.queued")
        opens_at = self.clock.now() + wait
        await self.clock.until(lambda: False, opens_at, summary="wait for a rail to open", on_cancel=self.note_cancel)
        self.move(Event.RAIL_OPENED)
        self.continue_as_new_if_long()

    async def begin_attempt(self, attempt: PayoutAttempt) -> None:
        """Record which payment order is about to be sent over which rail, and why this rail."""
        self.state.attempts.append(attempt)
        await self.record(f"attempt:{attempt.number}", "withdrawal.payout_attempted")

    def end_attempt(
        self,
        outcome: Literal["succeeded", "failed", "never_arrived"],
        *,
        reason: str = "",
        bank_serial_no: str = "",
    ) -> None:
        """The bank gave a definite answer about the payment order under way."""
        update = {"outcome": outcome, "reason": reason, "bank_serial_no": bank_serial_no}
        self.state.attempts[-1] = self.state.attempts[-1].model_copy(update=update)
        self.state.attention = ""
        if outcome != "succeeded":
            self.move(Event.RAIL_FAILED)

    async def settle(self, paid: PayoutAnswer) -> WithdrawalOutcome:
        """Clear the transit account against the bank's line."""
        request = SettleWithdrawal(
            step=self.step(
                "paid",
                "withdrawal.paid",
                Status.PAID,
                bases=[Basis(kind="bank_line", reference=paid.bank_serial_no)],
                bank_serial_no=paid.bank_serial_no,
                rail=self.state.attempts[-1].rail.value,
                booked_at=as_document(paid.booked_at),
            ),
            member_no=self.withdrawal.member_no,
            principal_fen=self.withdrawal.principal_fen,
            fee_fen=self.withdrawal.fee_fen,
            bank_serial_no=paid.bank_serial_no,
        )
        await self.insist(PaymentActivities.settle_withdrawal, request, "clear transit against the bank's line")
        self.move(Event.BANK_PAID)
        return self.outcome("paid", "", bank_serial_no=paid.bank_serial_no)

    async def give_money_back(self) -> WithdrawalOutcome:
        """No rail carried it: principal and fee return to the sub-account."""
        reason = self.state.attempts[-1].reason if self.state.attempts else " ".join(self.state.reasons)
        request = ReturnMoney(
            step=self.step("return", "withdrawal.failed", Status.FAILED, bases=[Basis(kind="none")], reason=reason),
            member_no=self.withdrawal.member_no,
            principal_fen=self.withdrawal.principal_fen,
            fee_fen=self.withdrawal.fee_fen,
        )
        await self.insist(PaymentActivities.return_money, request, "give the money back to the sub-account")
        self.move(Event.RETURNED_TO_MEMBER)
        return self.outcome("returned", reason)

    async def insist(self, activity: Any, request: Any, summary: str) -> None:
        """Run a posting that must succeed in the end; a refusal goes to an operator and is tried again."""
        while True:
            try:
                await self.certain(
                    lambda: workflow.execute_activity_method(activity, request, summary=summary, **LEDGER_POSTING)
                )
            except Refused as refusal:
                self.state.attention = f"{summary}: {refusal.message}"
                await self.record(f"refused:{refusal.code}", "withdrawal.needs_attention")
                await self.wait_for_operator(self.state.attention)
            else:
                return

    async def record(self, request: str, event_type: str, *, is_first: bool = False, **document: Any) -> None:
        """Record a change that moves no money; a refusal is noted, since nothing depends on it."""
        step = self.step(request, event_type, Status(self.state.status), is_first=is_first, **document)
        try:
            await self.certain(
                lambda: workflow.execute_local_activity_method(
                    PaymentActivities.record_withdrawal, step, summary=event_type, **LEDGER_RECORD
                )
            )
        except Refused as refusal:
            self.note(event_type, refusal.message)

    def step(
        self,
        request: str,
        event_type: str,
        status: Status,
        *,
        bases: list[Basis] | None = None,
        is_first: bool = False,
        **document: Any,
    ) -> Step:
        """One step of this withdrawal."""
        facts: dict[str, Any] = {
            "attempts": as_document(self.state.attempts),
            "route": self.state.reasons,
            "opens_at": as_document(self.state.opens_at),
            "attention": self.state.attention,
        }
        if is_first:
            facts |= {
                "member_no": self.withdrawal.member_no,
                "account_id": self.withdrawal.account_id,
                "principal_fen": self.withdrawal.principal_fen,
                "fee_fen": self.withdrawal.fee_fen,
                "order_no": self.withdrawal.order_no,
                "credit_no": self.withdrawal.credit_no,
            }
        return Step(
            platform_no=self.withdrawal.platform_no,
            object_kind="withdrawal",
            object_no=self.withdrawal.withdrawal_no,
            request_no=derived(self.withdrawal.withdrawal_no, request),
            event_type=event_type,
            status=status.value,
            document={**facts, **document},
            occurred_at=self.clock.now(),
            bases=tuple(bases or ()),
            is_first=is_first,
        )

    def queue_round(self) -> str:
        """Names one stay in the queue: by the opening waited for and the payment orders sent before."""
        return f"{len(self.state.attempts)}:{as_document(self.state.opens_at)}"

    def move(self, event: Event) -> None:
        """Take one transition of the table and show it."""
        self.state.status = next_status(Status(self.state.status), event).value
        self.refresh()

    def refresh(self) -> None:
        """Bring details and search attributes up to date."""
        workflow.set_current_details(withdrawal_details(self.withdrawal, self.state))
        show_search_attributes(status=None, stage=None, needs_attention=bool(self.state.attention))

    def still_open(self, event: Event) -> None:
        """The payment order has no definite answer yet; once an operator was called, that is what is shown."""
        if self.state.status != Status.NEEDS_ATTENTION:
            self.move(event)

    async def call_operator(self, reason: str) -> None:
        """Show and record that an operator is needed, and go on asking."""
        self.state.attention = reason
        self.move(Event.OPERATOR_NEEDED)
        await self.record(f"attention:{len(self.state.attempts)}", "withdrawal.needs_attention")

    async def wait_for_notice(self, pause: timedelta, *, summary: str) -> None:
        """Wait for a notice of the bank, at most `pause`; a look ends it too."""
        if pause > timedelta(0):
            await self.clock.pause(
                pause, unless=lambda: self.notices > self.notices_seen, summary=summary, on_cancel=self.note_cancel
            )
        self.notices_seen = self.notices

    def continue_as_new_if_long(self) -> None:
        """Begin a new run with the same state when the history has grown long."""
        announced = self.announcement is None or self.announcement.done()
        if announced and self.history_is_long():
            workflow.continue_as_new(self.withdrawal.model_copy(update={"state": self.state}))

    def outcome(self, status: str, reason: str, *, bank_serial_no: str = "") -> WithdrawalOutcome:
        """How the withdrawal ended."""
        paid = status == "paid"
        return WithdrawalOutcome(
            withdrawal_no=self.withdrawal.withdrawal_no,
            status=status,
            rail=self.state.attempts[-1].rail if paid else None,
            bank_serial_no=bank_serial_no,
            reason=reason,
        )
