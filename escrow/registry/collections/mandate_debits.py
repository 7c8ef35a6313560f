"""Debits under mandates: kept before they are sent, so that no one sends more than was signed, or the same twice."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.collections.mandates import MandateStatus, require_in_force, require_within_caps
from escrow.domain.errors import Refused
from escrow.domain.time.calendars import SHANGHAI
from escrow.ledger.books_time import books_now_within
from escrow.ledger.engine import Recorder
from escrow.ledger.posting import run, transaction
from escrow.registry.collections.mandates import Mandates
from escrow.registry.tables import MandateDebitRow, MandateRow

_SENT, _FAILED, _LOST = "sent", "failed", "lost"
_OF_DAY = """
SELECT coalesce(sum(amount_fen), 0)::numeric AS fen FROM mandate_debit
WHERE platform_no = :platform_no AND mandate_no = :mandate_no AND day = :day AND status = 'sent'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Debit:
    """One debit order to the bank, of `amount_fen` fen.

    Args:
        collection_no: our number of it at the bank, without the platform.
        pay_in_no: the top-up, or what pays an order, that it is made for.
        member_no: whose account it is, as whoever asks says.
    """

    platform_no: str
    collection_no: str
    pay_in_no: str
    mandate_no: str
    member_no: str
    channel: str
    amount_fen: int


class MandateDebits:
    """Keeps debits.

    Args:
        recorder: the ledger's connections.
        mandates: what they are made under.
    """

    def __init__(self, recorder: Recorder, mandates: Mandates) -> None:
        self._recorder = recorder
        self._mandates = mandates

    async def require_allowed(self, debit: Debit) -> None:
        """Refuse a debit that could not be kept now; raises as `open`."""
        await self._require_holder(debit)
        async with transaction(self._recorder) as session:
            await self._allowed(session, debit, now=await books_now_within(session, debit.platform_no))

    async def open(self, debit: Debit) -> None:
        """Keep a debit before it is sent; the very same one again is kept once.

        Raises:
            Refused: `mandate_unknown` for a mandate of somebody else too, `mandate_not_in_force`,
                `mandate_cap_exceeded`, `debit_under_way` when another debit for the same money has not definitely
                failed; or the card's holder may not pay any more, as `CardHolders.holder_of`.
        """
        await self._require_holder(debit)
        async with transaction(self._recorder) as session:
            now = await books_now_within(session, debit.platform_no)
            await self._mandate(session, debit)
            for before in await self._of_collection(session, debit.platform_no, debit.pay_in_no):
                if before.status == _SENT and _same(before, debit):
                    return
                if before.status == _SENT or before.collection_no == debit.collection_no:
                    raise Refused("debit_under_way", f"Another debit for {debit.pay_in_no} has not definitely failed.")
            day = await self._allowed(session, debit, now=now)
            session.add(
                MandateDebitRow(
                    platform_no=debit.platform_no,
                    collection_no=debit.collection_no,
                    pay_in_no=debit.pay_in_no,
                    mandate_no=debit.mandate_no,
                    channel=debit.channel,
                    amount_fen=debit.amount_fen,
                    day=day,
                    status=_SENT,
                    sent_at=now,
                )
            )

    async def rule_out(self, platform_no: str, collection_no: str, *, is_lost: bool = False) -> None:
        """Record that the bank says for good that nothing is debited under this number; repeatable.

        Args:
            is_lost: the bank never saw it, so that its channel may be asked again.
        """
        async with transaction(self._recorder) as session:
            row = await session.get(MandateDebitRow, (platform_no, collection_no), with_for_update=True)
            if row is not None:
                row.status = _LOST if is_lost else _FAILED

    async def failed_channels(self, platform_no: str, pay_in_no: str) -> frozenset[str]:
        """Channels on which debits for this money have definitely failed."""
        async with self._recorder.session() as session:
            debits = await self._of_collection(session, platform_no, pay_in_no)
        return frozenset(debit.channel for debit in debits if debit.status == _FAILED)

    async def open_numbers(self, platform_no: str, pay_in_no: str) -> list[str]:
        """Our numbers of debits for this money that are not ruled out."""
        async with self._recorder.session() as session:
            debits = await self._of_collection(session, platform_no, pay_in_no)
        return [debit.collection_no for debit in debits if debit.status == _SENT]

    async def _allowed(self, session: AsyncSession, debit: Debit, *, now: datetime) -> date:
        """The day on which an allowed debit counts."""
        mandate = await self._mandate(session, debit)
        require_in_force(MandateStatus(mandate.status), mandate.last_day, mandate_no=mandate.mandate_no, now=now)
        day = now.astimezone(SHANGHAI).date()
        used = await run(session, _OF_DAY, platform_no=debit.platform_no, mandate_no=debit.mandate_no, day=day)
        require_within_caps(
            mandate_no=mandate.mandate_no,
            amount_fen=debit.amount_fen,
            per_debit_fen=mandate.per_debit_fen,
            per_day_fen=mandate.per_day_fen,
            debited_today_fen=int(used[0].fen),
        )
        return day

    async def _require_holder(self, debit: Debit) -> None:
        """Whoever signed may still pay, from a card that is still bound."""
        mandate = await self._mandates.find(debit.platform_no, debit.mandate_no)
        if mandate is None or mandate.member_no != debit.member_no:
            raise _unknown(debit)
        await self._mandates.holder(mandate)

    async def _mandate(self, session: AsyncSession, debit: Debit) -> MandateRow:
        """The mandate, locked, when it is this member's."""
        try:
            mandate = await self._mandates.locked(session, debit.platform_no, debit.mandate_no)
        except Refused as refusal:
            raise _unknown(debit) from refusal
        if mandate.member_no != debit.member_no:
            raise _unknown(debit)
        return mandate

    async def _of_collection(self, session: AsyncSession, platform_no: str, pay_in_no: str) -> list[MandateDebitRow]:
        query = (
            select(MandateDebitRow)
            .where(MandateDebitRow.platform_no == platform_no, MandateDebitRow.pay_in_no == pay_in_no)
            .order_by(col(MandateDebitRow.sent_at))
        )
        return list((await session.exec(query)).all())


def _same(row: MandateDebitRow, debit: Debit) -> bool:
    kept = (row.collection_no, row.mandate_no, row.channel, row.amount_fen)
    return kept == (debit.collection_no, debit.mandate_no, debit.channel, debit.amount_fen)


def _unknown(debit: Debit) -> Refused:
    return Refused("mandate_unknown", f"The member has signed no mandate {debit.mandate_no}.")
