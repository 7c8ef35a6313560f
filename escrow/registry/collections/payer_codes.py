"""Codes of quick payments: what was sent again and what was typed, counted before the bank is asked about it."""

from functools import partial

from sqlmodel import col, or_, select

from escrow.domain.collections.terms import CODE_SENDINGS, CODE_TRIES
from escrow.domain.errors import Refused
from escrow.domain.members.code_checks import CodeCheck
from escrow.ledger.books_time import books_now_within
from escrow.ledger.engine import Recorder
from escrow.ledger.personal_data import PersonalDataBox
from escrow.ledger.posting import one_at_a_time, transaction
from escrow.registry.tables import CollectionCodeSendingRow, CollectionCodeTryRow
from escrow.registry.tries import TypedTries


class CollectionCodes:
    """Keeps tries, sealed, and sendings.

    Args:
        recorder: the ledger's connections.
        box: seals and opens what was typed.
    """

    def __init__(self, recorder: Recorder, box: PersonalDataBox) -> None:
        self._recorder = recorder
        spent = ("code_tries_spent", "All tries of this payment are spent; begin another one.")
        self.tries = TypedTries(recorder, box, CollectionCodeTryRow, kind="pay_in", at_most=CODE_TRIES, spent=spent)

    async def count_sending(self, platform_no: str, pay_in_no: str, request_no: str, *, is_awaited: bool) -> bool:
        """Count a wish to have another code sent; False when it was counted before under this number.

        Args:
            is_awaited: whether the payment waits for a code now.

        Raises:
            Refused: `code_not_awaited`, `request_no_reused`, or `sms_code_limit`: with the first one at most five are
                sent.
        """
        async with transaction(self._recorder) as session:
            await one_at_a_time(session, _lock(platform_no, pay_in_no))
            query = select(CollectionCodeSendingRow).where(
                CollectionCodeSendingRow.platform_no == platform_no,
                or_(
                    col(CollectionCodeSendingRow.pay_in_no) == pay_in_no,
                    col(CollectionCodeSendingRow.request_no) == request_no,
                ),
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
                CollectionCodeSendingRow(
                    platform_no=platform_no,
                    pay_in_no=pay_in_no,
                    request_no=request_no,
                    sent_at=await books_now_within(session, platform_no),
                )
            )
        return True

    async def declined(self, platform_no: str, pay_in_no: str, request_no: str) -> str | None:
        """By which code the bank said no to a wish: empty where it did not, None where nobody wished for it."""
        async with self._recorder.session() as session:
            wish = await session.get(CollectionCodeSendingRow, (platform_no, pay_in_no, request_no))
            return None if wish is None else wish.declined

    async def was_declined(self, platform_no: str, pay_in_no: str, request_no: str, code: str) -> None:
        """Record by which code the bank said no to a wish."""
        async with transaction(self._recorder) as session:
            (await session.get_one(CollectionCodeSendingRow, (platform_no, pay_in_no, request_no))).declined = code

    async def count_try(self, platform_no: str, pay_in_no: str, request_no: str, code: str, *, is_awaited: bool) -> int:
        """Count a try and keep what was typed; its number. The same request is counted once.

        Args:
            is_awaited: whether the payment waits for a code now.

        Raises:
            Refused: `code_not_awaited`, `code_tries_spent` or `request_no_reused`.
        """
        async with transaction(self._recorder) as session:
            await one_at_a_time(session, _lock(platform_no, pay_in_no))
            awaited = partial(_require_awaited, pay_in_no, is_awaited)
            return await self.tries.count(session, platform_no, pay_in_no, request_no, code, awaited)

    async def answered(self, platform_no: str, pay_in_no: str, number: int, outcome: CodeCheck) -> CodeCheck:
        """Record how a try compared, once; how it did."""
        async with transaction(self._recorder) as session:
            return await self.tries.answered(session, platform_no, pay_in_no, number, outcome)


def _require_awaited(pay_in_no: str, is_awaited: bool) -> None:
    if not is_awaited:
        raise Refused("code_not_awaited", f"The payment {pay_in_no} waits for no code.")


def _lock(platform_no: str, pay_in_no: str) -> str:
    return f"pay_in_code/{platform_no}/{pay_in_no}"
