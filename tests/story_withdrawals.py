"""Sentences about withdrawals."""

from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import WorkflowHandle
from temporalio.common import WorkflowIDReusePolicy

from escrow.domain.journal import Basis
from escrow.domain.money import yuan
from escrow.ledger.consents import NewConsent, record_consent
from tests.story_ground import CONTRACTOR, REQUESTS, Ground
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
            amount, withdrawal_no=withdrawal_no, member_no=member_no, account_id=account_id
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
        self, amount: str, *, withdrawal_no: str, member_no: str = CONTRACTOR, account_id: str = ""
    ) -> Basis:
        """Record the consent to a withdrawal."""
        consent = NewConsent(
            platform_no=self.platform_no,
            consent_no=f"R-{next(REQUESTS)}",
            object_kind="withdrawal",
            object_no=withdrawal_no,
            operation="withdraw",
            given_by=member_no or "platform",
            terms={"account_id": account_id, "principal_fen": yuan(amount)},
            expires_at=datetime.now(UTC) + timedelta(days=1),
        )
        await record_consent(self.stage.reader, consent)
        return Basis(kind="consent", reference=consent.consent_no, operation_hash=consent.operation_hash)

    async def start_withdrawal(
        self, withdrawal: WithdrawalInput, *, workflow_id: str | None = None
    ) -> WorkflowHandle[Any, Any]:
        """Start a withdrawal's workflow as it is."""
        return await self.stage.client.start_workflow(
            Withdrawal.run,
            withdrawal,
            id=workflow_id or withdrawal_workflow_id(withdrawal.platform_no, withdrawal.withdrawal_no),
            task_queue=PAYMENTS_TASK_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
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
