"""Mandates for direct debit as the books have them: signed on a consent, known to the bank or not, ended for good."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.collections.mandates import (
    REVOKE,
    SIGN,
    MandateStatus,
    ends_at,
    mandate_operation_hash,
    mandate_terms,
)
from escrow.domain.collections.methods import MandateAnswer
from escrow.domain.errors import Refused
from escrow.domain.money.journal import Basis, Change, Posting
from escrow.domain.requests import derived
from escrow.ledger.books_time import books_now, books_now_within
from escrow.ledger.consents import Consent
from escrow.ledger.engine import Reader
from escrow.ledger.transactions import one_at_a_time, post_within, transaction
from escrow.registry.accounts.card_holders import CardHolder, CardHolders
from escrow.registry.tables import MandateRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """One mandate. `reason` says why it was refused; `payer_bank` is the bank's short name of the card's bank."""

    platform_no: str
    mandate_no: str
    member_no: str
    account_id: str
    per_debit_fen: int
    per_day_fen: int
    last_day: date
    text_version: str
    status: MandateStatus
    reason: str
    bank_mandate_no: str
    payer_bank: str
    signed_at: datetime
    ended_at: datetime | None
    deregistered_at: datetime | None


class Mandates:
    """Keeps mandates.

    Args:
        reader: the ledger's connections.
        holders: whose cards are debited.
    """

    def __init__(self, reader: Reader, holders: CardHolders) -> None:
        self._reader = reader
        self._holders = holders

    async def sign(self, consent: Consent) -> tuple[Mandate, bool]:
        """Enter the mandate that a member consented to, with exactly the consent's terms; the flag: it is new.

        Raises:
            Refused: the card cannot be debited (as `CardHolders.holder_of`), `mandate_not_in_force` when its last
                day is over already, or the consent does not hold.
        """
        platform_no, mandate_no, agreed = consent.platform_no, consent.object_no, consent.terms
        now, last_day = await books_now(self._reader, platform_no), date.fromisoformat(agreed["last_day"])
        terms = mandate_terms(
            account_id=agreed["account_id"],
            per_debit_fen=agreed["per_debit_fen"],
            per_day_fen=agreed["per_day_fen"],
            last_day=last_day,
        )
        row = MandateRow(
            platform_no=platform_no,
            mandate_no=mandate_no,
            member_no=consent.given_by,
            account_id=terms["account_id"],
            per_debit_fen=terms["per_debit_fen"],
            per_day_fen=terms["per_day_fen"],
            last_day=last_day,
            text_version=terms["text_version"],
            status=MandateStatus.SIGNED.value,
            reason="",
            bank_mandate_no="",
            payer_bank="",
            signed_at=now,
        )
        known = await self.find(platform_no, mandate_no)
        if known is not None:
            return known, False
        if now >= ends_at(last_day):
            raise Refused("mandate_not_in_force", "The mandate's last day is over.", {"last_day": terms["last_day"]})
        await self._holders.holder_of(platform_no, consent.given_by, terms["account_id"])
        basis = _basis(consent, row, SIGN, terms)
        async with transaction(self._reader) as session:
            await one_at_a_time(session, _lock(platform_no, mandate_no))
            before = await self._row(session, platform_no, mandate_no)
            if before is not None:
                return _mandate(before), False
            await _tell(session, row, "signed", occurred_at=now, body={"member_no": row.member_no, **terms}, on=basis)
            session.add(row)
        return _mandate(row), True

    async def revoke(self, consent: Consent) -> Mandate:
        """Let nothing more be debited, from now on and whether or not the bank was told; one that has ended stays so.

        Raises:
            Refused: `not_found`, or the consent does not hold.
        """
        async with transaction(self._reader) as session:
            row = await self.locked(session, consent.platform_no, consent.object_no)
            if not MandateStatus(row.status).has_ended:
                basis, now = _basis(consent, row, REVOKE, {}), await books_now_within(session, row.platform_no)
                await self._end(session, row, MandateStatus.REVOKED, occurred_at=now, on=basis)
        return _mandate(row)

    async def registered(
        self, platform_no: str, mandate_no: str, answer: MandateAnswer, *, occurred_at: datetime
    ) -> Mandate:
        """Record that the bank knows the mandate; one that has ended meanwhile stays so."""
        async with transaction(self._reader) as session:
            row = await self.locked(session, platform_no, mandate_no)
            if row.status == MandateStatus.SIGNED:
                row.status = MandateStatus.ACTIVE.value
                row.bank_mandate_no, row.payer_bank = answer.mandate_no or "", answer.payer_bank or ""
                await _tell(session, row, "active", occurred_at=occurred_at, body={"payer_bank": row.payer_bank})
        return _mandate(row)

    async def refused(self, platform_no: str, mandate_no: str, *, reason: str, occurred_at: datetime) -> Mandate:
        """Record that the bank does not take the mandate."""
        async with transaction(self._reader) as session:
            row = await self.locked(session, platform_no, mandate_no)
            if row.status == MandateStatus.SIGNED:
                row.reason = reason
                await self._end(session, row, MandateStatus.REFUSED, occurred_at=occurred_at)
        return _mandate(row)

    async def expire(self, platform_no: str, mandate_no: str, *, occurred_at: datetime) -> Mandate:
        """End a mandate whose last day is over.

        Raises:
            Refused: `too_early`, or `not_found`.
        """
        async with transaction(self._reader) as session:
            row = await self.locked(session, platform_no, mandate_no)
            left = ends_at(row.last_day) - occurred_at
            if left > timedelta(0):
                told = {"remaining_seconds": left.total_seconds()}
                raise Refused("too_early", f"The mandate {mandate_no} ends after {row.last_day}.", told)
            if not MandateStatus(row.status).has_ended:
                await self._end(session, row, MandateStatus.EXPIRED, occurred_at=occurred_at)
        return _mandate(row)

    async def deregistered(self, platform_no: str, mandate_no: str, *, occurred_at: datetime) -> Mandate:
        """Record that the bank knows that an ended mandate is none any more."""
        async with transaction(self._reader) as session:
            row = await self.locked(session, platform_no, mandate_no)
            if row.deregistered_at is None:
                row.deregistered_at = occurred_at
                await _tell(session, row, "deregistered", occurred_at=occurred_at, body={})
        return _mandate(row)

    async def find(self, platform_no: str, mandate_no: str) -> Mandate | None:
        """One mandate, None when there is none under this number."""
        async with self._reader.session() as session:
            row = await self._row(session, platform_no, mandate_no)
        return None if row is None else _mandate(row)

    async def get(self, platform_no: str, mandate_no: str) -> Mandate:
        """One mandate.

        Raises:
            Refused: `not_found`.
        """
        found = await self.find(platform_no, mandate_no)
        if found is None:
            raise _not_found(mandate_no)
        return found

    async def of_member(self, platform_no: str, member_no: str) -> list[Mandate]:
        """All mandates that a member ever signed, oldest first."""
        query = (
            select(MandateRow)
            .where(MandateRow.platform_no == platform_no, MandateRow.member_no == member_no)
            .order_by(col(MandateRow.signed_at), col(MandateRow.mandate_no))
        )
        async with self._reader.session() as session:
            return [_mandate(row) for row in (await session.exec(query)).all()]

    async def holder(self, mandate: Mandate) -> CardHolder:
        """Whose card the mandate is about; raises as `CardHolders.holder_of`."""
        return await self._holders.holder_of(mandate.platform_no, mandate.member_no, mandate.account_id)

    async def locked(self, session: AsyncSession, platform_no: str, mandate_no: str) -> MandateRow:
        """The mandate as it stands, kept from changing until the transaction ends.

        Raises:
            Refused: `not_found`.
        """
        await one_at_a_time(session, _lock(platform_no, mandate_no))
        row = await self._row(session, platform_no, mandate_no)
        if row is None:
            raise _not_found(mandate_no)
        return row

    async def _end(
        self,
        session: AsyncSession,
        row: MandateRow,
        status: MandateStatus,
        *,
        occurred_at: datetime,
        on: Basis | None = None,
    ) -> None:
        row.status, row.ended_at = status.value, occurred_at
        await _tell(session, row, status.value, occurred_at=occurred_at, body={"reason": row.reason}, on=on)

    async def _row(self, session: AsyncSession, platform_no: str, mandate_no: str) -> MandateRow | None:
        return await session.get(MandateRow, (platform_no, mandate_no), populate_existing=True)


async def _tell(
    session: AsyncSession,
    row: MandateRow,
    what: str,
    *,
    occurred_at: datetime,
    body: dict[str, Any],
    on: Basis | None = None,
) -> None:
    """Record one change as an event of the mandate; each happens at most once."""
    await post_within(
        session,
        Posting(
            platform_no=row.platform_no,
            request_no=derived("", "mandate", row.mandate_no, what),
            content={"mandate_no": row.mandate_no, "what": what},
            occurred_at=occurred_at,
            changes=(
                Change(
                    kind="mandate",
                    object_no=row.mandate_no,
                    event_type=f"mandate.{what}",
                    status=row.status,
                    body=body,
                    must_be_new=what == "signed",
                ),
            ),
            bases=() if on is None else (on,),
        ),
    )


def _basis(consent: Consent, row: MandateRow, operation: str, terms: dict[str, Any]) -> Basis:
    """The consent as what it must be about: this very mandate, by its own member."""
    expected = mandate_operation_hash(
        platform_no=row.platform_no, mandate_no=row.mandate_no, operation=operation, by=row.member_no, terms=terms
    )
    return Basis(kind="consent", reference=consent.consent_no, operation_hash=expected)


def _mandate(row: MandateRow) -> Mandate:
    known = {name: getattr(row, name) for name in Mandate.__slots__ if name != "status"}
    return Mandate(status=MandateStatus(row.status), **known)


def _lock(platform_no: str, mandate_no: str) -> str:
    return f"mandate/{platform_no}/{mandate_no}"


def _not_found(mandate_no: str) -> Refused:
    return Refused("not_found", f"There is no mandate {mandate_no}.")
