"""Members of a platform: opened once, personal data sealed, every change an event."""

import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import and_, col, select

from escrow.domain.errors import Refused
from escrow.domain.members.states import MemberStatus
from escrow.domain.money.journal import Change, Posting
from escrow.domain.requests import derived
from escrow.ledger.books_time import books_now_within
from escrow.ledger.engine import Recorder
from escrow.ledger.personal_data import PersonalDataBox
from escrow.ledger.posting import post_within, transaction
from escrow.ledger.tables import BusinessObjectRow
from escrow.registry.tables import MemberRow

#: Names the platform itself where a member number is expected, so no member may be called this.
PLATFORM_ITSELF = "platform"


class MemberKind(StrEnum):
    """What a member is in law."""

    PERSON = "person"
    SOLE_TRADER = "sole_trader"
    COMPANY = "company"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member with personal data in the clear: never log or store one elsewhere.

    `facts` are what else is known of it, without personal data: `identity` and `closing`, each when there is one.
    """

    platform_no: str
    member_no: str
    kind: MemberKind
    name: str
    mobile: str | None
    opened_at: datetime
    status: MemberStatus
    facts: dict[str, Any] = field(hash=False)


def same_name(text: str) -> str:
    """Form in which names are compared: full-width signs made narrow (NFKC), without spaces."""
    return "".join(unicodedata.normalize("NFKC", text).split())


class Members:
    """Opens and finds members.

    Args:
        recorder: the ledger's connections.
        box: seals and opens personal data.
    """

    def __init__(self, recorder: Recorder, box: PersonalDataBox) -> None:
        self._recorder = recorder
        self._box = box

    async def open(
        self, platform_no: str, *, member_no: str, kind: MemberKind, name: str, mobile: str | None = None
    ) -> tuple[Member, bool]:
        """Open a member; the flag says whether it is new.

        Raises:
            Refused: `request_no_reused`, the number belongs to a member of other content; `member_no_reserved`.
        """
        if member_no == PLATFORM_ITSELF:
            raise Refused("member_no_reserved", f"The member number {PLATFORM_ITSELF!r} means the platform itself.")
        posting = Posting(
            platform_no=platform_no,
            request_no=derived("", "member", member_no, "open"),
            content={
                "member_no": member_no,
                "kind": kind.value,
                "name": self._box.blind_index(name, field=f"{platform_no}/name").hex(),
                "mobile": self._box.blind_index(mobile or "", field=f"{platform_no}/mobile").hex(),
            },
            changes=(
                Change(
                    kind="member",
                    object_no=member_no,
                    event_type="member.opened",
                    status="open",
                    body={"kind": kind.value},
                    must_be_new=True,
                ),
            ),
        )
        async with transaction(self._recorder) as session:
            receipt = await post_within(session, posting)
            if not receipt.repeated:
                now = await books_now_within(session, platform_no)
                session.add(self._sealed(platform_no, member_no, kind, name, mobile, now))
        return await self.get(platform_no, member_no), not receipt.repeated

    async def get(self, platform_no: str, member_no: str) -> Member:
        """Return the member.

        Raises:
            Refused: `not_found`.
        """
        found = await self._found(MemberRow.member_no == member_no, platform_no, limit=1)
        if not found:
            raise Refused("not_found", f"There is no member {member_no}.")
        return found[0]

    async def statuses(self, platform_no: str, *member_nos: str) -> dict[str, MemberStatus]:
        """States of some members, without their personal data.

        Raises:
            Refused: `member_unknown`, one of them was never opened.
        """
        query = select(BusinessObjectRow.object_no, BusinessObjectRow.status).where(
            BusinessObjectRow.platform_no == platform_no,
            BusinessObjectRow.kind == "member",
            col(BusinessObjectRow.object_no).in_(member_nos),
        )
        async with self._recorder.session() as session:
            found = {number: MemberStatus(status) for number, status in (await session.exec(query)).all()}
        for member_no in member_nos:
            if member_no not in found:
                raise Refused("member_unknown", f"There is no member {member_no}.", {"member_no": member_no})
        return found

    async def page(self, platform_no: str, *, after: str = "", limit: int = 50) -> list[Member]:
        """Members with numbers above `after`, ascending."""
        return await self._found(MemberRow.member_no > after, platform_no, limit=limit)

    async def _found(self, which: ColumnElement[bool] | bool, platform_no: str, *, limit: int) -> list[Member]:
        as_object = and_(
            col(BusinessObjectRow.platform_no) == col(MemberRow.platform_no),
            col(BusinessObjectRow.kind) == "member",
            col(BusinessObjectRow.object_no) == col(MemberRow.member_no),
        )
        query = (
            select(MemberRow, BusinessObjectRow)
            .join(BusinessObjectRow, as_object)
            .where(MemberRow.platform_no == platform_no, which)
            .order_by(col(MemberRow.member_no))
            .limit(limit)
        )
        async with self._recorder.session() as session:
            return [self._opened(row, known) for row, known in (await session.exec(query)).all()]

    def _sealed(
        self, platform_no: str, member_no: str, kind: MemberKind, name: str, mobile: str | None, now: datetime
    ) -> MemberRow:
        place = f"{platform_no}/member/{member_no}"
        return MemberRow(
            platform_no=platform_no,
            member_no=member_no,
            kind=kind,
            name_sealed=self._box.seal(name, place=f"{place}/name"),
            mobile_sealed=None if mobile is None else self._box.seal(mobile, place=f"{place}/mobile"),
            opened_at=now,
        )

    def _opened(self, row: MemberRow, known: BusinessObjectRow) -> Member:
        place = f"{row.platform_no}/member/{row.member_no}"
        return Member(
            platform_no=row.platform_no,
            member_no=row.member_no,
            kind=MemberKind(row.kind),
            name=self._box.open(row.name_sealed, place=f"{place}/name"),
            mobile=None if row.mobile_sealed is None else self._box.open(row.mobile_sealed, place=f"{place}/mobile"),
            opened_at=row.opened_at,
            status=MemberStatus(known.status),
            facts={name: known.body[name] for name in ("identity", "closing") if name in known.body},
        )
