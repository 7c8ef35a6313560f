"""Activities of what channels collect: look after one, and give back what of it must go back.

An input names the collection, no more: who pays, how much, how and for what is read in the books. Who asks the channel
decides and posts what it says, in the same activity. An order to collect is recorded before it is sent; whatever was
recorded is asked about and never sent again, so every activity here may be repeated at any point.
"""

from typing import Literal

from temporalio import activity

from activities.batch_payments import close_batch
from activities.heartbeat import heartbeating
from activities.messages import Message, RefusalView
from activities.payers import CollectionNo, Payers, collection_answer
from escrow.channels.collections import Collections
from escrow.domain.collections.batch import BATCHES
from escrow.domain.collections.batch_commands import PaidByChannel
from escrow.domain.collections.collection import Collection
from escrow.domain.collections.commands import (
    BeginAsking,
    BookedElsewhere,
    BookPayment,
    CallOperator,
    ChannelShows,
    CollectionCommand,
    End,
    Open,
    PayerHasActed,
    TakenByPaid,
)
from escrow.domain.collections.direct_payments import DirectPaid
from escrow.domain.collections.methods import ChannelPayment, CollectionAnswer, StatusAtChannel
from escrow.domain.collections.opening import COLLECTIONS
from escrow.domain.collections.purposes import BatchCollection, DirectPayment
from escrow.domain.collections.state import LOST_AT_MOST, Asked, collection_no
from escrow.domain.collections.terms import CollectionStatus
from escrow.domain.collections.view import CollectionView
from escrow.domain.errors import BankDeclined, BankUnreachable, OutcomeUnknown, Refused
from escrow.domain.orders.commands import PaidDirectly
from escrow.domain.orders.opening import ORDERS
from escrow.domain.withdrawals.state import bank_request_no
from escrow.ledger.books import Books, Seen, Taken, see
from escrow.ledger.consents import asked_for
from escrow.ledger.engine import Reader
from escrow.registry.platforms.platforms import custody_account_of

_LOST = "the channel lost it"


class CollectionTaken(Message):
    """Where something that is collected stands.

    Args:
        view: None where it was not opened, which `refusal` says.
    """

    view: CollectionView | None = None
    refusal: RefusalView | None = None


class CollectionActivities:
    """Ledger and channel activities of collections."""

    def __init__(self, books: Books, reader: Reader, payers: Payers, channel: Collections) -> None:
        self._books = books
        self._reader = reader
        self._payers = payers
        self._channel = channel

    @activity.defn
    async def look_after_collection(self, ref: CollectionNo) -> CollectionTaken:
        """Open what was asked for and have a channel collect it; or ask how it stands there, and book what it took.

        Raises:
            BankUnreachable, LedgerBusy, LedgerUnavailable: repeat.
        """
        async with heartbeating():
            found = await see(self._reader, COLLECTIONS, ref.platform_no, ref.pay_in_no)
            if found.object is None:
                consent = await asked_for(self._reader, ref.platform_no, "pay_in", ref.pay_in_no)
                if consent is None:
                    nobody = Refused("not_found", f"Nobody has asked for a collection {ref.pay_in_no}.")
                    return CollectionTaken(refusal=RefusalView.of(nobody))
                opened = await self._take(ref, Open(said_as=consent.consent_no))
                if opened.object is None:
                    return CollectionTaken(refusal=RefusalView.of(opened.refusal))
                if opened.object.state.asked and not opened.is_repeat and opened.answer is not None:
                    await self._sent(ref, opened.object)
                elif not opened.object.state.asked:
                    await self._next(ref, opened.object)
            else:
                await self._looked_after(ref, found.object, found)
            now = await self._seen(ref)
            await close_batch(self._books, ref.platform_no, now)
            view = CollectionView.of(_object(now), version=now.version, at=now.at)
            return CollectionTaken(view=view)

    # ---- one look ----

    async def _looked_after(self, ref: CollectionNo, collection: Collection, seen: Seen[Collection]) -> None:
        state = collection.state
        overdue_at = state.overdue_at()
        if overdue_at is not None and overdue_at <= seen.at and state.attention is None:
            await self._take(ref, CallOperator(reason=None, seen_version=seen.version))
        if not state.has_ended and not state.asked:
            await self._next(ref, collection, gives_up=seen.at >= state.expires_at)
        elif not state.has_ended:
            [*_, asked] = state.asked
            number = collection_no(ref.pay_in_no, asked.number)
            is_over = seen.at >= state.expires_at
            answer = await (self._closed(ref, number) if is_over else self._answer(ref, number))
            await self._heard(ref, collection, asked, answer)
        else:
            for asked in state.asked:  # a payment can come late, also under a number that failed before
                answer = await self._answer(ref, collection_no(ref.pay_in_no, asked.number))
                await self._book_all(ref, asked, answer)

    async def _sent(self, ref: CollectionNo, collection: Collection) -> None:
        """Ask the channel, under the number that was just recorded."""
        [*_, asked] = collection.state.asked
        try:
            answer = await self._payers.ask(ref, collection.state, asked)
        except Refused as refusal:
            await self._end(ref, refusal.message, code=refusal.code, last_was="failed")
        except BankDeclined as declined:
            await self._next(ref, collection, last_was="failed", reason=declined.message)
        except (BankUnreachable, OutcomeUnknown):
            pass  # it may have been sent: from now on the channel is asked
        else:
            await self._heard(ref, collection, asked, answer)

    async def _heard(
        self,
        ref: CollectionNo,
        collection: Collection,
        asked: Asked,
        answer: CollectionAnswer,
    ) -> None:
        """Book what the channel says of an order to collect."""
        status, is_shown = collection.state.status, collection.state.status is not CollectionStatus.OPENED
        if answer.status is StatusAtChannel.NOT_FOUND:
            if answer.final:
                await self._next(ref, collection, last_was="lost", reason=answer.reason or _LOST)
            return
        if not is_shown and answer.status is StatusAtChannel.FAILED:
            await self._next(ref, collection, last_was="failed", reason=answer.reason)
            return
        if not is_shown or collection.state.is_debit:
            interaction = None if answer.interaction is None else answer.interaction.document()
            await self._take(ref, ChannelShows(number=asked.number, interaction=interaction))
        await self._book_all(ref, asked, answer)
        now = _object(await self._seen(ref))
        status = now.state.status
        if now.state.has_ended:
            return
        if answer.status is StatusAtChannel.FAILED and now.state.is_debit:
            await self._next(ref, now, last_was="failed", reason=answer.reason)
        elif answer.status is StatusAtChannel.FAILED:
            await self._take(ref, End(how="failed", reason=answer.reason, last_was="failed"))
        elif answer.status in (StatusAtChannel.CLOSED, StatusAtChannel.PAID):
            # Paid without being credited: the payment was short, and goes back.
            await self._take(ref, End(how="closed", reason="not paid in time"))
        elif status is CollectionStatus.AWAITING_PAYER and answer.status is StatusAtChannel.PROCESSING:
            await self._take(ref, PayerHasActed())

    async def _next(
        self,
        ref: CollectionNo,
        collection: Collection,
        *,
        last_was: Literal["failed", "lost"] | None = None,
        reason: str | None = None,
        gives_up: bool = False,
    ) -> None:
        """Nothing comes of the last order to collect, if there was one: the next one is sent, or it has failed."""
        state = collection.state
        lost = sum(asked.outcome == "lost" for asked in state.asked) + (last_was == "lost")
        if state.is_debit:
            if last_was is not None:
                await self._payers.rule_out(ref, state.asked[-1], is_lost=last_was == "lost")
            await self._next_debit(ref, collection, last_was, reason, lost=lost, gives_up=gives_up)
        elif last_was == "lost" and lost < LOST_AT_MOST:
            begun = await self._take(ref, BeginAsking(number=len(state.asked) + 1, last_was=last_was, reason=reason))
            if begun.object is not None and begun.answer is not None and not begun.is_repeat:
                await self._sent(ref, begun.object)
        else:
            await self._end(ref, reason, last_was=last_was)

    async def _next_debit(
        self,
        ref: CollectionNo,
        collection: Collection,
        last_was: Literal["failed", "lost"] | None,
        reason: str | None,
        *,
        lost: int,
        gives_up: bool,
    ) -> None:
        """The best debit channel that is left is asked, or there is none."""
        if lost >= LOST_AT_MOST:
            await self._end(ref, reason, last_was=last_was)
            return
        try:
            decision = await self._payers.debit_channel(ref, collection.state)
        except Refused as refusal:
            await self._end(ref, refusal.message, code=refusal.code, last_was=last_was)
            return
        except BankUnreachable:
            if not gives_up:
                raise
            await self._end(ref, "the bank does not say how it debits", last_was=last_was)
            return
        route = tuple(f"{item.channel}: {item.sentence}" for item in decision.candidates)
        if not decision.chosen:
            await self._end(ref, reason or "no debit channel can do it", last_was=last_was)
            return
        begun = await self._take(
            ref,
            BeginAsking(
                number=len(collection.state.asked) + 1,
                last_was=last_was,
                reason=reason,
                debit_channel=decision.chosen,
                route=route,
            ),
        )
        if begun.object is not None and begun.answer is not None and not begun.is_repeat:
            await self._sent(ref, begun.object)

    async def _end(
        self,
        ref: CollectionNo,
        reason: str | None,
        *,
        code: str | None = None,
        last_was: Literal["failed", "lost"] | None = None,
    ) -> None:
        """No channel collects it."""
        await self._take(
            ref,
            End(
                how="failed",
                reason=reason or "no channel collects it",
                reason_code=code,
                last_was=last_was,
                was_never_open=True,
            ),
        )

    # ---- payments ----

    async def _book_all(self, ref: CollectionNo, asked: Asked, answer: CollectionAnswer) -> None:
        """Book every payment that is new."""
        number = collection_no(ref.pay_in_no, asked.number)
        for payment in answer.payments:
            collection = _object(await self._seen(ref))
            if collection.state.payment(payment.payment_no) is None:
                await self._booked(ref, collection, number, payment)

    async def _booked(
        self,
        ref: CollectionNo,
        collection: Collection,
        number: str,
        payment: ChannelPayment,
    ) -> None:
        """Credit a payment, or have what is paid by it take it; whatever may not be so waits in suspense."""
        state, goes_back = collection.state, None
        may_be_asked = not state.is_credited and payment.amount_fen >= state.amount_fen
        if may_be_asked and isinstance(state.purpose, (DirectPayment, BatchCollection)):
            left_fen, goes_back = await self._offered(ref, collection, number, payment)
            if left_fen is not None:
                await self._take(ref, TakenByPaid(collection_no=number, payment=payment, left_fen=left_fen))
                return
        for _ in range(2):  # what may not be credited waits in suspense
            taken = await self._take(ref, BookPayment(collection_no=number, payment=payment, goes_back=goes_back))
            if taken.refusal is None:
                return
            if taken.refusal.code == "request_no_reused":
                await self._take(ref, BookedElsewhere(collection_no=number, payment=payment))
                return
            goes_back = taken.refusal.message
        reason = f"a payment could not be booked: {goes_back}"
        await self._take(ref, CallOperator(reason=reason, seen_version=taken.version))

    async def _offered(
        self,
        ref: CollectionNo,
        collection: Collection,
        number: str,
        payment: ChannelPayment,
    ) -> tuple[int | None, str | None]:
        """What of a payment is left over once the order or batch has taken it; None when it did not, and why."""
        purpose = collection.state.purpose
        direct = DirectPaid(
            consent_no=purpose.consent_no if isinstance(purpose, DirectPayment) else "",
            pay_in_no=ref.pay_in_no,
            collection_no=number,
            method=collection.state.method,
            payment_no=payment.payment_no,
            paid_fen=payment.amount_fen,
            settles_on=payment.settles_on,
        )
        if isinstance(purpose, DirectPayment):
            paid = await self._books.take(ORDERS, ref.platform_no, purpose.order_no, PaidDirectly(payment=direct))
            order = paid.object
            if order is not None and _took(order.state.direct, payment):
                return payment.amount_fen - order.contract.total_fen, None
            return None, _why(paid.refusal, "the order did not take the payment")
        assert isinstance(purpose, BatchCollection)  # noqa: S101 - nothing else is offered
        command = PaidByChannel(batch_no=purpose.batch_no, payment=direct)
        together = await self._books.take(BATCHES, ref.platform_no, purpose.batch_no, command)
        batch = together.object
        if batch is not None and _took(batch.state.direct, payment):
            return payment.amount_fen - batch.state.frozen_fen, None
        return None, _why(together.refusal, "the batch did not take the payment")

    # ---- the channel and the books ----

    async def _answer(self, ref: CollectionNo, number: str) -> CollectionAnswer:
        return await collection_answer(self._reader, self._channel, ref.platform_no, number)

    async def _closed(self, ref: CollectionNo, number: str) -> CollectionAnswer:
        """Let no payer pay any more; one that is paid or being paid is answered as it stands."""
        try:
            return await self._channel.close(
                bank_request_no(ref.platform_no, number),
                custody_account_no=await custody_account_of(self._reader, ref.platform_no),
            )
        except BankDeclined:
            return await self._answer(ref, number)

    async def _take(self, ref: CollectionNo, command: CollectionCommand) -> Taken[Collection]:
        return await self._books.take(COLLECTIONS, ref.platform_no, ref.pay_in_no, command)

    async def _seen(self, ref: CollectionNo) -> Seen[Collection]:
        return await see(self._reader, COLLECTIONS, ref.platform_no, ref.pay_in_no)


def _object(seen: Seen[Collection]) -> Collection:
    assert seen.object is not None  # noqa: S101 - it was opened, and nothing is ever taken out of the books
    return seen.object


def _took(direct: DirectPaid | None, payment: ChannelPayment) -> bool:
    """Whether it was paid by just this payment, and not by another one of the same collection."""
    return direct is not None and direct.payment_no == payment.payment_no


def _why(refusal: Refused | None, otherwise: str) -> str:
    return otherwise if refusal is None else refusal.message
