"""Orders per second, whole life, against the floor, in interleaved rounds on one stack."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from bench.cpu import cpu_seconds
from bench.doors import HttpDoor, WorkflowDoor
from bench.house import House
from bench.lives import FloorLife, Life, OrderLife

#: Orders under way at the same time, in both kinds of rounds.
CONCURRENCY: Final = 8


@dataclass
class Rate:
    """One kind of life: orders per second by round, and processor milliseconds per order by process and round."""

    per_second: list[float] = field(default_factory=list)
    cpu_ms: list[dict[str, float]] = field(default_factory=list)

    def cpu_ms_per_order(self) -> dict[str, float]:
        """Median of the rounds, by process."""
        return {name: round(median(one[name] for one in self.cpu_ms), 1) for name in self.cpu_ms[0]}


@dataclass
class OrderRates:
    """`ours` past HTTP, `over_http`, and the floor."""

    ours: Rate = field(default_factory=Rate)
    over_http: Rate = field(default_factory=Rate)
    floor: Rate = field(default_factory=Rate)


async def measure_orders(house: House, *, rounds: int, seconds: float) -> OrderRates:
    """Interleaved rounds of the three kinds, each of `seconds` and what was begun in it."""
    straight, http = WorkflowDoor(house, house.recorder), HttpDoor(house)
    rates = OrderRates()
    for _ in range(rounds):
        await _round(house, rates.floor, lambda: FloorLife(house.client), seconds)
        await _round(house, rates.ours, lambda: OrderLife(house.client, straight), seconds)
        await _round(house, rates.over_http, lambda: OrderLife(house.client, http), seconds)
    return rates


async def _round(house: House, rate: Rate, begin: Callable[[], Life], seconds: float) -> None:
    before, began, lived = cpu_seconds(house), time.perf_counter(), 0

    async def one_after_the_other() -> None:
        nonlocal lived
        while time.perf_counter() - began < seconds:
            await begin().live()
            lived += 1

    await asyncio.gather(*(one_after_the_other() for _ in range(CONCURRENCY)))
    elapsed, after = time.perf_counter() - began, cpu_seconds(house)
    rate.per_second.append(lived / elapsed)
    rate.cpu_ms.append({name: (after[name] - before[name]) * 1000 / lived for name in after})
