"""How long `accept` takes for the HTTP caller, against a bare update with one empty activity."""

import time
from dataclasses import dataclass, field
from typing import Final

from bench import floor
from bench.doors import STAGES, HttpDoor
from bench.house import House
from bench.lives import OrderLife, bare_update

#: One after the other: the latency of a call, not of a queue.
_ORDERS_PER_ROUND: Final = 12


@dataclass
class Latencies:
    """Milliseconds of each call by round, one call of either kind after the other."""

    accept: list[list[float]] = field(default_factory=list)
    floor: list[list[float]] = field(default_factory=list)


async def measure_accept(house: House, *, rounds: int) -> Latencies:
    """Accepts over HTTP and bare updates by a Temporal client, alternating, on an otherwise idle stack."""
    found, door = Latencies(), HttpDoor(house)
    for number in range(rounds):
        floor_order = await house.client.start_workflow(
            floor.FloorOrder.run,
            _ORDERS_PER_ROUND * STAGES,
            id=f"floor-latency/{number}",
            task_queue=floor.TASK_QUEUE,
        )
        ours, bare = [], []
        for _ in range(_ORDERS_PER_ROUND):
            life = OrderLife(house.client, door)
            await life.begin()
            for milestone in range(1, STAGES + 1):
                await life.complete(milestone)
                began = time.perf_counter()
                released_fen = await life.accept(milestone)
                ours.append((time.perf_counter() - began) * 1000)
                if released_fen == 0:
                    raise RuntimeError("an accepted stage released nothing")
                began = time.perf_counter()
                await bare_update(floor_order)
                bare.append((time.perf_counter() - began) * 1000)
        found.accept.append(ours)
        found.floor.append(bare)
    return found
