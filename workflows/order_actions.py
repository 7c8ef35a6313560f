"""What an order does at each step: one ledger transaction each, then the new state, then the answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.order_money import OrderActivities, ProposeCancel, RefundRest, ReleaseMilestone
    from escrow.domain.errors import Refused
    from escrow.domain.money.journal import Basis
    from escrow.domain.orders.milestones import MilestoneKind
    from escrow.domain.orders.states import MilestoneStatus, OrderDeadline, OrderStatus, Trigger
    from escrow.domain.orders.states import OrderCommand as Operation
    from escrow.domain.requests import derived
    from workflows import order_state as states
    from workflows.correspondence import Letter
    from workflows.messages import (
        PAYMENTS_TASK_QUEUE,
        CancelProposal,
        MilestoneTerms,
        WithdrawalInput,
        withdrawal_workflow_id,
    )
    from workflows.order_payment import OrderPayment, PaidElsewhere, as_order_state_refusal
    from workflows.order_reminders import OrderReminders
    from workflows.search_attributes import of_withdrawal
    from workflows.timeouts import WORKFLOW_TASK
    from workflows.withdrawal import Withdrawal


class OrderEnded(Exception):
    """The order has reached a final state and holds no money."""


@dataclass(frozen=True)
class Acceptance:
    """Why a milestone is released: the owner's letter, or silence past the inspection period."""

    basis: Basis
    by: str
    letter: Letter | None = None


#: Which recipe releases which kind of milestone.
_RELEASE_RECIPE = {
    MilestoneKind.START: "deposit_released",
    MilestoneKind.ACCEPTANCE: "milestone_released",
    MilestoneKind.WARRANTY: "retention_released",
}


class OrderActions(OrderPayment, OrderReminders):
    """The steps of a decoration order."""

    async def close_unpaid(self) -> None:
        """The payment deadline has passed: close, nothing was paid.

        Raises:
            OrderEnded: the order is closed.
            PaidElsewhere: it was paid in the last moment.
        """
        after = states.moved(self.state, OrderDeadline.PAYMENT_DEADLINE_PASSED)
        step = self.step(
            "close", event_type="order.closed_unpaid", after=after, deadlines=[self.deadline("payment", None)]
        )
        try:
            await self.recorded(step, summary="close the unpaid order")
        except Refused as refusal:
            await self.if_paid_elsewhere(refusal)
            await self.flag(f"the unpaid order could not be closed: {refusal.message}")
            await self.wait_for_operator(self.state.attention)
            return
        self.adopt(after)
        raise OrderEnded

    async def begin(self, letter: Letter) -> None:
        """Work starts: the deposit is released where the contract has one."""
        deposits = self.milestones(MilestoneKind.START)
        if deposits:
            await self.release(deposits[0], Acceptance(self.consent_of(letter), letter.command.by, letter))
            return
        after = states.after_start(self.state, self.clock.now() + self.contract.periods.stage_deadline)
        step = self.step(
            "start",
            event_type="order.started",
            after=after,
            bases=[self.consent_of(letter)],
            deadlines=[self.deadline("start", None)],
        )
        try:
            await self.recorded(step, summary="record the start of work")
        except Refused as refusal:
            self.mail.refuse(letter, refusal)
            return
        self.adopt(after, letter)

    async def begin_inspection(self, milestone: MilestoneTerms, letter: Letter) -> None:
        """The contractor reports the stage complete: the inspection clock runs."""
        after = states.after_completion(
            self.state, milestone.number, self.clock.now(), self.contract.periods.inspection_period
        )
        current = states.milestone_of(after, milestone.number)
        step = self.step(
            f"M{milestone.number}",
            "complete",
            current.round,
            event_type="order.milestone_completed",
            after=after,
            bases=[self.consent_of(letter)],
            deadlines=[self.deadline(self.inspection_name(milestone, current.round), current.inspection_due_at)],
        )
        try:
            await self.recorded(step, summary=f"M{milestone.number}: completion reported, inspection begins")
        except Refused as refusal:
            self.mail.refuse(letter, refusal)
            return
        self.adopt(after, letter)

    async def pause_inspection(self, milestone: MilestoneTerms, letter: Letter) -> None:
        """The owner asks for rectification: the inspection clock stands still."""
        round_no = states.milestone_of(self.state, milestone.number).round
        after = states.after_rectification_request(
            self.state,
            milestone.number,
            self.clock.now(),
            self.clock.now() + self.contract.periods.rectification_deadline,
        )
        step = self.step(
            f"M{milestone.number}",
            "rectify",
            round_no,
            event_type="order.rectification_requested",
            after=after,
            bases=[self.consent_of(letter)],
            deadlines=[self.deadline(self.inspection_name(milestone, round_no), None)],
        )
        try:
            await self.recorded(step, summary=f"M{milestone.number}: rectification asked for, inspection paused")
        except Refused as refusal:
            self.mail.refuse(letter, refusal)
            return
        self.adopt(after, letter)

    async def release(self, milestone: MilestoneTerms, acceptance: Acceptance) -> None:
        """Release the milestone's money, less commission, and withdraw it where the order says so."""
        periods, now = self.contract.periods, self.clock.now()
        parts = states.split_of(self.state, self.contract, milestone.number)
        after = states.after_release(
            self.state,
            milestone.number,
            parts,
            self.release_trigger(milestone, acceptance),
            accepted_by=acceptance.by,
            stage_due_at=now + periods.stage_deadline,
            warranty_due_at=now + periods.retention_period,
        )
        deadlines = [self.deadline(self.deadline_name(milestone), None)]
        if after.status is OrderStatus.IN_WARRANTY:
            deadlines.append(self.deadline("warranty", after.step_due_at))
        step = self.step(
            f"M{milestone.number}",
            "release",
            1,
            event_type=f"order.{_RELEASE_RECIPE[milestone.kind]}",
            after=after,
            bases=[acceptance.basis],
            deadlines=deadlines,
        )
        request = ReleaseMilestone(
            step=step,
            recipe=_RELEASE_RECIPE[milestone.kind],
            owner_no=self.contract.owner_no,
            contractor_no=self.contract.contractor_no,
            payee_no=self.payee_no,
            milestone=milestone.number,
            gross_fen=parts.gross_fen,
            commission_fen=parts.commission_fen,
            settles_next_day=self.contract.release_settlement == "T+1",
        )
        try:
            await self.posted(
                OrderActivities.release_milestone, request, summary=f"M{milestone.number}: release to the contractor"
            )
        except Refused as refusal:
            if acceptance.letter is None:
                await self.flag(f"M{milestone.number} could not be released: {refusal.message}")
                await self.wait_for_operator(self.state.attention)
            else:
                self.mail.refuse(acceptance.letter, refusal)
            return
        self.adopt(after, acceptance.letter, released_fen=parts.net_fen, commission_fen=parts.commission_fen)
        if self.contract.withdraw_automatically:
            await self.withdraw_for_payee(milestone, parts.net_fen, released_as=step.request_no)

    async def withdraw_for_payee(self, milestone: MilestoneTerms, net_fen: int, *, released_as: str) -> None:
        """Start the withdrawal of what was just released; it lives on its own from here."""
        principal_fen = net_fen - self.contract.withdrawal_fee_fen
        if principal_fen <= 0:
            self.note("withdrawal", f"M{milestone.number}: the net does not exceed the fee, nothing withdrawn")
            return
        platform_no = self.contract.platform_no
        withdrawal_no = derived(self.contract.order_no, f"M{milestone.number}", "withdrawal", 1)
        attributes = of_withdrawal(platform_no=platform_no, member_no=self.payee_no, principal_fen=principal_fen)
        try:
            await workflow.start_child_workflow(
                Withdrawal.run,
                WithdrawalInput(
                    platform_no=platform_no,
                    withdrawal_no=withdrawal_no,
                    member_no=self.payee_no,
                    principal_fen=principal_fen,
                    fee_fen=self.contract.withdrawal_fee_fen,
                    basis=Basis(kind="release", reference=released_as),
                    order_no=self.contract.order_no,
                    routing_objective=self.contract.routing_objective,
                    large_withdrawal_sms_above_fen=self.contract.large_withdrawal_sms_above_fen,
                    config_version=self.contract.config_version,
                ),
                id=withdrawal_workflow_id(platform_no, withdrawal_no),
                task_queue=PAYMENTS_TASK_QUEUE,
                parent_close_policy=ParentClosePolicy.ABANDON,
                task_timeout=WORKFLOW_TASK,
                static_summary=f"withdraw M{milestone.number} of {self.contract.order_no} for {self.payee_no}",
                search_attributes=attributes if workflow.info().typed_search_attributes else None,
            )
        except WorkflowAlreadyStartedError:
            self.note("withdrawal", f"{withdrawal_no} was started before; not started again")

    async def consider_cancel(self, letter: Letter) -> None:
        """Before the start either side may cancel; later the second side's wish makes it a consent."""
        command, proposal = letter.command, self.state.proposal
        if self.state.status is OrderStatus.AWAITING_PAYMENT or self.state.status is OrderStatus.AWAITING_START:
            await self.refund_rest([self.consent_of(letter)], reason=f"cancelled by {command.by}", letter=letter)
        elif proposal is not None and proposal.by != command.by and proposal.lapses_at > self.clock.now():
            first = self.consent(Operation.CANCEL, request_no=proposal.request_no, by=proposal.by)
            await self.refund_rest([first, self.consent_of(letter)], reason="cancelled by consent", letter=letter)
        else:
            await self.propose_cancel(letter)

    async def propose_cancel(self, letter: Letter) -> None:
        """Record one side's wish to cancel; its consent is used only when the other side agrees."""
        lapses_at = self.clock.now() + self.contract.periods.cancel_proposal_validity
        proposal = CancelProposal(by=letter.command.by, request_no=letter.command.request_no, lapses_at=lapses_at)
        after = states.after_proposal(self.state, proposal)
        step = self.step("propose-cancel", letter.command.request_no, event_type="order.cancel_proposed", after=after)
        try:
            await self.locally(
                OrderActivities.record_proposal,
                ProposeCancel(step=step, consent=self.consent_of(letter)),
                summary=f"{letter.command.by} proposes to cancel",
            )
        except Refused as refusal:
            self.mail.refuse(letter, refusal)
            return
        self.adopt(after, letter)

    async def refund_rest(self, bases: Sequence[Basis], *, reason: str, letter: Letter | None = None) -> None:
        """Refund what is still in escrow and end the order.

        Raises:
            OrderEnded: the refund is in the books.
        """
        after = states.after_refund(
            self.state, OrderDeadline.START_DEADLINE_PASSED if letter is None else Operation.CANCEL
        )
        refund_fen = after.refunded_fen - self.state.refunded_fen
        step = self.step(
            "refund",
            event_type="order.cancelled",
            after=after,
            bases=bases,
            deadlines=[self.deadline(name, None) for name in self.running_deadlines()],
            document={"cancelled_because": reason},
        )
        try:
            if refund_fen == 0:
                await self.recorded(step, summary=f"{reason}: nothing to refund")
            else:
                request = RefundRest(
                    step=step, owner_no=self.contract.owner_no, parts=tuple(states.refund_parts(self.state)[0])
                )
                await self.posted(OrderActivities.refund_rest, request, summary=f"{reason}: refund the rest")
        except Refused as refusal:
            if letter is not None:
                await self.cancel_as_paid(letter, refusal)
            if letter is None:
                await self.flag(f"the refund was refused: {refusal.message}")
                await self.wait_for_operator(self.state.attention)
            else:
                self.mail.refuse(letter, as_order_state_refusal(refusal))
            return
        await self.refund_through_channel(states.refund_parts(self.state)[0])
        self.adopt(after, letter, refunded_fen=refund_fen)
        raise OrderEnded

    async def cancel_as_paid(self, letter: Letter, refusal: Refused) -> None:
        """The order was paid before it could be cancelled unpaid: the wish to cancel comes up again, with a refund.

        Raises:
            PaidElsewhere: it was paid so.
        """
        try:
            await self.if_paid_elsewhere(refusal)
        except PaidElsewhere:
            self.mail.put_back(letter)
            raise

    async def overdue(self, reason: str) -> None:
        """A stage is not reported in time: show it to an operator and go on waiting without a deadline."""
        self.state.step_due_at = None
        await self.flag(reason)

    async def flag(self, reason: str) -> None:
        """Record that an operator is needed; the next step that succeeds takes it back."""
        after = self.state.model_copy(deep=True)
        after.attention = reason
        after.times_flagged += 1
        step = self.step("attention", after.times_flagged, event_type="order.needs_attention", after=after)
        try:
            await self.recorded(step, summary="show to an operator")
        except Refused as refusal:
            self.note("attention", refusal.message)
        self.adopt(after)
        self.state.attention = reason
        self.refresh()

    # ---- names ----

    def release_trigger(self, milestone: MilestoneTerms, acceptance: Acceptance) -> Trigger:
        """Which row of the transition table a release follows."""
        if milestone.kind is MilestoneKind.START:
            return Operation.START
        if milestone.kind is MilestoneKind.WARRANTY:
            return OrderDeadline.WARRANTY_PASSED
        return OrderDeadline.INSPECTION_PASSED if acceptance.letter is None else Operation.ACCEPT

    def milestones(self, kind: MilestoneKind) -> list[MilestoneTerms]:
        """Milestones of one kind in the order of the contract."""
        return [milestone for milestone in self.contract.milestones if milestone.kind is kind]

    def released(self, milestone: MilestoneTerms) -> bool:
        """Whether the milestone's money has left escrow."""
        return states.milestone_of(self.state, milestone.number).status is MilestoneStatus.RELEASED

    def inspection_name(self, milestone: MilestoneTerms, round_no: int | None = None) -> str:
        """Name of the deadline of one round of inspection."""
        if round_no is None:
            round_no = states.milestone_of(self.state, milestone.number).round
        return f"M{milestone.number}:inspection:{round_no}"

    def deadline_name(self, milestone: MilestoneTerms) -> str:
        """Name of the deadline that the release of a milestone makes void."""
        if milestone.kind is MilestoneKind.ACCEPTANCE:
            return self.inspection_name(milestone)
        return "start" if milestone.kind is MilestoneKind.START else "warranty"

    def running_deadlines(self) -> list[str]:
        """Names of the deadlines that run now and end with the order."""
        by_status = {
            OrderStatus.AWAITING_PAYMENT: ["payment"],
            OrderStatus.AWAITING_START: ["start"],
            OrderStatus.IN_WARRANTY: ["warranty"],
        }
        inspected = [
            self.inspection_name(milestone)
            for milestone in self.contract.milestones
            if states.milestone_of(self.state, milestone.number).status is MilestoneStatus.IN_INSPECTION
        ]
        return by_status.get(self.state.status, []) + inspected
