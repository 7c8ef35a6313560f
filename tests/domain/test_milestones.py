"""Plans: how a price is cut into milestones."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.domain.errors import Refused
from escrow.domain.orders.milestones import Milestone, MilestoneKind, MilestonePlan, Stage, decoration_stages, plan

START, ACCEPTANCE, WARRANTY = MilestoneKind.START, MilestoneKind.ACCEPTANCE, MilestoneKind.WARRANTY


def stage(kind: MilestoneKind, amount_fen: int | None = None, share: str | None = None) -> Stage:
    return Stage(name=f"{kind} stage", kind=kind, amount_fen=amount_fen, share=share)


def problem_of(total_fen: int, *stages: Stage) -> tuple[str, int | None]:
    with pytest.raises(Refused) as caught:
        plan(total_fen=total_fen, stages=stages)
    assert caught.value.code == "milestone_plan"
    return caught.value.details["problem"], caught.value.details.get("milestone_no")


def test_the_usual_decoration_contract_is_cut_as_people_sign_it() -> None:
    made = plan(total_fen=18_600_000, stages=decoration_stages())
    assert [item.amount_fen for item in made.milestones] == [5_580_000, 5_580_000, 3_720_000, 2_790_000, 930_000]
    assert made.kinds == (START, ACCEPTANCE, ACCEPTANCE, ACCEPTANCE, WARRANTY)
    assert made.milestone(5).name.startswith("质保金")


@given(
    total_fen=st.integers(min_value=10**6, max_value=2**63 - 1),
    weights=st.lists(st.integers(min_value=1, max_value=1_000), min_size=1, max_size=12),
)
def test_shares_lose_no_fen_and_only_the_last_takes_the_rest(total_fen: int, weights: list[int]) -> None:
    shares = [Fraction(weight, sum(weights)) for weight in weights]
    made = plan(total_fen=total_fen, stages=[Stage(name="work", kind=ACCEPTANCE, share=share) for share in shares])
    assert made.total_fen == total_fen
    for milestone, share in zip(made.milestones[:-1], shares, strict=False):
        assert 0 <= share * total_fen - milestone.amount_fen < 1
    assert 0 <= made.milestones[-1].amount_fen - shares[-1] * total_fen < len(shares)


@given(st.lists(st.integers(min_value=1, max_value=10**15), min_size=1, max_size=12))
def test_amounts_are_kept_as_given(amounts: list[int]) -> None:
    made = plan(total_fen=sum(amounts), stages=[stage(ACCEPTANCE, amount) for amount in amounts])
    assert [item.amount_fen for item in made.milestones] == amounts


def test_a_wrong_plan_names_the_problem_and_the_milestone() -> None:
    work = stage(ACCEPTANCE, 100)
    assert problem_of(101, work) == ("sum_differs", None)
    assert problem_of(200, work, stage(START, 100)) == ("start_not_first", 2)
    assert problem_of(300, stage(START, 100), stage(START, 100), work) == ("start_not_first", 2)
    assert problem_of(200, stage(WARRANTY, 100), work) == ("warranty_not_last", 1)
    assert problem_of(300, work, stage(WARRANTY, 100), stage(WARRANTY, 100)) == ("warranty_not_last", 2)
    assert problem_of(200, stage(START, 100), stage(WARRANTY, 100)) == ("no_acceptance", None)
    assert problem_of(100) == ("no_acceptance", None)
    assert problem_of(100, work, stage(WARRANTY, 0)) == ("amount_not_positive", 2)
    assert problem_of(50, work, stage(WARRANTY, -50)) == ("amount_not_positive", 2)
    assert problem_of(100, work, stage(WARRANTY)) == ("amount_or_share", 2)
    assert problem_of(100, work, stage(WARRANTY, 5, "5%")) == ("amount_or_share", 2)
    assert problem_of(100, work, stage(WARRANTY, share="5%")) == ("amounts_and_shares_mixed", None)
    assert problem_of(100, stage(ACCEPTANCE, share="95%"), stage(WARRANTY, share="4%")) == ("shares_differ", None)
    assert problem_of(0, work) == ("total_not_positive", None)
    assert problem_of(100, Stage(name=" ", kind=ACCEPTANCE, amount_fen=100)) == ("name_empty", 1)
    assert problem_of(2**64, stage(ACCEPTANCE, 2**64)) == ("total_too_large", None)


def test_shares_that_do_not_add_up_are_told_with_their_sum() -> None:
    with pytest.raises(Refused, match=r"add up to 98\.5 %, not to 100 %"):
        plan(total_fen=100, stages=[stage(ACCEPTANCE, share="95%"), stage(WARRANTY, share="3.5%")])


def test_a_share_too_small_for_one_fen_is_refused_not_rounded_to_nothing() -> None:
    assert problem_of(10, stage(START, share="1%"), stage(ACCEPTANCE, share="99%")) == ("amount_not_positive", 1)


def test_milestones_are_numbered_in_the_order_of_the_contract() -> None:
    with pytest.raises(Refused, match="stands at place 1"):
        MilestonePlan(milestones=(Milestone(no=2, name="work", kind=ACCEPTANCE, amount_fen=1),))
    made = plan(total_fen=1, stages=[stage(ACCEPTANCE, 1)])
    for no in (0, 2):
        with pytest.raises(Refused, match="milestone_unknown"):
            made.milestone(no)
