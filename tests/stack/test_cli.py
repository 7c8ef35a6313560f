"""The command line: says what is missing, shows no secret, and ends with the code that was meant."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_ENTRY = "from escrow.cli import main; main()"


def escrow(*arguments: str, package_in: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, with the package of a folder and no settings but those given."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("ESCROW_", "DATABASE_"))}
    return subprocess.run(
        [sys.executable, "-c", _ENTRY, *arguments],
        cwd="/",
        env={**ours, "PYTHONPATH": str(package_in), "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_outside_a_checkout_the_stack_says_so_and_ends_with_2(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "escrow", tmp_path / "escrow", ignore=shutil.ignore_patterns("__pycache__"))
    answer = escrow("up", package_in=tmp_path)
    assert answer.returncode == 2, answer.stderr
    assert "needs a checkout or the image" in answer.stderr


def test_missing_settings_are_listed_and_end_with_2(tmp_path: Path) -> None:
    answer = escrow("--stack", str(tmp_path), "migrate")
    assert answer.returncode == 2
    assert "DATABASE_URL: not set" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_settings_of_a_running_stack_are_found(tmp_path: Path) -> None:
    (tmp_path / "environment").write_text("ESCROW_BANK_URL=http://127.0.0.1:9\n")
    answer = escrow("--stack", str(tmp_path), "sandbox", "clock", "15000000000001")
    assert answer.returncode == 1
    assert "sandbox_unreachable" in answer.stderr


@pytest.mark.parametrize(
    ("address", "said"),
    [("@/none?host=/nowhere", "ledger_unavailable"), ("@[wrong/none", "Traceback")],
    ids=["database away", "unforeseen"],
)
def test_an_error_ends_with_1_and_shows_no_key(tmp_path: Path, address: str, said: str) -> None:
    for name in ("ESCROW_BANK_KEY", "ESCROW_DATA_KEY", "ESCROW_INDEX_KEY"):
        (tmp_path / name.lower()).write_text("5e" * 32)
    answer = escrow(
        "--stack",
        str(tmp_path),
        "migrate",
        ESCROW_KEYS_FOLDER=str(tmp_path),
        ESCROW_BANK_URL="http://127.0.0.1:9",
        DATABASE_URL=f"postgresql://nobody:hidden-password{address}",
    )
    assert answer.returncode == 1
    assert said in answer.stderr
    assert "5e5e" not in answer.stderr + answer.stdout
    assert "hidden-password" not in answer.stderr + answer.stdout


@pytest.mark.parametrize("arguments", [["nonsense"], ["up", "--workers", "0"]])
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    answer = escrow(*arguments)
    assert answer.returncode == 2
    assert "Usage" in answer.stderr
