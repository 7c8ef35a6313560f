"""Sentences about withdrawals."""

from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowHandle

from escrow.domain.money.amounts import yuan
from escrow.domain.money.journal import Basis
from escrow.domain.withdrawals.operations import withdrawal_terms
from escrow.ledger.consents import NewConsent, record_consent
from escrow.registry.accounts.rows import NewBankAccount
from escrow.registry.members.members import MemberKind
from tests.story_ground import CONTRACTOR, CONTRACTORS_ACCOUNT, REQUESTS, Ground, reuse_policy
from workflows.messages import (
    PAYMENTS_TASK_QUEUE,
    WithdrawalInput,
    WithdrawalOutcome,
    WithdrawalState,
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
        **terms: Any,
    ) -> WorkflowHandle[Any, Any]:
        """A member asks for a withdrawal as the API does: the consent first, then the workflow."""
        basis = await self.consents_to_withdraw(
            amount,
            withdrawal_no=withdrawal_no,
            member_no=member_no,
            account_id=account_id,
            fee_fen=terms.get("fee_fen", 0),
        )
        return await self.start_withdrawal(
            WithdrawalInput(
                platform_no=self.platform_no,
                withdrawal_no=withdrawal_no,
                member_no=member_no,
                account_id=account_id,
                principal_fen=yuan(amount),
                basis=basis,
                **terms,
            )
        )

    async def consents_to_withdraw(
        self,
        amount: str,
        *,
        withdrawal_no: str,
        member_no: str = CONTRACTOR,
        account_id: str = "",
        fee_fen: int = 0,
        method: str = "",
    ) -> Basis:
        """Record the consent to a withdrawal; the platform's contact person gives its own by a code, as the page does.

        Args:
            method: how the party was recognised, when otherwise.
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
            method=method or ("platform_key" if member_no else "sms_code"),
        )
        await record_consent(self.stage.reader, consent)
        return Basis(kind="consent", reference=consent.consent_no, operation_hash=consent.operation_hash)

    async def start_withdrawal(
        self, withdrawal: WithdrawalInput, *, workflow_id: str = "", server_has_forgotten: bool = False
    ) -> WorkflowHandle[Any, Any]:
        """Start a withdrawal's workflow as it is; the arguments are those of `start_order`."""
        return await self.stage.client.start_workflow(
            Withdrawal.run,
            withdrawal,
            id=workflow_id or withdrawal_workflow_id(withdrawal.platform_no, withdrawal.withdrawal_no),
            task_queue=PAYMENTS_TASK_QUEUE,
            id_reuse_policy=reuse_policy(server_has_forgotten),
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

    async def withdrawal_state(self, withdrawal_no: str = "W-1") -> WithdrawalState:
        """What the withdrawal answers when asked."""
        state: WithdrawalState = await self.withdrawal(withdrawal_no).query("state", result_type=WithdrawalState)
        return state

    async def withdrawal_is(self, status: str, withdrawal_no: str = "W-1") -> None:
        """Wait in real time until a withdrawal has reached a status."""

        async def reached() -> bool:
            return (await self.withdrawal_state(withdrawal_no)).status == status

        await self.until(reached, f"{withdrawal_no} is {status}")

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
