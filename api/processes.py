"""How the API reaches the workflows: start, command, wake."""

from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from api.temporal_calls import TemporalCalls
from escrow.domain.collections.batch_payments import PaidBy
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.money.amounts import format_fen
from escrow.domain.transfers.moves import TransferKind
from workflows import (
    collection_messages,
    messages,
    verification_messages,
)
from workflows.search_attributes import of_batch, of_member, of_members_money, of_order
from workflows.timeouts import WORKFLOW_TASK


class Processes(TemporalCalls):
    """The workflows behind one Temporal client."""

    async def start_order(
        self, platform_no: str, order_no: str, *, owner_no: str, contractor_no: str, total_fen: int
    ) -> None:
        """Start the process of an order, which finds in the books where it stands; one that runs is left as it is.

        What is told beside its number is shown to operators, no more.

        Raises:
            TemporalUnavailable: nobody answers.
        """
        await self._start(
            "DecorationOrder",
            messages.OrderInput(platform_no=platform_no, order_no=order_no),
            workflow_id=messages.order_workflow_id(platform_no, order_no),
            task_queue=messages.ORDERS_TASK_QUEUE,
            summary=f"{format_fen(total_fen)} yuan",
            attributes=of_order(
                platform_no=platform_no, owner_no=owner_no, contractor_no=contractor_no, amount_fen=total_fen
            ),
            reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        )

    async def start_withdrawal(
        self, platform_no: str, withdrawal_no: str, *, member_no: str | None, principal_fen: int
    ) -> None:
        """Start the process of a withdrawal, which finds in the books what is asked for; one that runs goes on.

        What is told beside its number is shown to operators, no more.

        Raises:
            TemporalUnavailable: nobody answers.
        """
        await self._start(
            "Withdrawal",
            messages.WithdrawalRef(platform_no=platform_no, withdrawal_no=withdrawal_no),
            workflow_id=messages.withdrawal_workflow_id(platform_no, withdrawal_no),
            task_queue=messages.PAYMENTS_TASK_QUEUE,
            summary=f"{format_fen(principal_fen)} yuan for {member_no or 'the platform'}",
            attributes=of_members_money(platform_no=platform_no, member_no=member_no, amount_fen=principal_fen),
            reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        )

    async def start_collection(
        self, platform_no: str, pay_in_no: str, *, member_no: str, amount_fen: int, method: CollectionMethod
    ) -> None:
        """Start the process of a collection, which finds in the books what is asked for; one that runs goes on.

        What is told beside its number is shown to operators, no more.

        Raises:
            TemporalUnavailable: nobody answers.
        """
        await self._start(
            "PayIn",
            messages.CollectionRef(platform_no=platform_no, pay_in_no=pay_in_no),
            workflow_id=messages.collection_workflow_id(platform_no, pay_in_no),
            task_queue=messages.PAYMENTS_TASK_QUEUE,
            summary=f"{format_fen(amount_fen)} yuan by {method} for {member_no}",
            attributes=of_members_money(platform_no=platform_no, member_no=member_no, amount_fen=amount_fen),
            reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        )

    async def start_batch_payment(
        self, platform_no: str, batch_no: str, *, payer_no: str, orders: int, paid_by: PaidBy, total_fen: int
    ) -> None:
        """Start the process of a batch, which finds in the books what its owner consented to; one that runs goes on.

        What is told beside its number is shown to operators, no more.

        Raises:
            TemporalUnavailable: nobody answers.
        """
        await self._start(
            "BatchPayment",
            messages.BatchRef(platform_no=platform_no, batch_no=batch_no),
            workflow_id=messages.batch_payment_workflow_id(platform_no, batch_no),
            task_queue=messages.PAYMENTS_TASK_QUEUE,
            summary=f"{format_fen(total_fen)} yuan for {orders} orders by {paid_by}",
            attributes=of_batch(platform_no=platform_no, owner_no=payer_no, total_fen=total_fen),
            reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        )

    async def make_transfer(
        self, platform_no: str, kind: TransferKind, transfer_no: str, *, member_no: str, amount_fen: int
    ) -> None:
        """Have a transfer made that was asked for. What is told beside its number is shown to operators, no more.

        Raises:
            TemporalUnavailable: nobody answers.
        """
        await self._look_after(
            kind,
            platform_no,
            transfer_no,
            summary=f"{kind} of {format_fen(amount_fen)} yuan",
            attributes=of_members_money(platform_no=platform_no, member_no=member_no, amount_fen=amount_fen),
        )

    async def look_after_check(self, platform_no: str, check_no: str, *, member_no: str) -> None:
        """Have a stored identity check looked after; one whose process has ended begins anew.

        Raises:
            TemporalUnavailable: nobody answers.
        """
        await self._look_after_member("identity_check", platform_no, check_no, f"identity of {member_no}")

    async def look_after_closing(self, platform_no: str, member_no: str, request_no: str) -> None:
        """Have a closing completed that has begun; raises as `look_after_check`."""
        await self._look_after_member("member_closing", platform_no, f"{member_no}/{request_no}", f"{member_no} closes")

    async def look_after_verification(self, platform_no: str, verification_no: str) -> None:
        """Have a stored verification looked after; raises as `look_after_check`."""
        summary = f"verification {verification_no}"
        await self._look_after_member("account_verification", platform_no, verification_no, summary)

    async def look_after_mandate(self, platform_no: str, mandate_no: str) -> None:
        """Have a mandate of the books told to the bank, or its end; raises as `look_after_check`."""
        await self._look_after_member("mandate", platform_no, mandate_no, f"mandate {mandate_no}")

    async def _look_after_member(self, kind: str, platform_no: str, number: str, summary: str) -> None:
        await self._look_after(
            kind, platform_no, number, summary=summary, attributes=of_member(platform_no=platform_no)
        )

    async def command_order(
        self, platform_no: str, order_no: str, operation: str, command: messages.PartyMessage, *, update_id: str
    ) -> None:
        """Give an order a command and wait until it has had it; what it did, or why not, is in the books.

        Raises:
            WorkflowEnded: the order has ended or does not run.
            OrderBusy: no answer in time; the command may still take effect.
            TemporalUnavailable: nobody answers.
        """
        workflow_id = messages.order_workflow_id(platform_no, order_no)
        await self._update(workflow_id, operation, command, update_id=update_id)

    async def send_verification_again(self, platform_no: str, verification_no: str, request_no: str) -> None:
        """Have another micro-deposit or code sent; raises as `command_order`."""
        command = verification_messages.SendAgain(request_no=request_no)
        await self._update(_verification_id(platform_no, verification_no), "send_again", command)

    async def compare_try(self, platform_no: str, verification_no: str, number: int) -> None:
        """Have the bank asked about a stored try; raises as `command_order`."""
        command = verification_messages.Try(number=number)
        await self._update(_verification_id(platform_no, verification_no), "confirm", command)

    async def wake_bank_watch(self, platform_no: str, notice: messages.BankNoticeSignal) -> None:
        """Tell the watch over a platform's custody account to look; it is started when it does not run."""
        async with self._translated():
            await self._client.start_workflow(
                "BankWatch",
                messages.BankWatchInput(platform_no=platform_no),
                id=messages.bank_watch_workflow_id(platform_no),
                task_queue=messages.PAYMENTS_TASK_QUEUE,
                task_timeout=WORKFLOW_TASK,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                start_signal="bank_notice",
                start_signal_args=[notice],
                rpc_timeout=self._answer,
            )

    async def wake_withdrawal(self, platform_no: str, withdrawal_no: str, notice: messages.BankNoticeSignal) -> None:
        """Tell a withdrawal to ask the bank; one that has ended or never was needs no telling."""
        await self._signal(messages.withdrawal_workflow_id(platform_no, withdrawal_no), "bank_notice", notice)

    async def wake_collection(self, platform_no: str, pay_in_no: str, notice: messages.BankNoticeSignal) -> None:
        """Tell a top-up to ask its channel; one that has ended or never was needs no telling."""
        await self._signal(messages.collection_workflow_id(platform_no, pay_in_no), "bank_notice", notice)

    async def compare_payer_code(self, platform_no: str, pay_in_no: str, number: int) -> None:
        """Have the bank asked about a stored try of a quick payment's code; raises as `command_order`."""
        workflow_id = messages.collection_workflow_id(platform_no, pay_in_no)
        command = collection_messages.CodeTry(number=number)
        await self._update(workflow_id, "compare_code", command)

    async def send_payer_code(self, platform_no: str, pay_in_no: str, request_no: str) -> None:
        """Have the bank send another code of a quick payment; raises as `command_order`."""
        workflow_id = messages.collection_workflow_id(platform_no, pay_in_no)
        command = collection_messages.CodeWish(request_no=request_no)
        await self._update(workflow_id, "send_code", command)


def _verification_id(platform_no: str, verification_no: str) -> str:
    return messages.account_verification_workflow_id(platform_no, verification_no)
