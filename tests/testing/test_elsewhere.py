"""A project outside this repository, with an environment of its own: what a platform's tester has on the first day."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

STORY = """\
title: 验收付款 Accepted and withdrawn
platform:
  top_up_settlement: T+0
members:
  owner: 王小明, card checked
  contractor: 精工装饰有限公司, company
contract:
  price: 10,000.00
  milestones:
    - 水电 60% on acceptance
    - 竣工 40% on acceptance
story:
  - owner transfers 10,000.00
  - owner pays
  - contractor starts
  - contractor completes 水电
  - owner accepts 水电
  - contractor completes 竣工
  - 7 days pass
  - the order is settled
  - contractor can withdraw 9,500.00
  - contractor withdraws everything
  - the withdrawal is paid
"""
WRONG_LINE = STORY.splitlines().index("  - contractor can withdraw 9,500.00") + 1

IN_PYTHON = """\
async def test_an_order_is_opened_on_the_platform_of_the_file(escrow):
    await escrow.open_member("O-1")
    await escrow.open_member("C-1", kind="company")
    order = await escrow.open_order("D-1", owner="O-1", contractor="C-1", total_fen=1_000_000)
    assert order.status == "awaiting_payment"
    now = await escrow.skip(hours=3)
    assert (await escrow.order("D-1")).status == "closed_unpaid", now
"""
PLATFORM = """\
platform_no: SHOP
name: 试用家装平台
config:
  payment_deadline_hours: 2
"""
#: What a run that uses none of it must not have imported.
HEAVY = ("temporalio", "asyncpg", "sqlalchemy", "fastapi", "httpx2", "chinese_calendar", "pydantic")
UNUSED = f"""\
import sys

def test_nothing_heavy_is_here():
    assert [name for name in {HEAVY!r} if name in sys.modules] == []
"""


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run something as from a tester's shell: with nothing of this session's in its environment."""
    ours = ("PYTEST_", "ESCROW_", "DATABASE_", "TEMPORAL_", "VIRTUAL_ENV", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own, with what the documentation says to install."""
    folder = tmp_path_factory.mktemp("elsewhere")
    python = folder / "venv" / "bin" / "python"
    steps: Sequence[Sequence[str | Path]] = [
        [sys.executable, "-m", "venv", folder / "venv"],
        [python, "-m", "pip", "install", "-q", "-e", f"{ROOT}[testing]", "-c", ROOT / "constraints.txt"],
    ]
    for step in steps:
        answer = run(*step, cwd=folder)
        assert answer.returncode == 0, answer.stderr[-3000:]
    return python


def project(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_one_story_file_is_green_and_a_planted_wrong_expectation_fails_with_its_line(
    python: Path, tmp_path: Path
) -> None:
    wrong = STORY.replace("withdraw 9,500.00", "withdraw 9,500.01")
    files = {"first.story.yaml": STORY, "planted.story.yaml": wrong, "test_it.py": IN_PYTHON, "shop.yaml": PLATFORM}
    ini = "[pytest]\nasyncio_mode = auto\nescrow_platform_file = shop.yaml\n"
    answer = run(python, "-m", "pytest", "-v", cwd=project(tmp_path, {**files, "pytest.ini": ini}))
    said = re.sub(r"\s+", " ", answer.stdout)
    assert answer.returncode == 1, answer.stdout + answer.stderr
    assert "first.story.yaml::story PASSED" in said, answer.stdout
    assert "test_it.py::test_an_order_is_opened_on_the_platform_of_the_file PASSED" in said, answer.stdout
    assert f"planted.story.yaml:{WRONG_LINE}: contractor can withdraw 9,500.01" in said, answer.stdout
    assert "expected: 9,500.01 found: 9,500.00" in said
    assert "Statement of contractor" in said
    assert "Statement of owner" not in said
    assert "1 failed, 2 passed" in said


def test_a_line_that_is_no_sentence_is_told_before_anything_starts(python: Path, tmp_path: Path) -> None:
    files = {"bad.story.yaml": STORY.replace("contractor starts", "contractor begins"), "pytest.ini": "[pytest]\n"}
    answer = run(python, "-m", "pytest", cwd=project(tmp_path, files))
    assert answer.returncode == 2, answer.stdout
    assert f"bad.story.yaml:{STORY.splitlines().index('  - contractor starts') + 1}: " in answer.stdout
    assert "\n    contractor starts\n" in answer.stdout


def test_who_uses_none_of_it_pays_nothing_for_it(python: Path, tmp_path: Path) -> None:
    answer = run(python, "-m", "pytest", cwd=project(tmp_path, {"test_it.py": UNUSED, "pytest.ini": "[pytest]\n"}))
    assert answer.returncode == 0, answer.stdout


def test_a_moment_that_is_none_is_refused_at_once(python: Path, tmp_path: Path) -> None:
    answer = run(
        python, "-m", "pytest", "--begin-at", "sunday-dusk", cwd=project(tmp_path, {"pytest.ini": "[pytest]\n"})
    )
    assert answer.returncode == 4, answer.stdout
    assert "did you mean sunday-dawn?" in answer.stderr
