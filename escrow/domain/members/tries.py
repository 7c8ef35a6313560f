"""How often a password, code or amount may be guessed: tries that are counted before anybody looks at them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from escrow.domain.members.code_checks import CodeCheck


class Verdict(StrEnum):
    """What a try is; only right and wrong ones are looked at, and counted."""

    RIGHT = "right"
    WRONG = "wrong"
    LOCKED = "locked"
    EXPIRED = "expired"
    SPENT = "spent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """The tries of one secret so far; every time is timezone-aware.

    Args:
        at_most: so many are looked at.
        made: so many were.
        locked_for: how long the last wrong one locks, after which counting begins anew; None when it is the very last.
        locked_until: when the lock ends, or ended; None when there is none.
        expires_at: from when on nothing is right; None when whoever compares knows.
    """

    at_most: int
    made: int = 0
    locked_for: timedelta | None = None
    locked_until: datetime | None = None
    expires_at: datetime | None = None

    @classmethod
    def compared_by_bank(cls, outcomes: Iterable[str], *, at_most: int) -> "Tries":
        """Tries by what the bank said of each, empty for nothing yet; to it an expired code was no guess."""
        return cls(at_most=at_most, made=sum(outcome != CodeCheck.EXPIRED for outcome in outcomes))

    @property
    def left(self) -> int:
        """How many more are looked at."""
        return max(0, self.at_most - self.made)

    def decide(self, *, at: datetime, is_right: bool = False) -> "tuple[Verdict, Tries]":
        """What a try at a moment of the books is, and the tries after it, to be kept before it is looked at.

        Args:
            is_right: False as long as nobody knows: a try is wrong until it is found right, so that neither many at
                once nor a lost answer give one more.
        """
        if self.expires_at is not None and self.expires_at <= at:
            return Verdict.EXPIRED, self
        if self.locked_until is not None and at < self.locked_until:
            return Verdict.LOCKED, self
        if self.locked_for is None:
            if self.left == 0:
                return Verdict.SPENT, self
            return Verdict.RIGHT if is_right else Verdict.WRONG, replace(self, made=self.made + 1)
        anew = replace(self, made=0, locked_until=None)
        if is_right:
            return Verdict.RIGHT, anew
        after = replace(anew, made=1 if self.locked_until else self.made + 1)
        return Verdict.WRONG, after if after.left else replace(after, locked_until=at + self.locked_for)
