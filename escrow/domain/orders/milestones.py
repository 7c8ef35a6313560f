"""Milestone plans: how the price of an order is cut into a deposit, stage payments and a retention."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from escrow.domain.errors import Refused
from escrow.domain.money.amounts import MAX_FEN, format_fen, ratio


class MilestoneKind(StrEnum):
    """What releases a milestone's money."""

    START = "start"
    ACCEPTANCE = "acceptance"
    WARRANTY = "warranty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One line of a plan as people sign it: a name, what releases it, and its part of the price.

    Args:
        name: what the contract calls it.
        kind: what releases its money.
        amount_fen: its amount; then no line of the plan has a share.
        share: its share of the price (basis points, `"30%"`, `"1/3"`); then no line has an amount.
    """

    name: str
    kind: MilestoneKind
    amount_fen: int | None = None
    share: int | str | Fraction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """One milestone of a valid plan. `no` counts from 1 in the order of the contract."""

    no: int
    name: str
    kind: MilestoneKind
    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestonePlan:
    """A valid plan: at most one start (first), at least one acceptance, at most one warranty (last).

    Raises:
        Refused: code `milestone_plan`; `details` has `problem` and, where one line is to blame, `milestone_no`.
    """

    milestones: tuple[Milestone, ...]

    def __post_init__(self) -> None:
        _check_kinds(self.milestones)
        for position, milestone in enumerate(self.milestones, start=1):
            if milestone.no != position:
                raise _refused("numbering", f"Milestone {milestone.no} stands at place {position}.", position)
            if not milestone.name.strip():
                raise _refused("name_empty", f"Milestone {position} needs a name.", position)
            if milestone.amount_fen <= 0:
                raise _refused(
                    "amount_not_positive",
                    f"Milestone {position} ({milestone.name}) comes to {format_fen(milestone.amount_fen)} yuan; "
                    "it must be positive.",
                    position,
                    amount_fen=milestone.amount_fen,
                )
        if self.total_fen > MAX_FEN:
            raise _refused("total_too_large", "The milestones add up to more than 64 bits of fen.")

    @property
    def total_fen(self) -> int:
        """Price of the order in fen."""
        return sum(milestone.amount_fen for milestone in self.milestones)

    @property
    def kinds(self) -> tuple[MilestoneKind, ...]:
        """Kinds in the order of the plan, as the transition table wants them."""
        return tuple(milestone.kind for milestone in self.milestones)

    def milestone(self, no: int) -> Milestone:
        """Return the milestone with number `no`, counted from 1.

        Raises:
            Refused: code `milestone_unknown`.
        """
        if not 1 <= no <= len(self.milestones):
            raise Refused("milestone_unknown", f"The plan has milestones 1 to {len(self.milestones)}.", {"no": no})
        return self.milestones[no - 1]


def plan(*, total_fen: int, stages: Sequence[Stage]) -> MilestonePlan:
    """Cut a price into milestones, by amounts or by shares; shares round down, the last line takes the rest.

    Args:
        total_fen: price of the order, positive.
        stages: lines of the contract; either each has an amount or each has a share.

    Raises:
        Refused: code `milestone_plan` with the problem, or `ratio_invalid` for an unreadable share.
    """
    if total_fen <= 0:
        raise _refused("total_not_positive", "The price of the order must be positive.", total_fen=total_fen)
    for position, stage in enumerate(stages, start=1):
        if (stage.amount_fen is None) == (stage.share is None):
            raise _refused("amount_or_share", f"Milestone {position} needs an amount or a share, not both.", position)
    amounts = [stage.amount_fen for stage in stages if stage.amount_fen is not None]
    if amounts and len(amounts) != len(stages):
        raise _refused("amounts_and_shares_mixed", "Give amounts for all milestones or shares for all of them.")
    if not amounts:
        amounts = _amounts_of_shares(total_fen, [stage.share for stage in stages if stage.share is not None])
    result = MilestonePlan(
        milestones=tuple(
            Milestone(no=no, name=stage.name, kind=stage.kind, amount_fen=amount_fen)
            for no, (stage, amount_fen) in enumerate(zip(stages, amounts, strict=True), start=1)
        )
    )
    if result.total_fen != total_fen:
        raise _refused(
            "sum_differs",
            f"The milestones add up to {format_fen(result.total_fen)} yuan, the price is {format_fen(total_fen)}.",
            total_fen=total_fen,
            sum_fen=result.total_fen,
        )
    return result


def decoration_stages() -> tuple[Stage, ...]:
    """Five lines of a decoration contract as people really sign it; 100 % together."""
    acceptance = MilestoneKind.ACCEPTANCE
    return (
        Stage(name="定金 Deposit", kind=MilestoneKind.START, share="30%"),
        Stage(name="水电验收 Plumbing and wiring", kind=acceptance, share="30%"),
        Stage(name="泥木验收 Tiling and carpentry", kind=acceptance, share="20%"),
        Stage(name="竣工验收 Completion", kind=acceptance, share="15%"),
        Stage(name="质保金 Retention", kind=MilestoneKind.WARRANTY, share="5%"),
    )


def _amounts_of_shares(total_fen: int, shares: Sequence[int | str | Fraction]) -> list[int]:
    exact = [ratio(share) for share in shares]
    total = sum(exact, Fraction(0))
    if exact and total != 1:
        percent = Decimal(total.numerator * 100) / total.denominator
        raise _refused("shares_differ", f"The shares add up to {percent:.8g} %, not to 100 %.", shares_sum=str(total))
    amounts = [int(share * total_fen) for share in exact[:-1]]
    return [*amounts, total_fen - sum(amounts)] if exact else []


def _check_kinds(milestones: Sequence[Milestone]) -> None:
    kinds = [milestone.kind for milestone in milestones]
    if MilestoneKind.ACCEPTANCE not in kinds:
        raise _refused("no_acceptance", "A plan needs at least one milestone that is released on acceptance.")
    for position, kind in enumerate(kinds, start=1):
        if kind is MilestoneKind.START and position != 1:
            raise _refused("start_not_first", "Only the first milestone may be released at the start.", position)
        if kind is MilestoneKind.WARRANTY and position != len(kinds):
            raise _refused("warranty_not_last", "Only the last milestone may be a retention.", position)


def _refused(problem: str, message: str, milestone_no: int | None = None, **facts: int | str) -> Refused:
    details: dict[str, int | str] = {"problem": problem, **facts}
    if milestone_no is not None:
        details["milestone_no"] = milestone_no
    return Refused("milestone_plan", message, details)
