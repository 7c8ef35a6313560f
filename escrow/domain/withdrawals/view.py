"""A withdrawal as its process sees it: small, and without anything that a decision could be made of."""

from datetime import datetime, timedelta
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from escrow.domain.withdrawals.rails import Rail
from escrow.domain.withdrawals.sources import MembersMoney
from escrow.domain.withdrawals.states import WithdrawalStatus
from escrow.domain.withdrawals.withdrawal import Withdrawal


class WithdrawalView(BaseModel):
    """Where a withdrawal stands.

    Args:
        version: of the object that was seen.
        payout_no: request number of the last payment order.
        silent_for: how long the bank has been asked about an open payment order in vain; None when none is open.
        due_in: what is left until something has to happen to it; None when nothing has.
        opens_at: when a rail opens, by the bank's clock, while it is queued.
        route: what was decided about its way, in one sentence.
        must_be_announced: a large withdrawal of which nobody was told yet.
        unannounced: why nobody could be told of one.
    """

    model_config = ConfigDict(frozen=True)

    version: int
    status: WithdrawalStatus
    principal_fen: int
    member_no: str | None
    rail: Rail | None = None
    payout_no: str | None = None
    bank_serial_no: str | None = None
    silent_for: timedelta | None = None
    due_in: timedelta | None = None
    opens_at: AwareDatetime | None = None
    seen_at: AwareDatetime
    route: str | None = None
    attention: str | None = None
    reason: str | None = None
    must_be_announced: bool = False
    unannounced: str | None = None

    @classmethod
    def of(cls, withdrawal: Withdrawal, *, version: int, at: datetime) -> Self:
        """What is seen of a withdrawal at a moment of the books."""
        state = withdrawal.state
        last, under_way = (state.attempts[-1] if state.attempts else None), state.open_attempt
        return cls(
            version=version,
            status=state.status,
            principal_fen=state.principal_fen,
            member_no=state.source.member_no if isinstance(state.source, MembersMoney) else None,
            rail=last.rail if last else None,
            payout_no=last.request_no if last else None,
            bank_serial_no=state.payment.bank_serial_no if state.payment else None,
            silent_for=at - under_way.sent_at if under_way else None,
            due_in=state.due_at - at if state.due_at else None,
            opens_at=state.opens_at,
            seen_at=at,
            route=state.route[0] if state.route else None,
            attention=state.attention,
            reason=state.refusal.message if state.refusal else state.reason,
            must_be_announced=state.sms == "due",
            unannounced=state.sms_failure,
        )
