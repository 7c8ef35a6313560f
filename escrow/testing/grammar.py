"""The grammar of stories: a table of sentences, each a template, what it means, and the function that does it."""

import difflib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.collections.terms import PAYER_ACTS_ELSEWHERE
from escrow.domain.errors import Refused
from escrow.domain.money.amounts import yuan
from escrow.domain.withdrawals.rails import Rail
from escrow.testing.scenarios import ENDINGS_FEN
from escrow.testing.story_file import THE_ORDER, Names

_PLACE = re.compile(r"\{(\w+)\}|\[([^\]]+)\]")
_REFUSED = re.compile(r"(?P<sentence>.+) is refused: (?P<code>[a-z_]+)")
_SUGGESTIONS = 3

Act = Callable[..., Awaitable[None]]


class NoSuchSentence(Exception):
    """A line is no sentence of the grammar; the message says which come near."""


@dataclass(frozen=True)
class Sentence:
    """One sentence.

    Args:
        template: with names in braces, and parts in brackets that may be left out.
        example: as it may stand in a story.
        meaning, meaning_zh: what it does or holds, for people.
        act: gets the story that is played, and the values by their names.
    """

    template: str
    example: str
    meaning: str
    meaning_zh: str
    act: Act

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The template as a regular expression."""
        return re.compile(_as_pattern(self.template))

    @property
    def own_letters(self) -> int:
        """How much of the template is its own: of two that fit a line, the one with more is meant."""
        return len(_PLACE.sub("", self.template))


@dataclass(frozen=True, slots=True)
class Spoken:
    """A line that was understood.

    Args:
        refused_with: the code with which it must be refused; None when it must not.
    """

    sentence: Sentence
    values: Mapping[str, Any]
    refused_with: str | None = None


SENTENCES: list[Sentence] = []


def sentence(template: str, example: str, meaning: str, meaning_zh: str) -> Callable[[Act], Act]:
    """Enter an async function in the table."""

    def enter(act: Act) -> Act:
        SENTENCES.append(Sentence(template, example, meaning, meaning_zh, act))
        return act

    return enter


def understood(line: str, names: Names) -> Spoken:
    """What a line of a story says.

    Raises:
        NoSuchSentence: no sentence fits, or a name in it is not one of the story's.
    """
    text = " ".join(line.split())
    complaints: list[tuple[int, str]] = []
    refused = _REFUSED.fullmatch(text)
    said, code = (refused["sentence"], refused["code"]) if refused else (text, None)
    for known in SENTENCES:
        match = known.pattern.fullmatch(said)
        if match is None:
            continue
        try:
            values = {name: _meaning(_kind(name), value, names) for name, value in match.groupdict().items()}
        except Refused as wrong:
            complaints.append((known.own_letters, wrong.message))
        except ValueError as wrong:
            complaints.append((known.own_letters, str(wrong)))
        else:
            return Spoken(known, values, code)
    if complaints:
        raise NoSuchSentence(f"{text!r}: {max(complaints)[1]}")
    near = difflib.get_close_matches(said, [known.example for known in SENTENCES], n=_SUGGESTIONS, cutoff=0.3)
    hint = "".join(f"\n    {example}" for example in near)
    raise NoSuchSentence(f"{text!r} is no sentence that stories know; the nearest are:{hint}")


def _as_pattern(template: str) -> str:
    def part(match: re.Match[str]) -> str:
        if match[1]:
            return f"(?P<{match[1]}>.+?)"
        return f"(?:{_as_pattern(match[2])})?"

    pieces, end = [], 0
    for match in _PLACE.finditer(template):
        pieces += [re.escape(template[end : match.start()]), part(match)]
        end = match.end()
    return "".join([*pieces, re.escape(template[end:])])


def _kind(name: str) -> str:
    """`other_who` is a `who`: a sentence may name two of a kind."""
    return name.rpartition("_")[2]


def _meaning(kind: str, value: str | None, names: Names) -> Any:
    """What a text means; of what was left out only the order means something."""
    if kind == "order":
        return _order(value, names)
    return None if value is None else _MEANINGS[kind](value, names)


def _one_of(value: str, known: Sequence[str], what: str) -> str:
    if value in known:
        return value
    close = difflib.get_close_matches(value, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
    raise ValueError(f"there is no {what} {value!r}: {hint}")


def _order(value: str | None, names: Names) -> str:
    """The order that is meant; left out, the only one or the first."""
    return next(iter(names.orders)) if value in (None, THE_ORDER) else _one_of(str(value), names.orders, "order")


def _count(value: str, _: Names) -> int:
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    if value in words:
        return words.index(value)
    return {"a": 1, "an": 1}.get(value) or int(value.replace(",", ""))


_RAILS = [rail.value for rail in Rail]
#: Stories have payers that act; a debit needs nobody's act.
_METHODS = [method.value for method in CollectionMethod if method in PAYER_ACTS_ELSEWHERE]

#: Kind of a name in a template → what its text means in a story with these names.
_MEANINGS: Mapping[str, Callable[[Any, Names], Any]] = {
    "who": lambda value, names: _one_of(value, names.people, "member"),
    "orders": lambda value, names: [
        _one_of(name.strip(), names.orders, "order") for name in re.split(r",| and ", value)
    ],
    "milestone": lambda value, names: _one_of(value, names.milestones, "milestone"),
    "amount": lambda value, _: yuan(value),
    "count": _count,
    "rail": lambda value, _: _one_of(value, _RAILS, "rail"),
    "method": lambda value, _: _one_of(value, _METHODS, "method"),
    "scenario": lambda value, _: _one_of(value.replace(" ", "_"), list(ENDINGS_FEN), "misfortune"),
    "text": lambda value, _: value.strip("\"“”'"),
    "word": lambda value, _: value,
}
