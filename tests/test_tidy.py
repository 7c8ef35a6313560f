"""The tree is tidy, and each rule of tidiness can fail."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests import tidy
from tests.wall_clock import wall_clock

ROOT = Path(__file__).parents[1]
RULES = (*tidy.RULES, wall_clock)

_CLEAN = {
    "Makefile": "".join(f"{verb}: ready\n" for verb in tidy.MAKE_VERBS),
    "README.md": "# Name\n\n## Start\n\n```sh\nmake up\n```\n\n[why](docs/decisions/README.md)\n",
    "README.zh-CN.md": "# 名\n\n## 开始\n\n```sh\nmake up\n```\n",
    "docs/decisions/README.md": "[first](0001-first.md)\n",
    "docs/decisions/0001-first.md": "# First\n",
    "pyproject.toml": '[project]\ndependencies = ["rich"]\n',
    "constraints.txt": "rich==1.0\n",
    "api/main.py": '"""All."""\n\nfrom api.orders import routes\n\nif __name__ == "__main__":\n    routes\n',
    "api/orders/__init__.py": "",
    "api/orders/routes.py": '"""Orders."""\n\nfrom fastapi import APIRouter\n\nrouter = APIRouter()\n',
    "escrow/__init__.py": "",
    "escrow/cli.py": '"""Entry."""\n\nfrom escrow.domain import money\n\nprint(money.whole(1))\n',
    "escrow/domain/__init__.py": "",
    "escrow/domain/money.py": '"""Money."""\n\n\ndef whole(amount_fen: int) -> int:\n    return amount_fen // 100\n',
}

_LONG_FUNCTION = '"""Long."""\n\n\n@print\ndef long() -> None:\n' + "    pass\n" * tidy.LONGEST_FUNCTION_LINES


@cache
def checkout() -> tidy.Tree:
    """The tree as it stands, parsed once for all rules."""
    return tidy.Tree.of_checkout(ROOT)


@pytest.fixture
def plant(tmp_path: Path) -> Callable[[dict[str, str]], tidy.Tree]:
    def planted(changes: dict[str, str]) -> tidy.Tree:
        for path, text in {**_CLEAN, **changes}.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tidy.Tree.of_folder(tmp_path)

    return planted


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps_the_rule(rule: Callable[[tidy.Tree], list[str]]) -> None:
    violations = rule(checkout())
    assert not violations, "\n" + "\n".join(violations)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_clean_tree_keeps_the_rule(
    rule: Callable[[tidy.Tree], list[str]], plant: Callable[[dict[str, str]], tidy.Tree]
) -> None:
    assert rule(plant({})) == []


@pytest.mark.parametrize(
    ("rule", "path", "text", "violation"),
    [
        (tidy.foreign_words, "docs/x.md", "see /home/somebody/x\n", "docs/x.md"),
        (tidy.foreign_words, "escrow/x.py", '"""For issue 2."""\n', "issue 2"),
        (tidy.foreign_words, "constraints.txt", "--index-url https://x\n", "index-url"),
        (tidy.foreign_words, "Dockerfile", "RUN pip install -i https://example.org/simple x\n", "pip install -i"),
        (tidy.unfinished_work, "escrow/x.py", "# TODO: more\n", "TODO"),
        (tidy.silenced_without_reason, "escrow/x.py", "import os  # noqa: F401\n", "x.py:1"),
        (tidy.silenced_without_reason, "escrow/x.py", "x = y()  # type: ignore[attr-defined]\n", "x.py:1"),
        (tidy.module_sizes, "escrow/x.py", "x = 1\n" * 401, "401 lines"),
        (tidy.function_sizes, "escrow/x.py", _LONG_FUNCTION, "long has 71 lines"),
        (tidy.module_docstrings, "escrow/x.py", "x = 1\n", "escrow/x.py has no docstring"),
        (tidy.float_money, "escrow/x.py", "def f(fee_fen: float) -> None: ...\n", "fee_fen is a float"),
        (tidy.float_money, "escrow/x.py", "amount: float | None = None\n", "amount is a float"),
        (tidy.float_money, "escrow/x.py", "x = order.amount_fen / 2\n", "divides amount_fen"),
        *(
            (wall_clock, path, f'"""Now."""\n\n{imported}\n\nx = {clock}\n', f"{path}:5 reads a clock that is not")
            for path in ("escrow/domain/x.py", "activities/x.py", "workflows/x.py", "api/x.py")
            for imported, clock in (
                ("from datetime import UTC, datetime", "datetime.now(UTC)"),
                ("import datetime as dt", "dt.date.today()"),
                ("from datetime import datetime as moment", "moment.utcnow"),
                ("import time", "time.time()"),
                ("from time import time_ns as ticks", "ticks()"),
                ("from temporalio import workflow", "workflow.now()"),
            )
        ),
        (wall_clock, "escrow/ledger/x.py", '"""It is now() or never."""\n\nx = "SELECT now() + $1"\n', "x.py:3"),
        (
            tidy.endpoint_neighbours,
            "api/members/x.py",
            "from api.orders import commands\n",
            "api/members/x.py:1 uses the endpoints of orders",
        ),
        (
            tidy.endpoint_neighbours,
            "api/x.py",
            "from api.orders.bodies import CommandBody\n",
            "api/x.py:1 uses the endpoints of orders",
        ),
        (
            tidy.endpoint_neighbours,
            "api/operations/x.py",
            "import api.orders.bodies\n",
            "api/operations/x.py:1 uses the endpoints of orders",
        ),
        (
            tidy.endpoint_neighbours,
            "api/orders/x.py",
            "from api.orders.routes import router\n",
            "api/orders/x.py:1 uses the endpoints in api.orders.routes",
        ),
        (tidy.dead_modules, "escrow/x.py", '"""Alone."""\n', "escrow/x.py is imported by nobody"),
        (tidy.dead_names, "escrow/x.py", "def nobody_calls() -> None: ...\n", "nobody_calls is used by nobody"),
        (tidy.readme_pair, "README.zh-CN.md", "# 名\n\n```sh\nmake up\n```\n", "different headings"),
        (tidy.readme_pair, "README.zh-CN.md", "# 名\n\n## 开始\n\n```sh\nmake it\n```\n", "different commands"),
        (tidy.links, "docs/decisions/0002-second.md", "# Second\n", "0002-second.md is linked from nowhere"),
        (tidy.shown_capabilities, "docs/capabilities.md", "| A1 | `test_gone` |\n", "test_gone, which is no test"),
        (
            tidy.links,
            "docs/decisions/README.md",
            "[a](0001-first.md) [b](0003-x.md)\n",
            "0003-x.md, which is not there",
        ),
        (tidy.make_verbs, "Makefile", "up: x\ndemo: x\ntest: x\ncheck: x\nbench: x\nclean: x\n", "clean"),
        (tidy.pinned, "pyproject.toml", '[project]\ndependencies = ["rich", "typer>=1"]\n', "typer is not in"),
        (tidy.pinned, "constraints.txt", "rich==1.0\ntyper @ https://x/typer.whl\n", "typer @"),
    ],
)
def test_a_planted_violation_is_found(
    rule: Callable[[tidy.Tree], list[str]],
    path: str,
    text: str,
    violation: str,
    plant: Callable[[dict[str, str]], tidy.Tree],
) -> None:
    found = rule(plant({path: text}))
    assert any(violation in sentence for sentence in found), found


def test_every_rule_has_a_planted_violation() -> None:
    marks = [mark for mark in test_a_planted_violation_is_found.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]  # pytest hangs its marks on the function
    assert {row[0] for row in marks[0].args[1]} == set(RULES)
