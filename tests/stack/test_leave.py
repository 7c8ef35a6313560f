"""The way out: exit functions run, output is written, and the code is the one that was meant."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("code", [0, 1, 7])
def test_the_code_is_kept_and_nothing_is_lost(code: int) -> None:
    script = (
        "import atexit, sys; from escrow.leave import leave; atexit.register(lambda: print('last words'));"
        f"sys.stdout.write('unflushed '); leave({code})"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout) == (code, "unflushed last words\n")


@pytest.mark.parametrize(("body", "code", "closing"), [("pass", 0, "1 passed"), ("assert False", 1, "1 failed")])
def test_a_test_session_ends_with_its_own_code_and_closing_line(
    tmp_path: Path, body: str, code: int, closing: str
) -> None:
    (tmp_path / "test_one.py").write_text(f"def test_one():\n    {body}\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "tests.conftest", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == code, answer.stdout + answer.stderr
    assert closing in answer.stdout.splitlines()[-1]
