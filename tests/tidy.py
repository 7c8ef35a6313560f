"""Rules of tidiness: each takes the files of a tree and gives its violations, one sentence each.

They check what ruff, mypy and import-linter do not.
"""

import ast
import re
import statistics
import subprocess
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOMS = ("escrow", "workflows", "activities", "api", "bank_sandbox")
LONGEST_MODULE_LINES = 400
LONGEST_MEDIAN_LINES = 130
LONGEST_FUNCTION_LINES = 70
MAKE_VERBS = ["up", "demo", "test", "check", "bench"]

#: Full of what it forbids: the rules and what is planted against them.
_NOT_SEARCHED = {"tests/tidy.py", "tests/test_tidy.py"}

#: What only the makers' own machines and notes know, and where packages are fetched from.
FOREIGN_WORDS = re.compile(
    r"(?<![\w.$}~])/(work|root|home)/|\bissue \d|\bsub-?agents?\b|\blanguage model|\bco-authored-by\b"
    r"|index-url|pip install (-i|--index)\b|https?://\S+/simple\b",
    re.IGNORECASE,
)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
#: A silenced check gives its reason after ` - ` or in a second comment.
SILENCED = re.compile(r"#\s*(noqa|type:\s*ignore)(?!.*(\s-\s\w|\]\s+#\s*\w))", re.IGNORECASE)
MONEY_NAME = re.compile(r"(^|_)(fen|amount|yuan|fee|price|commission|balance)(_|$)")
TEXT_SUFFIXES = {".py", ".md", ".toml", ".yml", ".yaml", ".txt", ".sql", ".sh", ".html", ".css", ".js", ".json", ""}


@dataclass(frozen=True)
class Tree:
    """The files of a checkout, by path relative to its root."""

    root: Path
    paths: tuple[str, ...]

    @classmethod
    def of_checkout(cls, root: Path) -> "Tree":
        """Everything git knows or would add."""
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split("\0")
        return cls(root, tuple(sorted({path for path in listed if path and (root / path).is_file()})))

    @classmethod
    def of_folder(cls, root: Path) -> "Tree":
        """Everything in a folder."""
        return cls(root, tuple(sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())))

    def text(self, path: str) -> str:
        """Content of one file."""
        return (self.root / path).read_text()

    def texts(self) -> Iterator[tuple[str, str]]:
        """Files for people and programs, without images and this module."""
        for path in self.paths:
            if Path(path).suffix in TEXT_SUFFIXES and path not in _NOT_SEARCHED:
                yield path, self.text(path)

    @cached_property
    def modules(self) -> dict[str, ast.Module]:
        """Parsed Python files by path."""
        return {path: ast.parse(self.text(path)) for path in self.paths if path.endswith(".py")}

    @property
    def our_modules(self) -> dict[str, ast.Module]:
        """Those of the rooms and the worker, without tests and bench."""
        return {path: tree for path, tree in self.modules.items() if path.split("/")[0] in {*ROOMS, "worker.py"}}


def foreign_words(tree: Tree) -> list[str]:
    """No machine paths, no words about who made it and how, no package-index hosts."""
    return [f"{path}: {match[0]!r}" for path, text in tree.texts() for match in FOREIGN_WORDS.finditer(text)]


def unfinished_work(tree: Tree) -> list[str]:
    """Nothing is left for later in a comment."""
    return [f"{path}: {match[0]}" for path, text in tree.texts() for match in UNFINISHED.finditer(text)]


def silenced_without_reason(tree: Tree) -> list[str]:
    """A check is silenced only with the reason beside it."""
    return [
        f"{path}:{number} gives no reason"
        for path in tree.modules
        if path not in _NOT_SEARCHED
        for number, line in enumerate(tree.text(path).splitlines(), 1)
        if SILENCED.search(line)
    ]


def module_sizes(tree: Tree) -> list[str]:
    """Modules are short: none long, half of them shorter still."""
    lines = {path: len(tree.text(path).splitlines()) for path in tree.modules if not path.endswith("__init__.py")}
    found = [f"{path} has {count} lines" for path, count in lines.items() if count > LONGEST_MODULE_LINES]
    median = statistics.median(lines.values())
    return found + ([f"the median module has {median} lines"] if median > LONGEST_MEDIAN_LINES else [])


def function_sizes(tree: Tree) -> list[str]:
    """Functions fit on a screen."""
    return [
        f"{path}: {node.name} has {length} lines"
        for path, module in tree.modules.items()
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION_LINES
    ]


def module_docstrings(tree: Tree) -> list[str]:
    """Every module with code says in a line what it is; ruff asks the same of public functions and classes."""
    return [
        f"{path} has no docstring"
        for path, module in tree.modules.items()
        if module.body and not ast.get_docstring(module)
    ]


def float_money(tree: Tree) -> list[str]:
    """Money is integer fen: no float annotation, and no division that would make one of an amount."""
    found = []
    for path, module in tree.our_modules.items():
        for node in ast.walk(module):
            for name, annotation in _annotated(node):
                if MONEY_NAME.search(name) and re.search(r"\bfloat\b", annotation):
                    found.append(f"{path}: {name} is a float")
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
                operands = [ast.unparse(part).split(".")[-1] for part in (node.left, node.right)]
                found += [f"{path}:{node.lineno} divides {part}" for part in operands if part.endswith("_fen")]
    return found


def _annotated(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.arg) and node.annotation:
        yield node.arg, ast.unparse(node.annotation)
    elif isinstance(node, ast.AnnAssign):
        yield ast.unparse(node.target).split(".")[-1], ast.unparse(node.annotation)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns:
        yield node.name, ast.unparse(node.returns)


def endpoint_neighbours(tree: Tree) -> list[str]:
    """Endpoints share through `api/operations`, what lies beside the subjects, or `escrow`, not through each other.

    No subject of the API uses another one, what lies beside them or in `api/operations` uses none, and nobody uses a
    module with endpoints. Only `api/main.py`, which puts them together, uses all of them.
    """
    found = []
    rooms = {path: module for path, module in tree.our_modules.items() if path.startswith("api/")}
    subjects = {path.split("/")[1] for path in rooms if path.count("/") > 1} - {"operations"}
    endpoints = {path.removesuffix(".py").replace("/", ".") for path in rooms if "APIRouter(" in tree.text(path)}
    for path, module in rooms.items():
        if path == "api/main.py":
            continue
        own = {path.split("/")[1]}
        for line, names in _imported(path, module):
            used = {name.split(".")[1] for name in names if name.startswith("api.")} & subjects - own
            found += [f"{path}:{line} uses the endpoints of {other}" for other in sorted(used)]
            in_them = {name for name in endpoints for used_name in names if f"{used_name}.".startswith(f"{name}.")}
            found += [f"{path}:{line} uses the endpoints in {name}" for name in sorted(in_them)]
    return found


def _imported(path: str, module: ast.Module) -> Iterator[tuple[int, list[str]]]:
    """Line and full names of each import."""
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom):
            origin = ".".join(part for part in (_package(path, node.level), node.module) if part)
            yield node.lineno, [f"{origin}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            yield node.lineno, [alias.name for alias in node.names]


def dead_modules(tree: Tree) -> list[str]:
    """Every module of the rooms is imported by another one or can be run."""
    imported: set[str] = set()
    for path, module in tree.our_modules.items():
        for node in ast.walk(module):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                package = _package(path, node.level)
                origin = ".".join(part for part in (package, node.module) if part)
                imported |= {origin} | {f"{origin}.{alias.name}" for alias in node.names}
    return [
        f"{path} is imported by nobody"
        for path in tree.our_modules
        if not path.endswith(("__init__.py", "__main__.py"))
        and "/migrations/versions/" not in path
        and path not in {"worker.py", "escrow/cli.py", "escrow/migrations/env.py"}
        and path != "escrow/testing/environment.py"  # for testers to import
        and 'if __name__ == "__main__":' not in tree.text(path)
        and path.removesuffix(".py").replace("/", ".") not in imported
    ]


def _package(path: str, level: int) -> str:
    return ".".join(Path(path).parts[:-level]) if level else ""


def dead_names(tree: Tree) -> list[str]:
    """Every undecorated public function and class of the rooms is named somewhere else outside the tests."""
    code = [tree.text(path) for path in tree.modules if not path.startswith("tests/")]
    counts = Counter(word for text in code for word in re.findall(r"\w+", text))
    return [
        f"{path}: {node.name} is used by nobody"
        for path, module in tree.our_modules.items()
        if "/migrations/versions/" not in path
        for node in module.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.decorator_list
        and not (isinstance(node, ast.ClassDef) and node.keywords)  # a table: migrations and relations use it
        and not node.name.startswith("_")
        and counts[node.name] == 1
    ]


def readme_pair(tree: Tree) -> list[str]:
    """The English and the Chinese README have the same sections and the same commands."""
    pair = [path for path in ("README.md", "README.zh-CN.md") if path in tree.paths]
    if len(pair) < 2:
        return ["README.md and README.zh-CN.md are not both there"]
    texts = [tree.text(path) for path in pair]
    blocks = [re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", text, re.MULTILINE | re.DOTALL) for text in texts]
    bare = [re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL) for text in texts]
    levels = [[len(match[1]) for match in re.finditer(r"^(#+) ", text, re.MULTILINE)] for text in bare]
    found = [] if levels[0] == levels[1] else ["the two READMEs have different headings"]
    return found + ([] if blocks[0] == blocks[1] else ["the two READMEs have different commands"])


def links(tree: Tree) -> list[str]:
    """Relative links of documents lead somewhere, and every document under docs is linked from another."""
    found, linked = [], set()
    for path in (path for path in tree.paths if path.endswith(".md")):
        for target in re.findall(r"\]\(([^)#\s]+)", tree.text(path)):
            if "://" in target or target.startswith("mailto:"):
                continue
            reached = (tree.root / path).parent / target
            linked.add(reached.resolve())
            if not reached.exists():
                found.append(f"{path} links to {target}, which is not there")
    documents = [path for path in tree.paths if path.startswith("docs/") and path.endswith(".md")]
    return found + [
        f"{path} is linked from nowhere" for path in documents if (tree.root / path).resolve() not in linked
    ]


def shown_capabilities(tree: Tree) -> list[str]:
    """Every test that a document names by its name exists."""
    tests = {
        name
        for path in tree.paths
        if path.startswith("tests/") and path.endswith(".py")
        for name in re.findall(r"def (test_\w+)", tree.text(path))
    }
    return [
        f"{path} names {name}, which is no test"
        for path in tree.paths
        if path.endswith(".md")
        for name in re.findall(r"`(test_\w+)`", tree.text(path))
        if name not in tests
    ]


def make_verbs(tree: Tree) -> list[str]:
    """The Makefile has its five verbs and no sixth."""
    verbs = re.findall(r"^([a-z][\w-]*):", tree.text("Makefile"), re.MULTILINE)
    return [] if verbs == MAKE_VERBS else [f"the verbs of the Makefile are {verbs}"]


def pinned(tree: Tree) -> list[str]:
    """Every dependency has one exact version in the constraints, and nothing else stands there."""
    project = tomllib.loads(tree.text("pyproject.toml"))["project"]
    wanted = [*project["dependencies"], *project.get("optional-dependencies", {}).get("dev", [])]
    lines = tree.text("constraints.txt").splitlines()
    found = [f"constraints.txt: {line!r}" for line in lines if not re.fullmatch(r"[\w.\-]+==[\w.+!]+", line)]
    known = {_normal(line.split("==")[0]) for line in lines}
    names = [re.split(r"[\[<>=!~; ]", item)[0] for item in wanted]
    return found + [f"{name} is not in constraints.txt" for name in names if _normal(name) not in known]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


RULES: tuple[Callable[[Tree], list[str]], ...] = (
    foreign_words,
    unfinished_work,
    silenced_without_reason,
    module_sizes,
    function_sizes,
    module_docstrings,
    float_money,
    endpoint_neighbours,
    dead_modules,
    dead_names,
    readme_pair,
    links,
    shown_capabilities,
    make_verbs,
    pinned,
)
