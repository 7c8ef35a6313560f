"""Activities of a batch payment: have the books pay or enter it as its owner consented, and see where it stands."""

from temporalio import activity

from activities.messages import Message, RefusalView
from escrow.domain.collections.batch import BATCHES
from escrow.domain.collections.batch_commands import CloseBatch, OpenBatch, PayFromBalance
from escrow.domain.collections.batch_payments import BatchStatus, batch_consent_no, batch_pay_in_no
from escrow.domain.collections.collection import Collection
from escrow.domain.collections.opening import COLLECTIONS
from escrow.domain.collections.purposes import BatchCollection
from escrow.domain.collections.view import BatchView
from escrow.domain.errors import Refused
from escrow.ledger.books import Books, Seen, see
from escrow.ledger.consents import get_consent
from escrow.ledger.engine import Reader


class BatchNo(Message):
    """Names one batch."""

    platform_no: str
    batch_no: str


class BatchTaken(Message):
    """Where a batch stands; `view` is None where it was neither paid nor entered, which `refusal` says."""

    view: BatchView | None = None
    refusal: RefusalView | None = None


class BatchPaymentActivities:
    """Ledger activities of batches."""

    def __init__(self, books: Books, reader: Reader) -> None:
        self._books = books
        self._reader = reader

    @activity.defn
    async def take_batch(self, ref: BatchNo) -> BatchTaken:
        """Have its orders paid from the balance, or the batch entered for a channel to collect; or see how it stands.

        Raises:
            LedgerBusy, LedgerUnavailable: repeat.
        """
        found = await see(self._reader, BATCHES, ref.platform_no, ref.batch_no)
        if found.object is not None and found.object.state.status is BatchStatus.AWAITING_PAYMENT:
            # Closed by whoever sees it first: the process of its collection may be gone.
            pay_in_no = batch_pay_in_no(ref.batch_no)
            collection = await see(self._reader, COLLECTIONS, ref.platform_no, pay_in_no)
            if await close_batch(self._books, ref.platform_no, collection):
                found = await see(self._reader, BATCHES, ref.platform_no, ref.batch_no)
        if found.object is not None:
            return BatchTaken(view=BatchView.of(found.object, version=found.version, at=found.at))
        consent = await get_consent(self._reader, ref.platform_no, batch_consent_no(ref.batch_no))
        if consent is None:
            refusal = Refused("not_found", f"Nobody has consented to a batch {ref.batch_no}.")
            return BatchTaken(refusal=RefusalView.of(refusal))
        command: PayFromBalance | OpenBatch = OpenBatch(batch_no=ref.batch_no)
        if consent.terms.get("paid_by") == "balance":
            command = PayFromBalance(batch_no=ref.batch_no)
        taken = await self._books.take(BATCHES, ref.platform_no, ref.batch_no, command)
        if taken.object is None:
            return BatchTaken(refusal=RefusalView.of(taken.refusal))
        return BatchTaken(view=BatchView.of(taken.object, version=taken.version, at=taken.at))


async def close_batch(books: Books, platform_no: str, seen: Seen[Collection]) -> bool:
    """Close the batch of a collection of which no payment can come any more; says whether that is so.

    Raises:
        LedgerBusy, LedgerUnavailable: repeat.
    """
    state = None if seen.object is None else seen.object.state
    if state is None or not isinstance(state.purpose, BatchCollection) or not state.has_ended or state.is_credited:
        return False
    if state.watched_until is not None and state.watched_until > seen.at:
        return False
    command = CloseBatch(reason=state.reason or "not paid in time")
    await books.take(BATCHES, platform_no, state.purpose.batch_no, command)
    return True
