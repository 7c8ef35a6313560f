"""Members of a platform: opened once, personal data sealed, every change an event."""

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlmodel import col, select

from escrow.domain.errors import Refused
from escrow.domain.journal import Change, Posting
from escrow.domain.requests import derived
from escrow.ledger.engine import Reader
from escrow.ledger.personal_data import PersonalDataBox
from escrow.ledger.registry_posting import post_within, transaction
from escrow.ledger.registry_tables import MemberRow

#: Names the platform itself where a member number is expected, so no member may be called this.
PLATFORM_ITSELF = "platform"


class MemberKind(StrEnum):
    """What a member is in law."""

    PERSON = "person"
    SOLE_TRADER = "sole_trader"
    COMPANY = "company"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member with personal data in the clear: never log or store one elsewhere."""

    platform_no: str
    member_no: str
    kind: MemberKind
    name: str
    mobile: str | None
    opened_at: datetime


def same_name(text: str) -> str:
    """Form in which names are compared: full-width signs made narrow (NFKC), without spaces."""
    return "".join(unicodedata.normalize("NFKC", text).split())


class Members:
    """Opens and finds members.

    Args:
        reader: the ledger's connections.
        box: seals and opens personal data.
    """

    def __init__(self, reader: Reader, box: PersonalDataBox) -> None:
        self._reader = reader
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
        now = datetime.now(UTC)
        posting = Posting(
            platform_no=platform_no,
            request_no=derived("", "member", member_no, "open"),
            content={
                "member_no": member_no,
                "kind": kind.value,
                "name": self._box.blind_index(name, field=f"{platform_no}/name").hex(),
                "mobile": self._box.blind_index(mobile or "", field=f"{platform_no}/mobile").hex(),
            },
            occurred_at=now,
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
        async with transaction(self._reader) as session:
            receipt = await post_within(session, posting)
            if not receipt.repeated:
                session.add(self._sealed(platform_no, member_no, kind, name, mobile, now))
        return await self.get(platform_no, member_no), not receipt.repeated

    async def get(self, platform_no: str, member_no: str) -> Member:
        """Return the member.

        Raises:
            Refused: `not_found`.
        """
        async with self._reader.session() as session:
            row = await session.get(MemberRow, (platform_no, member_no))
        if row is None:
            raise Refused("not_found", f"There is no member {member_no}.")
        return self._opened(row)

    async def page(self, platform_no: str, *, after: str = "", limit: int = 50) -> list[Member]:
        """Members with numbers above `after`, ascending."""
        query = (
            select(MemberRow)
            .where(MemberRow.platform_no == platform_no, MemberRow.member_no > after)
            .order_by(col(MemberRow.member_no))
            .limit(limit)
        )
        async with self._reader.session() as session:
            return [self._opened(row) for row in (await session.exec(query)).all()]

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

    def _opened(self, row: MemberRow) -> Member:
        place = f"{row.platform_no}/member/{row.member_no}"
        return Member(
            platform_no=row.platform_no,
            member_no=row.member_no,
            kind=MemberKind(row.kind),
            name=self._box.open(row.name_sealed, place=f"{place}/name"),
            mobile=None if row.mobile_sealed is None else self._box.open(row.mobile_sealed, place=f"{place}/mobile"),
            opened_at=row.opened_at,
        )
