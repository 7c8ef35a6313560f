"""The SMS code of a quick payment: typed by its payer, compared by the bank, sent again; never in a payload."""

import asyncio

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.failures import to_temporal
    from activities.quick_payments import QuickPaymentActivities
    from escrow.domain.collections.methods import CollectionMethod
    from escrow.domain.collections.pay_ins import PayInStatus as Status
    from escrow.domain.errors import Refused
    from escrow.domain.members.code_checks import CodeCheck
    from escrow.domain.requests import derived
    from workflows.pay_in_messages import CodeCompared, CodeSent, CodeTry, CodeWish, PayInInput
    from workflows.pay_in_opening import PayInOpening
    from workflows.timeouts import CHANNEL_BOOKING


class PayInCodes(PayInOpening):
    """Codes of a quick payment."""

    def __init__(self, pay_in: PayInInput) -> None:
        super().__init__(pay_in)
        self.code_turns = asyncio.Lock()

    @workflow.update
    async def compare_code(self, typed: CodeTry) -> CodeCompared:
        """Have a stored try compared by the bank. What it paid is booked from the channel's own answer."""
        async with self.code_turns:
            compared = await workflow.execute_activity_method(
                QuickPaymentActivities.check_payer_code,
                args=[self.collection, typed.number],
                summary=f"compare code {typed.number}",
                **CHANNEL_BOOKING,
            )
        if compared in (CodeCheck.ACCEPTED, CodeCheck.EXHAUSTED):
            self.notices += 1
        return CodeCompared(outcome=compared)

    @compare_code.validator
    def check_compare_code(self, typed: CodeTry) -> None:
        """Refuse when no code is waited for."""
        self.require_code_awaited()

    @workflow.update
    async def send_code(self, wish: CodeWish) -> CodeSent:
        """Have the bank send another code."""
        async with self.code_turns:
            answer = await workflow.execute_activity_method(
                QuickPaymentActivities.send_payer_code,
                self.collection,
                summary="send another code",
                **CHANNEL_BOOKING,
            )
        expires_at = None if answer.interaction is None else answer.interaction.code_expires_at
        if expires_at is not None and self.state.interaction is not None:
            self.state.interaction["code_expires_at"] = expires_at.isoformat()
            await self.record(derived("code", wish.request_no), "pay_in.code_sent")
        return CodeSent(expires_at=expires_at)

    @send_code.validator
    def check_send_code(self, wish: CodeWish) -> None:
        """Refuse when no code is waited for."""
        self.require_code_awaited()

    def require_code_awaited(self) -> None:
        """Refuse unless a quick payment waits for its code.

        Raises:
            ApplicationError: `code_not_awaited`.
        """
        if self.pay_in.method is not CollectionMethod.QUICK or self.state.status is not Status.AWAITING_PAYER:
            raise to_temporal(Refused("code_not_awaited", f"The payment is {self.state.status} and waits for no code."))
