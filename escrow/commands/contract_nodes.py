"""Reading YAML so that every error can name its line: nodes instead of values, scalars as they were typed.

Scalars are never converted: `186000.00` stays text and does not become a float, `0018` keeps its zeros.
"""

import difflib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TypeVar

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from escrow.domain.errors import Refused

Value = TypeVar("Value")
Default = TypeVar("Default")


class ContractFileError(Exception):
    """The file cannot be used; the message has one line per problem, each beginning with `file:line:`."""


class Page:
    """The file under reading: collects all problems, so that a person can mend them at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._problems: list[tuple[int, str]] = []

    def wrong(self, node: Node, message: str) -> None:
        """Note a problem at a node's line."""
        self.wrong_at(node.start_mark.line + 1, message)

    def wrong_at(self, line: int, message: str) -> None:
        """Note a problem at a line, counted from 1."""
        if (line, message) not in self._problems:
            self._problems.append((line, message))

    @property
    def has_problems(self) -> bool:
        """Whether something was noted."""
        return bool(self._problems)

    def finish(self) -> None:
        """End the reading.

        Raises:
            ContractFileError: something was noted.
        """
        if self._problems:
            raise ContractFileError(
                "\n".join(f"{self._path}:{line}: {message}" for line, message in sorted(self._problems))
            )

    def root(self) -> Node:
        """The file's content as a tree of nodes.

        Raises:
            ContractFileError: the file cannot be read, is empty, or is not YAML.
        """
        try:
            node = yaml.compose(self._path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except (OSError, UnicodeDecodeError) as error:
            raise ContractFileError(f"{self._path}: cannot be read as UTF-8 text: {error}") from error
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark is not None else 1
            raise ContractFileError(
                f"{self._path}:{line}: this is not YAML: {error.problem or error.context}; "
                "look at indentation, colons and quotes here and just above"
            ) from error
        except yaml.YAMLError as error:
            raise ContractFileError(f"{self._path}:1: this is not YAML: {error}") from error
        if node is None:
            raise ContractFileError(f"{self._path}:1: the file is empty; examples/contract.yaml shows what belongs in")
        return node


class Section:
    """One mapping of the file with the keys that it must and may have.

    Args:
        page: collects the problems.
        node: where the section stands; None when it is absent, which was noted then.
        title: what messages call it, e.g. `member`.
        required: keys that must be there.
        optional: keys that may be there.
    """

    def __init__(
        self, page: Page, node: Node | None, title: str, *, required: Collection[str], optional: Collection[str] = ()
    ) -> None:
        self.page = page
        self._node = node
        self._values: dict[str, Node] = {}
        if node is None:
            return
        if not isinstance(node, MappingNode):
            page.wrong(node, f"{title} must be a list of `key: value` lines with {_listed(required)}")
            return
        known = [*required, *optional]
        for key, value in node.value:
            name = key.value if isinstance(key, ScalarNode) else ""
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean `{close[0]}`?" if close else f"possible are {_listed(known)}"
                page.wrong(key, f"unknown key `{name}` in {title}; {hint}")
            elif name in self._values:
                page.wrong(key, f"`{name}` stands twice in {title}; keep one of them")
            else:
                self._values[name] = value
        absent = [name for name in required if name not in self._values]
        if absent:
            page.wrong(node, f"{title} lacks {_listed(absent)}; add it")

    def part(self, key: str) -> Node | None:
        """The node under a key, None when it is absent (which was noted where it is required)."""
        return self._values.get(key)

    def read(self, key: str, meaning: Callable[[str], Value], otherwise: Default) -> Value | Default:
        """What the text under a key means; `otherwise` when the key is absent or its text was noted as wrong.

        Args:
            meaning: turns the text as it was typed into a value; ValueError or Refused say what to write instead.
        """
        node = self._values.get(key)
        if node is None:
            return otherwise
        if not isinstance(node, ScalarNode) or not node.value.strip():
            self.page.wrong(node, f"`{key}` needs one value")
            return otherwise
        try:
            return meaning(str(node.value).strip())
        except Refused as refusal:
            self.page.wrong(node, f"`{key}`: {refusal.message}")
        except ValueError as error:
            self.page.wrong(node, f"`{key}`: {error}")
        return otherwise

    def items(self, key: str) -> Iterator[Node]:
        """The entries of the list under a key."""
        node = self._values.get(key)
        if node is None:
            return
        if not isinstance(node, SequenceNode) or not node.value:
            self.page.wrong(node, f"`{key}` needs a list with at least one entry, each beginning with `- `")
            return
        yield from node.value

    def wrong(self, key: str, message: str) -> None:
        """Note a problem at the value of a key, or at the section where the key is absent."""
        node = self._values.get(key, self._node)
        if node is not None:
            self.page.wrong(node, message)


def _listed(names: Collection[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
