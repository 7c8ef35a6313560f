"""`python -m bench.trails`: through how many files of ours a call passes, in this checkout or in another one.

A file of ours is a Python file of `workflows/`, `activities/`, `api/` or `escrow/`, or `worker.py`. It is passed when
the body of one of its functions, methods or coroutines is entered or resumed, in the process of the API or of the
worker. What only an import does is left out; so are types and values, whose definition nobody runs.

Each way is played once for warming up, then in several rounds, from the call until its end, and **the figure is the
number of files that every round passed**. Background work, such as looking at the custody account once a minute, falls
into a round by chance, and into all of them practically never; a file that it shares with the call counts, since the
call passes it. The files that some rounds passed and others did not are shown beside the figure.

Before the rounds nothing is asked for longer than all background work pauses. The files that are passed meanwhile are
idle, and the figure without them is `beyond idle`: at least so many files are passed for the sake of the call.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from bench.checkout import Refused, revision
from bench.program import run, say
from bench.trails.house import House, open_house
from bench.trails.ways import Accept, TopUp, Way, Withdraw
from escrow.logs import configure_logs
from escrow.stack.processes import StackError

_HERE: Final = Path(__file__).resolve().parents[2]
#: What was begun before a recording has ended by then.
_QUIET_SECONDS: Final = 3.0


@dataclass(frozen=True)
class Trail:
    """What the rounds of one way passed, and what is passed when nothing is asked."""

    rounds: Sequence[frozenset[str]]
    idle: frozenset[str]

    @property
    def passed(self) -> frozenset[str]:
        """Files that every round passed."""
        return frozenset.intersection(*self.rounds)

    @property
    def sometimes(self) -> frozenset[str]:
        """Files that some rounds passed and others did not."""
        return frozenset.union(*self.rounds) - self.passed

    @property
    def beyond_idle(self) -> frozenset[str]:
        """Files that every round passed, and background work never."""
        return self.passed - self.idle

    def by_folder(self) -> Mapping[str, int]:
        """How many of the files every round passed lie in each folder, those of `escrow` by its rooms."""
        return Counter(_folder(path) for path in self.passed)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "files": len(self.passed),
            "beyond_idle": len(self.beyond_idle),
            "by_folder": dict(sorted(self.by_folder().items())),
            "passed": sorted(self.passed),
            "sometimes": sorted(self.sometimes),
        }


def main(
    checkout: Annotated[
        Path, typer.Option(exists=True, file_okay=False, resolve_path=True, help="Whose files are counted.")
    ] = _HERE,
    rounds: Annotated[int, typer.Option(min=2, help="How often each way is followed.")] = 5,
    idle_seconds: Annotated[float, typer.Option(min=1, help="How long nothing is asked before.")] = 65,
    json_file: Annotated[Path | None, typer.Option("--json", help="Gets figures and lists, for programs.")] = None,
) -> None:
    """Count the files of a checkout that an accept, a withdrawal and a top-up pass through."""
    configure_logs("console", "WARNING")
    try:
        trails = asyncio.run(_follow_all(checkout, rounds, idle_seconds))
    except (StackError, Refused, TimeoutError) as error:
        sys.stderr.write(f"{error!r}\n")
        raise typer.Exit(1) from error
    title = revision(checkout)
    Console().print(_table(trails, title))
    if json_file is not None:
        found = {
            "checkout": title,
            "rounds": rounds,
            "ways": {name: trail.as_json() for name, trail in trails.items()},
            "idle": sorted(frozenset.union(*(trail.idle for trail in trails.values()))),
        }
        json_file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


async def _follow_all(checkout: Path, rounds: int, idle_seconds: float) -> dict[str, Trail]:
    say("trails", f"starting the stack of {checkout}")
    async with open_house(checkout) as house:
        ways: list[Way] = [Accept(house, times=rounds + 1), Withdraw(house), TopUp(house)]
        say("trails", "warming up")
        for way in ways:
            await way.prepare()
            await way.go()
        await asyncio.sleep(_QUIET_SECONDS)
        say("trails", f"asking nothing for {idle_seconds:g} s")
        idle = await house.recorder.passed_during(partial(asyncio.sleep, idle_seconds))
        return {way.name: Trail(await _follow(house, way, rounds), idle) for way in ways}


async def _follow(house: House, way: Way, rounds: int) -> list[frozenset[str]]:
    passed = []
    for number in range(1, rounds + 1):
        say("trails", f"{way.name} {number} of {rounds}")
        await way.prepare()
        await asyncio.sleep(_QUIET_SECONDS)
        passed.append(await house.recorder.passed_during(way.go))
    return passed


def _table(trails: Mapping[str, Trail], title: str) -> Table:
    table = Table("folder", title=f"Files of ours passed, {title}")
    for name in trails:
        table.add_column(name, justify="right")
    counts = [trail.by_folder() for trail in trails.values()]
    for folder in sorted({folder for count in counts for folder in count}):
        table.add_row(folder, *(str(count.get(folder, 0)) for count in counts))
    table.add_section()
    for what, sizes in (
        ("all", [len(trail.passed) for trail in trails.values()]),
        ("beyond idle", [len(trail.beyond_idle) for trail in trails.values()]),
        ("in some rounds only", [len(trail.sometimes) for trail in trails.values()]),
    ):
        table.add_row(what, *map(str, sizes), style="bold" if what == "all" else None)
    return table


def _folder(path: str) -> str:
    parts = path.split("/")[:-1]
    return "/".join(parts[:2] if parts[:1] == ["escrow"] else parts[:1]) or path


if __name__ == "__main__":
    run(main)
