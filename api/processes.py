"""How the API reaches the workflows: start, command, wake. Each call has a time limit and one set of errors."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import (
    Client,
    RPCError,
    RPCTimeoutOrCancelledError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import TypedSearchAttributes, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCStatusCode

from activities.failures import from_temporal
from activities.verification import Standing
from api.problems import OrderBusy, TemporalUnavailable
from escrow.domain.errors import Refused
from escrow.domain.money import format_fen
from escrow.domain.order_states import OrderStatus
from workflows import messages, pay_in_messages, transfer_messages, verification_messages
from workflows.patience import WORKFLOW_TASK
from workflows.search_attributes import of_member, of_order, of_withdrawal

Result = TypeVar("Result")

_PROBE = timedelta(seconds=1)
_AWAY = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.UNKNOWN,
    }
)
#: A server without the operator's service, or one that keeps it from us, has no attributes for us.
_NOT_OFFERED = frozenset({RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.PERMISSION_DENIED})


class WorkflowEnded(Exception):
    """The workflow does not exist or has ended; the ledger knows which."""


class Processes:
    """The workflows behind one Temporal client, which connects with its first call.

    Args:
        client: lazily connected client with the pydantic data converter.
        answer_seconds: how long a workflow may take to answer a command.
    """

    def __init__(self, client: Client, *, answer_seconds: float) -> None:
        self._client = client
        self._answer = timedelta(seconds=answer_seconds)
        self._registered: frozenset[str] | None = None

    async def is_ready(self) -> bool:
        """Whether Temporal answers now."""
        try:
            return await asyncio.wait_for(
                self._client.service_client.check_health(timeout=_PROBE), _PROBE.total_seconds()
            )
        except (RPCError, RuntimeError, TimeoutError):
            return False

    async def start_order(self, contract: messages.OrderContract) -> None:
        """Start the workflow of an order; one that runs or ran under this number is left as it is.

        Raises:
            TemporalUnavailable: nobody answers.
        """
        await self._start(
            "DecorationOrder",
            messages.OrderInput(contract=contract),
            workflow_id=messages.order_workflow_id(contract.platform_no, contract.order_no),
            task_queue=messages.ORDERS_TASK_QUEUE,
            summary=f"{format_fen(contract.total_fen)} yuan in {len(contract.milestones)} milestones",
            attributes=of_order(
                platform_no=contract.platform_no,
                owner_no=contract.owner_no,
                contractor_no=contract.contractor_no,
                amount_fen=contract.total_fen,
                status=OrderStatus.AWAITING_PAYMENT,
            ),
        )

    async def start_withdrawal(self, request: messages.WithdrawalInput) -> None:
        """Start the workflow of a withdrawal; one that runs or ran under this number is left as it is.

        Raises:
            TemporalUnavailable: nobody answers.
        """
        await self._start(
            "Withdrawal",
            request,
            workflow_id=messages.withdrawal_workflow_id(request.platform_no, request.withdrawal_no),
            task_queue=messages.PAYMENTS_TASK_QUEUE,
            summary=f"{format_fen(request.principal_fen)} yuan for {request.member_no or 'the platform'}",
            attributes=of_withdrawal(
                platform_no=request.platform_no, member_no=request.member_no, principal_fen=request.principal_fen
            ),
        )

    async def start_pay_in(self, request: pay_in_messages.PayInInput) -> None:
        """Start the workflow of a top-up; one that runs or ran under this number is left as it is.

        Raises:
            TemporalUnavailable: nobody answers.
        """
        await self._start(
            "PayIn",
            request,
            workflow_id=pay_in_messages.pay_in_workflow_id(request.platform_no, request.pay_in_no),
            task_queue=messages.PAYMENTS_TASK_QUEUE,
            summary=f"{format_fen(request.amount_fen)} yuan by {request.method} for {request.member_no}",
            attributes=of_withdrawal(
                platform_no=request.platform_no, member_no=request.member_no, principal_fen=request.amount_fen
            ),
        )

    async def start_transfer(self, transfer: transfer_messages.TransferInput) -> None:
        """Start the workflow of a transfer; one that runs or ran under this number is left as it is.

        Raises:
            TemporalUnavailable: nobody answers.
        """
        await self._start(
            "Transfer",
            transfer,
            workflow_id=transfer_messages.transfer_workflow_id(
                transfer.platform_no, transfer.kind, transfer.transfer_no
            ),
            task_queue=messages.PAYMENTS_TASK_QUEUE,
            summary=f"{transfer.kind} of {format_fen(transfer.amount_fen)} yuan",
            attributes=of_withdrawal(
                platform_no=transfer.platform_no, member_no=transfer.member_no, principal_fen=transfer.amount_fen
            ),
        )

    async def start_identity_check(self, check: messages.IdentityCheckInput, *, member_no: str) -> None:
        """Start the workflow of a stored check; one that failed, or that somebody cancelled, begins anew.

        Raises:
            TemporalUnavailable: nobody answers.
        """
        await self._start(
            "IdentityCheck",
            check,
            workflow_id=messages.identity_check_workflow_id(check.platform_no, check.check_no),
            task_queue=messages.PAYMENTS_TASK_QUEUE,
            summary=f"identity of {member_no}",
            attributes=of_member(platform_no=check.platform_no),
            reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        )

    async def start_member_closing(self, closing: messages.MemberClosingInput) -> None:
        """Start what completes a closing; one that runs or ran under this request is left as it is.

        Raises:
            TemporalUnavailable: nobody answers.
        """
        await self._start(
            "MemberClosing",
            closing,
            workflow_id=messages.member_closing_workflow_id(closing.platform_no, closing.member_no, closing.request_no),
            task_queue=messages.PAYMENTS_TASK_QUEUE,
            summary=f"{closing.member_no} closes",
            attributes=of_member(platform_no=closing.platform_no),
        )

    async def command_order(
        self, platform_no: str, order_no: str, operation: str, command: messages.OrderCommand, *, update_id: str
    ) -> messages.CommandResult:
        """Give an order a command and wait for what it did.

        Raises:
            Refused: a rule says no.
            WorkflowEnded: the order has ended or does not run.
            OrderBusy: no answer in time; the command may still take effect.
            TemporalUnavailable: nobody answers.
        """
        workflow_id = messages.order_workflow_id(platform_no, order_no)
        return await self._update(workflow_id, operation, command, messages.CommandResult, update_id=update_id)

    async def start_verification(self, verification: verification_messages.AccountVerificationInput) -> None:
        """Start the workflow of a stored verification; one that failed, or that somebody cancelled, begins anew.

        Raises:
            TemporalUnavailable: nobody answers.
        """
        await self._start(
            "AccountVerification",
            verification,
            workflow_id=_verification_id(verification.platform_no, verification.verification_no),
            task_queue=messages.PAYMENTS_TASK_QUEUE,
            summary=f"verification {verification.verification_no}",
            attributes=of_member(platform_no=verification.platform_no),
            reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        )

    async def send_verification_again(self, platform_no: str, verification_no: str, request_no: str) -> None:
        """Have another micro-deposit or code sent; raises as `command_order`."""
        command = verification_messages.SendAgain(request_no=request_no)
        await self._update(_verification_id(platform_no, verification_no), "send_again", command, Standing)

    async def compare_try(self, platform_no: str, verification_no: str, number: int) -> None:
        """Have the bank asked about a stored try; raises as `command_order`."""
        command = verification_messages.Try(number=number)
        await self._update(_verification_id(platform_no, verification_no), "confirm", command, Standing)

    async def _update(
        self, workflow_id: str, operation: str, command: Any, result_type: type[Result], *, update_id: str | None = None
    ) -> Result:
        """Send an update and wait for its answer; without an id, each call is another update."""
        handle = self._client.get_workflow_handle(workflow_id)
        try:
            async with self._translated(), asyncio.timeout(self._answer.total_seconds()):
                result: Result = await handle.execute_update(
                    operation, command, id=update_id, result_type=result_type, rpc_timeout=self._answer
                )
                return result
        except WorkflowUpdateFailedError as error:
            ours = from_temporal(error.cause)
            if isinstance(ours, Refused):
                raise ours from error
            raise await self._silence() from error
        except (WorkflowUpdateRPCTimeoutOrCancelledError, TimeoutError) as error:
            raise await self._silence() from error

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
        await self._wake(messages.withdrawal_workflow_id(platform_no, withdrawal_no), notice)

    async def wake_pay_in(self, platform_no: str, pay_in_no: str, notice: messages.BankNoticeSignal) -> None:
        """Tell a top-up to ask its channel; one that has ended or never was needs no telling."""
        await self._wake(pay_in_messages.pay_in_workflow_id(platform_no, pay_in_no), notice)

    async def _wake(self, workflow_id: str, notice: messages.BankNoticeSignal) -> None:
        handle = self._client.get_workflow_handle(workflow_id)
        try:
            async with self._translated():
                await handle.signal("bank_notice", notice, rpc_timeout=self._answer)
        except WorkflowEnded:
            return

    async def _start(
        self,
        workflow: str,
        argument: Any,
        *,
        workflow_id: str,
        task_queue: str,
        summary: str,
        attributes: TypedSearchAttributes,
        reuse: WorkflowIDReusePolicy = WorkflowIDReusePolicy.REJECT_DUPLICATE,
    ) -> None:
        try:
            async with self._translated():
                await self._client.start_workflow(
                    workflow,
                    argument,
                    id=workflow_id,
                    task_queue=task_queue,
                    id_reuse_policy=reuse,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    task_timeout=WORKFLOW_TASK,
                    static_summary=summary,
                    search_attributes=await self._present(attributes),
                    rpc_timeout=self._answer,
                )
        except WorkflowAlreadyStartedError:
            return  # it ran under this number and has ended: the books have it

    async def _present(self, attributes: TypedSearchAttributes) -> TypedSearchAttributes:
        """Those that the server knows: attributes are for operators, and an order must run without them too."""
        if self._registered is None:
            request = ListSearchAttributesRequest(namespace=self._client.namespace)
            try:
                answer = await self._client.operator_service.list_search_attributes(request, timeout=self._answer)
            except RPCError as error:
                if error.status not in _NOT_OFFERED:
                    raise
                self._registered = frozenset()
            else:
                self._registered = frozenset(answer.custom_attributes)
        return TypedSearchAttributes([pair for pair in attributes if pair.key.name in self._registered])

    async def _silence(self) -> OrderBusy | TemporalUnavailable:
        """Why no answer came: Temporal itself is away, or the workflow has not got to it."""
        if await self.is_ready():
            return _busy()
        return _temporal_away()

    @asynccontextmanager
    async def _translated(self) -> AsyncIterator[None]:
        try:
            yield
        except RPCTimeoutOrCancelledError:
            raise  # the caller of an update asks why; RPC time-outs of other calls come as RPCError
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise WorkflowEnded from error
            if error.status in _AWAY:
                raise _temporal_away() from error
            if error.status is RPCStatusCode.FAILED_PRECONDITION:  # its tasks fail: operators see why, callers repeat
                raise _busy() from error
            raise
        except RuntimeError as error:
            # What the SDK raises when a lazy client's first connection fails; there is no class of its own.
            if "Failed client connect" not in str(error):
                raise
            raise _temporal_away() from error


def _verification_id(platform_no: str, verification_no: str) -> str:
    return verification_messages.account_verification_workflow_id(platform_no, verification_no)


def _busy() -> OrderBusy:
    return OrderBusy("order_busy", "No answer yet; repeat the same request to learn the outcome.")


def _temporal_away() -> TemporalUnavailable:
    return TemporalUnavailable("temporal_unavailable", "Temporal cannot be reached; repeat the same request.")
