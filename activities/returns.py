"""Activities that give money back through the channel that took it: what waits in suspense, and what orders let go.

What goes back, of which payment and through which channel, the books say; it is held or recorded there before the
channel is asked, under a number that is asked for once; what the channel never got is asked for anew under another one.
"""

from temporalio import activity

from activities.collections import CollectionTaken
from activities.heartbeat import heartbeating
from activities.messages import Message
from activities.notices import Texts
from activities.payers import CollectionNo
from escrow.channels.collections import CollectionRefundOrder, Collections
from escrow.domain.collections.collection import Collection
from escrow.domain.collections.commands import CallOperator, CollectionCommand, EndReturn, HoldReturn
from escrow.domain.collections.direct_payments import DirectRefundStatus, direct_refund_no
from escrow.domain.collections.methods import RefundAnswer, RefundStatus
from escrow.domain.collections.opening import COLLECTIONS
from escrow.domain.collections.refund import (
    REFUNDS,
    BeginRefund,
    CallOperatorToRefund,
    EndRefund,
    OwnerTold,
    Refund,
    RefundCommand,
)
from escrow.domain.collections.state import Return, collection_no, return_no
from escrow.domain.collections.view import CollectionView, RefundView
from escrow.domain.errors import BankDeclined, BankUnreachable, OutcomeUnknown, Refused
from escrow.domain.money.amounts import format_fen
from escrow.domain.orders.opening import ORDERS
from escrow.domain.platforms.sms_texts import NOT_SENT_IN_TIME, SmsText
from escrow.domain.requests import derived
from escrow.domain.withdrawals.state import bank_request_no
from escrow.ledger.books import Books, Seen, Taken, known, see
from escrow.ledger.engine import Reader
from escrow.registry.platforms.platforms import custody_account_of


class RefundNo(Message):
    """Names the refund of one order."""

    platform_no: str
    order_no: str


class ReturnActivities:
    """Channel and ledger activities of money that goes back."""

    def __init__(self, books: Books, reader: Reader, texts: Texts, channel: Collections) -> None:
        self._books = books
        self._reader = reader
        self._texts = texts
        self._channel = channel

    @activity.defn
    async def give_back(self, ref: CollectionNo) -> CollectionTaken:
        """Hold what of one payment must go back and ask its channel; or ask what became of it, and book that.

        Raises:
            Refused: `not_found`.
            BankUnreachable, LedgerBusy, LedgerUnavailable: repeat.
        """
        async with heartbeating():
            collection, seen = await self._overdue_known(ref)
            held = collection.state.open_return
            if held is not None:
                answer = await self._answer(ref.platform_no, return_no(ref.pay_in_no, held.number))
                await self._returned(ref, seen, held, answer)
            elif (due := collection.state.to_give_back) is not None:
                number = len(collection.state.returns) + 1
                begun = await self._take(ref, HoldReturn(number=number, payment_no=due.payment_no))
                if begun.object is not None and begun.answer is not None and not begun.is_repeat:
                    await self._return_sent(ref, begun.object)
            collection, now = await self._collection(ref)
            return CollectionTaken(view=CollectionView.of(collection, version=now.version, at=now.at))

    @activity.defn
    async def refund_order(self, ref: RefundNo) -> RefundView:
        """Ask the channel once to give back what the order has let go; or ask what became of it, and book that.

        Raises:
            Refused: `not_found`, nothing was let go that a channel collected.
            BankUnreachable, LedgerBusy, LedgerUnavailable: repeat.
        """
        async with heartbeating():
            refund, seen = await self._overdue_refund_known(ref)
            if refund.state.status is DirectRefundStatus.UNDER_WAY:
                await self._refunded(ref, refund, seen)
                refund, seen = await self._refund(ref)
            return RefundView.of(refund, version=seen.version, at=seen.at)

    @activity.defn
    async def tell_refund_credited(self, ref: RefundNo) -> RefundView:
        """Tell the owner that its refund is in its sub-account, as the books have it, once.

        That it cannot be told, or that a day was not enough to do so, is written down too.

        Raises:
            Refused: `not_found`, the books know of no such refund.
            BankDeclined, BankUnreachable, OutcomeUnknown: try again, within the day; the number of the text tells a
                repeat.
        """
        refund, seen = await self._refund(ref)
        view = RefundView.of(refund, version=seen.version, at=seen.at)
        if not view.must_be_told:
            return view
        order = await known(self._reader, ORDERS, ref.platform_no, ref.order_no)
        config = await self._texts.config(ref.platform_no, order.contract.config_version)
        text = config.sms_texts.render(
            SmsText.REFUND_CREDITED, order_no=ref.order_no, amount=format_fen(refund.state.amount_fen)
        )
        number = derived(ref.order_no, "refund-credited")
        failure, until = None, refund.state.told_until
        if until is not None and seen.at >= until:
            failure = NOT_SENT_IN_TIME
        else:
            try:
                await self._texts.send(ref.platform_no, refund.state.owner_no, number, text)
            except Refused as refusal:
                failure = refusal.message
        await self._take_refund(ref, OwnerTold(failure=failure))
        refund, seen = await self._refund(ref)
        return RefundView.of(refund, version=seen.version, at=seen.at)

    # ---- what waits in suspense ----

    async def _return_sent(self, ref: CollectionNo, collection: Collection) -> None:
        """Ask the channel for what was just held; whatever has no answer is asked about."""
        held = collection.state.open_return
        if held is None:
            return  # it was assigned meanwhile, and stays
        paid = collection.state.payment(held.payment_no)
        through = paid.collection_no if paid is not None else None
        order = CollectionRefundOrder(
            request_no=bank_request_no(ref.platform_no, return_no(ref.pay_in_no, held.number)),
            collection_request_no=bank_request_no(
                ref.platform_no, through or collection_no(ref.pay_in_no, max(len(collection.state.asked), 1))
            ),
            amount_fen=held.amount_fen,
        )
        seen = await see(self._reader, COLLECTIONS, ref.platform_no, ref.pay_in_no)
        try:
            answer = await self._channel.refund(order)
        except BankDeclined as declined:
            await self._take(ref, EndReturn(number=held.number, refunded_fen=None, reason=declined.message))
        except (BankUnreachable, OutcomeUnknown):
            pass  # it may have been sent: from now on the channel is asked
        else:
            await self._returned(ref, seen, held, answer)

    async def _returned(self, ref: CollectionNo, seen: Seen[Collection], held: Return, answer: RefundAnswer) -> None:
        ended, refunded_fen = _ended(answer)
        if not ended:
            return
        command = EndReturn(
            number=held.number, refunded_fen=refunded_fen, is_lost=_is_lost(answer), reason=answer.reason
        )
        taken = await self._take(ref, command)
        if taken.refusal is not None and taken.refusal.code == "payment_differs":
            await self._take(ref, CallOperator(reason=taken.refusal.message, seen_version=seen.version))

    async def _overdue_known(self, ref: CollectionNo) -> tuple[Collection, Seen[Collection]]:
        """The collection; an operator is called to what is overdue, whether or not the channel can be asked."""
        collection, seen = await self._collection(ref)
        overdue_at = collection.state.overdue_at()
        if overdue_at is None or overdue_at > seen.at or collection.state.attention is not None:
            return collection, seen
        await self._take(ref, CallOperator(reason=None, seen_version=seen.version))
        return await self._collection(ref)

    async def _collection(self, ref: CollectionNo) -> tuple[Collection, Seen[Collection]]:
        found = await see(self._reader, COLLECTIONS, ref.platform_no, ref.pay_in_no)
        if found.object is None:
            raise Refused("not_found", f"There is no collection {ref.pay_in_no}.")
        return found.object, found

    async def _take(self, ref: CollectionNo, command: CollectionCommand) -> Taken[Collection]:
        return await self._books.take(COLLECTIONS, ref.platform_no, ref.pay_in_no, command)

    # ---- what orders let go ----

    async def _refunded(self, ref: RefundNo, refund: Refund, seen: Seen[Refund]) -> None:
        state, asking = refund.state, refund.state.asking
        number = direct_refund_no(ref.order_no, asking)
        if state.begun_at is None:
            begun = await self._take_refund(ref, BeginRefund(number=asking))
            if begun.answer is None or begun.is_repeat:
                return
            order = CollectionRefundOrder(
                request_no=bank_request_no(ref.platform_no, number),
                collection_request_no=bank_request_no(ref.platform_no, state.direct.collection_no),
                amount_fen=state.amount_fen,
            )
            try:
                answer = await self._channel.refund(order)
            except BankDeclined as declined:
                await self._take_refund(ref, EndRefund(number=asking, refunded_fen=None, reason=declined.message))
                return
            except (BankUnreachable, OutcomeUnknown):
                return  # it may have been sent: from now on the channel is asked
        else:
            answer = await self._answer(ref.platform_no, number)
        ended, refunded_fen = _ended(answer)
        if not ended:
            return
        command = EndRefund(number=asking, refunded_fen=refunded_fen, is_lost=_is_lost(answer), reason=answer.reason)
        taken = await self._take_refund(ref, command)
        if taken.refusal is not None and taken.refusal.code == "payment_differs":
            await self._take_refund(ref, CallOperatorToRefund(reason=taken.refusal.message, seen_version=seen.version))

    async def _overdue_refund_known(self, ref: RefundNo) -> tuple[Refund, Seen[Refund]]:
        """The refund; an operator is called to one that is overdue, whether or not the channel can be asked."""
        refund, seen = await self._refund(ref)
        overdue_at = refund.overdue_at()
        if overdue_at is None or overdue_at > seen.at or refund.state.attention is not None:
            return refund, seen
        await self._take_refund(ref, CallOperatorToRefund(reason=None, seen_version=seen.version))
        return await self._refund(ref)

    async def _refund(self, ref: RefundNo) -> tuple[Refund, Seen[Refund]]:
        found = await see(self._reader, REFUNDS, ref.platform_no, ref.order_no)
        if found.object is None:
            raise Refused("not_found", f"The order {ref.order_no} has let nothing go that a channel collected.")
        return found.object, found

    async def _take_refund(self, ref: RefundNo, command: RefundCommand) -> Taken[Refund]:
        return await self._books.take(REFUNDS, ref.platform_no, ref.order_no, command)

    async def _answer(self, platform_no: str, number: str) -> RefundAnswer:
        return await self._channel.query_refund(
            bank_request_no(platform_no, number), custody_account_no=await custody_account_of(self._reader, platform_no)
        )


def _ended(answer: RefundAnswer) -> tuple[bool, int | None]:
    """Whether a refund has ended, and what was given back; None for nothing."""
    if answer.status is RefundStatus.SUCCEEDED:
        return True, answer.amount_fen
    return answer.status is RefundStatus.FAILED or answer.final, None


def _is_lost(answer: RefundAnswer) -> bool:
    """Whether the channel never got it and never will."""
    return answer.status is RefundStatus.NOT_FOUND and answer.final
