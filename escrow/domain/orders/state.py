"""What has happened to an order since it was signed: a value, and its form in the books."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from escrow.domain.collections.direct_payments import DirectPaid
from escrow.domain.money.funding import FundingLeg
from escrow.domain.orders.contract import OrderContract
from escrow.domain.orders.milestones import MilestoneKind
from escrow.domain.orders.states import MilestoneStatus, OrderStatus, Trigger, next_state

#: What documents of the first release do not have.
_LATER = ("batch_no", "cancelled_because")
_LATER_OF_MILESTONE = ("reminded_at", "inspected_for")
#: A text needs so long from its moment until it is recorded. One that comes later prolongs the inspection, by as many
#: of these times as have begun since.
REMINDER_MAY_TAKE = timedelta(minutes=15)


class _Happened(BaseModel):
    model_config = ConfigDict(frozen=True)


class Reminder(_Happened):
    """What the owner is told of silence in one round of inspection.

    Args:
        name: of just this text: who repeats it says the same, and what is told later has another name.
        due_at: from when on the owner may be told.
        counts_at: when silence counts.
    """

    name: str
    due_at: AwareDatetime
    counts_at: AwareDatetime


class MilestoneState(_Happened):
    """Where one milestone stands.

    Args:
        round: how often it was reported complete.
        inspection_due_at: silence is acceptance at this moment.
        inspection_left: what is left of the inspection period while it stands still.
        inspected_for: how long this round of inspection lasts from its beginning; None in books of the first release.
        reminded_at: when the owner was told, in this round, that silence is about to count.
        accepted_by: member who accepted, `silence` or `end of warranty`; None before.
        commission_fen: what the platform took of its release.
    """

    number: int
    name: str
    kind: MilestoneKind
    amount_fen: int
    status: MilestoneStatus
    round: int = 0
    inspection_due_at: AwareDatetime | None = None
    inspection_left: timedelta | None = None
    inspected_for: timedelta | None = None
    reminded_at: AwareDatetime | None = None
    accepted_by: str | None = None
    commission_fen: int = 0

    @property
    def inspection_name(self) -> str:
        """Name of the deadline of this round of inspection."""
        return f"M{self.number}:inspection:{self.round}"

    @property
    def reminder_name(self) -> str:
        """Name of the deadline at which the owner is reminded in this round."""
        return f"M{self.number}:reminder:{self.round}"

    @property
    def work_name(self) -> str:
        """Name of the deadline until which the stage should be reported complete."""
        return f"M{self.number}:work:{self.round}"

    def notice(self, usual: timedelta) -> timedelta:
        """How long before silence counts the owner must have been reminded: as usual, or all of a shorter round."""
        return usual if self.inspected_for is None else min(usual, self.inspected_for)

    def document(self) -> dict[str, Any]:
        """Its form in the books."""
        later = self.model_dump(mode="json", include=set(_LATER_OF_MILESTONE), exclude_none=True)
        written = self.model_dump(mode="json", exclude=set(_LATER_OF_MILESTONE)) | later
        return written | {"reminded": self.reminded_at is not None, "accepted_by": self.accepted_by or ""}

    def reminder_due_at(self, usual: timedelta) -> datetime | None:
        """From when on the owner may be reminded in this round; None when it waits for no reminder."""
        if self.status is not MilestoneStatus.IN_INSPECTION or self.inspection_due_at is None or self.reminded_at:
            return None
        return self.inspection_due_at - self.notice(usual)

    def reminder(self, usual: timedelta, *, at: datetime) -> Reminder | None:
        """What the owner is told at a moment, however early; None when this round waits for no reminder."""
        due_at = self.reminder_due_at(usual)
        if due_at is None:
            return None
        begun = -((due_at - at) // REMINDER_MAY_TAKE)
        late = begun if begun > 1 else 0
        return Reminder(
            name=f"{self.reminder_name}:{late}" if late else self.reminder_name,
            due_at=due_at,
            counts_at=due_at + self.notice(usual) + late * REMINDER_MAY_TAKE,
        )


class CancelProposal(_Happened):
    """One party wants to cancel; valid until `lapses_at`."""

    by: str
    request_no: str
    lapses_at: AwareDatetime


class Deadline(_Happened):
    """A wait of the order that ends at `due_at`."""

    name: str
    due_at: AwareDatetime


class OrderState(_Happened):
    """The state of an order. `paid = released + commission + refunded + held`, in fen; `released` is net of commission.

    Args:
        step_due_at: until when the order waits for the next word; None when it waits without a limit.
        batch_no: batch that it was paid with.
        attention: why an operator is needed.
    """

    status: OrderStatus
    milestones: tuple[MilestoneState, ...]
    funding: tuple[FundingLeg, ...] = ()
    direct: DirectPaid | None = None
    batch_no: str | None = None
    paid_fen: int = 0
    released_fen: int = 0
    commission_fen: int = 0
    refunded_fen: int = 0
    step_due_at: AwareDatetime | None = None
    proposal: CancelProposal | None = None
    attention: str | None = None
    cancelled_because: str | None = None

    @classmethod
    def at_signing(cls, contract: OrderContract) -> Self:
        """State of an order that nobody has paid yet."""
        return cls(
            status=OrderStatus.AWAITING_PAYMENT,
            milestones=tuple(
                MilestoneState(**terms.model_dump(), status=MilestoneStatus.PLANNED) for terms in contract.milestones
            ),
        )

    @classmethod
    def of_document(cls, status: str, body: Mapping[str, Any]) -> Self:
        """The state as the books have it; those of the first release have empty texts where nothing is."""
        known = {name: value for name, value in body.items() if name in cls.model_fields and value != ""}
        milestones = [{name: value for name, value in item.items() if value != ""} for item in body["milestones"]]
        return cls.model_validate({**known, "milestones": milestones, "status": status})

    def document(self) -> dict[str, Any]:
        """Its form in the books, as those who follow its events know it; the status has a column of its own.

        What came later stands there from when there is something to say.
        """
        written = self.model_dump(mode="json", exclude={"status", *_LATER}) | self.model_dump(
            mode="json", include=set(_LATER), exclude_none=True
        )
        return written | {
            "milestones": [item.document() for item in self.milestones],
            "step_due_at": self.step_due_at and self.step_due_at.isoformat(),
            "attention": self.attention or "",
        }

    @property
    def held_fen(self) -> int:
        """What the order still holds."""
        return self.paid_fen - self.released_fen - self.commission_fen - self.refunded_fen

    def milestone(self, number: int) -> MilestoneState:
        """The milestone with this number, counted from 1."""
        return self.milestones[number - 1]

    def with_milestone(self, number: int, **changes: Any) -> Self:
        """The state with some fields of one milestone changed."""
        milestones = list(self.milestones)
        milestones[number - 1] = milestones[number - 1].model_copy(update=changes)
        return self.model_copy(update={"milestones": tuple(milestones)})

    def deadlines(self, reminder_before_end: timedelta) -> tuple[Deadline, ...]:
        """What runs now, by name; the reminder of a round that has not had it is one of them."""
        step = {
            OrderStatus.AWAITING_PAYMENT: "payment",
            OrderStatus.AWAITING_START: "start",
            OrderStatus.IN_WARRANTY: "warranty",
        }.get(self.status)
        found: list[tuple[str, datetime]] = []
        for milestone in self.milestones:
            if milestone.status in (MilestoneStatus.IN_WORK, MilestoneStatus.IN_RECTIFICATION):
                step = milestone.work_name
            if milestone.status is MilestoneStatus.IN_INSPECTION and milestone.inspection_due_at is not None:
                found.append((milestone.inspection_name, milestone.inspection_due_at))
            if (reminder_due_at := milestone.reminder_due_at(reminder_before_end)) is not None:
                found.append((milestone.reminder_name, reminder_due_at))
        if step is not None and self.step_due_at is not None and not self.status.is_final:
            found.append((step, self.step_due_at))
        return tuple(Deadline(name=name, due_at=due_at) for name, due_at in sorted(found, key=lambda item: item[1]))


def moved(
    contract: OrderContract,
    state: OrderState,
    trigger: Trigger,
    number: int | None = None,
    *,
    step_due_at: datetime | None = None,
    other_side_proposed: bool = False,
) -> OrderState:
    """The state after a trigger, by the transition table; amounts are unchanged.

    Args:
        number: the milestone that the trigger names, from 1.
        step_due_at: until when the order then waits for the next word.
        other_side_proposed: for `cancel` after the start.
    """
    table_says = next_state(
        state.status,
        [milestone.status for milestone in state.milestones],
        contract.kinds,
        trigger,
        number,
        other_side_proposed=other_side_proposed,
    )
    milestones = zip(state.milestones, table_says.milestones, strict=True)
    return state.model_copy(
        update={
            "status": table_says.status,
            "step_due_at": step_due_at,
            "milestones": tuple(item.model_copy(update={"status": status}) for item, status in milestones),
        }
    )
