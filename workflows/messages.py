"""Every input, update, signal and query payload of the workflows: the contract with `api/`.

Payloads hold references and amounts, never names, account numbers or mobiles. Amounts are integer fen,
times are timezone-aware. Commands that somebody gives carry the number of a recorded consent as `request_no`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from escrow.domain.collections.batch_payments import BATCH_PAYMENT
from escrow.domain.collections.view import RefundView
from escrow.domain.orders.commands import PartyCommand
from escrow.domain.orders.states import OrderCommand, OrderStatus
from escrow.domain.orders.view import OrderPlan, OrderView
from escrow.domain.transfers.moves import TransferKind
from escrow.domain.withdrawals.rails import Rail
from escrow.domain.withdrawals.view import WithdrawalView

ORDERS_TASK_QUEUE = "orders"
PAYMENTS_TASK_QUEUE = "payments"
#: Signal by which a process is told that the books may have moved.
LOOK = "look"


class Message(BaseModel):
    """Base of all payloads: immutable; a field that a newer version knows is carried past an older one."""

    model_config = ConfigDict(frozen=True)


class PartyMessage(Message):
    """What owner or contractor tell an order; which command it is, the name of the update or signal says.

    Args:
        request_no: number of the recorded consent; also the caller's idempotency key.
        by: member number of the party in whose name this is said.
        milestone: number of the milestone for commands that concern one.
        note: free text shown to operators (what is to be rectified, why cancelled); no personal data.
        seen_version: version of the order that the sender had read, None when it read none.
    """

    request_no: str = Field(min_length=1, max_length=128)
    by: str = Field(min_length=1, max_length=64)
    milestone: int | None = Field(default=None, ge=1)
    note: str = Field(default="", max_length=500)
    seen_version: int | None = None

    def to(self, operation: OrderCommand) -> PartyCommand:
        """The command that the books are given."""
        return PartyCommand(operation=operation, **self.model_dump())


class OperatorCommand(Message):
    """What an operator tells an order or withdrawal that needs attention. It moves no money by itself."""

    operator: str = Field(min_length=1, max_length=64)
    note: str = Field(default="", max_length=500)


class CommandResult(Message):
    """Answer to a command that took effect; amounts in fen, `released_fen` net of commission."""

    request_no: str | None
    operation: str | None
    order_status: OrderStatus
    milestone: int | None = None
    released_fen: int = 0
    commission_fen: int = 0
    refunded_fen: int = 0


class NotedMessage(Message):
    """A message that was not carried out, kept for the operator."""

    at: AwareDatetime
    name: str
    reason: str


class LongLived(Message):
    """Starts a process that can last, one run after another.

    Args:
        noted: what an earlier run has kept for operators.
        continue_after_events: bounds the history of one run.
    """

    noted: tuple[NotedMessage, ...] = ()
    continue_after_events: int = Field(default=8_000, ge=10)


class OrderInput(LongLived):
    """Starts the process of an order, which finds in the books where it stands."""

    platform_no: str
    order_no: str


class OrderProcessState(Message):
    """What an order's process has seen and waits for: the answer to the query `state`."""

    plan: OrderPlan | None
    order: OrderView | None
    awaiting: str | None
    attention: str | None
    noted: tuple[NotedMessage, ...]


class OrderOutcome(Message):
    """How an order ended. `paid = released + commission + refunded`, in fen; `released` is net of commission."""

    order_no: str
    status: OrderStatus
    paid_fen: int
    released_fen: int
    commission_fen: int
    refunded_fen: int


class WithdrawalRef(LongLived):
    """Starts the process of a withdrawal, which has its money held as the books say it was asked for."""

    platform_no: str
    withdrawal_no: str


class WithdrawalProcessState(Message):
    """What a withdrawal's process has seen and tries in vain: the answer to the query `state`.

    Args:
        withdrawal: None while no money is held.
    """

    withdrawal: WithdrawalView | None
    attention: str | None
    trouble: str | None
    noted: tuple[NotedMessage, ...]


class WithdrawalOutcome(Message):
    """How a withdrawal ended: `paid`, `returned` to the sub-account, or `refused` before anything moved."""

    withdrawal_no: str
    status: str
    rail: Rail | None = None
    bank_serial_no: str | None = None
    reason: str | None = None


class BankNoticeSignal(Message):
    """The bank said that something happened; it only wakes the workflow, which then asks the bank."""

    notice_id: str
    kind: str


class BankWatchInput(Message):
    """Starts the watch over one platform's custody account."""

    platform_no: str
    poll_every: timedelta = timedelta(seconds=60)


class IdentityCheckInput(LongLived):
    """Starts an identity check that is stored under `check_no`."""

    platform_no: str
    check_no: str


class MemberClosingInput(LongLived):
    """Starts what completes the closing that `request_no` began, when the books say that it can be completed."""

    platform_no: str
    member_no: str
    request_no: str


class MandateInput(LongLived):
    """Starts what looks after a mandate that stands in the books."""

    platform_no: str
    mandate_no: str


class AccountVerificationInput(LongLived):
    """Starts a verification that is stored under `verification_no`."""

    platform_no: str
    verification_no: str


class CollectionRef(LongLived):
    """Starts the process of something that is collected, as the books say it was asked for."""

    platform_no: str
    pay_in_no: str


class BatchRef(LongLived):
    """Starts the process of a batch, as its owner consented to it."""

    platform_no: str
    batch_no: str


class TransferInput(LongLived):
    """Starts what makes a transfer; whose and how much it is, its recorded consent says."""

    platform_no: str
    kind: TransferKind
    transfer_no: str


class RefundRef(LongLived):
    """Starts the refund of what a channel collected for an order; the books have what goes back and to whom."""

    platform_no: str
    order_no: str


class RefundProcessState(Message):
    """What a refund's process has seen and tries in vain: the answer to the query `state`."""

    refund: RefundView | None
    attention: str | None
    trouble: str | None
    noted: tuple[NotedMessage, ...]


def order_workflow_id(platform_no: str, order_no: str) -> str:
    """Id of the workflow of one order."""
    return f"order/{platform_no}/{order_no}"


def withdrawal_workflow_id(platform_no: str, withdrawal_no: str) -> str:
    """Id of the workflow of one withdrawal."""
    return f"withdrawal/{platform_no}/{withdrawal_no}"


def collection_workflow_id(platform_no: str, pay_in_no: str) -> str:
    """Id of the workflow of something that is collected."""
    return f"pay_in/{platform_no}/{pay_in_no}"


def batch_payment_workflow_id(platform_no: str, batch_no: str) -> str:
    """Id of the workflow of one batch payment."""
    return f"{BATCH_PAYMENT}/{platform_no}/{batch_no}"


def direct_refund_workflow_id(platform_no: str, order_no: str) -> str:
    """Id of the workflow that refunds what a channel collected for an order."""
    return f"refund/{platform_no}/{order_no}"


def bank_watch_workflow_id(platform_no: str) -> str:
    """Id of the watch over one platform's custody account."""
    return f"bank-watch/{platform_no}"


def identity_check_workflow_id(platform_no: str, check_no: str) -> str:
    """Id of the workflow of one identity check."""
    return f"identity-check/{platform_no}/{check_no}"


def member_closing_workflow_id(platform_no: str, member_no: str, request_no: str) -> str:
    """Id of the workflow of one closing; a closing that was broken off may be followed by another."""
    return f"member-closing/{platform_no}/{member_no}/{request_no}"


def mandate_workflow_id(platform_no: str, mandate_no: str) -> str:
    """Id of the workflow of one mandate."""
    return f"mandate/{platform_no}/{mandate_no}"


def account_verification_workflow_id(platform_no: str, verification_no: str) -> str:
    """Id of the workflow of one verification."""
    return f"account-verification/{platform_no}/{verification_no}"


def transfer_workflow_id(platform_no: str, kind: TransferKind, transfer_no: str) -> str:
    """Id of the workflow of one transfer."""
    return f"{kind}/{platform_no}/{transfer_no}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """How the process of one kind of object is started; `reference` is its input, of platform and number."""

    workflow: str
    task_queue: str
    workflow_id: Callable[[str, str], str]
    reference: Callable[[str, str], Message]


def _transfer(kind: TransferKind) -> Process:
    return Process(
        workflow="Transfer",
        task_queue=PAYMENTS_TASK_QUEUE,
        workflow_id=lambda platform_no, number: transfer_workflow_id(platform_no, kind, number),
        reference=lambda platform_no, number: TransferInput(platform_no=platform_no, kind=kind, transfer_no=number),
    )


#: The processes that look after objects in the books, by kind.
PROCESSES: Mapping[str, Process] = {
    "order": Process(
        workflow="DecorationOrder",
        task_queue=ORDERS_TASK_QUEUE,
        workflow_id=order_workflow_id,
        reference=lambda platform_no, number: OrderInput(platform_no=platform_no, order_no=number),
    ),
    "withdrawal": Process(
        workflow="Withdrawal",
        task_queue=PAYMENTS_TASK_QUEUE,
        workflow_id=withdrawal_workflow_id,
        reference=lambda platform_no, number: WithdrawalRef(platform_no=platform_no, withdrawal_no=number),
    ),
    "pay_in": Process(
        workflow="PayIn",
        task_queue=PAYMENTS_TASK_QUEUE,
        workflow_id=collection_workflow_id,
        reference=lambda platform_no, number: CollectionRef(platform_no=platform_no, pay_in_no=number),
    ),
    BATCH_PAYMENT: Process(
        workflow="BatchPayment",
        task_queue=PAYMENTS_TASK_QUEUE,
        workflow_id=batch_payment_workflow_id,
        reference=lambda platform_no, number: BatchRef(platform_no=platform_no, batch_no=number),
    ),
    "refund": Process(
        workflow="DirectRefund",
        task_queue=PAYMENTS_TASK_QUEUE,
        workflow_id=direct_refund_workflow_id,
        reference=lambda platform_no, number: RefundRef(platform_no=platform_no, order_no=number),
    ),
    "identity_check": Process(
        workflow="IdentityCheck",
        task_queue=PAYMENTS_TASK_QUEUE,
        workflow_id=identity_check_workflow_id,
        reference=lambda platform_no, number: IdentityCheckInput(platform_no=platform_no, check_no=number),
    ),
    "account_verification": Process(
        workflow="AccountVerification",
        task_queue=PAYMENTS_TASK_QUEUE,
        workflow_id=account_verification_workflow_id,
        reference=lambda platform_no, number: AccountVerificationInput(platform_no=platform_no, verification_no=number),
    ),
    "mandate": Process(
        workflow="Mandate",
        task_queue=PAYMENTS_TASK_QUEUE,
        workflow_id=mandate_workflow_id,
        reference=lambda platform_no, number: MandateInput(platform_no=platform_no, mandate_no=number),
    ),
    # The number of a closing is the member's with that of the request that began it.
    "member_closing": Process(
        workflow="MemberClosing",
        task_queue=PAYMENTS_TASK_QUEUE,
        workflow_id=lambda platform_no, number: member_closing_workflow_id(platform_no, *number.split("/")),
        reference=lambda platform_no, number: MemberClosingInput(
            platform_no=platform_no, member_no=number.split("/")[0], request_no=number.split("/")[1]
        ),
    ),
    **{kind.value: _transfer(kind) for kind in TransferKind},
}


def as_document(value: Any) -> Any:
    """JSON form of a payload or list of payloads, for the object's document in the ledger."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, (list, tuple)):
        return [as_document(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value
