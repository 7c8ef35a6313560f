"""RESULTS.md: the table for people, how each row is measured, and where the time goes."""

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from bench.results import ROWS
from escrow.stack.postgres import BINARIES
from escrow.stack.temporal import SQLITE_PRAGMAS, temporal_executable

_HERE: Final = Path(__file__).parent
RESULTS_MD: Final = _HERE / "RESULTS.md"
_METHOD: Final = (_HERE / "method.md").read_text(encoding="utf-8")
_PROFILE: Final = (_HERE / "profile.md").read_text(encoding="utf-8")


def write_report(results: Mapping[str, Any]) -> str:
    """Write the page and answer it."""
    missed = [row.name for row in ROWS if row.name in results and not results[row.name]["met"]]
    parts = [
        "# Results of `make bench`",
        f"Written on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by `python -m bench`; programs read "
        "[results.json](results.json). Values are medians of the rounds; each ratio is formed inside one round.",
        _table(results),
        _not_measured(results),
        f"## Machine and versions\n\n{_machine()}",
        _METHOD.strip(),
        _processors(results),
        _PROFILE.strip() if missed else "",
    ]
    page = "\n\n".join(part for part in parts if part) + "\n"
    RESULTS_MD.write_text(page, encoding="utf-8")
    return page


def _table(results: Mapping[str, Any]) -> str:
    lines = [
        "| name | what | against | goal | value | met | rounds | measured (UTC), load average |",
        "|---|---|---|---|---:|---|---|---|",
    ]
    for row in ROWS:
        if row.name not in results:
            continue
        found = results[row.name]
        lines.append(
            f"| `{row.name}` | {row.what} | {row.against} | {row.goal_text} | **{found['value']:g}** "
            f"| {'yes' if found['met'] else 'no'} | {' · '.join(f'{each:g}' for each in found['rounds'])} "
            f"| {found['measured_at'][:16].replace('T', ' ')}, {found['load_average'][0]:g} |"
        )
    return "\n".join(lines)


def _not_measured(results: Mapping[str, Any]) -> str:
    missing = [f"`{row.name}`" for row in ROWS if row.name not in results]
    return f"Never measured: {', '.join(missing)}; `make bench TEN_MILLION=1` does it." if missing else ""


def _machine() -> str:
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    server = subprocess.run(
        [temporal_executable(), "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
    postgres = subprocess.run([BINARIES / "postgres", "--version"], capture_output=True, text=True, check=True)
    pragmas = ", ".join(f"{name}={value}" for name, value in SQLITE_PRAGMAS.items())
    return (
        f"{os.cpu_count()} processors ({model[1] if model else platform.machine()}), {memory_gib:.0f} GiB, "
        f"{platform.system()}; callers, API, worker, Temporal, PostgreSQL and bank share them. "
        f"Python {platform.python_version()}, temporalio {version('temporalio')}, {server} with {pragmas}, "
        f"{postgres.stdout.strip()} with its default settings (fsync on), asyncpg {version('asyncpg')}."
    )


def _processors(results: Mapping[str, Any]) -> str:
    if "orders_vs_floor" not in results:
        return ""
    used = results["orders_vs_floor"]["cpu_ms_per_order"]
    kinds = {"floor": "the floor", "ours": "ours", "over_http": "ours over HTTP"}
    lines = [
        "## Processor time of one order\n",
        "Milliseconds by process, from the kernel's accounts, medians of the rounds. Unlike orders per second they do "
        "not depend on what else the machine does.\n",
        "| process | " + " | ".join(kinds.values()) + " |",
        "|---|" + "---:|" * len(kinds),
    ]
    for process in used["ours"]:
        lines.append(f"| {process} | " + " | ".join(f"{used[kind][process]:.0f}" for kind in kinds) + " |")
    lines.append("| **all** | " + " | ".join(f"**{sum(used[kind].values()):.0f}**" for kind in kinds) + " |")
    return "\n".join(lines)
