"""The activity that completes the closing of a member."""

from pydantic import AwareDatetime, BaseModel, ConfigDict
from temporalio import activity

from activities.clocks import Clock
from escrow.ledger.member_closing import MemberClosings


class ClosingRef(BaseModel):
    """Names one closing that has begun."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    platform_no: str
    member_no: str
    request_no: str


class MemberClosingActivities:
    """Activities of closings."""

    def __init__(self, closings: MemberClosings, clock: Clock) -> None:
        self._closings = closings
        self._clock = clock

    @activity.defn
    async def complete_closing(self, ref: ClosingRef, occurred_at: AwareDatetime) -> str:
        """Close the member, or break the closing off; the member's status.

        Raises:
            Refused: `too_early`.
        """
        now = self._clock.moment(occurred_at)
        return await self._closings.complete(ref.platform_no, ref.member_no, ref.request_no, occurred_at=now)
