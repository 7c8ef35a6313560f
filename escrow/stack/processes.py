"""Child processes with a ready check: started, watched, started again when they die, ended in order.

Every child runs in a session of its own, so that Ctrl-C in the terminal reaches the supervisor alone, and is told
when the supervisor dies (see `launch`), so that nothing is left behind.
"""

import asyncio
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from escrow.stack import launch

log = structlog.get_logger(__name__)

_POLL_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 5.0
#: Above the ports of usual servers, below the range for outgoing connections (Linux: 32768 and up).
_FREE_PORTS = range(20_000, 32_000)
#: Ports that this process has given out, each with what tells other processes so.
_GIVEN: dict[int, socket.socket | None] = {}


class StackError(Exception):
    """A server or process of the stack did not start; the message names it and quotes the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The operating-system account a child runs as when we are root.

    `capability` is the Linux capability it keeps (see `escrow.stack.accounts`), None for none.
    """

    uid: int
    gid: int
    capability: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run.

    Args:
        argv: absolute path of the program and its arguments.
        log_path: gets standard output and error, appended.
        environment: variables on top of our own; a None removes one.
        folder: current folder of the child.
        stop_signal: asks it to end in order; also sent when the supervisor itself dies.
        stop_seconds: how long it may take before SIGKILL.
        account: whom to run as, None for ourselves.
    """

    argv: Sequence[str | Path]
    log_path: Path
    environment: Mapping[str, str | None] = field(default_factory=dict)
    folder: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10
    account: Account | None = None


async def spawn(command: Command) -> asyncio.subprocess.Process:
    """Start the child in a new session, bound to our life."""
    account = command.account
    options = {
        "parent_pid": os.getpid(),
        "death_signal": int(command.stop_signal),
        "uid": account.uid if account else None,
        "gid": account.gid if account else None,
        "capability": account.capability if account else None,
    }
    merged = {**os.environ, **command.environment}
    with command.log_path.open("ab") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            launch.__file__,
            json.dumps(options),
            *map(str, command.argv),
            cwd=command.folder,
            env={name: value for name, value in merged.items() if value is not None},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def log_tail(log_path: Path, lines: int = 12) -> str:
    """Last lines of a log, for error messages."""
    if not log_path.exists():
        return ""
    return "\n".join(log_path.read_text(errors="replace").splitlines()[-lines:])


def free_port() -> int:
    """A TCP port on the loopback address that nobody has now.

    Below the range from which the system gives ports to outgoing connections: one of those, or of another program
    that asked the system for any port, would otherwise take it before the member that it is meant for. None is given
    twice while this process lives, on Linux to no other stack either.
    """
    while True:
        port = secrets.choice(_FREE_PORTS)
        if port in _GIVEN:
            continue
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _GIVEN[port] = _claim(port)
            return port


def _claim(port: int) -> socket.socket | None:
    """Tell other processes of this network that a port is given out, by a name that vanishes with this process.

    Raises:
        OSError: it is given out already.
    """
    if sys.platform != "linux":
        return None
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0escrow-port-{port}")
    except OSError:
        claim.close()
        raise
    return claim


def is_free(port: int) -> bool:
    """Whether nobody listens on this TCP port of the loopback address."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


class Member:
    """One supervised child: `start` returns when it is ready, a death nobody asked for starts it again.

    Args:
        name: what people call it.
        command: what to run.
        is_ready: asked every 50 ms after a start until it says yes.
        ready_seconds: how long the start may take, on a slow machine with other work.
        early_exits_allowed: how often it may end before it was ready within one start (PostgreSQL does, while the
            memory of a killed predecessor is still in use).
        restart: whether a death starts it again.
    """

    def __init__(
        self,
        name: str,
        command: Command,
        *,
        is_ready: Callable[[], Awaitable[bool]],
        ready_seconds: float = 120,
        early_exits_allowed: int = 0,
        restart: bool = True,
    ) -> None:
        self.name = name
        self.command = command
        self.restarts = 0
        self._is_ready = is_ready
        self._ready_seconds = ready_seconds
        self._early_exits_allowed = early_exits_allowed
        self._restart = restart
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._up = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Process id while it runs, else None."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    @property
    def running(self) -> bool:
        """Whether the process is there; says nothing of its health."""
        return self.pid is not None

    async def start(self) -> None:
        """Start it and wait until it is ready; when it runs or is being restarted, only wait.

        Raises:
            StackError: it ended or was not ready in time.
        """
        if self._watcher is None or self._watcher.done():
            await self._start_once()
            self._watcher = asyncio.create_task(self._watch(), name=f"watch {self.name}")
        await self._up.wait()

    async def stop(self) -> None:
        """End it in order, by SIGKILL after `stop_seconds`; it stays down until `start`."""
        await self._stop_watching()
        await self._end(self.command.stop_signal, self.command.stop_seconds)

    async def kill(self) -> None:
        """SIGKILL, as a crash would; it stays down until `start`."""
        await self._stop_watching()
        await self._end(signal.SIGKILL, self.command.stop_seconds)

    async def _start_once(self) -> None:
        clock = asyncio.get_running_loop()
        deadline = clock.time() + self._ready_seconds
        early_exits = 0
        self._process = await spawn(self.command)
        while not (self.running and await self._is_ready()):
            if self._process.returncode is not None:
                early_exits += 1
                if early_exits > self._early_exits_allowed:
                    raise self._error(f"ended with code {self._process.returncode} before it was ready")
                await asyncio.sleep(_POLL_SECONDS)
                self._process = await spawn(self.command)
            if clock.time() > deadline:
                await self._end(signal.SIGKILL, self.command.stop_seconds)
                raise self._error(f"was not ready after {self._ready_seconds:g} s")
            await asyncio.sleep(_POLL_SECONDS)
        self._up.set()

    async def _watch(self) -> None:
        clock = asyncio.get_running_loop()
        pause_seconds = _POLL_SECONDS
        while self._process is not None:
            started = clock.time()
            await self._process.wait()
            self._up.clear()
            if not self._restart:
                return
            lived_long = clock.time() - started > _LONGEST_PAUSE_SECONDS
            pause_seconds = _POLL_SECONDS if lived_long else min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
            log.warning("member died, starting it again", member=self.name, exit_code=self._process.returncode)
            await asyncio.sleep(pause_seconds)
            self.restarts += 1
            try:
                await self._start_once()
            except StackError as error:
                log.error("member did not come back yet", member=self.name, reason=str(error))

    async def _stop_watching(self) -> None:
        watcher, self._watcher = self._watcher, None
        self._up.clear()
        if watcher is not None:
            watcher.cancel()
            await asyncio.wait([watcher])

    async def _end(self, first_signal: signal.Signals, seconds: float) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(first_signal)
        try:
            await asyncio.wait_for(process.wait(), seconds)
        except TimeoutError:
            process.kill()
            await process.wait()

    def _error(self, what: str) -> StackError:
        log_path = self.command.log_path
        return StackError(f"{self.name} {what}; the end of {log_path}:\n{log_tail(log_path)}")
