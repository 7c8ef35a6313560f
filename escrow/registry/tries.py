"""What somebody typed for the bank to compare: sealed, and counted before the bank is asked about it."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.errors import Refused
from escrow.domain.members.code_checks import CodeCheck
from escrow.domain.members.tries import Tries, Verdict
from escrow.ledger.books_time import books_now_within
from escrow.ledger.engine import Reader
from escrow.ledger.personal_data import PersonalDataBox
from escrow.registry.tables import TryRow

Row = TypeVar("Row", bound=TryRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed(Generic[Row]):
    """One try in the clear: never log or store it elsewhere. `outcome` is None until the bank has answered."""

    row: Row
    text: str
    outcome: CodeCheck | None


class TypedTries(Generic[Row]):
    """The tries of one kind of object. Whoever counts one holds a lock of the object until the transaction ends.

    Args:
        reader: the ledger's connections.
        box: seals and opens what was typed.
        table: where they are kept.
        kind: what such an object is called in seals.
        at_most: how many tries one has.
        spent: code and message of the refusal of one more.
    """

    def __init__(
        self, reader: Reader, box: PersonalDataBox, table: type[Row], *, kind: str, at_most: int, spent: tuple[str, str]
    ) -> None:
        self._reader, self._box, self._table = reader, box, table
        self._kind, self._at_most, self._spent = kind, at_most, spent

    async def count(
        self,
        session: AsyncSession,
        platform_no: str,
        object_no: str,
        request_no: str,
        text: str,
        require_awaited: Callable[[], None],
        **more: Any,
    ) -> int:
        """Count a try and keep what was typed; its number. The same request is counted once.

        Args:
            require_awaited: refuses a new try when the object waits for none.
            more: further columns of its row.

        Raises:
            Refused: `request_no_reused`, or the tries are spent, or none is awaited.
        """
        rows, tries = await self.so_far(session, platform_no, object_no)
        digest = self._box.blind_index(text, field=f"{platform_no}/{self._table.__tablename__}/{object_no}")
        for row in rows:
            if row.request_no == request_no:
                if not hmac.compare_digest(row.typed_digest, digest):
                    raise Refused("request_no_reused", f"{request_no} was used to try something else.")
                return row.number
        require_awaited()
        at, number = await books_now_within(session, platform_no), len(rows) + 1
        verdict, _ = tries.decide(at=at)
        if verdict is Verdict.SPENT:
            raise Refused(*self._spent)
        sealed = self._box.seal(text, place=self._place(platform_no, object_no, number))
        key = self._key(platform_no, object_no, number) | {"request_no": request_no, "typed_digest": digest}
        session.add(self._table(**key, typed_sealed=sealed, outcome="", tried_at=at, **more))
        return number

    async def typed(self, platform_no: str, object_no: str, number: int) -> Typed[Row]:
        """What was typed in one try.

        Raises:
            Refused: `not_found`.
        """
        async with self._reader.session() as session:
            row = await session.get(self._table, self._key(platform_no, object_no, number))
        if row is None:
            raise Refused("not_found", f"There is no try {number} of {object_no}.")
        text = self._box.open(row.typed_sealed, place=self._place(platform_no, object_no, number))
        return Typed(row=row, text=text, outcome=CodeCheck(row.outcome) if row.outcome else None)

    async def answered(
        self, session: AsyncSession, platform_no: str, object_no: str, number: int, outcome: CodeCheck
    ) -> CodeCheck:
        """Record how a try compared, once; how it did."""
        key = self._key(platform_no, object_no, number)
        row = await session.get_one(self._table, key, with_for_update=True, populate_existing=True)
        row.outcome = row.outcome or outcome.value
        return CodeCheck(row.outcome)

    async def left(self, platform_no: str, object_no: str) -> int:
        """How many more tries there are, were the object to wait for one."""
        async with self._reader.session() as session:
            _, tries = await self.so_far(session, platform_no, object_no)
        return tries.left

    async def so_far(self, session: AsyncSession, platform_no: str, object_no: str) -> tuple[list[Row], Tries]:
        """All tries of an object, in the order in which they were made, and what they count for."""
        table = self._table
        query = select(table).where(table.platform_no == platform_no, table.object_no == object_no)
        rows = list((await session.exec(query.order_by(col(table.number)))).all())
        return rows, Tries.compared_by_bank([row.outcome for row in rows], at_most=self._at_most)

    def _key(self, platform_no: str, object_no: str, number: int) -> dict[str, Any]:
        return {"platform_no": platform_no, "object_no": object_no, "number": number}

    def _place(self, platform_no: str, object_no: str, number: int) -> str:
        return f"{platform_no}/{self._kind}/{object_no}/try/{number}"
