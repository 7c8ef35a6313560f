"""The activity that completes the closing of a member."""

from pydantic import AwareDatetime, BaseModel, ConfigDict
from temporalio import activity

from escrow.ledger.member_closing import MemberClosings


class ClosingRef(BaseModel):
    """Names one closing that has begun."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    platform_no: str
    member_no: str
    request_no: str


class MemberClosingActivities:
    """Activities of closings."""

    def __init__(self, closings: MemberClosings) -> None:
        self._closings = closings

    @activity.defn
    async def complete_closing(self, ref: ClosingRef, occurred_at: AwareDatetime) -> str:
        """Close the member, or break the closing off; the member's status.

        Raises:
            Refused: `too_early`.
        """
        return await self._closings.complete(ref.platform_no, ref.member_no, ref.request_no, occurred_at=occurred_at)
