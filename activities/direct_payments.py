"""Activities of what a channel collected for an order: frozen for it, and given back through the channel."""

from dataclasses import replace
from datetime import date

from pydantic import BaseModel, ConfigDict
from temporalio import activity

from activities.guards import require_own_workflow, require_parties
from activities.heartbeat import heartbeating
from activities.pay_ins import collection_answer
from activities.payments import bank_request_no
from activities.returns import refund_answer, require_amount
from activities.signed_order import signed_order
from activities.steps import Step
from escrow.channels.collections import CollectionRefundOrder, Collections
from escrow.domain.collections import recipes as collection_recipes
from escrow.domain.collections.direct_payments import DirectPaid, DirectRefundStatus, direct_refund_no
from escrow.domain.collections.methods import RefundAnswer, RefundStatus, payment_booking_no
from escrow.domain.errors import BankUnreachable, Refused
from escrow.domain.money.accounts import escrow, refund
from escrow.domain.money.funding import direct_leg
from escrow.domain.money.journal import Receipt
from escrow.domain.orders.operations import unpaid_claim
from escrow.domain.requests import derived
from escrow.domain.transfers.suspense import suspended_credit
from escrow.ledger.balances import account_balance_fen, moved_fen
from escrow.ledger.days import accounting_day
from escrow.ledger.engine import Reader
from escrow.ledger.posting import LedgerWriter
from escrow.registry.members.members import Members


class FreezeDirect(BaseModel):
    """Freeze a payment for its order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: Step
    owner_no: str
    total_fen: int
    direct: DirectPaid


class DirectRefund(BaseModel):
    """A refund of an order's payment through its channel."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    platform_no: str
    order_no: str
    owner_no: str
    amount_fen: int
    refund_no: str
    direct: DirectPaid


class DirectPaymentActivities:
    """Channel and ledger activities of direct payments."""

    def __init__(self, writer: LedgerWriter, reader: Reader, members: Members, channel: Collections) -> None:
        self._writer = writer
        self._reader = reader
        self._members = members
        self._channel = channel

    @activity.defn
    async def freeze_direct(self, request: FreezeDirect) -> Receipt:
        """Freeze what the channel says was paid, under the payment's own number: once, for this order or not at all.

        Raises:
            Refused: `payment_differs`, `member_state`, `request_no_reused` when it is booked already, `claim_taken`
                when the order waits for no payment any more, or the basis does not hold.
            BankUnreachable: ask again.
        """
        step, direct = request.step, request.direct
        async with heartbeating():
            order = await signed_order(self._reader, step.platform_no, step.object_no)
            order.require(owner_no=request.owner_no, total_fen=request.total_fen)
            order.require_payment(step, method=direct.method)
            if order.direct is None:
                await require_parties(
                    self._members, step.platform_no, owner_no=request.owner_no, payee_no=order.payee_no
                )
            answer = await collection_answer(self._reader, self._channel, step.platform_no, direct.collection_no)
            payment = next((item for item in answer.payments if item.payment_no == direct.payment_no), None)
            if (
                payment is None
                or not _is_collected_for(step, direct)
                or answer.method is not direct.method
                or (payment.amount_fen, payment.settles_on) != (direct.paid_fen, direct.settles_on)
                or payment.amount_fen < request.total_fen
            ):
                raise Refused("payment_differs", f"The channel says otherwise about {direct.payment_no}.")
            leg = direct_leg(payment_no=payment.payment_no, amount_fen=request.total_fen)
            posting = step.posting(
                entry=collection_recipes.order_paid_directly(
                    platform_no=step.platform_no,
                    channel=direct.method,
                    owner_no=request.owner_no,
                    order_no=step.object_no,
                    payment_no=payment.payment_no,
                    paid_fen=payment.amount_fen,
                    price_fen=request.total_fen,
                ),
                content={"payment_no": payment.payment_no, "paid_fen": payment.amount_fen},
                claims=(unpaid_claim(step.object_no),),
                document={
                    "direct": direct.model_dump(mode="json"),
                    "funding": [{"source": leg.source, "amount_fen": leg.amount_fen, "refunded_fen": 0}],
                },
            )
            excess_fen = payment.amount_fen - request.total_fen
            if excess_fen:
                credit = suspended_credit(
                    payment_no=payment.payment_no, amount_fen=excess_fen, collected_for=request.owner_no
                )
                posting = replace(posting, changes=(*posting.changes, credit))
            return await self._writer.post(posting)

    @activity.defn
    async def refund_direct(self, request: DirectRefund) -> RefundAnswer:
        """Ask the channel to give back what the order has let go. Attempted once.

        Raises:
            Refused: `wrong_workflow`, `not_in_transit`; nothing was sent.
            BankDeclined: nothing will be given back under this number.
            BankUnreachable: nothing was sent.
            OutcomeUnknown: sent, no answer.
        """
        require_own_workflow(platform_no=request.platform_no, object_kind="refund", object_no=request.order_no)
        async with heartbeating():
            await self._require_held(request)
            return await self._channel.refund(
                CollectionRefundOrder(
                    request_no=bank_request_no(request.platform_no, request.refund_no),
                    collection_request_no=bank_request_no(request.platform_no, request.direct.collection_no),
                    amount_fen=request.amount_fen,
                )
            )

    @activity.defn
    async def query_direct_refund(self, request: DirectRefund) -> RefundAnswer:
        """Ask the channel what became of the refund."""
        async with heartbeating():
            return await refund_answer(self._reader, self._channel, request.platform_no, request.refund_no)

    @activity.defn
    async def settle_direct_refund(self, step: Step, request: DirectRefund) -> DirectRefundStatus:
        """Book how the refund ended, as the channel says: with the payer, or in the owner's sub-account.

        Raises:
            BankUnreachable: the channel does not say, or not yet; ask again.
            Refused: `payment_differs` when the order was not paid so, or the channel gave another amount back;
                `wrong_workflow`.
        """
        require_own_workflow(platform_no=request.platform_no, object_kind="refund", object_no=request.order_no)
        async with heartbeating():
            await self._require_paid_so(request)
            answer = await refund_answer(self._reader, self._channel, request.platform_no, request.refund_no)
            if answer.status is RefundStatus.SUCCEEDED:
                require_amount(answer, request.amount_fen)
                status = DirectRefundStatus.REFUNDED
                entry = collection_recipes.channel_refunded(
                    platform_no=request.platform_no,
                    channel=request.direct.method,
                    payment_no=request.direct.payment_no,
                    amount_fen=request.amount_fen,
                )
            elif answer.status is RefundStatus.FAILED or answer.final:
                status = DirectRefundStatus.CREDITED
                entry = collection_recipes.refund_credited(
                    platform_no=request.platform_no,
                    owner_no=request.owner_no,
                    payment_no=request.direct.payment_no,
                    amount_fen=request.amount_fen,
                    pending_day=await self._pending_day(request),
                )
            else:
                raise BankUnreachable("refund_open", f"The refund {request.refund_no} has not ended yet; ask again.")
            ended = step.model_copy(
                update={
                    "request_no": derived(request.refund_no, "end"),
                    "status": status.value,
                    "event_type": f"refund.{status}",
                    "document": {"reason": answer.reason, "amount_fen": request.amount_fen},
                }
            )
            await self._writer.post(ended.posting(entry=entry, content={"refund_no": request.refund_no}))
        return status

    async def _pending_day(self, request: DirectRefund) -> date | None:
        """Money that its channel has not settled stays pending until its settlement day is closed."""
        today = await accounting_day(self._reader, request.platform_no)
        return request.direct.settles_on if request.direct.settles_on >= today else None

    async def _require_held(self, request: DirectRefund) -> None:
        await self._require_paid_so(request)
        held = refund(request.platform_no, request.direct.payment_no)
        if await account_balance_fen(self._reader, held) < request.amount_fen:
            raise Refused("not_in_transit", f"No money of {request.order_no} is held to be returned.")

    async def _require_paid_so(self, request: DirectRefund) -> None:
        """The order in the books was paid by this payment of this owner, and let this much of it go, to this refund.

        Raises:
            Refused: `payment_differs`.
        """
        order = await signed_order(self._reader, request.platform_no, request.order_no)
        let_go_fen = await moved_fen(
            self._reader,
            out_of=escrow(request.platform_no, request.owner_no, request.order_no),
            into=refund(request.platform_no, request.direct.payment_no),
        )
        facts = (order.direct, str(order.contract["owner_no"]), direct_refund_no(request.order_no), let_go_fen)
        if facts != (request.direct, request.owner_no, request.refund_no, request.amount_fen):
            raise Refused("payment_differs", f"The order {request.order_no} was not paid and refunded so.")


def _is_collected_for(step: Step, direct: DirectPaid) -> bool:
    """Whether this was collected for just this order, and is booked under the payment's own number."""
    return (
        direct.pay_in_no.startswith(derived(step.object_no, "pay", ""))
        and direct.collection_no.startswith(derived(direct.pay_in_no, "collect", ""))
        and step.request_no == payment_booking_no(direct.payment_no)
    )
