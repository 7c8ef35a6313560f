"""Activities of what a channel collected for an order and the order has let go: given back through the channel."""

from dataclasses import dataclass
from datetime import date

from temporalio import activity

from activities.heartbeat import heartbeating
from activities.orders import OrderRef
from activities.returns import refund_answer, require_amount
from escrow.channels.collections import CollectionRefundOrder, Collections
from escrow.domain.collections import recipes as collection_recipes
from escrow.domain.collections.direct_payments import DirectPaid, DirectRefundStatus, direct_refund_no
from escrow.domain.collections.methods import RefundAnswer, RefundStatus
from escrow.domain.errors import BankUnreachable, Refused
from escrow.domain.money.accounts import escrow, refund
from escrow.domain.money.journal import Basis, Change, JournalEntry, Posting
from escrow.domain.orders.opening import ORDERS
from escrow.domain.requests import derived
from escrow.domain.withdrawals.state import bank_request_no
from escrow.ledger.balances import account_balance_fen, moved_fen
from escrow.ledger.books import known
from escrow.ledger.days import accounting_day
from escrow.ledger.engine import Reader
from escrow.ledger.objects import get_object
from escrow.ledger.posting import LedgerWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class _LetGo:
    """What an order has let go of a channel's payment, as the books say."""

    owner_no: str
    amount_fen: int
    refund_no: str
    direct: DirectPaid


class DirectRefundActivities:
    """Channel and ledger activities of refunds; which payment goes back, how much and to whom is read in the books."""

    def __init__(self, writer: LedgerWriter, reader: Reader, channel: Collections) -> None:
        self._writer = writer
        self._reader = reader
        self._channel = channel

    @activity.defn
    async def refund_direct(self, ref: OrderRef) -> RefundAnswer:
        """Ask the channel to give back what the order has let go. Attempted once.

        Raises:
            Refused: `payment_differs`, `not_in_transit`; nothing was sent.
            BankDeclined: nothing will be given back under this number.
            BankUnreachable: nothing was sent.
            OutcomeUnknown: sent, no answer.
        """
        async with heartbeating():
            let_go = await self._let_go(ref)
            held_fen = await account_balance_fen(self._reader, refund(ref.platform_no, let_go.direct.payment_no))
            if held_fen < let_go.amount_fen:
                raise Refused("not_in_transit", f"No money of {ref.order_no} is held to be returned.")
            return await self._channel.refund(
                CollectionRefundOrder(
                    request_no=bank_request_no(ref.platform_no, let_go.refund_no),
                    collection_request_no=bank_request_no(ref.platform_no, let_go.direct.collection_no),
                    amount_fen=let_go.amount_fen,
                )
            )

    @activity.defn
    async def query_direct_refund(self, ref: OrderRef) -> RefundAnswer:
        """Ask the channel what became of the refund."""
        async with heartbeating():
            return await refund_answer(self._reader, self._channel, ref.platform_no, direct_refund_no(ref.order_no))

    @activity.defn
    async def settle_direct_refund(self, ref: OrderRef) -> DirectRefundStatus:
        """Book how the refund ended, as the channel says: with the payer, or in the owner's sub-account.

        Raises:
            BankUnreachable: the channel does not say, or not yet; ask again.
            Refused: `payment_differs` when the order was not paid so, or the channel gave another amount back.
        """
        async with heartbeating():
            ended = await get_object(self._reader, ref.platform_no, "refund", ref.order_no)
            if ended is not None and ended.status != DirectRefundStatus.UNDER_WAY:
                return DirectRefundStatus(ended.status)
            let_go = await self._let_go(ref)
            answer = await refund_answer(self._reader, self._channel, ref.platform_no, let_go.refund_no)
            if answer.status is RefundStatus.SUCCEEDED:
                require_amount(answer, let_go.amount_fen)
                status, entry = DirectRefundStatus.REFUNDED, self._with_payer(ref, let_go)
            elif answer.status is RefundStatus.FAILED or answer.final:
                status, entry = DirectRefundStatus.CREDITED, await self._with_owner(ref, let_go)
            else:
                raise BankUnreachable("refund_open", f"The refund {let_go.refund_no} has not ended yet; ask again.")
            change = Change(
                kind="refund",
                object_no=ref.order_no,
                event_type=f"refund.{status}",
                status=status.value,
                body={"reason": answer.reason, "amount_fen": let_go.amount_fen},
            )
            posting = Posting(
                platform_no=ref.platform_no,
                request_no=derived(let_go.refund_no, "end"),
                content={"refund_no": let_go.refund_no},
                entry=entry,
                changes=(change,),
                bases=(Basis(kind="none"),),
            )
            await self._writer.post(posting)
        return status

    def _with_payer(self, ref: OrderRef, let_go: _LetGo) -> JournalEntry:
        return collection_recipes.channel_refunded(
            platform_no=ref.platform_no,
            channel=let_go.direct.method,
            payment_no=let_go.direct.payment_no,
            amount_fen=let_go.amount_fen,
        )

    async def _with_owner(self, ref: OrderRef, let_go: _LetGo) -> JournalEntry:
        return collection_recipes.refund_credited(
            platform_no=ref.platform_no,
            owner_no=let_go.owner_no,
            payment_no=let_go.direct.payment_no,
            amount_fen=let_go.amount_fen,
            pending_day=await self._pending_day(ref, let_go),
        )

    async def _pending_day(self, ref: OrderRef, let_go: _LetGo) -> date | None:
        """Money that its channel has not settled stays pending until its settlement day is closed."""
        today = await accounting_day(self._reader, ref.platform_no)
        return let_go.direct.settles_on if let_go.direct.settles_on >= today else None

    async def _let_go(self, ref: OrderRef) -> _LetGo:
        """What the order in the books has let go of the payment that it was paid by.

        Raises:
            Refused: `payment_differs`, no channel paid it or nothing was let go.
        """
        order = await known(self._reader, ORDERS, ref.platform_no, ref.order_no)
        direct, owner_no = order.state.direct, order.contract.owner_no
        if direct is not None:
            amount_fen = await moved_fen(
                self._reader,
                out_of=escrow(ref.platform_no, owner_no, ref.order_no),
                into=refund(ref.platform_no, direct.payment_no),
            )
            if amount_fen:
                number = direct_refund_no(ref.order_no)
                return _LetGo(owner_no=owner_no, amount_fen=amount_fen, refund_no=number, direct=direct)
        raise Refused("payment_differs", f"The order {ref.order_no} has let nothing go that a channel collected.")
