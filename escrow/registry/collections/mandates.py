"""Mandates for direct debit as the books have them: signed on a consent, known to the bank or not, ended for good."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.collections.mandates import MandateStatus, require_last_day_to_come
from escrow.domain.errors import Refused
from escrow.domain.members.mandate import MANDATES, BankKnowsTheEnd, Command, Revoke, Sign
from escrow.domain.members.mandate import Mandate as BookedMandate
from escrow.domain.money.journal import Basis, Posting
from escrow.ledger.books import Taken
from escrow.ledger.books_time import books_now, books_now_within
from escrow.ledger.consents import Consent
from escrow.ledger.engine import Recorder
from escrow.ledger.posting import one_at_a_time
from escrow.registry.accounts.card_holders import CardHolder, CardHolders
from escrow.registry.deciding import Beside, RegistryBooks
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
        recorder: the ledger's connections.
        holders: whose cards are debited.
    """

    def __init__(self, recorder: Recorder, holders: CardHolders) -> None:
        self._recorder = recorder
        self._books = RegistryBooks(recorder)
        self._holders = holders

    async def sign(self, consent: Consent) -> tuple[Mandate, bool]:
        """Enter the mandate that a member consented to, with exactly the consent's terms; the flag: it is new.

        Raises:
            Refused: the card cannot be debited (as `CardHolders.holder_of`), `mandate_not_in_force` when its last
                day is over already, or the consent does not hold.
        """
        platform_no, mandate_no, agreed = consent.platform_no, consent.object_no, consent.terms
        known = await self.find(platform_no, mandate_no)
        if known is not None:
            return known, False
        now, last_day = await books_now(self._recorder, platform_no), date.fromisoformat(agreed["last_day"])
        require_last_day_to_come(last_day, now=now)
        await self._holders.holder_of(platform_no, consent.given_by, agreed["account_id"])
        sign = Sign(
            consent=_basis(consent),
            by=consent.given_by,
            account_id=agreed["account_id"],
            per_debit_fen=agreed["per_debit_fen"],
            per_day_fen=agreed["per_day_fen"],
            last_day=last_day,
        )

        async def keep(session: AsyncSession, posting: Posting) -> None:
            session.add(
                MandateRow(
                    platform_no=platform_no,
                    mandate_no=mandate_no,
                    **{**posting.changes[0].body, "last_day": last_day},
                    status=posting.changes[0].status,
                    reason="",
                    bank_mandate_no="",
                    payer_bank="",
                    signed_at=await books_now_within(session, platform_no),
                )
            )

        taken = await self._taken(platform_no, mandate_no, sign, keep)
        if taken.refusal is not None and taken.object is None:
            raise taken.refusal
        return await self.get(platform_no, mandate_no), not taken.is_repeat and taken.refusal is None

    async def revoke(self, consent: Consent) -> Mandate:
        """Let nothing more be debited, from now on and whether or not the bank was told; one that has ended stays so.

        Raises:
            Refused: `not_found`, or the consent does not hold.
        """
        before = await self.get(consent.platform_no, consent.object_no)
        if before.status.has_ended:
            return before
        taken = await self._taken(consent.platform_no, consent.object_no, Revoke(consent=_basis(consent)))
        if taken.refusal is not None and taken.refusal.code != "mandate_state":
            raise taken.refusal
        return await self.get(consent.platform_no, consent.object_no)

    async def take(
        self, platform_no: str, mandate_no: str, command: Command, *, bank_mandate_no: str | None = None
    ) -> Mandate:
        """Have the books decide what was heard of a mandate; one that is past it stays as it is.

        Args:
            bank_mandate_no: the bank's number, where it takes the mandate and gives one.

        Raises:
            Refused: `not_found`; `too_early`, its last day is not over.
        """

        async def keep(session: AsyncSession, posting: Posting) -> None:
            row = await _kept(session, posting)
            row.bank_mandate_no = bank_mandate_no or row.bank_mandate_no
            if isinstance(command, BankKnowsTheEnd):
                row.deregistered_at = await books_now_within(session, platform_no)

        taken = await self._taken(platform_no, mandate_no, command, keep)
        if taken.remaining is not None:
            told = {"remaining_seconds": taken.remaining.total_seconds()}
            raise Refused("too_early", f"The mandate {mandate_no} has not ended.", told)
        return await self.get(platform_no, mandate_no)

    async def _taken(
        self, platform_no: str, mandate_no: str, command: Sign | Command, keep: Beside | None = None
    ) -> Taken[BookedMandate]:
        async def kept(session: AsyncSession, posting: Posting) -> None:
            await _kept(session, posting)

        lock = _lock(platform_no, mandate_no)
        return await self._books.take(MANDATES, platform_no, mandate_no, command, lock=lock, beside=keep or kept)

    async def find(self, platform_no: str, mandate_no: str) -> Mandate | None:
        """One mandate, None when there is none under this number."""
        async with self._recorder.session() as session:
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
        async with self._recorder.session() as session:
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

    async def _row(self, session: AsyncSession, platform_no: str, mandate_no: str) -> MandateRow | None:
        return await session.get(MandateRow, (platform_no, mandate_no), populate_existing=True)


async def _kept(session: AsyncSession, posting: Posting) -> MandateRow:
    """The row, brought to what was decided."""
    change = posting.changes[0]
    key = (posting.platform_no, change.object_no)
    row = await session.get_one(MandateRow, key, populate_existing=True)
    row.status, row.reason = change.status, change.body.get("reason", "")
    row.payer_bank = change.body.get("payer_bank", "")
    if MandateStatus(row.status).has_ended and row.ended_at is None:
        row.ended_at = await books_now_within(session, posting.platform_no)
    return row


def _basis(consent: Consent) -> Basis:
    return Basis(kind="consent", reference=consent.consent_no, operation_hash=consent.operation_hash)


def _mandate(row: MandateRow) -> Mandate:
    known = {name: getattr(row, name) for name in Mandate.__slots__ if name != "status"}
    return Mandate(status=MandateStatus(row.status), **known)


def _lock(platform_no: str, mandate_no: str) -> str:
    return f"mandate/{platform_no}/{mandate_no}"


def _not_found(mandate_no: str) -> Refused:
    return Refused("not_found", f"There is no mandate {mandate_no}.")
