"""Closing a member: what stands in its way, and the two steps in which it is done.

First the member is `closing`, so that nothing new begins; only later, when every posting that was under way has
ended and its last payout can no longer come back, is it looked at again and closed. What began in between, in the
moment before the first step was visible to all, breaks the closing off.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.errors import Refused
from escrow.domain.members.states import MemberEvent, MemberStatus, Permission, after, require_may
from escrow.domain.money.journal import Basis
from escrow.domain.orders.states import OrderStatus
from escrow.domain.requests import derived
from escrow.domain.time.calendars import SHANGHAI, WorkingCalendar, end_of_working_days
from escrow.domain.withdrawals.states import WithdrawalStatus
from escrow.ledger.engine import Reader
from escrow.ledger.objects import get_object
from escrow.ledger.tables import Account, BusinessObjectRow
from escrow.ledger.transactions import run, transaction
from escrow.registry.accounts.bank_accounts import BankAccounts
from escrow.registry.members.changes import change_member, locked_member

#: How long a remittance can be returned after it was paid, in working days.
RETURN_HORIZON_WORKING_DAYS = 7
#: Longer than any posting that was begun before the member was seen to be closing.
SETTLE_PAUSE = timedelta(seconds=10)

_OPEN_ORDERS = [status.value for status in OrderStatus if not status.is_final]
_WITHDRAWALS_UNDER_WAY = [status.value for status in WithdrawalStatus if not status.is_final]


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
        reader: the ledger's connections.
        accounts: bank accounts, which are unbound when their member closes.
    """

    def __init__(self, reader: Reader, accounts: BankAccounts) -> None:
        self._reader = reader
        self._accounts = accounts

    async def begin(
        self,
        platform_no: str,
        member_no: str,
        request_no: str,
        *,
        consent: Basis,
        calendar: WorkingCalendar,
        occurred_at: datetime,
    ) -> tuple[Closing, bool]:
        """Begin to close a member; the flag says whether this request began it. A closing that runs is answered.

        Args:
            calendar: working days, by which the return horizon is counted.
            occurred_at: business time, timezone-aware.

        Raises:
            Refused: `member_not_closable` with what stands in the way, `member_state`, `calendar_unknown`,
                `not_found`, or the consent does not hold.
        """
        async with transaction(self._reader) as session:
            member = await locked_member(session, platform_no, member_no)
            begun = member.body.get("closing")
            if begun is not None and begun["request_no"] == request_no:
                return _closing(member_no, MemberStatus(member.status), begun), False
            before = MemberStatus(member.status)
            require_may(before, Permission.CLOSE, member_no=member_no)
            if before is MemberStatus.CLOSING:
                return _closing(member_no, before, member.body["closing"]), False
            _refuse(member_no, await _obstacles(session, platform_no, member_no))
            horizon = await _end_of_return_horizon(session, platform_no, member_no, calendar)
            closes_at = max(occurred_at + SETTLE_PAUSE, horizon or occurred_at)
            facts = {
                "request_no": request_no,
                "asked_at": occurred_at.isoformat(),
                "closes_at": closes_at.isoformat(),
                "status_before": before.value,
            }
            status = after(before, MemberEvent.CLOSING_BEGAN)
            is_new = await change_member(
                session,
                member,
                request_no=derived("", "member", member_no, "close", request_no),
                event_type="member.closing_began",
                status=status,
                body={"closing": facts},
                content={"request_no": request_no},
                occurred_at=occurred_at,
                bases=(consent,),
            )
        # This request may have begun a closing that was broken off long ago: then it does nothing more.
        return _closing(member_no, status if is_new else before, facts), is_new

    async def find(self, platform_no: str, member_no: str, request_no: str) -> Closing | None:
        """The closing that a request began, with what the member is now; None for another one, or none."""
        member = await get_object(self._reader, platform_no, "member", member_no)
        facts = {} if member is None else member.body.get("closing", {})
        if member is None or facts.get("request_no") != request_no:
            return None
        return _closing(member_no, MemberStatus(member.status), facts)

    async def complete(self, platform_no: str, member_no: str, request_no: str, *, occurred_at: datetime) -> str:
        """Close a member for good, or break its closing off; answers the member's status. Repeatable.

        Args:
            request_no: number of the request that began this closing; another one is left alone.
            occurred_at: business time, timezone-aware.

        Raises:
            Refused: `not_found`; `too_early`, its last payout can still come back.
        """
        async with transaction(self._reader) as session:
            member = await locked_member(session, platform_no, member_no)
            facts = member.body.get("closing", {})
            if member.status != MemberStatus.CLOSING or facts.get("request_no") != request_no:
                return member.status
            left = datetime.fromisoformat(facts["closes_at"]) - occurred_at
            if left > timedelta(0):
                told = {"remaining_seconds": left.total_seconds()}
                raise Refused("too_early", f"Member {member_no} closes at {facts['closes_at']}.", told)
            obstacles = await _obstacles(session, platform_no, member_no)
            status = MemberStatus(facts["status_before"]) if obstacles else MemberStatus.CLOSED
            if not obstacles:
                await self._accounts.unbind_all(session, platform_no, member_no)
            await change_member(
                session,
                member,
                request_no=derived("", "member", member_no, "closed", request_no),
                event_type="member.closing_broken_off" if obstacles else "member.closed",
                status=status,
                body={"closing": {**facts, "broken_off_because": obstacles}},
                content={"request_no": request_no},
                occurred_at=occurred_at,
            )
        return status.value


async def _obstacles(session: AsyncSession, platform_no: str, member_no: str) -> list[dict[str, Any]]:
    """What stands in the way of closing, each with the object it is about."""
    held = await session.exec(
        select(Account.purpose, Account.ref, Account.balance_fen)
        .where(Account.platform_no == platform_no, Account.member_no == member_no, Account.balance_fen != 0)
        .order_by(col(Account.id))
    )
    found: list[dict[str, Any]] = [
        {"what": "balance", "account": f"{purpose}:{ref}" if ref else purpose, "balance_fen": balance_fen}
        for purpose, ref, balance_fen in held.all()
    ]
    refunds = await run(
        session,
        "SELECT o.object_no, a.balance_fen FROM account a JOIN business_object o ON o.platform_no = a.platform_no "
        "AND o.kind = 'order' AND o.body #>> '{direct,payment_no}' = a.ref WHERE a.platform_no = :platform_no "
        "AND a.purpose = 'refund' AND a.balance_fen <> 0 AND o.body #>> '{contract,owner_no}' = :member_no LIMIT 20",
        platform_no=platform_no,
        member_no=member_no,
    )
    # Its channel may not give it back: then it is credited to the member.
    found += [{"what": "refund", "order_no": row.object_no, "amount_fen": row.balance_fen} for row in refunds]
    orders = await run(
        session,
        "SELECT object_no FROM business_object WHERE platform_no = :platform_no AND kind = 'order' "
        "AND status = ANY(:open) AND :member_no IN (body #>> '{contract,owner_no}', "
        "body #>> '{contract,contractor_no}') ORDER BY object_no LIMIT 20",
        platform_no=platform_no,
        member_no=member_no,
        open=_OPEN_ORDERS,
    )
    found += [{"what": "order", "order_no": row.object_no} for row in orders]
    mandates = await run(
        session,
        "SELECT mandate_no FROM mandate WHERE platform_no = :platform_no AND member_no = :member_no "
        "AND ended_at IS NULL ORDER BY mandate_no LIMIT 20",
        platform_no=platform_no,
        member_no=member_no,
    )
    found += [{"what": "mandate", "mandate_no": row.mandate_no} for row in mandates]
    under_way = await session.exec(
        select(BusinessObjectRow.object_no)
        .where(
            BusinessObjectRow.platform_no == platform_no,
            BusinessObjectRow.kind == "withdrawal",
            col(BusinessObjectRow.status).in_(_WITHDRAWALS_UNDER_WAY),
            col(BusinessObjectRow.body)["member_no"].astext == member_no,
        )
        .order_by(col(BusinessObjectRow.object_no))
        .limit(20)
    )
    return found + [{"what": "withdrawal", "withdrawal_no": number} for number in under_way.all()]


async def _end_of_return_horizon(
    session: AsyncSession, platform_no: str, member_no: str, calendar: WorkingCalendar
) -> datetime | None:
    """When the member's last payout can no longer come back; None when nothing was ever paid out."""
    paid = await run(
        session,
        "SELECT max((body ->> 'booked_at')::timestamptz) AS last FROM business_object WHERE platform_no = :platform_no "
        "AND kind = 'withdrawal' AND status = 'paid' AND body ->> 'member_no' = :member_no",
        platform_no=platform_no,
        member_no=member_no,
    )
    last: datetime | None = paid[0].last
    if last is None:
        return None
    return end_of_working_days(last.astimezone(SHANGHAI).date(), RETURN_HORIZON_WORKING_DAYS, calendar)


def _refuse(member_no: str, obstacles: list[dict[str, Any]]) -> None:
    if obstacles:
        reasons = ", ".join(" ".join(str(part) for part in list(item.values())[:2]) for item in obstacles)
        raise Refused(
            "member_not_closable",
            f"Member {member_no} cannot be closed while it has: {reasons}.",
            {"member_no": member_no, "obstacles": obstacles},
        )


def _closing(member_no: str, status: MemberStatus, facts: Mapping[str, Any]) -> Closing:
    return Closing(
        member_no=member_no,
        status=status,
        request_no=facts["request_no"],
        asked_at=datetime.fromisoformat(facts["asked_at"]),
        closes_at=datetime.fromisoformat(facts["closes_at"]),
    )
