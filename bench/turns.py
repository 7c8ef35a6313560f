"""`python -m bench.turns --checkout DIR`: what an order costs in two releases, taken in turns in one run.

Each release is driven by its own `escrow up` over HTTP, the floor by a Temporal client on the server of this one. The
loads alternate in many short slices, in random order. A slice is charged with the processor time that the kernel counts
for the processes of its own load and for the caller, so nothing that the other stack does meanwhile is charged to it.
"""

import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated, Any, Final, TypeAlias

import httpx2
import psutil
import typer
import uvloop
from rich.console import Console
from rich.table import Table
from temporalio.client import Client

from bench.checkout import Checkout, Refused, asked, open_checkout, open_member, revision, seen, started
from bench.cpu import used_by
from bench.doors import STAGES, HttpDoor
from bench.house import PAIRS
from bench.lives import FloorLife, Life, OrderLife, start_floor_watch
from bench.program import run, say
from escrow.logs import configure_logs
from escrow.stack.payloads import data_converter
from escrow.stack.processes import Command, Member, StackError

_HERE: Final = Path(__file__).resolve().parents[1]
_FLOOR: Final = "floor"
#: Lives under way at the same time, and how many of them follow each other in a slice.
_CONCURRENCY: Final = 8
_LIVES_EACH: Final = 2
#: Orders of a slice of accepts, whose calls follow each other.
_ORDERS: Final = 6
#: Before accepts: what was done to prepare them has ended so much later.
_QUIET_SECONDS: Final = 0.3
#: A slice is charged with what goes on for so long after its last answer; longer would count idling.
_TAIL_SECONDS: Final = 0.1
_FUNDS_FEN: Final = 100_000_000_00
_FUNDS_YUAN: Final = "100,000,000.00"
#: Slices of one kind, by load, round after round.
_Rounds: TypeAlias = "list[dict[str, Slice]]"
#: Programs of a stack, as their command lines name them.
_PROGRAMS: Final = {
    "escrow up": "from escrow.cli",
    "Temporal server": "start-dev",
    "worker": "-m worker",
    "API": "-m api",
    "bank sandbox": "-m bank_sandbox",
}


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is measured: how one of its lives begins, and the processes that are charged to it."""

    name: str
    begin: Callable[[], Life]
    pids: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Processor milliseconds by process, of one life or one accept; `p50_ms` of an accept as its caller sees it."""

    cpu_ms: Mapping[str, float]
    p50_ms: float | None = None

    @property
    def all_ms(self) -> float:
        """Of all processes."""
        return sum(self.cpu_ms.values())


class _Api:
    """The API of a checkout, for a door."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        return await asked(self._client, "POST", path, body)


def main(
    checkout: Annotated[Path, typer.Option(exists=True, file_okay=False, resolve_path=True, help="The other release.")],
    minutes: Annotated[float, typer.Option(min=0, help="How long rounds are begun, after all has started.")] = 10,
    json_file: Annotated[Path | None, typer.Option("--json", help="Gets every slice, for programs.")] = None,
) -> None:
    """Measure a whole life and an accept, of this checkout, of another one and of the floor, in turns."""
    configure_logs("console", "WARNING")
    try:
        lives, accepts = uvloop.run(_measure(checkout, minutes))
    except (StackError, Refused, TimeoutError) as error:
        sys.stderr.write(f"{error!r}\n")
        raise typer.Exit(1) from error
    for table in (_costs("life", lives), _costs("accept over HTTP", accepts), _ratios(lives, accepts)):
        Console().print(table)
    if json_file is not None:
        found = {
            kind: [{name: {**part.cpu_ms, "p50_ms": part.p50_ms} for name, part in each.items()} for each in rounds]
            for kind, rounds in (("lives", lives), ("accepts", accepts))
        }
        json_file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


async def _measure(other: Path, minutes: float) -> tuple[_Rounds, _Rounds]:
    lives: _Rounds = []
    accepts: _Rounds = []
    async with AsyncExitStack() as opened:
        this_one, other_one = [await opened.enter_async_context(_stack(root)) for root in (_HERE, other)]
        loads = [
            await opened.enter_async_context(_floor(this_one)),
            await opened.enter_async_context(_orders("this", this_one)),
            await opened.enter_async_context(_orders("other", other_one)),
        ]
        say("turns", "warming up")
        for load in loads:
            await _lives(load)
            await _accepts(load)
        until = time.monotonic() + minutes * 60
        while not lives or time.monotonic() < until:
            say("turns", f"round {len(lives) + 1}")
            lives.append(await _in_turns(loads, _lives))
            accepts.append(await _in_turns(loads, _accepts))
    return lives, accepts


async def _in_turns(loads: Sequence[Load], slice_of: Callable[[Load], Awaitable[Slice]]) -> dict[str, Slice]:
    """A slice of each load, in random order."""
    found = {load.name: await slice_of(load) for load in random.sample(loads, len(loads))}
    return {load.name: found[load.name] for load in loads}


async def _lives(load: Load) -> Slice:
    """Some whole lives side by side."""

    async def one_after_the_other() -> None:
        for _ in range(_LIVES_EACH):
            await load.begin().live()

    before = used_by(load.pids)
    await asyncio.gather(*(one_after_the_other() for _ in range(_CONCURRENCY)))
    await asyncio.sleep(_TAIL_SECONDS)
    return Slice(cpu_ms=_each(before, used_by(load.pids), _LIVES_EACH * _CONCURRENCY))


async def _accepts(load: Load) -> Slice:
    """Accepts one after the other; what comes before each is not measured."""
    lives = [load.begin() for _ in range(_ORDERS)]
    await asyncio.gather(*(life.begin() for life in lives))
    used, calls_ms = dict.fromkeys(load.pids, 0.0), []
    for milestone in range(1, STAGES + 1):
        await asyncio.gather(*(life.complete(milestone) for life in lives))
        await asyncio.sleep(_QUIET_SECONDS)
        before = used_by(load.pids)
        for life in lives:
            began = time.perf_counter()
            await life.accept(milestone)
            calls_ms.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(_TAIL_SECONDS)
        for name, seconds in used_by(load.pids).items():
            used[name] += seconds - before[name]
    return Slice(cpu_ms=_each({}, used, len(calls_ms)), p50_ms=median(calls_ms))


def _each(before: Mapping[str, float], after: Mapping[str, float], times: int) -> dict[str, float]:
    return {name: (seconds - before.get(name, 0)) * 1000 / times for name, seconds in after.items()}


# ---- what is started ----


@asynccontextmanager
async def _stack(root: Path) -> AsyncIterator[Checkout]:
    """A checkout with owners that have money, and contractors."""
    say("turns", f"starting the stack of {root}, {revision(root)}")
    async with AsyncExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="turns-")))
        checkout = await opened.enter_async_context(open_checkout(root, folder))
        api = await opened.enter_async_context(checkout.api())
        for pair in range(PAIRS):
            await open_member(api, f"C-{pair}", f"4425010000340000{pair:04d}")
            owner_no, account_no = f"O-{pair}", f"1100000000{pair:05d}"
            await open_member(api, owner_no, account_no)
            await checkout.fund(owner_no, account_no, _FUNDS_YUAN)
            await seen(api, f"/members/{owner_no}/balances", available_fen=_FUNDS_FEN)
        yield checkout


@asynccontextmanager
async def _orders(name: str, checkout: Checkout) -> AsyncIterator[Load]:
    """Orders of a checkout, over HTTP."""
    client = await _temporal(checkout)
    async with checkout.api() as api:
        door = HttpDoor(_Api(api))
        yield Load(name=name, begin=lambda: OrderLife(client, door), pids=_pids(checkout))


@asynccontextmanager
async def _floor(checkout: Checkout) -> AsyncIterator[Load]:
    """The floor, on the Temporal server of a checkout; its first order waits for its worker."""

    async def begun() -> bool:
        return True

    command = Command(
        argv=[sys.executable, "-m", "bench.floor"],
        log_path=checkout.data.with_name("floor.log"),
        environment={"TEMPORAL_ADDRESS": checkout.settings["TEMPORAL_ADDRESS"]},
        folder=_HERE,
    )
    worker = Member("the floor's worker", command, is_ready=begun)
    async with AsyncExitStack() as opened:
        await started(opened, worker)
        client = await _temporal(checkout)
        await start_floor_watch(client)
        pids = {name: pid for name, pid in _pids(checkout).items() if name in ("Temporal server", "caller")}
        yield Load(name=_FLOOR, begin=lambda: FloorLife(client), pids={**pids, "worker": worker.pid or 0})


async def _temporal(checkout: Checkout) -> Client:
    return await Client.connect(checkout.settings["TEMPORAL_ADDRESS"], data_converter=data_converter)


def _pids(checkout: Checkout) -> dict[str, int]:
    """Processes of a stack by their programs, and the caller."""
    stack = psutil.Process(checkout.stack.pid)
    family = [stack, *stack.children(recursive=True)]
    pids = {"caller": os.getpid()}
    for process in family:
        line = " ".join(process.cmdline())
        pids |= {name: process.pid for name, mark in _PROGRAMS.items() if mark in line}
    pids["PostgreSQL"] = next(process.pid for process in family if process.name() == "postgres")
    return pids


# ---- what is shown ----


def _costs(of: str, rounds: _Rounds) -> Table:
    table = Table("process", title=f"Processor milliseconds of one {of}, medians of {len(rounds)} slices")
    names = list(rounds[0])
    for name in names:
        table.add_column(name, justify="right")
    for process in dict.fromkeys(process for part in rounds[0].values() for process in part.cpu_ms):
        table.add_row(
            process, *(f"{median(each[name].cpu_ms.get(process, 0) for each in rounds):.1f}" for name in names)
        )
    table.add_row("all", *(_spread([each[name].all_ms for each in rounds], ".0f") for name in names), style="bold")
    return table


def _ratios(lives: _Rounds, accepts: _Rounds) -> Table:
    """Each ratio is formed inside one round."""
    table = Table("of the floor", title="Ratios, medians and quartiles of the rounds")
    names = [name for name in lives[0] if name != _FLOOR]
    for name in names:
        table.add_column(name, justify="right")

    def add(what: str, rounds: _Rounds, value: Callable[[Slice], float]) -> None:
        found = {name: [value(each[name]) / value(each[_FLOOR]) for each in rounds] for name in names}
        table.add_row(what, *(_spread(found[name], ".2f") for name in names))

    add("processor time of a life", lives, lambda part: part.all_ms)
    add("processor time of an accept", accepts, lambda part: part.all_ms)
    add("p50 of an accept", accepts, lambda part: part.p50_ms or 0)
    return table


def _spread(values: Sequence[float], form: str) -> str:
    if len(values) == 1:
        return f"{values[0]:{form}}"
    low, _, high = quantiles(values, n=4)
    return f"{median(values):{form}} ({low:{form}} to {high:{form}})"


if __name__ == "__main__":
    run(main)
