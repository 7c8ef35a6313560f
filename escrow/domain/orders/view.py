"""What a process and its operators see of an order: small, and of one moment of the books."""

from datetime import datetime, timedelta
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from escrow.domain.orders.contract import MilestoneTerms
from escrow.domain.orders.milestones import MilestoneKind
from escrow.domain.orders.order import Order
from escrow.domain.orders.state import CancelProposal
from escrow.domain.orders.states import (
    MilestoneStatus,
    OrderCommand,
    OrderStatus,
    Party,
    milestone_unknown,
    not_the_party,
    who_may,
)


class _Seen(BaseModel):
    """Base: immutable; a field that a newer version knows is carried past an older one."""

    model_config = ConfigDict(frozen=True)


class OrderPlan(_Seen):
    """What was signed, as far as a process needs it: who the parties are and what the milestones are called."""

    owner_no: str
    contractor_no: str
    total_fen: int
    commission_basis_points: int
    milestones: tuple[MilestoneTerms, ...]

    @classmethod
    def of(cls, order: Order) -> Self:
        """The plan of an order."""
        return cls.model_validate(order.contract.model_dump(include=set(cls.model_fields)))

    def of_kind(self, kind: MilestoneKind) -> tuple[MilestoneTerms, ...]:
        """Milestones of one kind in the order of the contract."""
        return tuple(milestone for milestone in self.milestones if milestone.kind is kind)

    def check(self, operation: OrderCommand, *, by: str, milestone: int | None) -> None:
        """Refuse what no state of the order can ever allow.

        Raises:
            Refused: `not_the_party`, or `milestone_unknown`.
        """
        parties = {self.owner_no: Party.OWNER, self.contractor_no: Party.CONTRACTOR}
        if parties.get(by) not in who_may(operation):
            raise not_the_party(operation)
        if milestone is not None and milestone > len(self.milestones):
            raise milestone_unknown(operation, milestone, len(self.milestones))


class DeadlineView(_Seen):
    """A wait that ends at `due_at`; `left` is what was left of it when the books were looked at, or less than none."""

    name: str
    due_at: AwareDatetime
    left: timedelta

    @property
    def is_reminder(self) -> bool:
        """Whether something is to be told then, not decided."""
        return ":reminder:" in self.name


class MilestoneStanding(_Seen):
    """Where one milestone stands; what it is called and costs is in the plan."""

    status: MilestoneStatus
    round: int
    inspection_due_at: AwareDatetime | None = None
    accepted_by: str | None = None


class OrderView(_Seen):
    """Where an order stands at one moment of the books, `seen_at`; amounts in fen.

    Args:
        version: number of the order's last event.
        deadlines: what runs, the nearest first.
        attention: why an operator is needed.
    """

    order_no: str
    version: int
    seen_at: AwareDatetime
    status: OrderStatus
    milestones: tuple[MilestoneStanding, ...]
    deadlines: tuple[DeadlineView, ...]
    paid_fen: int
    released_fen: int
    commission_fen: int
    refunded_fen: int
    batch_no: str | None = None
    proposal: CancelProposal | None = None
    attention: str | None = None

    @classmethod
    def of(cls, order: Order, *, version: int, at: datetime) -> Self:
        """The view of an order at the books' moment `at`."""
        state = order.state
        return cls(
            order_no=order.contract.order_no,
            version=version,
            seen_at=at,
            status=state.status,
            milestones=tuple(
                MilestoneStanding(
                    status=item.status,
                    round=item.round,
                    inspection_due_at=item.inspection_due_at,
                    accepted_by=item.accepted_by,
                )
                for item in state.milestones
            ),
            deadlines=tuple(
                DeadlineView(name=item.name, due_at=item.due_at, left=item.due_at - at)
                for item in state.deadlines(order.contract.periods.reminder_before_end)
            ),
            paid_fen=state.paid_fen,
            released_fen=state.released_fen,
            commission_fen=state.commission_fen,
            refunded_fen=state.refunded_fen,
            batch_no=state.batch_no,
            proposal=state.proposal,
            attention=state.attention,
        )

    def milestone(self, number: int) -> MilestoneStanding:
        """The milestone with this number, counted from 1."""
        return self.milestones[number - 1]

    @property
    def held_fen(self) -> int:
        """What the order still holds."""
        return self.paid_fen - self.released_fen - self.commission_fen - self.refunded_fen

    @property
    def stage(self) -> str:
        """The stage by which operators filter: the milestone in progress, or what comes before and after all."""
        for number, milestone in enumerate(self.milestones, start=1):
            if milestone.status.value.startswith("in_"):
                return f"M{number}"
        return {
            OrderStatus.AWAITING_PAYMENT: "payment",
            OrderStatus.AWAITING_START: "start",
            OrderStatus.IN_WARRANTY: "warranty",
        }.get(self.status, "ended")
