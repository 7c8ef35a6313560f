"""Supervised children: ready means ready, dead means started again, stopped means stopped."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from escrow.stack import processes
from escrow.stack.processes import Command, Member, StackError, free_port, is_free
from tests.waiting import PATIENCE_SECONDS, until


def member(folder: Path, script: str, *, ready: Path | None = None, ready_seconds: float = PATIENCE_SECONDS) -> Member:
    async def is_ready() -> bool:
        return ready is None or ready.exists()

    command = Command(argv=[sys.executable, "-c", script], log_path=folder / "child.log", stop_seconds=2)
    return Member("child", command, is_ready=is_ready, ready_seconds=ready_seconds)


async def test_start_returns_when_the_child_is_ready(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    child = member(tmp_path, f"import time; time.sleep(.3); open({str(ready)!r}, 'w'); time.sleep(60)", ready=ready)
    await child.start()
    assert ready.exists()
    await child.stop()
    assert not child.running


async def test_a_child_that_ends_before_it_is_ready_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    child = member(tmp_path, "raise SystemExit('no such bank')", ready=tmp_path / "never")
    with pytest.raises(StackError, match="no such bank"):
        await child.start()


async def test_a_child_that_is_never_ready_is_ended(tmp_path: Path) -> None:
    child = member(tmp_path, "import time; time.sleep(60)", ready=tmp_path / "never", ready_seconds=0.3)
    with pytest.raises(StackError, match="was not ready"):
        await child.start()
    assert not child.running


async def test_a_death_starts_it_again_and_start_waits_for_that(tmp_path: Path) -> None:
    child = member(tmp_path, "import time; time.sleep(60)")
    await child.start()
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.pid != first, "the death is noticed")
    await child.start()
    assert child.pid not in {None, first}
    assert child.restarts == 1
    await child.stop()


async def test_a_child_that_ignores_the_signal_is_killed_after_its_grace(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    script = (
        f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open({str(ready)!r}, 'w'); time.sleep(60)"
    )
    child = member(tmp_path, script, ready=ready)
    await child.start()
    await child.stop()
    assert not child.running


async def test_a_killed_child_stays_down(tmp_path: Path) -> None:
    child = member(tmp_path, "import time; time.sleep(60)")
    await child.start()
    await child.kill()
    await asyncio.sleep(0.2)
    assert not child.running
    assert child.restarts == 0


async def test_the_terminals_interrupt_does_not_reach_the_child(tmp_path: Path) -> None:
    child = member(tmp_path, "import time; time.sleep(60)")
    await child.start()
    assert child.pid is not None
    assert os.getsid(child.pid) == child.pid != os.getsid(0)
    await child.stop()


async def test_a_port_is_free_until_somebody_listens() -> None:
    port = free_port()
    assert is_free(port)
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
    assert not is_free(port)
    server.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes cannot tell each other")
def test_no_port_is_given_out_twice_to_this_or_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = free_port(), free_port()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        third = probe.getsockname()[1]
    monkeypatch.setattr(processes, "_GIVEN", {})  # as another process has it
    monkeypatch.setattr(processes, "_FREE_PORTS", [first] * 50 + [second] * 50 + [third])
    assert free_port() == third
