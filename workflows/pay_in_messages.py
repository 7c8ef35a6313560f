"""Payloads of top-ups. They hold references and amounts, never names, account numbers or mobiles."""

from datetime import timedelta
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.collections.pay_ins import PayInStatus
from escrow.domain.members.code_checks import CodeCheck
from escrow.domain.money.journal import Basis
from workflows.messages import Message, NotedMessage


class PayInInput(Message):
    """Starts a top-up of `amount_fen`.

    Args:
        member_no: whose sub-account is credited.
        subject: what the payer is shown; no personal data.
        expires_at: after it the collection is closed.
        return_url: where the payer's browser goes after paying, where the method has one.
        consent: the member's consent to this top-up, or to pay the order.
        order_no: the order that it pays; empty for a top-up.
        batch_no: the batch of orders that it pays; empty for any other.
        account_id: the member's bound card that a quick payment is made from.
        mandate_no: the member's mandate under which a direct debit is made.
        collect_consent: number of the member's consent to debit it for the order; a top-up's consent is that already.
        watch_late_payments_for: how long after its end a collection is still looked at.
    """

    platform_no: str
    pay_in_no: str
    member_no: str
    method: CollectionMethod
    amount_fen: int = Field(gt=0)
    subject: str
    expires_at: AwareDatetime
    return_url: str = ""
    consent: Basis
    order_no: str = ""
    batch_no: str = ""
    account_id: str = ""
    mandate_no: str = ""
    collect_consent: str = ""
    watch_late_payments_for: timedelta = timedelta(days=2)


class BookedPayment(Message):
    """One payment of the channel, and what became of it."""

    payment_no: str
    amount_fen: int
    fee_fen: int
    outcome: Literal["credited", "suspended", "returned"]
    suspended_fen: int = 0


class PayInState(BaseModel):
    """The whole state of a top-up."""

    model_config = ConfigDict(extra="forbid")

    status: PayInStatus = PayInStatus.OPENED
    request_no: str = ""
    attempts: int = 0
    interaction: dict[str, Any] | None = None
    payments: list[BookedPayment] = []
    refunds_sent: int = 0
    reason: str = ""
    reason_code: str = ""
    debit_channel: str = ""
    debit_route: list[str] = []
    watched_until: AwareDatetime | None = None
    attention: str = ""
    noted: list[NotedMessage] = []


class CodeTry(Message):
    """Names a stored try of a quick payment's code."""

    number: int = Field(ge=1)


class CodeCompared(Message):
    """How a try compared."""

    outcome: CodeCheck


class CodeSent(Message):
    """Another code was sent, good until then."""

    expires_at: AwareDatetime | None


class CodeWish(Message):
    """Asks for another code."""

    request_no: str


class OrderAnswer(Message):
    """An order has decided about a payment; how, the books know."""

    payment_no: str


class PayInOutcome(Message):
    """How a top-up ended, in fen: what was credited, and what still waits in suspense."""

    pay_in_no: str
    status: PayInStatus
    credited_fen: int
    suspended_fen: int
    reason: str = ""


#: Names of the signals between an order and what has its price collected.
ORDER_PAID_DIRECTLY, ORDER_HAS_ANSWERED = "paid_directly", "order_has_answered"


def pay_in_workflow_id(platform_no: str, pay_in_no: str) -> str:
    """Id of the workflow of one top-up."""
    return f"pay_in/{platform_no}/{pay_in_no}"
