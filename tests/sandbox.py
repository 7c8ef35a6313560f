"""The bank sandbox as tests use it: a real process on a free port with its books in a temporary folder."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from escrow.channels.sandbox_bank.client import SandboxBank
from escrow.channels.sandbox_bank.steering import SandboxSteering
from escrow.stack.processes import free_port
from escrow.trust import trusted_authorities
from tests.waiting import PATIENCE_SECONDS, saw, until

BANK_KEY = "secret-of-the-test-connection"
#: More than are tried while a test goes on, on whatever machine.
_TEXTS_LOST = 1_000
_REPOSITORY = Path(__file__).parent.parent


class Sandbox:
    """One bank: `start()` and `kill()` as often as wanted, on the same port and books.

    `steer` speaks to the steering handle, `bank` is our client of it. A request that shall get no answer is given up by
    the bank after half a second, so that the client need not be impatient with a busy machine.
    """

    def __init__(self, data: Path, options: Sequence[str] = ()) -> None:
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.key = BANK_KEY
        self.data = data
        self.steer = SandboxSteering(self.base_url, timeout_seconds=PATIENCE_SECONDS)
        self.bank = SandboxBank(self.base_url, self.key, read_timeout_seconds=PATIENCE_SECONDS)
        self._options = ("--silence-seconds", "0.5", *options)
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start the process and wait until it answers."""
        process = self._process = subprocess.Popen(  # noqa: ASYNC220 - forks in a millisecond; only the wait below takes time
            [sys.executable, "-m", "bank_sandbox", "--port", str(self.port), "--data", str(self.data), *self._options],
            cwd=_REPOSITORY,
            env={**os.environ, "BANK_KEY": self.key},
        )

        async def answers() -> bool:
            assert process.poll() is None, f"the bank sandbox ended at start with {process.returncode}"
            try:
                answer = await client.get("/sandbox/health")
            except httpx2.TransportError as error:
                saw(repr(error))
                return False
            saw(repr(answer))
            return answer.is_success

        async with httpx2.AsyncClient(
            base_url=self.base_url, timeout=PATIENCE_SECONDS, verify=trusted_authorities(), trust_env=False
        ) as client:
            await until(answers, "the bank sandbox answers")

    def kill(self) -> None:
        """End the process with SIGKILL, as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End the process politely and tell its exit code."""
        return self._end(signal.SIGTERM)

    async def close(self) -> None:
        """End the process and close the clients."""
        self.kill()
        await self.steer.aclose()
        await self.bank.aclose()

    def _end(self, number: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        return process.wait(timeout=PATIENCE_SECONDS)


@asynccontextmanager
async def running_sandbox(data: Path, *options: str) -> AsyncIterator[Sandbox]:
    """Run a bank with these command-line options for the length of the block."""
    sandbox = Sandbox(data, options)
    await sandbox.start()
    try:
        yield sandbox
    finally:
        await sandbox.close()


async def texts_are_lost(steer: SandboxSteering) -> None:
    """Text messages get no answer and are not sent, until the bank is made well again."""
    for _ in range(_TEXTS_LOST):
        await steer.next_suffers("timeout_not_booked", "sms")


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """A bank of the test's own, with its clock at the machine's time."""
    async with running_sandbox(tmp_path / "bank") as running:
        yield running
