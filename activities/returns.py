"""Activities that give back what of a payment waits in suspense: held under a number, asked of its channel, booked.

Whoever can write to Temporal can invent a payment, a refund number, or how a refund ended. So the channel says whose
payment it is before its money is held, and from then on the books say what is held under which number.
"""

from typing import Any

from temporalio import activity

from activities.heartbeat import heartbeating
from activities.pay_ins import CollectionRef, PayInRequest, payment_of, require_own_collection
from activities.steps import Step
from escrow.channels.collections import CollectionRefundOrder, Collections
from escrow.domain.collections import recipes as collection_recipes
from escrow.domain.collections.methods import CollectionMethod, RefundAnswer, RefundStatus
from escrow.domain.errors import BankUnreachable, Refused
from escrow.domain.money.journal import JournalEntry, Receipt
from escrow.domain.requests import derived
from escrow.domain.withdrawals.state import bank_request_no
from escrow.ledger.engine import Reader
from escrow.ledger.objects import recorded_steps
from escrow.ledger.posting import LedgerWriter
from escrow.registry.platforms.platforms import custody_account_of

#: Fact of the steps of a return; written here, never by a workflow.
_RETURNING = "returning"


class ReturnPayment(PayInRequest):
    """Money of a payment that goes back through its channel, held under the payment's number."""

    collection: CollectionRef
    refund_no: str
    payment_no: str
    amount_fen: int


class BookReturn(PayInRequest):
    """One step of such a return in the ledger."""

    step: Step
    returned: ReturnPayment
    method: CollectionMethod


class ReturnActivities:
    """Channel and ledger activities of payments that go back."""

    def __init__(self, writer: LedgerWriter, reader: Reader, channel: Collections) -> None:
        self._writer = writer
        self._reader = reader
        self._channel = channel

    @activity.defn
    async def hold_return(self, request: BookReturn) -> Receipt:
        """Take a payment of this collection out of suspense before its channel is asked to give it back.

        Raises:
            Refused: `insufficient_balance` when it was assigned meanwhile, `payment_differs` for the payment of
                another collection, `wrong_workflow`.
            BankUnreachable: ask again.
        """
        returned = request.returned
        await require_own_collection(self._reader, returned.collection)
        if not returned.refund_no.startswith(derived(returned.collection.pay_in_no, "return", "")):
            raise Refused("payment_differs", f"{returned.refund_no} is no return of {returned.collection.pay_in_no}.")
        async with heartbeating():
            await payment_of(self._reader, self._channel, returned.collection, request.method, returned.payment_no)
        return await self._book_return(
            request,
            _hold_no(returned),
            collection_recipes.suspense_return_held(
                platform_no=request.step.platform_no, payment_no=returned.payment_no, amount_fen=returned.amount_fen
            ),
        )

    @activity.defn
    async def refund_payment(self, request: ReturnPayment) -> RefundAnswer:
        """Ask the channel to give a held payment back, under the number that holds it. Attempted once.

        Raises:
            Refused: `not_in_transit` when it is not held so or any more, `wrong_workflow`; nothing was sent.
            BankDeclined: nothing will be given back under this number.
            BankUnreachable: nothing was sent.
            OutcomeUnknown: sent, no answer.
        """
        ref = request.collection
        await require_own_collection(self._reader, ref)
        async with heartbeating():
            if await self._require_held(request):
                raise Refused("not_in_transit", f"The return {request.refund_no} has ended.")
            return await self._channel.refund(
                CollectionRefundOrder(
                    request_no=bank_request_no(ref.platform_no, request.refund_no),
                    collection_request_no=bank_request_no(ref.platform_no, ref.request_no),
                    amount_fen=request.amount_fen,
                )
            )

    @activity.defn
    async def query_refund(self, request: ReturnPayment) -> RefundAnswer:
        """Ask the channel what became of a refund."""
        async with heartbeating():
            return await self._refund_answer(request)

    @activity.defn
    async def settle_return(self, request: BookReturn) -> Receipt:
        """Book what became of a refund, as the channel says: given back, or waiting in suspense for an operator.

        Raises:
            BankUnreachable: the channel does not say, or not yet; ask again.
            Refused: `payment_differs` when the channel gave another amount back, `not_in_transit` for what was not
                held so, `wrong_workflow`.
        """
        returned = request.returned
        await require_own_collection(self._reader, returned.collection)
        await self._require_held(returned, method=request.method)
        async with heartbeating():
            answer = await self._refund_answer(returned)
            if answer.status is RefundStatus.SUCCEEDED:
                require_amount(answer, returned.amount_fen)
                entry = collection_recipes.channel_refunded(
                    platform_no=request.step.platform_no,
                    channel=request.method,
                    payment_no=returned.payment_no,
                    amount_fen=returned.amount_fen,
                )
            elif answer.status is RefundStatus.FAILED or answer.final:
                entry = collection_recipes.suspense_return_failed(
                    platform_no=request.step.platform_no, payment_no=returned.payment_no, amount_fen=returned.amount_fen
                )
            else:
                raise BankUnreachable("refund_open", f"The refund {returned.refund_no} has not ended yet; ask again.")
            return await self._book_return(request, _end_no(returned), entry)

    async def _refund_answer(self, returned: ReturnPayment) -> RefundAnswer:
        return await refund_answer(self._reader, self._channel, returned.collection.platform_no, returned.refund_no)

    async def _book_return(self, request: BookReturn, request_no: str, entry: JournalEntry) -> Receipt:
        returned = request.returned
        step = request.step.model_copy(update={"request_no": request_no})
        content = {"refund_no": returned.refund_no, "recipe": entry.recipe}
        document = {_RETURNING: _facts_of(returned, request.method)}
        return await self._writer.post(step.posting(entry=entry, content=content, document=document))

    async def _require_held(self, returned: ReturnPayment, *, method: CollectionMethod | None = None) -> bool:
        """Exactly this is held under exactly this number; whether the return has ended already.

        Args:
            method: of the channel that it is booked against; None while it is only asked.

        Raises:
            Refused: `not_in_transit`.
        """
        ref = returned.collection
        steps = await recorded_steps(self._reader, ref.platform_no, "pay_in", ref.pay_in_no, facts=(_RETURNING,))
        moved = {step.request_no: step for step in steps if step.moved_money}
        held = moved.get(_hold_no(returned))
        if held is None or not _facts_of(returned, method).items() <= held.facts[_RETURNING].items():
            raise Refused("not_in_transit", f"This is not what is held to be given back as {returned.refund_no}.")
        return _end_no(returned) in moved


async def refund_answer(reader: Reader, channel: Collections, platform_no: str, refund_no: str) -> RefundAnswer:
    """What became of a refund at the channel, by our number of it.

    Raises:
        BankUnreachable: ask again.
    """
    return await channel.query_refund(
        bank_request_no(platform_no, refund_no), custody_account_no=await custody_account_of(reader, platform_no)
    )


def require_amount(answer: RefundAnswer, amount_fen: int) -> None:
    """What the channel gave back is what was held for it.

    Raises:
        Refused: `payment_differs`.
    """
    if answer.amount_fen != amount_fen:
        raise Refused("payment_differs", f"The channel gave back another amount under {answer.request_no}.")


def _hold_no(returned: ReturnPayment) -> str:
    return derived(returned.refund_no, "hold")


def _end_no(returned: ReturnPayment) -> str:
    return derived(returned.refund_no, "end")


def _facts_of(returned: ReturnPayment, method: CollectionMethod | None) -> dict[str, Any]:
    """What a return is, as the books keep it from the moment that its money is held."""
    facts = {
        "collection_no": returned.collection.request_no,
        "refund_no": returned.refund_no,
        "payment_no": returned.payment_no,
        "amount_fen": returned.amount_fen,
    }
    return facts if method is None else {**facts, "method": method.value}
