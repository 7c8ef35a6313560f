"""States of a decoration order: the one transition table, from which checks and the diagram in the docs are made."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from escrow.domain.errors import Refused
from escrow.domain.orders.milestones import MilestoneKind


class OrderStatus(StrEnum):
    """Where an order stands."""

    AWAITING_PAYMENT = "awaiting_payment"
    CLOSED_UNPAID = "closed_unpaid"
    AWAITING_START = "awaiting_start"
    IN_PROGRESS = "in_progress"
    IN_WARRANTY = "in_warranty"
    SETTLED = "settled"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the order has ended and holds no money."""
        return self in (OrderStatus.CLOSED_UNPAID, OrderStatus.SETTLED, OrderStatus.CANCELLED)


class MilestoneStatus(StrEnum):
    """Where one milestone stands."""

    PLANNED = "planned"
    IN_WORK = "in_work"
    IN_INSPECTION = "in_inspection"
    IN_RECTIFICATION = "in_rectification"
    RELEASED = "released"
    REFUNDED = "refunded"


class OrderCommand(StrEnum):
    """What a party asks of an order."""

    PAY = "pay"
    START = "start"
    COMPLETE = "complete"
    ACCEPT = "accept"
    RECTIFY = "rectify"
    CANCEL = "cancel"


class OrderDeadline(StrEnum):
    """What the passing of time does to an order."""

    PAYMENT_DEADLINE_PASSED = "payment_deadline_passed"
    START_DEADLINE_PASSED = "start_deadline_passed"
    INSPECTION_PASSED = "inspection_passed"
    WARRANTY_PASSED = "warranty_passed"


class Party(StrEnum):
    """Who may give a command."""

    OWNER = "owner"
    CONTRACTOR = "contractor"


Trigger = OrderCommand | OrderDeadline


class When(StrEnum):
    """Condition that chooses among the rows of one state and trigger; the values read as sentences in the docs."""

    ALWAYS = "always"
    MORE_WORK = "a work milestone follows"
    LAST_THEN_WARRANTY = "it was the last work milestone and a retention follows"
    LAST = "it was the last work milestone and no retention follows"
    FIRST_SIDE = "the other side has not proposed it"
    BOTH_SIDES = "the other side has proposed it"


class Effect(StrEnum):
    """What becomes of the money and of the other milestones; the values read as sentences in the docs."""

    FREEZE_PRICE = "the full price is frozen in escrow"
    RELEASE_DEPOSIT = "a deposit is released, the first work milestone begins"
    RELEASE_AND_NEXT = "its money is released, the next work milestone begins"
    RELEASE = "its money is released"
    START_CLOCK = "the inspection clock runs, after a rectification with the time that was left"
    PAUSE_CLOCK = "the inspection clock stands still"
    REFUND_REST = "all that is still frozen is refunded"
    NOTHING = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One row of the table. `milestone` and `to_milestone` speak of the milestone that the trigger names.

    Rows without `milestone` are about the order as a whole.
    """

    status: OrderStatus
    trigger: Trigger
    to_status: OrderStatus
    milestone: MilestoneStatus | None = None
    to_milestone: MilestoneStatus | None = None
    by: tuple[Party, ...] = ()
    when: When = When.ALWAYS
    effect: Effect = Effect.NOTHING


_S, _M, _C, _D = OrderStatus, MilestoneStatus, OrderCommand, OrderDeadline
_OWNER, _CONTRACTOR, _EITHER = (Party.OWNER,), (Party.CONTRACTOR,), (Party.OWNER, Party.CONTRACTOR)


def _releasing(trigger: Trigger, by: tuple[Party, ...]) -> Iterator[Transition]:
    """Acceptance by the owner and by silence lead to the same states."""
    for when, to_status, effect in (
        (When.MORE_WORK, _S.IN_PROGRESS, Effect.RELEASE_AND_NEXT),
        (When.LAST_THEN_WARRANTY, _S.IN_WARRANTY, Effect.RELEASE),
        (When.LAST, _S.SETTLED, Effect.RELEASE),
    ):
        yield Transition(
            status=_S.IN_PROGRESS, milestone=_M.IN_INSPECTION, trigger=trigger, by=by,
            when=when, to_status=to_status, to_milestone=_M.RELEASED, effect=effect,
        )  # fmt: skip


def _cancelling() -> Iterator[Transition]:
    """Either side alone before the start, both together later."""
    for status in (_S.AWAITING_PAYMENT, _S.AWAITING_START):
        effect = Effect.NOTHING if status is _S.AWAITING_PAYMENT else Effect.REFUND_REST
        yield Transition(status=status, trigger=_C.CANCEL, by=_EITHER, to_status=_S.CANCELLED, effect=effect)
    for status in (_S.IN_PROGRESS, _S.IN_WARRANTY):
        yield Transition(status=status, trigger=_C.CANCEL, by=_EITHER, when=When.FIRST_SIDE, to_status=status)
        yield Transition(
            status=status, trigger=_C.CANCEL, by=_EITHER, when=When.BOTH_SIDES,
            to_status=_S.CANCELLED, effect=Effect.REFUND_REST,
        )  # fmt: skip


#: The table. Whatever is not in it is refused.
TRANSITIONS: tuple[Transition, ...] = (
    Transition(
        status=_S.AWAITING_PAYMENT, trigger=_C.PAY, by=_OWNER,
        to_status=_S.AWAITING_START, effect=Effect.FREEZE_PRICE,
    ),
    Transition(status=_S.AWAITING_PAYMENT, trigger=_D.PAYMENT_DEADLINE_PASSED, to_status=_S.CLOSED_UNPAID),
    Transition(
        status=_S.AWAITING_START, trigger=_C.START, by=_CONTRACTOR,
        to_status=_S.IN_PROGRESS, effect=Effect.RELEASE_DEPOSIT,
    ),
    Transition(
        status=_S.AWAITING_START, trigger=_D.START_DEADLINE_PASSED,
        to_status=_S.CANCELLED, effect=Effect.REFUND_REST,
    ),
    Transition(
        status=_S.IN_PROGRESS, milestone=_M.IN_WORK, trigger=_C.COMPLETE, by=_CONTRACTOR,
        to_status=_S.IN_PROGRESS, to_milestone=_M.IN_INSPECTION, effect=Effect.START_CLOCK,
    ),
    *_releasing(_C.ACCEPT, _OWNER),
    *_releasing(_D.INSPECTION_PASSED, ()),
    Transition(
        status=_S.IN_PROGRESS, milestone=_M.IN_INSPECTION, trigger=_C.RECTIFY, by=_OWNER,
        to_status=_S.IN_PROGRESS, to_milestone=_M.IN_RECTIFICATION, effect=Effect.PAUSE_CLOCK,
    ),
    Transition(
        status=_S.IN_PROGRESS, milestone=_M.IN_RECTIFICATION, trigger=_C.COMPLETE, by=_CONTRACTOR,
        to_status=_S.IN_PROGRESS, to_milestone=_M.IN_INSPECTION, effect=Effect.START_CLOCK,
    ),
    Transition(
        status=_S.IN_WARRANTY, milestone=_M.PLANNED, trigger=_D.WARRANTY_PASSED,
        to_status=_S.SETTLED, to_milestone=_M.RELEASED, effect=Effect.RELEASE,
    ),
    *_cancelling(),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedCommand:
    """A command that the table accepts now; `milestone_no` is None for commands to the whole order."""

    command: OrderCommand
    milestone_no: int | None = None

    def __str__(self) -> str:
        return self.command if self.milestone_no is None else f"{self.command} milestone {self.milestone_no}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatesAfter:
    """Order and milestones, in the order of the plan; `effect` says what the transition does to the money."""

    status: OrderStatus
    milestones: tuple[MilestoneStatus, ...]
    effect: Effect = Effect.NOTHING


def who_may(command: OrderCommand) -> frozenset[Party]:
    """Parties that may give a command."""
    return frozenset(party for row in TRANSITIONS if row.trigger is command for party in row.by)


def concerns_milestone(command: OrderCommand) -> bool:
    """Whether a command is about one milestone, whose number it must then name, or about the order as a whole."""
    return any(row.milestone is not None for row in TRANSITIONS if row.trigger is command)


def allowed_commands(status: OrderStatus, milestones: Sequence[MilestoneStatus]) -> tuple[AllowedCommand, ...]:
    """Every command that would be accepted now, in the order of the table; milestones in the order of the plan."""
    found: list[AllowedCommand] = []
    for row in TRANSITIONS:
        if row.status is not status or not isinstance(row.trigger, OrderCommand):
            continue
        numbers: list[int | None] = [None]
        if row.milestone is not None:
            numbers = [no for no, milestone in enumerate(milestones, start=1) if milestone is row.milestone]
        found.extend(AllowedCommand(command=row.trigger, milestone_no=no) for no in numbers)
    return tuple(dict.fromkeys(found))


def check_command(
    status: OrderStatus, milestones: Sequence[MilestoneStatus], command: OrderCommand, milestone_no: int | None = None
) -> None:
    """Check that the table accepts a command now.

    Args:
        milestones: statuses in the order of the plan.
        milestone_no: number of the milestone, from 1, for commands that concern one; else None.

    Raises:
        Refused: code `order_state` with the state and what would be possible, or `milestone_unknown`.
    """
    of_milestones = concerns_milestone(command)
    if of_milestones != (milestone_no is not None):
        what = "needs the number of a milestone" if of_milestones else "is about the whole order, not a milestone"
        raise Refused("milestone_unknown", f"The command {command} {what}.", {"command": command.value})
    if milestone_no is not None and not 1 <= milestone_no <= len(milestones):
        raise milestone_unknown(command, milestone_no, len(milestones))
    allowed = allowed_commands(status, milestones)
    if AllowedCommand(command=command, milestone_no=milestone_no) in allowed:
        return
    about = "" if milestone_no is None else f" and milestone {milestone_no} is {milestones[milestone_no - 1]}"
    possible = ", ".join(map(str, allowed)) or "nothing, the order has ended"
    raise Refused(
        "order_state",
        f"The order is {status}{about}, so {command} is not possible; possible now: {possible}.",
        {
            "command": command.value,
            "milestone_no": milestone_no,
            "status": status.value,
            "milestones": [milestone.value for milestone in milestones],
            "possible": [str(item) for item in allowed],
        },
    )


def next_state(
    status: OrderStatus,
    milestones: Sequence[MilestoneStatus],
    kinds: Sequence[MilestoneKind],
    trigger: Trigger,
    milestone_no: int | None = None,
    *,
    other_side_proposed: bool = False,
) -> StatesAfter:
    """State after a trigger, by the table.

    Args:
        milestones: statuses in the order of the plan.
        kinds: kinds in the order of the plan, `MilestonePlan.kinds`.
        milestone_no: number of the milestone, from 1, where the trigger is about one; the retention for
            `warranty_passed`; else None.
        other_side_proposed: for `cancel` after the start: the other side has asked for it before.

    Raises:
        Refused: code `order_state` or `milestone_unknown` for commands, as `check_command`.
        ValueError: a deadline that the table does not know in this state.
    """
    if isinstance(trigger, OrderCommand):
        check_command(status, milestones, trigger, milestone_no)
    named = None if milestone_no is None else milestones[milestone_no - 1]
    upcoming = [no for no, kind in enumerate(kinds, start=1) if kind is MilestoneKind.ACCEPTANCE]
    following = [no for no in upcoming if milestones[no - 1] is MilestoneStatus.PLANNED]
    holds = {
        When.ALWAYS: True,
        When.MORE_WORK: bool(following),
        When.LAST_THEN_WARRANTY: not following and MilestoneKind.WARRANTY in kinds,
        When.LAST: not following and MilestoneKind.WARRANTY not in kinds,
        When.FIRST_SIDE: not other_side_proposed,
        When.BOTH_SIDES: other_side_proposed,
    }
    for row in TRANSITIONS:
        if (row.status, row.trigger, row.milestone) == (status, trigger, named) and holds[row.when]:
            return StatesAfter(
                status=row.to_status,
                milestones=_milestones_after(row, milestones, kinds, milestone_no, following),
                effect=row.effect,
            )
    raise ValueError(f"no transition from {status}/{named} on {trigger}")


def _milestones_after(
    row: Transition,
    milestones: Sequence[MilestoneStatus],
    kinds: Sequence[MilestoneKind],
    milestone_no: int | None,
    following: Sequence[int],
) -> tuple[MilestoneStatus, ...]:
    after = list(milestones)
    if milestone_no is not None and row.to_milestone is not None:
        after[milestone_no - 1] = row.to_milestone
    if row.effect is Effect.RELEASE_DEPOSIT and kinds[0] is MilestoneKind.START:
        after[0] = MilestoneStatus.RELEASED
    if row.effect in (Effect.RELEASE_DEPOSIT, Effect.RELEASE_AND_NEXT):
        after[following[0] - 1] = MilestoneStatus.IN_WORK
    if row.effect is Effect.REFUND_REST:
        after = [item if item is MilestoneStatus.RELEASED else MilestoneStatus.REFUNDED for item in after]
    return tuple(after)


def not_the_party(operation: OrderCommand) -> Refused:
    """Refusal of a command of somebody whose it is not."""
    may = " or the ".join(sorted(who_may(operation)))
    return Refused(
        "not_the_party",
        f"Only the {may} of this order may {operation} it; name that member in `by`.",
        {"operation": operation.value},
    )


def milestone_unknown(operation: OrderCommand, milestone: int, known: int) -> Refused:
    """Refusal of a command about a milestone that the contract does not have."""
    return Refused(
        "milestone_unknown",
        f"The order has milestones 1 to {known}; there is no milestone {milestone}.",
        {"command": operation.value, "milestone_no": milestone},
    )
