"""Tries of a password, code or amount, over every state that they can be in."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from escrow.domain.members.tries import Tries, Verdict

NOW = datetime(2026, 3, 3, 2, tzinfo=UTC)
A_DAY, A_MOMENT = timedelta(hours=24), timedelta(microseconds=1)
AT_MOST = 3
LOOKED_AT = {Verdict.RIGHT, Verdict.WRONG}


def states() -> Iterator[Tries]:
    """Every count up to one too many, with every lock and every end: none, past, at this very moment, and to come."""
    moments = (None, NOW - A_DAY, NOW - A_MOMENT, NOW, NOW + A_MOMENT, NOW + A_DAY)
    for made, expires_at in itertools.product(range(AT_MOST + 2), moments):
        yield Tries(at_most=AT_MOST, made=made, expires_at=expires_at)
        for locked_until in moments:
            yield Tries(at_most=AT_MOST, made=made, locked_for=A_DAY, locked_until=locked_until, expires_at=expires_at)


def expected(tries: Tries, *, is_right: bool) -> Verdict:
    """The rule once more, as a list of who goes first."""
    hindered = {
        Verdict.EXPIRED: tries.expires_at is not None and tries.expires_at <= NOW,
        Verdict.LOCKED: tries.locked_until is not None and tries.locked_until > NOW,
        Verdict.SPENT: tries.locked_for is None and tries.made >= AT_MOST,
    }
    return next((verdict for verdict, holds in hindered.items() if holds), [Verdict.WRONG, Verdict.RIGHT][is_right])


@pytest.mark.parametrize("is_right", [False, True])
def test_each_state_is_decided_as_the_rule_says(is_right: bool) -> None:
    seen = set()
    for tries in states():
        verdict, _ = tries.decide(at=NOW, is_right=is_right)
        assert verdict is expected(tries, is_right=is_right), tries
        seen.add(verdict)
    assert seen == set(Verdict) - {Verdict.WRONG if is_right else Verdict.RIGHT}


@pytest.mark.parametrize("is_right", [False, True])
def test_what_is_not_looked_at_counts_nothing(is_right: bool) -> None:
    for tries in states():
        verdict, after = tries.decide(at=NOW, is_right=is_right)
        if verdict not in LOOKED_AT:
            assert after == tries


def test_a_wrong_one_is_counted_and_the_last_one_locks_where_there_is_a_lock() -> None:
    for tries in states():
        verdict, after = tries.decide(at=NOW)
        if verdict is Verdict.WRONG:
            assert after.made == (1 if tries.locked_until else tries.made + 1)
            locks = tries.locked_for is not None and after.made >= AT_MOST
            assert after.locked_until == (NOW + A_DAY if locks else None)


def test_a_right_one_forgets_wrong_ones_where_counting_would_go_on_and_is_one_of_a_few_elsewhere() -> None:
    for tries in states():
        verdict, after = tries.decide(at=NOW, is_right=True)
        if verdict is Verdict.RIGHT:
            assert (after.made, after.locked_until) == (0 if tries.locked_for else tries.made + 1, None)


def test_a_right_one_gives_no_more_tries_than_a_wrong_one_at_the_same_moment_would_have_been_allowed() -> None:
    for tries in states():
        wrong, right = (tries.decide(at=NOW, is_right=is_right)[0] for is_right in (False, True))
        assert (wrong in LOOKED_AT) == (right in LOOKED_AT)


def test_rules_and_ends_never_change() -> None:
    for tries, is_right in itertools.product(states(), (False, True)):
        _, after = tries.decide(at=NOW, is_right=is_right)
        assert (after.at_most, after.locked_for, after.expires_at) == (AT_MOST, tries.locked_for, tries.expires_at)


def test_tries_left_are_told_down_to_none() -> None:
    tries, told = Tries(at_most=AT_MOST), []
    for _ in range(5):
        verdict, tries = tries.decide(at=NOW)
        told.append((verdict, tries.left))
    assert told == [
        (Verdict.WRONG, 2), (Verdict.WRONG, 1), (Verdict.WRONG, 0), (Verdict.SPENT, 0), (Verdict.SPENT, 0)
    ]  # fmt: skip


def test_a_lock_keeps_even_the_right_one_out_and_then_counting_begins_anew() -> None:
    tries = Tries(at_most=AT_MOST, locked_for=A_DAY)
    for minute in range(AT_MOST):
        _, tries = tries.decide(at=NOW + timedelta(minutes=minute))
    ends_at = NOW + timedelta(minutes=2) + A_DAY
    assert tries.locked_until == ends_at
    assert tries.decide(at=ends_at - A_MOMENT, is_right=True) == (Verdict.LOCKED, tries)
    assert tries.decide(at=ends_at, is_right=True)[0] is Verdict.RIGHT
    verdict, tries = tries.decide(at=ends_at)
    assert (verdict, tries.left, tries.locked_until) == (Verdict.WRONG, 2, None)


@pytest.mark.parametrize(
    ("outcomes", "left"),
    [
        ((), 3),
        (("",), 2),
        (("wrong", ""), 1),
        (("expired", "expired", "expired", "expired"), 3),
        (("wrong", "expired", "wrong"), 1),
        (("wrong", "wrong", "exhausted"), 0),
        (("wrong", "accepted"), 1),
        (("", "", "", ""), 0),
    ],
)
def test_what_the_bank_has_not_answered_counts_and_what_had_expired_does_not(
    outcomes: tuple[str, ...], left: int
) -> None:
    assert Tries.compared_by_bank(outcomes, at_most=AT_MOST).left == left
