"""A real HTTP server that takes the bank's notices in, like the address we name to the bank."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from escrow.channels.protocols import BankNotice
from escrow.channels.sandbox_bank.client import verify_notice
from escrow.stack.processes import free_port
from tests.sandbox import BANK_KEY


@dataclass
class Receiver:
    """Keeps every notice with its headers; `failures` many requests are answered with 503 first."""

    url: str
    failures: int = 0
    taken: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    refused: list[bytes] = field(default_factory=list)

    def notices(self, custody_account_no: str) -> list[BankNotice]:
        """Verified notices about one account, in the order of arrival."""
        verified = [verify_notice(BANK_KEY.encode(), headers, body) for headers, body in self.taken]
        return [notice for notice in verified if notice.custody_account_no == custody_account_no]

    async def wait_for(self, custody_account_no: str, count: int, *, seconds: float = 5.0) -> list[BankNotice]:
        """Wait until so many notices about an account are there."""
        async with asyncio.timeout(seconds):
            while len(self.notices(custody_account_no)) < count:
                await asyncio.sleep(0.02)
        return self.notices(custody_account_no)

    async def take(self, request: Request) -> Response:
        """Take one notice."""
        body = await request.body()
        if self.failures > 0:
            self.failures -= 1
            self.refused.append(body)
            return Response(status_code=503)
        self.taken.append((dict(request.headers), body))
        return Response(status_code=204)


@asynccontextmanager
async def running_receiver() -> AsyncIterator[Receiver]:
    """Serve for the length of the block."""
    port = free_port()
    receiver = Receiver(url=f"http://127.0.0.1:{port}/notices")
    app = Starlette(routes=[Route("/notices", receiver.take, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", timeout_graceful_shutdown=1))
    # The test session has its own handling of signals.
    server.capture_signals = contextlib.nullcontext  # type: ignore[assignment,method-assign]  # no other switch exists
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield receiver
    finally:
        server.should_exit = True
        await serving
