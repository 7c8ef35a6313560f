"""Sentences about withdrawals."""

from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowHandle
from temporalio.common import WorkflowIDReusePolicy

from escrow.domain.money.amounts import yuan
from escrow.domain.money.journal import Basis
from escrow.domain.withdrawals.operations import withdrawal_terms
from escrow.ledger.consents import NewConsent, asked_for, record_consent
from escrow.ledger.objects import get_object
from escrow.registry.accounts.rows import NewBankAccount
from escrow.registry.members.members import MemberKind
from tests.story_ground import CONTRACTOR, CONTRACTORS_ACCOUNT, REQUESTS, Ground
from tests.waiting import until
from workflows.messages import (
    PAYMENTS_TASK_QUEUE,
    WithdrawalOutcome,
    WithdrawalProcessState,
    WithdrawalRef,
    withdrawal_workflow_id,
)
from workflows.withdrawal import Withdrawal


class Withdrawing(Ground):
    """What members do with their money in the end."""

    async def payee_has(self, amount: str, account: NewBankAccount = CONTRACTORS_ACCOUNT) -> None:
        """A contractor opens with this bank account and has money, by a transfer from it."""
        await self.member_opens(CONTRACTOR, MemberKind.COMPANY, account, mobile="13900000002")
        await self.transfer_arrives(amount, account.account_no, account.account_name)
        await self.bank_lines_are_booked()

    async def withdraws(
        self,
        amount: str,
        *,
        withdrawal_no: str = "W-1",
        member_no: str = CONTRACTOR,
        account_id: str = "",
        fee_fen: int = 0,
        continue_after_events: int = 8_000,
    ) -> WorkflowHandle[Any, Any]:
        """A member asks for a withdrawal as the API does: the consent first, then the process."""
        await self.consents_to_withdraw(
            amount, withdrawal_no=withdrawal_no, member_no=member_no, account_id=account_id, fee_fen=fee_fen
        )
        return await self.start_withdrawal(withdrawal_no, continue_after_events=continue_after_events)

    async def consents_to_withdraw(
        self,
        amount: str,
        *,
        withdrawal_no: str,
        member_no: str = CONTRACTOR,
        account_id: str = "",
        fee_fen: int = 0,
        method: str = "",
        config_version: int | None = None,
    ) -> Basis:
        """Record the consent to a withdrawal; the platform's contact person gives its own by a code, as the page does.

        Args:
            method: how the party was recognised, when otherwise.
            config_version: of the configuration that was in force; None for the newest.
        """
        consent = NewConsent(
            platform_no=self.platform_no,
            consent_no=f"R-{next(REQUESTS)}",
            object_kind="withdrawal",
            object_no=withdrawal_no,
            operation="withdraw",
            given_by=member_no or "platform",
            terms=withdrawal_terms(account_id=account_id, principal_fen=yuan(amount), fee_fen=fee_fen),
            valid_for=timedelta(days=1),
            asked=True,
            config_version=config_version,
            method=method or ("platform_key" if member_no else "sms_code"),
        )
        await record_consent(self.stage.recorder, consent)
        return Basis(kind="consent", reference=consent.consent_no, operation_hash=consent.operation_hash)

    async def start_withdrawal(
        self, withdrawal_no: str = "W-1", *, workflow_id: str = "", continue_after_events: int = 8_000
    ) -> WorkflowHandle[Any, Any]:
        """Start a withdrawal's process, which finds in the books what is asked for."""
        return await self.stage.client.start_workflow(
            Withdrawal.run,
            WithdrawalRef(
                platform_no=self.platform_no,
                withdrawal_no=withdrawal_no,
                continue_after_events=continue_after_events,
            ),
            id=workflow_id or withdrawal_workflow_id(self.platform_no, withdrawal_no),
            task_queue=PAYMENTS_TASK_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        )

    def withdrawal(self, withdrawal_no: str = "W-1") -> WorkflowHandle[Any, Any]:
        """The workflow of a withdrawal."""
        return self.stage.client.get_workflow_handle_for(
            Withdrawal.run, withdrawal_workflow_id(self.platform_no, withdrawal_no)
        )

    async def withdrawal_ends(self, withdrawal_no: str = "W-1") -> WithdrawalOutcome:
        """Seconds, then longer and longer times pass until the withdrawal has ended."""
        outcome: WithdrawalOutcome = await self.ending_of(self.withdrawal(withdrawal_no))
        return outcome

    async def withdrawal_state(self, withdrawal_no: str = "W-1") -> WithdrawalProcessState:
        """What the withdrawal's process answers when asked, as soon as it knows all that the books say."""
        handle = self.withdrawal(withdrawal_no)

        async def up_to_date() -> WithdrawalProcessState | None:
            state: WithdrawalProcessState = await handle.query("state", result_type=WithdrawalProcessState)
            booked = await get_object(self.stage.recorder, self.platform_no, "withdrawal", withdrawal_no)
            seen = 0 if state.withdrawal is None else state.withdrawal.version
            return state if booked is None or seen >= booked.sequence_no else None

        return await until(up_to_date, f"the process of {withdrawal_no} knows what is booked")

    async def withdrawal_is(self, status: str, withdrawal_no: str = "W-1") -> None:
        """Wait in real time until the books have a withdrawal in a status."""

        async def reached() -> bool:
            found = await get_object(self.stage.recorder, self.platform_no, "withdrawal", withdrawal_no)
            return found is not None and found.status == status

        await self.until(reached, f"{withdrawal_no} is {status}")

    async def refusal_of_withdrawal(self, withdrawal_no: str = "W-1") -> str:
        """Code by which the books refused what was asked for; its consent is void, and nothing is entered."""
        consent = await asked_for(self.stage.recorder, self.platform_no, "withdrawal", withdrawal_no)
        assert consent is not None, f"nobody asked for {withdrawal_no}"
        assert consent.voided_at is not None, f"{withdrawal_no} was not refused"
        assert not await self.is_entered("withdrawal", withdrawal_no)
        code: str = (consent.outcome or {})["refused"]["code"]
        return code

    async def payouts_at_bank(self) -> list[tuple[str, str, str]]:
        """Payment orders that the bank has of this platform: channel, amount in yuan, state."""
        payouts = await self.stage.sandbox.steer.payouts()
        return [
            (payout["channel"], payout["amt"], payout["state"])
            for payout in payouts
            if payout["acctNo"] == self.stage.custody_account_no
        ]

    async def bank_has_a_payout(self) -> bool:
        """Whether any payment order of this platform has reached the bank."""
        return bool(await self.payouts_at_bank())
