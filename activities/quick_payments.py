"""Activities of quick payments: have the payer's code compared, have another one sent.

What was typed is looked up here: none of it passes through a workflow.
"""

from temporalio import activity

from activities.heartbeat import heartbeating
from activities.payers import CollectionNo
from activities.turns import Turns
from escrow.channels.collections import Collections
from escrow.domain.collections.collection import Collection
from escrow.domain.collections.commands import CodeSent
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.collections.opening import COLLECTIONS
from escrow.domain.collections.state import collection_no
from escrow.domain.collections.terms import CollectionStatus, sends_none
from escrow.domain.collections.view import CollectionView
from escrow.domain.errors import BankDeclined, BankUnreachable, OutcomeUnknown, Refused
from escrow.domain.members.code_checks import CodeCheck
from escrow.domain.withdrawals.state import bank_request_no
from escrow.ledger.books import Books, see
from escrow.ledger.engine import Reader
from escrow.registry.collections.payer_codes import CollectionCodes

#: What the bank says to a code when an earlier one was right, and what when no more codes are taken.
_RIGHT_BEFORE = frozenset({"collection_under_way", "collection_paid"})
_NO_MORE = "tries_exhausted"


class PayersTry(CollectionNo):
    """Names a stored try of a payer's code."""

    number: int


class PayersWish(CollectionNo):
    """Names a stored wish for another code."""

    request_no: str


class QuickPaymentActivities:
    """Bank and ledger activities of quick payments."""

    def __init__(self, books: Books, reader: Reader, codes: CollectionCodes, channel: Collections) -> None:
        self._books = books
        self._reader = reader
        self._codes = codes
        self._channel = channel
        self._turns = Turns()

    @activity.defn
    async def check_payer_code(self, typed: PayersTry) -> CodeCheck:
        """Ask the bank about one stored try and keep its answer; a kept one is not asked about again.

        A repeat after a lost answer may cost a try at the bank, and never gives one more.

        Raises:
            Refused: `not_found`, or `code_not_awaited`.
            BankUnreachable, LedgerBusy: no answer, or it is being asked; run this again.
        """
        with self._turns.taken(typed.platform_no, typed.pay_in_no):
            stored = await self._codes.tries.typed(typed.platform_no, typed.pay_in_no, typed.number)
            if stored.outcome is not None:
                return stored.outcome
            collection = await self._awaiting(typed)
            async with heartbeating():
                outcome = await self._compared(_at_bank(typed, collection), stored.text)
            return await self._codes.answered(typed.platform_no, typed.pay_in_no, typed.number, outcome)

    @activity.defn
    async def send_payer_code(self, wish: PayersWish) -> CollectionView:
        """Have the bank send another code, which voids the one before, once for a stored wish.

        Raises:
            Refused: `sms_code_limit`, `not_found`: nobody wished for it, or `code_not_awaited`; what the bank said no
                to it is not asked again.
            BankUnreachable, LedgerBusy: no answer, or it is just being sent; run this again, and perhaps one more is.
        """
        with self._turns.taken(wish.platform_no, wish.pay_in_no):
            collection = await self._awaiting(wish)
            declined = await self._codes.declined(wish.platform_no, wish.pay_in_no, wish.request_no)
            if declined is None:
                raise Refused("not_found", f"Nobody wished for another code as {wish.request_no}.")
            if declined:
                raise sends_none(declined)
            if wish.request_no not in collection.state.codes_sent:
                async with heartbeating():
                    await self._send(wish, collection)
        found = await see(self._reader, COLLECTIONS, wish.platform_no, wish.pay_in_no)
        assert found.object is not None  # noqa: S101 - it waits for a code
        return CollectionView.of(found.object, version=found.version, at=found.at)

    async def _send(self, wish: PayersWish, collection: Collection) -> None:
        try:
            answer = await self._channel.send_code_again(_at_bank(wish, collection))
        except BankDeclined as declined:
            await self._codes.was_declined(wish.platform_no, wish.pay_in_no, wish.request_no, declined.code)
            raise sends_none(declined.code) from declined
        shown = answer.interaction
        if shown is not None and shown.code_expires_at is not None:
            sent = CodeSent(request_no=wish.request_no, expires_at=shown.code_expires_at)
            await self._books.take(COLLECTIONS, wish.platform_no, wish.pay_in_no, sent)

    async def _awaiting(self, ref: CollectionNo) -> Collection:
        """The quick payment that waits for its payer's code.

        Raises:
            Refused: `code_not_awaited`.
        """
        found = (await see(self._reader, COLLECTIONS, ref.platform_no, ref.pay_in_no)).object
        waits = (CollectionMethod.QUICK, CollectionStatus.AWAITING_PAYER)
        if found is None or (found.state.method, found.state.status) != waits:
            raise Refused("code_not_awaited", f"The payment {ref.pay_in_no} waits for no code.")
        return found

    async def _compared(self, bank_no: str, code: str) -> CodeCheck:
        try:
            answer = await self._channel.confirm(bank_no, code)
        except OutcomeUnknown as unknown:
            raise BankUnreachable(unknown.code, unknown.message) from unknown
        except BankDeclined as declined:
            if declined.code in _RIGHT_BEFORE:
                return CodeCheck.ACCEPTED
            return CodeCheck.EXHAUSTED if declined.code == _NO_MORE else CodeCheck.EXPIRED
        if answer.code_check is None:
            raise BankUnreachable("bank_answer_unreadable", "The bank did not say how the code compared; ask again.")
        return answer.code_check


def _at_bank(ref: CollectionNo, collection: Collection) -> str:
    [*_, asked] = collection.state.asked
    return bank_request_no(ref.platform_no, collection_no(ref.pay_in_no, asked.number))
