"""Which ways through a module's code are gone while histories are replayed: every statement, both ways of every `if`.

A replay runs in threads of its own, which are traced while it lasts.
"""

import ast
import dis
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple, TypeGuard

#: Arcs from line to line; a function is left to line 0.
Arcs = set[tuple[int, int]]
_LEFT = 0


class Missed(NamedTuple):
    """Something of a module that was not reached, and in which function."""

    function: str
    what: str


class Reached:
    """What was reached of some modules, by file."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.arcs: dict[str, Arcs] = {str(path): set() for path in paths}
        self._last: dict[tuple[int, CodeType], int] = {}

    @contextmanager
    def traced(self) -> Iterator[None]:
        """Whatever runs meanwhile in threads that begin meanwhile is noted."""
        before = sys.gettrace()
        threading.settrace(self._enter)
        sys.settrace(self._enter)
        try:
            yield
        finally:
            sys.settrace(before)
            threading.settrace(before)

    def _enter(self, frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename not in self.arcs:
            return None
        frame.f_trace_lines = True
        return self._step

    def _step(self, frame: FrameType, event: str, argument: Any) -> Any:
        key = (id(frame), frame.f_code)
        if event == "line":
            self.arcs[frame.f_code.co_filename].add((self._last.get(key, _LEFT), frame.f_lineno))
            self._last[key] = frame.f_lineno
        elif event == "return" and dis.opname[frame.f_code.co_code[frame.f_lasti]] == "RETURN_VALUE":
            self.arcs[frame.f_code.co_filename].add((self._last.pop(key, _LEFT), _LEFT))
        return self._step


def missed(path: Path, arcs: Arcs, *, live_only: frozenset[str]) -> list[Missed]:
    """What of a module was not reached.

    Args:
        live_only: names of functions that no replay runs: validators and queries.
    """
    lines = {line for _, line in arcs}
    found = []
    for function in ast.walk(ast.parse(path.read_text())):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) or function.name in live_only:
            continue
        for statement in _statements(function.body):
            place = f"{path.name}:{statement.lineno}"
            if statement.lineno not in lines:
                found.append(Missed(function.name, f"{place} {ast.unparse(statement)[:70]}"))
            elif _has_two_ways(statement) and not _goes_both_ways(statement, arcs):
                found.append(Missed(function.name, f"{place} one way of {ast.unparse(statement.test)[:60]}"))
    return found


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """All statements but texts and what is defined inside, which are looked at by themselves."""
    for statement in body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Pass)):
            continue
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue
        if not isinstance(statement, ast.Try):
            yield statement
        for part in ("body", "orelse", "finalbody"):
            yield from _statements(getattr(statement, part, []))
        for handler in getattr(statement, "handlers", []):
            yield from _statements(handler.body)


def _has_two_ways(statement: ast.stmt) -> TypeGuard[ast.If | ast.While]:
    return isinstance(statement, (ast.If, ast.While)) and not isinstance(statement.test, ast.Constant)


def _goes_both_ways(statement: ast.If | ast.While, arcs: Arcs) -> bool:
    tested = range(statement.lineno, (statement.test.end_lineno or statement.lineno) + 1)
    inside = range(statement.body[0].lineno, (statement.body[-1].end_lineno or 0) + 1)
    ways = {to for come, to in arcs if come in tested and to not in tested}
    return any(to in inside for to in ways) and any(to not in inside for to in ways)
