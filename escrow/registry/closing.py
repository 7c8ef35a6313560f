"""Closings of members: begun on a consent, completed by the books, with their bank accounts unbound."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.errors import Refused
from escrow.domain.members.closings import BeginClosing, CompleteClosing
from escrow.domain.members.member import MEMBERS, Member
from escrow.domain.members.states import MemberStatus
from escrow.domain.money.journal import Basis, Posting
from escrow.domain.time.calendars import WorkingCalendar
from escrow.ledger.books import Taken, known
from escrow.ledger.engine import Recorder
from escrow.ledger.objects import get_object
from escrow.registry.accounts.bank_accounts import BankAccounts
from escrow.registry.deciding import RegistryBooks
from escrow.registry.members.changes import member_lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """A closing that has begun; it can be completed from `closes_at` on."""

    member_no: str
    status: MemberStatus
    request_no: str
    asked_at: datetime
    closes_at: datetime


class MemberClosings:
    """Closes members.

    Args:
        recorder: the ledger's connections.
        accounts: bank accounts, which are unbound when their member closes.
    """

    def __init__(self, recorder: Recorder, accounts: BankAccounts) -> None:
        self._recorder = recorder
        self._books = RegistryBooks(recorder)
        self._accounts = accounts

    async def begin(
        self, platform_no: str, member_no: str, request_no: str, *, consent: Basis, calendar: WorkingCalendar
    ) -> tuple[Closing, bool]:
        """Begin to close a member; the flag says whether this request began it. A closing that runs is answered.

        Args:
            calendar: working days, by which the return horizon is counted.

        Raises:
            Refused: `member_not_closable` with what stands in the way, `member_state`, `calendar_unknown`,
                `not_found`, or the consent does not hold.
        """
        before = await known(self._recorder, MEMBERS, platform_no, member_no)
        if before.state is MemberStatus.CLOSING:
            return _closing(member_no, before.state, before.facts["closing"]), False
        begin = BeginClosing(consent=consent, request_no=request_no, calendar=calendar)
        taken = await self._taken(platform_no, member_no, begin)
        if taken.refusal is not None and (taken.object is None or taken.object.state is not MemberStatus.CLOSING):
            raise taken.refusal
        member = await known(self._recorder, MEMBERS, platform_no, member_no)
        # This request may have begun a closing that was broken off long ago: then it does nothing more.
        is_new = taken.answer is not None and not taken.is_repeat
        return _closing(member_no, member.state, member.facts["closing"]), is_new

    async def find(self, platform_no: str, member_no: str, request_no: str) -> Closing | None:
        """The closing that a request began, with what the member is now; None for another one, or none."""
        member = await get_object(self._recorder, platform_no, "member", member_no)
        facts = {} if member is None else member.body.get("closing", {})
        if member is None or facts.get("request_no") != request_no:
            return None
        return _closing(member_no, MemberStatus(member.status), facts)

    async def complete(self, platform_no: str, member_no: str, request_no: str) -> str:
        """Close a member for good, or break its closing off; answers the member's status. Repeatable.

        Args:
            request_no: number of the request that began this closing; another one is left alone.

        Raises:
            Refused: `not_found`; `too_early`, its last payout can still come back.
        """
        taken = await self._taken(platform_no, member_no, CompleteClosing(request_no=request_no))
        if taken.object is None:
            raise taken.refusal or Refused("not_found", f"There is no member {member_no}.")
        if taken.remaining is not None:
            told = {"remaining_seconds": taken.remaining.total_seconds()}
            raise Refused(
                "too_early", f"Member {member_no} closes at {taken.object.facts['closing']['closes_at']}.", told
            )
        return taken.object.status

    async def _taken(self, platform_no: str, member_no: str, command: BeginClosing | CompleteClosing) -> Taken[Member]:
        async def unbind(session: AsyncSession, posting: Posting) -> None:
            if posting.changes[0].status == MemberStatus.CLOSED:
                await self._accounts.unbind_all(session, platform_no, member_no)

        lock = member_lock(platform_no, member_no)
        return await self._books.take(MEMBERS, platform_no, member_no, command, lock=lock, before=unbind)


def _closing(member_no: str, status: MemberStatus, facts: Mapping[str, Any]) -> Closing:
    return Closing(
        member_no=member_no,
        status=status,
        request_no=facts["request_no"],
        asked_at=datetime.fromisoformat(facts["asked_at"]),
        closes_at=datetime.fromisoformat(facts["closes_at"]),
    )
