"""The contracts between the rooms hold, and breaking any of them is reported."""

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("escrow", "workflows", "activities", "api", "bank_sandbox")


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sysconfig.get_path("scripts")) / "lint-imports"
    environment = {"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [program, "--no-cache"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The rooms and their contracts in a folder of their own, free to be spoilt."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_the_rooms_keep_their_contracts() -> None:
    answer = lint_imports(ROOT)
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("activities/planted.py", "import api", "The rooms"),
        ("workflows/planted.py", "import escrow.ledger", "Workflows know the domain"),
        ("workflows/planted.py", "import escrow.registry", "Workflows know the domain"),
        ("workflows/planted.py", "import asyncpg", "Workflows know the domain"),
        ("escrow/domain/planted.py", "import escrow.ledger", "Inside what we know"),
        ("escrow/domain/planted.py", "import asyncpg", "The domain is pure"),
        ("escrow/ledger/planted.py", "import temporalio.client", "know nothing of Temporal"),
        ("escrow/ledger/planted.py", "import escrow.channels", "Inside what we know"),
        ("escrow/ledger/planted.py", "import escrow.registry", "Inside what we know"),
        ("escrow/registry/planted.py", "import escrow.migrations", "Inside what we know"),
        ("activities/planted.py", "import fastapi", "not to people"),
        ("api/planted.py", "import escrow.channels.sandbox_bank.client", "Which bank it is"),
        ("bank_sandbox/planted.py", "import escrow.domain.money.amounts", "imports none of our rooms"),
        ("api/planted.py", "import bank_sandbox", "none of our rooms imports it"),
        ("escrow/planted.py", "import workflows", "The rooms"),
        ("escrow/testing/planted.py", "import temporalio.client", "What testers install"),
        ("escrow/commands/planted.py", "import escrow.testing", "Inside what we know"),
    ],
)
def test_a_planted_bad_import_is_reported(copy: Path, module: str, line: str, contract: str) -> None:
    (copy / module).write_text(f'"""Planted."""\n\n{line}\n')
    answer = lint_imports(copy)
    assert answer.returncode == 1, answer.stdout
    broken = " ".join(answer.stdout.split("Broken contracts")[1].split())
    assert contract in broken
    assert module.removesuffix(".py").replace("/", ".") in broken
