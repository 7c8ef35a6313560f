"""Changes of a member's state: one at a time, each an event of the member."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from escrow.domain.errors import Refused
from escrow.domain.members.states import MemberStatus
from escrow.domain.money.journal import Basis, Change, Posting
from escrow.ledger.posting import one_at_a_time, post_within
from escrow.ledger.tables import BusinessObjectRow


def member_lock(platform_no: str, member_no: str) -> str:
    """Name under which whoever changes a member, or keeps rows beside it, waits for the others."""
    return f"member/{platform_no}/{member_no}"


async def locked_member(session: AsyncSession, platform_no: str, member_no: str) -> BusinessObjectRow:
    """The member as it stands, kept from changing until the transaction ends.

    Raises:
        Refused: `not_found`.
    """
    await one_at_a_time(session, member_lock(platform_no, member_no))
    row = await session.get(BusinessObjectRow, (platform_no, "member", member_no), populate_existing=True)
    if row is None:
        raise Refused("not_found", f"There is no member {member_no}.")
    return row


async def change_member(
    session: AsyncSession,
    member: BusinessObjectRow,
    *,
    request_no: str,
    event_type: str,
    status: MemberStatus,
    body: Mapping[str, Any],
    content: Mapping[str, Any],
    occurred_at: datetime | None = None,
    bases: tuple[Basis, ...] = (),
) -> bool:
    """Record one change of a locked member; False when it was recorded before under this number.

    Args:
        content: what makes this request number's content.

    Raises:
        Refused: `request_no_reused`, or a basis does not hold.
    """
    receipt = await post_within(
        session,
        Posting(
            platform_no=member.platform_no,
            request_no=request_no,
            content={"member_no": member.object_no, "event_type": event_type, **content},
            occurred_at=occurred_at,
            changes=(
                Change(
                    kind="member", object_no=member.object_no, event_type=event_type, status=status.value, body=body
                ),
            ),
            bases=bases,
        ),
    )
    return not receipt.repeated
