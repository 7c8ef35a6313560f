"""The activity that completes the closing of a member."""

from pydantic import AwareDatetime, BaseModel, ConfigDict
from temporalio import activity

from escrow.domain.members.states import MemberStatus
from escrow.registry.closing import MemberClosings


class ClosingRef(BaseModel):
    """Names one closing that has begun."""

    model_config = ConfigDict(frozen=True)

    platform_no: str
    member_no: str
    request_no: str


class ClosingStanding(BaseModel):
    """Where a member stands.

    Args:
        status: None where the books know no such closing.
        closes_at: from when on it can be closed; None where this closing is over.
    """

    model_config = ConfigDict(frozen=True)

    status: str | None = None
    closes_at: AwareDatetime | None = None


class MemberClosingActivities:
    """Activities of closings."""

    def __init__(self, closings: MemberClosings) -> None:
        self._closings = closings

    @activity.defn
    async def look_at_closing(self, ref: ClosingRef) -> ClosingStanding:
        """Where the closing stands in the books."""
        found = await self._closings.find(ref.platform_no, ref.member_no, ref.request_no)
        if found is None:
            return ClosingStanding()
        closes_at = found.closes_at if found.status is MemberStatus.CLOSING else None
        return ClosingStanding(status=found.status.value, closes_at=closes_at)

    @activity.defn
    async def complete_closing(self, ref: ClosingRef) -> str:
        """Close the member, or break the closing off; the member's status.

        Raises:
            Refused: `too_early`.
        """
        return await self._closings.complete(ref.platform_no, ref.member_no, ref.request_no)
