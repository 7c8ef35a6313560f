"""Who uses the processors: seconds by process, for telling where the time goes."""

import os
from collections.abc import Mapping

import psutil

from bench.house import House


def cpu_seconds(house: House) -> dict[str, float]:
    """Processor seconds used so far by each process of the house and by the bench itself."""
    stack = house.stack
    pids = {
        "Temporal server": stack.temporal.pid,
        "worker": stack.worker.pid,
        "API": stack.api.pid,
        "PostgreSQL": stack.postgres.pid,
        "bank sandbox": stack.bank.pid,
        "floor worker": house.floor_worker.pid,
        "caller": os.getpid(),
    }
    return used_by({name: pid for name, pid in pids.items() if pid})


def used_by(pids: Mapping[str, int]) -> dict[str, float]:
    """Processor seconds used so far, by the kernel's accounts of each process; PostgreSQL's with its children's."""
    return {name: _with_children(pid) if name == "PostgreSQL" else _alone(pid) for name, pid in pids.items()}


def _alone(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _with_children(pid: int) -> float:
    # Backends that have ended are counted in their parent's `children_…`, the living ones each by itself.
    process = psutil.Process(pid)
    times = process.cpu_times()
    ended = float(times.children_user + times.children_system)
    return _alone(pid) + ended + sum(_alone(child.pid) for child in process.children())
