"""The rule that business goes by the books' time: nobody else's clock is looked at, in Python or in SQL."""

import ast
import re
from collections.abc import Iterator

from tests.tidy import Tree

#: What shows a clock other than the books', by the package that it comes from.
_CLOCKS = {
    "datetime": {"now", "utcnow", "today"},
    "time": {"time", "time_ns", "localtime", "gmtime", "strftime", "ctime", "asctime"},
    "temporalio": {"now", "time", "time_ns"},
}
_SQL_CLOCK = re.compile(
    r"(?<![\w.])now\(\)|\b(current_(date|time|timestamp)|localtime(stamp)?)\b|(clock|statement|transaction)_timestamp\(",
    re.IGNORECASE,
)
#: Where business is decided or told.
_BY_THE_BOOKS = (
    "escrow/domain/",
    "escrow/ledger/",
    "escrow/registry/",
    "escrow/migrations/",
    "escrow/channels/",
    "escrow/sandbox/",
    "activities/",
    "workflows/",
    "api/",
)
#: Places that may look at another clock, and for what.
_OTHER_CLOCKS = {
    "api/leased_line.py": "certificates expire by the world's time",
    "escrow/channels/sandbox_bank/client.py": "signatures of notices",
    "escrow/channels/sandbox_bank/connection.py": "signatures of requests",
    "escrow/registry/platforms/operators.py": "when a key of the institution's own staff was made and revoked",
    "escrow/registry/platforms/platforms.py": "when a platform's key was revoked",
    "escrow/ledger/rounds_made.py": "when rounds were made, for all platforms",
    "escrow/ledger/tables.py": "the database's own defaults",
    "escrow/sandbox/workflow_clock.py": "a workflow's own clock, which is the server's until it is moved",
    "workflows/books_clock.py": "carries the books' time along",
    "workflows/elapsed.py": "counts what has passed since the books were looked at",
    "workflows/rounds.py": "notes of the rounds, which are no platform's",
}


def wall_clock(tree: Tree) -> list[str]:
    """Business goes by the books' time: nobody looks at the machine's clock, Temporal's, or the database's own."""
    return [
        f"{path}:{line} reads a clock that is not the books': {what}"
        for path, module in tree.our_modules.items()
        if path.startswith(_BY_THE_BOOKS) and "/migrations/versions/" not in path and path not in _OTHER_CLOCKS
        for line, what in (*_in_python(module), *_in_sql(module))
    ]


def _in_python(module: ast.Module) -> Iterator[tuple[int, str]]:
    package_of: dict[str, str] = {}
    bare: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            package_of |= {(alias.asname or alias.name).split(".")[0]: alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            package = node.module.split(".")[0]
            package_of |= {alias.asname or alias.name: package for alias in node.names}
            if package == "time":
                bare |= {alias.asname or alias.name for alias in node.names if alias.name in _CLOCKS["time"]}
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute):
            package = package_of.get(ast.unparse(node).split(".")[0], "")
            if node.attr in _CLOCKS.get(package, ()):
                yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.Name) and node.id in bare:
            yield node.lineno, node.id


def _in_sql(module: ast.Module) -> Iterator[tuple[int, str]]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {ast.get_docstring(node, clean=False) for node in ast.walk(module) if isinstance(node, documented)}
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in docstrings:
            found = _SQL_CLOCK.search(node.value)
            if found:
                yield node.lineno, f"{found[0]} in SQL, where books_now(platform_no) decides"
