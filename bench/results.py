"""The rows of the table: what is measured, against what, the goal, and the values, kept as JSON for programs."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

RESULTS_JSON: Final = Path(__file__).parent / "results.json"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the table; `at_least` says on which side of `goal` the value should be."""

    name: str
    what: str
    against: str
    goal: float
    at_least: bool

    @property
    def goal_text(self) -> str:
        """The goal as people write it."""
        return f"{'≥' if self.at_least else '≤'} {self.goal:g}"

    def is_met_by(self, value: float) -> bool:
        """Whether a value reaches the goal."""
        return value >= self.goal if self.at_least else value <= self.goal


ROWS: Final = tuple(
    Row(name=name, what=what, against=against, goal=goal, at_least=at_least)
    for name, what, against, goal, at_least in (
        (
            "orders_vs_floor",
            "orders per second, whole life (freeze, 3 milestones, payout)",
            "the same number of messages and activities doing nothing, same server, same worker settings",
            0.8,
            True,
        ),
        (
            "postings_vs_tpcb",
            "ledger postings per second, 8 concurrent callers, 1,000 accounts, fsync on",
            "`pgbench -M prepared -c 8` (TPC-B) on the same PostgreSQL",
            1.0,
            True,
        ),
        ("hot_vs_spread", "the same with one hot account", "the same without", 0.9, True),
        ("postings_64_vs_tpcb", "the same, 64 callers", "TPC-B, 8 clients", 1.5, True),
        (
            "accept_latency_vs_floor",
            "`accept` → money released, p50 seen by the HTTP caller",
            "a bare update with one empty activity, p50 seen by a Temporal client",
            1.5,
            False,
        ),
        ("postings_10m_vs_10k", "posting rate at 10 million lines", "at 10 thousand", 0.9, True),
        (
            "history_events",
            "history events of a three-milestone order (complete and accept each), without its payout",
            "—",
            110,
            False,
        ),
        ("payout_events", "history events of one payout that succeeds after one query", "—", 40, False),
        ("statement_10m_vs_10k", "one-month statement of a member at 10 million lines", "at 10 thousand", 1.5, False),
    )
)

_BY_NAME: Final = {row.name: row for row in ROWS}


def outcome(name: str, rounds: Sequence[float], **details: Any) -> dict[str, Any]:
    """The JSON of one row: the median of its rounds, the goal, when and how busy the machine was, and `details`."""
    row, value = _BY_NAME[name], round(median(rounds), 3)
    return {
        "value": value,
        "goal": row.goal,
        "better": "higher" if row.at_least else "lower",
        "met": row.is_met_by(value),
        "rounds": [round(each, 3) for each in rounds],
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        **details,
    }


def load_results() -> dict[str, Any]:
    """What was measured before, by row; empty the first time."""
    if not RESULTS_JSON.exists():
        return {}
    stored: dict[str, Any] = json.loads(RESULTS_JSON.read_text(encoding="utf-8"))
    return stored


def store_results(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what was measured; a row that was not measured now keeps its last value and date. All rows, in order."""
    known = {**load_results(), **measured}
    ordered = {row.name: known[row.name] for row in ROWS if row.name in known}
    RESULTS_JSON.write_text(json.dumps(ordered, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return ordered
