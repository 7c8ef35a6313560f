"""Against a stack that somebody else runs: the same stories over HTTP alone, but for what is not ours to do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from escrow.testing.stacks import StackUnderTest

STORIES = Path(__file__).parents[2] / "stories"


def test_stories_run_on_a_stack_that_runs_already_and_leave_its_worker_alone(
    escrow_stack: StackUnderTest, tmp_path: Path
) -> None:
    for name in ("payment-password", "unpaid", "dead-worker"):
        shutil.copy(STORIES / f"{name}.story.yaml", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", "--escrow-bank-url", escrow_stack.bank_url],
        cwd=tmp_path,
        env={**environment, "ESCROW_URL": f"{escrow_stack.api_url}/"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "2 passed, 1 skipped" in answer.stdout
    assert "only on a stack of the session's own: the worker is back, the worker is killed" in answer.stdout
