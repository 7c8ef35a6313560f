"""Identity checks: whom the registry is asked about, sealed, and what it answered, kept with source and date."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.decisions import NotDue
from escrow.domain.errors import Refused
from escrow.domain.members import states as member_states
from escrow.domain.members.identity_numbers import is_citizen_id, is_credit_code
from escrow.domain.members.member import MEMBERS, AskIdentity, IdentityAnswered, IdentityUnanswered
from escrow.domain.members.member import Member as BookedMember
from escrow.domain.members.states import MemberEvent, MemberStatus, Permission
from escrow.domain.members.transitions import CheckStatus
from escrow.domain.money.journal import Basis, Posting
from escrow.domain.time.calendars import SHANGHAI
from escrow.ledger.books import Taken
from escrow.ledger.books_time import books_now, books_now_within
from escrow.ledger.engine import Recorder
from escrow.ledger.personal_data import PersonalDataBox
from escrow.registry.deciding import Beside, RegistryBooks
from escrow.registry.members.changes import member_lock
from escrow.registry.members.members import Member, MemberKind, Members
from escrow.registry.tables import IdentityCheckRow


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySubject:
    """Whom the registry is asked about; all of it is personal data: never log or store it elsewhere.

    Args:
        id_no: citizen ID number of a person; unified social credit code of a sole trader or company.
        legal_representative_name: of a company, or the operator of a sole trader; empty for a person.
        agent_name: who acts for the company here; empty for none. `agent_mobile` takes a company's SMS codes.
    """

    id_no: str
    legal_representative_name: str = ""
    legal_representative_id: str = ""
    agent_name: str = ""
    agent_id: str = ""
    agent_mobile: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityCheck:
    """One check. `status` is `asked`, `unanswered`, or what the answer made of the member; `outcome` the answer."""

    platform_no: str
    check_no: str
    member_no: str
    status: str
    outcome: dict[str, Any] | None
    asked_at: datetime
    answered_at: datetime | None


class IdentityChecks:
    """Keeps identity checks and what came of them.

    Args:
        recorder: the ledger's connections.
        box: seals and opens personal data.
        members: who is checked.
    """

    def __init__(self, recorder: Recorder, box: PersonalDataBox, members: Members) -> None:
        self._recorder = recorder
        self._books = RegistryBooks(recorder)
        self._box = box
        self._members = members

    def fingerprint(self, platform_no: str, subject: IdentitySubject) -> str:
        """Keyed digest of a subject, by which a consent and a repeat name it without personal data."""
        return self._box.blind_index(json.dumps(asdict(subject), sort_keys=True), field=f"{platform_no}/identity").hex()

    async def ask(
        self, platform_no: str, member_no: str, check_no: str, subject: IdentitySubject, *, consent: Basis
    ) -> tuple[IdentityCheck, bool]:
        """Keep a question to the registry, sealed; the flag says whether it is new.

        Args:
            check_no: the platform's number of its request.
            consent: the recorded consent of the member to be asked about.

        Raises:
            Refused: `identity_no_invalid`, `identity_parts`, `identity_fixed`, `member_state`, `not_found`,
                `request_no_reused`, or the consent does not hold.
        """
        member = await self._members.get(platform_no, member_no)
        index = self._box.blind_index(subject.id_no, field=f"{platform_no}/id_no")
        known = await self._find(platform_no, check_no)
        if known is not None:
            return _check(known), False
        member_states.require_may(member.status, Permission.CHECK_IDENTITY, member_no=member_no)
        _require_parts(member, subject, await books_now(self._recorder, platform_no))

        async def keep(session: AsyncSession, posting: Posting) -> None:
            if await self._verified_as(session, platform_no, member_no) not in (None, index):
                raise Refused("identity_fixed", f"Member {member_no} was verified under another number.")
            session.add(
                IdentityCheckRow(
                    platform_no=platform_no,
                    check_no=check_no,
                    member_no=member_no,
                    subject_sealed=self._box.seal(json.dumps(asdict(subject)), place=_place(platform_no, check_no)),
                    id_no_index=index,
                    status=CheckStatus.ASKED.value,
                    asked_at=await books_now_within(session, platform_no),
                )
            )

        ask = AskIdentity(consent=consent, check_no=check_no, subject=self.fingerprint(platform_no, subject))
        taken = await self._taken(platform_no, member_no, ask, keep)
        if taken.refusal is not None:
            raise taken.refusal
        return _check(await self._row(platform_no, check_no)), not taken.is_repeat

    async def subject(self, platform_no: str, check_no: str) -> tuple[Member, IdentitySubject]:
        """Who is to be asked about, in the clear.

        Raises:
            Refused: `not_found`.
        """
        row = await self._row(platform_no, check_no)
        sealed = self._box.open(row.subject_sealed, place=_place(platform_no, check_no))
        return await self._members.get(platform_no, row.member_no), IdentitySubject(**json.loads(sealed))

    async def answered(
        self, platform_no: str, check_no: str, *, event: MemberEvent | None, outcome: dict[str, Any]
    ) -> IdentityCheck:
        """Have the books decide on what the registry answered, once; a second time changes nothing.

        Args:
            event: None when the registry gave no answer in time: the member stays what it is.
            outcome: the answer with source and date, without personal data.

        Raises:
            Refused: `not_found`.
            NotDue: the registry has time to answer.
        """
        check = await self._row(platform_no, check_no)

        async def keep(session: AsyncSession, posting: Posting) -> None:
            row = await session.get_one(IdentityCheckRow, (platform_no, check_no), populate_existing=True)
            now = await books_now_within(session, platform_no)
            row.status, row.outcome = (posting.answer or {})["status"], outcome
            row.answered_at = now if event is None else datetime.fromisoformat(_identity(posting)["answered_at"])

        command = (
            IdentityUnanswered(check_no=check_no)
            if event is None
            else IdentityAnswered(check_no=check_no, event=event, outcome=outcome)
        )
        taken = await self._taken(platform_no, check.member_no, command, keep)
        if taken.remaining is not None:
            raise NotDue(f"The registry has time to answer {check_no}.", remaining=taken.remaining)
        return _check(await self._row(platform_no, check_no))

    async def _taken(
        self,
        platform_no: str,
        member_no: str,
        command: AskIdentity | IdentityAnswered | IdentityUnanswered,
        keep: Beside,
    ) -> Taken[BookedMember]:
        lock = member_lock(platform_no, member_no)
        return await self._books.take(MEMBERS, platform_no, member_no, command, lock=lock, beside=keep)

    async def known(self, platform_no: str, check_no: str) -> IdentityCheck:
        """One check, whoever it is about.

        Raises:
            Refused: `not_found`.
        """
        return _check(await self._row(platform_no, check_no))

    async def get(self, platform_no: str, member_no: str, check_no: str) -> IdentityCheck:
        """Return one check of a member.

        Raises:
            Refused: `not_found`.
        """
        row = await self._row(platform_no, check_no)
        if row.member_no != member_no:
            raise _not_found(check_no)
        return _check(row)

    async def of_member(self, platform_no: str, member_no: str) -> list[IdentityCheck]:
        """All checks of a member, oldest first."""
        query = (
            select(IdentityCheckRow)
            .where(IdentityCheckRow.platform_no == platform_no, IdentityCheckRow.member_no == member_no)
            .order_by(col(IdentityCheckRow.asked_at), col(IdentityCheckRow.check_no))
        )
        async with self._recorder.session() as session:
            return [_check(row) for row in (await session.exec(query)).all()]

    async def agent_mobile(self, platform_no: str, member_no: str) -> str | None:
        """Mobile of the agent of a verified company, None when it has none or is not verified."""
        member = await self._members.get(platform_no, member_no)
        if member.status is not MemberStatus.VERIFIED or "identity" not in member.facts:
            return None
        _, subject = await self.subject(platform_no, member.facts["identity"]["check_no"])
        return subject.agent_mobile or None

    async def person_behind(self, member: Member) -> tuple[str, str]:
        """Name and citizen ID number of a person, or of a business's legal representative, as the registry has them.

        Raises:
            Refused: `identity_required`, the member is not verified.
        """
        require_verified(member)
        _, subject = await self.subject(member.platform_no, member.facts["identity"]["check_no"])
        if member.kind is MemberKind.PERSON:
            return member.name, subject.id_no
        return subject.legal_representative_name, subject.legal_representative_id

    async def _verified_as(self, session: AsyncSession, platform_no: str, member_no: str) -> bytes | None:
        query = (
            select(IdentityCheckRow.id_no_index)
            .where(
                IdentityCheckRow.platform_no == platform_no,
                IdentityCheckRow.member_no == member_no,
                IdentityCheckRow.status == MemberStatus.VERIFIED.value,
            )
            .limit(1)
        )
        return (await session.exec(query)).one_or_none()

    async def _find(self, platform_no: str, check_no: str) -> IdentityCheckRow | None:
        async with self._recorder.session() as session:
            return await session.get(IdentityCheckRow, (platform_no, check_no))

    async def _row(self, platform_no: str, check_no: str) -> IdentityCheckRow:
        row = await self._find(platform_no, check_no)
        if row is None:
            raise _not_found(check_no)
        return row


def require_verified(member: Member) -> None:
    """Refuse what only a member of known identity may do.

    Raises:
        Refused: `identity_required`.
    """
    if member.status is not MemberStatus.VERIFIED:
        raise Refused(
            "identity_required",
            f"The identity of member {member.member_no} must be verified first.",
            {"member_no": member.member_no, "status": member.status.value},
        )


def _require_parts(member: Member, subject: IdentitySubject, now: datetime) -> None:
    """Check digits first: what is mistyped need not be asked."""
    today = now.astimezone(SHANGHAI).date()
    is_person = member.kind is MemberKind.PERSON
    if is_person and (subject.legal_representative_name or subject.agent_name):
        raise Refused("identity_parts", "A person has neither legal representative nor agent; leave them out.")
    if not is_person and not (subject.legal_representative_name and subject.legal_representative_id):
        raise Refused("identity_parts", "Name the legal representative of a company, the operator of a sole trader.")
    if bool(subject.agent_name) != bool(subject.agent_id):
        raise Refused("identity_parts", "An agent is named with name and citizen ID number.")
    fits = {
        "id_no": is_citizen_id(subject.id_no, today=today) if is_person else is_credit_code(subject.id_no),
        "legal_representative.id_no": is_person or is_citizen_id(subject.legal_representative_id, today=today),
        "agent.id_no": not subject.agent_id or is_citizen_id(subject.agent_id, today=today),
    }
    wrong = [name for name, fit in fits.items() if not fit]
    if wrong:
        raise Refused(
            "identity_no_invalid", f"Mistyped, the check digit does not fit: {', '.join(wrong)}.", {"fields": wrong}
        )


def _identity(posting: Posting) -> dict[str, Any]:
    identity: dict[str, Any] = posting.changes[0].body["identity"]
    return identity


def _place(platform_no: str, check_no: str) -> str:
    return f"{platform_no}/identity_check/{check_no}/subject"


def _check(row: IdentityCheckRow) -> IdentityCheck:
    return IdentityCheck(
        platform_no=row.platform_no,
        check_no=row.check_no,
        member_no=row.member_no,
        status=row.status,
        outcome=row.outcome,
        asked_at=row.asked_at,
        answered_at=row.answered_at,
    )


def _not_found(check_no: str) -> Refused:
    return Refused("not_found", f"There is no identity check {check_no}.")
