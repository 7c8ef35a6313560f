"""The whole stack on one machine: PostgreSQL, Temporal, the bank sandbox, the API and the workers.

Each is a child of this process, started in the order of need and ended in the opposite one. `escrow up` runs it for
people; the demo and the tests use the same class to kill and start members while it runs.
"""

import asyncio
import fcntl
import os
import sys
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TextIO

import httpx2

from escrow.ledger.engine import APPLICATION_ROLE
from escrow.migrations.migrate import migrate
from escrow.stack.keys import load_or_make_keys
from escrow.stack.postgres import PostgresServer
from escrow.stack.processes import Command, Member, StackError, free_port, is_free
from escrow.stack.temporal import TemporalDevServer
from escrow.trust import trusted_authorities

#: Where the other rooms lie: the root of the checkout or image that this package is installed from.
ROOT = Path(__file__).resolve().parents[2]

#: A stack that was killed here a moment ago still ends its children.
_PORT_WAIT_SECONDS = 10

_OTHER_ROOMS = ("worker.py", "api", "bank_sandbox")


def require_other_rooms() -> None:
    """Check that API, worker and bank lie beside this package.

    Raises:
        StackError: only the package `escrow` is installed.
    """
    absent = [name for name in _OTHER_ROOMS if not (ROOT / name).exists()]
    if absent:
        raise StackError(
            f"{', '.join(absent)} not found in {ROOT}: this command needs a checkout or the image, "
            "installed with `pip install -e . -c constraints.txt`"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """TCP ports on the loopback address; those left out are chosen among the free ones."""

    temporal: int = field(default_factory=free_port)
    temporal_ui: int = field(default_factory=free_port)
    bank: int = field(default_factory=free_port)
    api: int = field(default_factory=free_port)


#: What `escrow up` uses unless told otherwise, as the README shows them.
USUAL_PORTS = Ports(temporal=7233, temporal_ui=8233, bank=8090, api=8080)


class Stack:
    """All members of the stack, each with `start`, `stop` and `kill`.

    Args:
        folder: holds all data, logs and keys; made when missing; one stack at a time.
        ports: where the members listen.
        workers: how many worker processes.
    """

    def __init__(self, folder: Path, *, ports: Ports, workers: int = 1) -> None:
        require_other_rooms()
        self.folder = folder.resolve()
        self.ports = ports
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock: TextIO | None = None
        self.postgres = PostgresServer(self.folder / "postgres")
        self.temporal = TemporalDevServer(self.folder / "temporal", port=ports.temporal, ui_port=ports.temporal_ui)
        keys = load_or_make_keys(self.folder / "keys")
        self.environment: dict[str, str] = {
            **keys,
            "DATABASE_URL": self.postgres.dsn_as(APPLICATION_ROLE),
            "TEMPORAL_ADDRESS": self.temporal.address,
            "ESCROW_BANK_URL": self.bank_url,
            "ESCROW_API_PORT": str(ports.api),
            "ESCROW_TIME_MAY_BE_SKIPPED": "true",
        }
        self.bank = self._bank()
        # It finishes the calls under way: as long as a command may take to be answered, and a little more.
        self.api = self._member("api", [], url=f"{self.api_url}/health", stop_seconds=15)
        self.workers = [self._worker(number) for number in range(1, workers + 1)]

    @property
    def api_url(self) -> str:
        """Base URL of the API."""
        return f"http://127.0.0.1:{self.ports.api}"

    @property
    def bank_url(self) -> str:
        """Base URL of the bank sandbox."""
        return f"http://127.0.0.1:{self.ports.bank}"

    @property
    def worker(self) -> Member:
        """The first worker, the only one unless more were asked for."""
        return self.workers[0]

    async def start(self) -> None:
        """Start all members, each when those it needs are ready; end what was started when one fails.

        Raises:
            StackError: another stack runs on the folder, a port is taken, or a member did not start.
        """
        self._lock = self._lock or _hold_alone(self.folder / "lock")
        try:
            await self._require_free_ports()
            await _all_or_none(self._start_ledger(), self.temporal.start(), self.bank.start())
            await _all_or_none(self.api.start(), *(worker.start() for worker in self.workers))
            environment = {**self.environment, "DATABASE_OWNER_URL": self.postgres.dsn}
            lines = [f"{name}={value}\n" for name, value in environment.items()]
            _write_private(self.folder / "environment", "".join(lines))
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End all members in order: those that send first, then those they send to."""
        (self.folder / "environment").unlink(missing_ok=True)
        await asyncio.gather(self.api.stop(), *(worker.stop() for worker in self.workers))
        await self.bank.stop()
        await self.temporal.stop()
        await self.postgres.stop()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _start_ledger(self) -> None:
        await self.postgres.start()
        await migrate(self.postgres.dsn, sandbox=True, in_use=True)  # it is nothing else

    def _bank(self) -> Member:
        key = self.environment["ESCROW_BANK_KEY"]
        arguments = ["--port", str(self.ports.bank), "--data", str(self.folder / "bank")]
        arguments += ["--notice-url", f"{self.api_url}/bank/notices"]
        return self._member("bank_sandbox", arguments, url=f"{self.bank_url}/sandbox/health", extra={"BANK_KEY": key})

    def _worker(self, number: int) -> Member:
        port, sdk_port = free_port(), free_port()
        extra = {"ESCROW_METRICS_PORT": str(port), "ESCROW_SDK_METRICS_PORT": str(sdk_port)}
        # 30 s of grace for what it has begun, and a little for the way out.
        return self._member(
            "worker", [], url=f"http://127.0.0.1:{port}/metrics", extra=extra, number=number, stop_seconds=35
        )

    def _member(
        self,
        module: str,
        arguments: list[str],
        *,
        url: str,
        extra: dict[str, str] | None = None,
        number: int | None = None,
        stop_seconds: float = 10,
    ) -> Member:
        name = module if number is None else f"{module}-{number}"
        command = Command(
            argv=[sys.executable, "-m", module, *arguments],
            log_path=self.folder / f"{name}.log",
            environment={**self.environment, **(extra or {})},
            folder=ROOT,
            stop_seconds=stop_seconds,
        )
        return Member(name, command, is_ready=lambda: answers(url))

    async def _require_free_ports(self) -> None:
        wanted = {
            "--temporal-port": self.ports.temporal,
            "--temporal-ui-port": self.ports.temporal_ui,
            "--bank-port": self.ports.bank,
            "--api-port": self.ports.api,
        }
        deadline = asyncio.get_running_loop().time() + _PORT_WAIT_SECONDS
        for option, port in wanted.items():
            while not is_free(port):
                if asyncio.get_running_loop().time() > deadline:
                    raise StackError(f"port {port} is taken by another program: end it, or choose one with {option}")
                await asyncio.sleep(0.1)


async def _all_or_none(*starts: Coroutine[Any, Any, None]) -> None:
    tasks = [asyncio.create_task(start) for start in starts]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        # The others must not go on starting what is about to be stopped.
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        raise


async def answers(url: str) -> bool:
    """Whether a GET of `url` is answered with success within a second."""
    try:
        async with httpx2.AsyncClient(timeout=1, verify=trusted_authorities(), trust_env=False) as client:
            return (await client.get(url)).is_success
    except httpx2.TransportError:
        return False


def environment_of_running_stack(folder: Path) -> dict[str, str]:
    """Settings of the stack that runs on `folder` now, by variable; empty when none does."""
    path = folder / "environment"
    if not path.exists():
        return {}
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def _hold_alone(path: Path) -> TextIO:
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise StackError(
            f"a stack runs on {path.parent} already: end it, or choose another folder with --data"
        ) from None
    return file


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
