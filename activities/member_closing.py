"""The activity that completes the closing of a member."""

from pydantic import BaseModel, ConfigDict
from temporalio import activity

from escrow.ledger.books_time import books_now
from escrow.ledger.engine import Reader
from escrow.registry.closing import MemberClosings


class ClosingRef(BaseModel):
    """Names one closing that has begun."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    platform_no: str
    member_no: str
    request_no: str


class MemberClosingActivities:
    """Activities of closings."""

    def __init__(self, reader: Reader, closings: MemberClosings) -> None:
        self._reader = reader
        self._closings = closings

    @activity.defn
    async def complete_closing(self, ref: ClosingRef) -> str:
        """Close the member, or break the closing off; the member's status.

        Raises:
            Refused: `too_early`.
        """
        now = await books_now(self._reader, ref.platform_no)
        return await self._closings.complete(ref.platform_no, ref.member_no, ref.request_no, occurred_at=now)
