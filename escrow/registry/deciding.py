"""Commands to objects beside which the registry keeps rows, sealed or counted: one transaction for all of it."""

from collections.abc import Awaitable, Callable

from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.decisions import A, Command, ObjectKind
from escrow.domain.money.journal import Posting, Receipt
from escrow.ledger.books import Books, Taken
from escrow.ledger.engine import Recorder
from escrow.ledger.posting import one_at_a_time, post_within, transaction

#: Brings the rows to what was decided, in the transaction of the posting that says it.
Beside = Callable[[AsyncSession, Posting], Awaitable[None]]


class RegistryBooks:
    """The books, for those who keep rows beside an object.

    Args:
        recorder: the ledger's connections.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    async def take(
        self,
        kind: ObjectKind[A],
        platform_no: str,
        object_no: str,
        command: Command,
        *,
        lock: str,
        beside: Beside | None = None,
        before: Beside | None = None,
    ) -> Taken[A]:
        """Carry one command out with what it does to the rows, or find what became of it before.

        Args:
            lock: name under which whoever counts or keeps rows of the same object waits for this.
            beside: what it does to the rows.
            before: what is posted before it; at a repeat it must find nothing to do.

        Raises:
            LedgerBusy: others change the same object too fast; nothing was done, repeat.
            LedgerUnavailable: no answer; whether it was done is not known, repeat.
        """
        async with transaction(self._recorder) as session:
            await one_at_a_time(session, lock)
            books = Books(_Within(session, before=before, beside=beside), self._recorder, session=session)
            return await books.take(kind, platform_no, object_no, command)


class _Within:
    """Posts in a transaction of the registry; what is refused leaves nothing in it."""

    def __init__(self, session: AsyncSession, *, before: Beside | None, beside: Beside | None) -> None:
        self._session = session
        self._before = before
        self._beside = beside

    async def post(self, posting: Posting) -> Receipt:
        async with self._session.begin_nested():
            if self._before is not None:
                await self._before(self._session, posting)
            receipt = await post_within(self._session, posting)
            if self._beside is not None and not receipt.repeated:
                await self._beside(self._session, posting)
        return receipt
