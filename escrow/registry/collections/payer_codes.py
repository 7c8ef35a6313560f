"""Codes of quick payments: what was sent again and what was typed, counted before the bank is asked about it."""

import hmac
from dataclasses import dataclass

from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.collections.pay_ins import CODE_SENDINGS, CODE_TRIES
from escrow.domain.errors import Refused
from escrow.domain.members.code_checks import CodeCheck
from escrow.ledger.books_time import books_now_within
from escrow.ledger.engine import Reader
from escrow.ledger.personal_data import PersonalDataBox
from escrow.ledger.transactions import one_at_a_time, transaction
from escrow.registry.tables import PayInCodeSendingRow, PayInCodeTryRow

#: A code that had expired was no guess: the bank does not count it either.
_COUNTED = ("", CodeCheck.ACCEPTED, CodeCheck.WRONG, CodeCheck.EXHAUSTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedCode:
    """A code that a payer typed, in the clear: never log or store it elsewhere.

    `outcome` is None until the bank has answered.
    """

    code: str
    outcome: CodeCheck | None


class PayInCodes:
    """Keeps tries, sealed, and sendings.

    Args:
        reader: the ledger's connections.
        box: seals and opens what was typed.
    """

    def __init__(self, reader: Reader, box: PersonalDataBox) -> None:
        self._reader = reader
        self._box = box

    async def count_sending(self, platform_no: str, pay_in_no: str, request_no: str, *, is_awaited: bool) -> bool:
        """Count a wish to have another code sent; False when it was counted before under this number.

        Args:
            is_awaited: whether the payment waits for a code now.

        Raises:
            Refused: `code_not_awaited`, `request_no_reused`, or `sms_code_limit`: with the first one at most five are
                sent.
        """
        async with transaction(self._reader) as session:
            await one_at_a_time(session, _lock(platform_no, pay_in_no))
            query = select(PayInCodeSendingRow).where(
                PayInCodeSendingRow.platform_no == platform_no,
                or_(col(PayInCodeSendingRow.pay_in_no) == pay_in_no, col(PayInCodeSendingRow.request_no) == request_no),
            )
            found = (await session.exec(query)).all()
            sent = [sending for sending in found if sending.pay_in_no == pay_in_no]
            if any(sending.request_no == request_no for sending in sent):
                return False
            if len(found) > len(sent):
                raise Refused("request_no_reused", f"{request_no} had a code sent for another payment.")
            _require_awaited(pay_in_no, is_awaited)
            if len(sent) + 1 >= CODE_SENDINGS:
                raise Refused("sms_code_limit", "No more codes are sent for this payment.", {"per": "payment"})
            session.add(
                PayInCodeSendingRow(
                    platform_no=platform_no,
                    pay_in_no=pay_in_no,
                    request_no=request_no,
                    sent_at=await books_now_within(session, platform_no),
                )
            )
        return True

    async def is_wished(self, platform_no: str, pay_in_no: str, request_no: str) -> bool:
        """Whether another code was asked for under this number."""
        query = select(PayInCodeSendingRow).where(
            PayInCodeSendingRow.platform_no == platform_no,
            PayInCodeSendingRow.pay_in_no == pay_in_no,
            PayInCodeSendingRow.request_no == request_no,
        )
        async with self._reader.session() as session:
            return (await session.exec(query)).first() is not None

    async def count_try(self, platform_no: str, pay_in_no: str, request_no: str, code: str, *, is_awaited: bool) -> int:
        """Count a try and keep what was typed; its number. The same request is counted once.

        Args:
            is_awaited: whether the payment waits for a code now.

        Raises:
            Refused: `code_not_awaited`, `code_tries_spent` or `request_no_reused`.
        """
        digest = self._box.blind_index(code, field=f"{platform_no}/pay_in_code_try/{pay_in_no}")
        async with transaction(self._reader) as session:
            await one_at_a_time(session, _lock(platform_no, pay_in_no))
            tries = await self._tries(session, platform_no, pay_in_no)
            for known in tries:
                if known.request_no == request_no:
                    if not hmac.compare_digest(known.typed_digest, digest):
                        raise Refused("request_no_reused", f"{request_no} was used to try something else.")
                    return known.number
            _require_awaited(pay_in_no, is_awaited)
            if _left(tries) == 0:
                raise Refused("code_tries_spent", "All tries of this payment are spent; begin another one.")
            number = len(tries) + 1
            session.add(
                PayInCodeTryRow(
                    platform_no=platform_no,
                    pay_in_no=pay_in_no,
                    number=number,
                    request_no=request_no,
                    typed_sealed=self._box.seal(code, place=_place(platform_no, pay_in_no, number)),
                    typed_digest=digest,
                    outcome="",
                    tried_at=await books_now_within(session, platform_no),
                )
            )
        return number

    async def typed(self, platform_no: str, pay_in_no: str, number: int) -> TypedCode:
        """What was typed in one try.

        Raises:
            Refused: `not_found`.
        """
        async with self._reader.session() as session:
            row = await session.get(PayInCodeTryRow, (platform_no, pay_in_no, number))
        if row is None:
            raise Refused("not_found", f"There is no try {number} of {pay_in_no}.")
        return TypedCode(
            code=self._box.open(row.typed_sealed, place=_place(platform_no, pay_in_no, number)),
            outcome=CodeCheck(row.outcome) if row.outcome else None,
        )

    async def answered(self, platform_no: str, pay_in_no: str, number: int, outcome: CodeCheck) -> CodeCheck:
        """Record how a try compared, once; how it did."""
        async with transaction(self._reader) as session:
            await one_at_a_time(session, _lock(platform_no, pay_in_no))
            row = await session.get_one(PayInCodeTryRow, (platform_no, pay_in_no, number), populate_existing=True)
            row.outcome = row.outcome or outcome.value
            return CodeCheck(row.outcome)

    async def left(self, platform_no: str, pay_in_no: str) -> int:
        """How many more tries there are."""
        async with self._reader.session() as session:
            return _left(await self._tries(session, platform_no, pay_in_no))

    async def _tries(self, session: AsyncSession, platform_no: str, pay_in_no: str) -> list[PayInCodeTryRow]:
        query = (
            select(PayInCodeTryRow)
            .where(PayInCodeTryRow.platform_no == platform_no, PayInCodeTryRow.pay_in_no == pay_in_no)
            .order_by(col(PayInCodeTryRow.number))
        )
        return list((await session.exec(query)).all())


def _left(tries: list[PayInCodeTryRow]) -> int:
    return max(0, CODE_TRIES - sum(known.outcome in _COUNTED for known in tries))


def _require_awaited(pay_in_no: str, is_awaited: bool) -> None:
    if not is_awaited:
        raise Refused("code_not_awaited", f"The payment {pay_in_no} waits for no code.")


def _lock(platform_no: str, pay_in_no: str) -> str:
    return f"pay_in_code/{platform_no}/{pay_in_no}"


def _place(platform_no: str, pay_in_no: str, number: int) -> str:
    return f"{platform_no}/pay_in/{pay_in_no}/try/{number}"
