"""A real HTTP server that takes the bank's notices in, like the address we name to the bank."""

import asyncio
import contextlib
import json
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
from tests.waiting import until


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A notice as it came, and what it said when it was verified on its arrival."""

    headers: dict[str, str]
    body: bytes
    notice: BankNotice


@dataclass
class Receiver:
    """Keeps every notice about one custody account; `failures` many are answered with 503 first."""

    custody_account_no: str
    failures: int = 0
    taken: list[Taken] = field(default_factory=list)
    refused: list[bytes] = field(default_factory=list)

    @property
    def notices(self) -> list[BankNotice]:
        """What they said, in the order of arrival."""
        return [taken.notice for taken in self.taken]

    async def wait_for(self, count: int) -> list[BankNotice]:
        """Wait until so many notices are there."""
        await until(
            lambda: len(self.taken) >= count,
            f"{count} notices about {self.custody_account_no} come",
            seen=lambda: self.notices,
        )
        return self.notices


@dataclass
class PostRoom:
    """Takes all notices of a bank and hands each to the receiver of its account."""

    url: str
    receivers: dict[str, Receiver] = field(default_factory=dict)

    def about(self, custody_account_no: str) -> Receiver:
        """The receiver of an account's notices."""
        return self.receivers.setdefault(custody_account_no, Receiver(custody_account_no))

    async def take(self, request: Request) -> Response:
        """Take one notice."""
        headers, body = dict(request.headers), await request.body()
        receiver = self.about(json.loads(body)["acctNo"])
        if receiver.failures > 0:
            receiver.failures -= 1
            receiver.refused.append(body)
            return Response(status_code=503)
        notice = verify_notice(BANK_KEY.encode(), headers, body)
        receiver.taken.append(Taken(headers=headers, body=body, notice=notice))
        return Response(status_code=204)


@asynccontextmanager
async def running_post_room() -> AsyncIterator[PostRoom]:
    """Serve for the length of the block."""
    port = free_port()
    room = PostRoom(url=f"http://127.0.0.1:{port}/notices")
    app = Starlette(routes=[Route("/notices", room.take, methods=["POST"])])
    server = uvicorn.Server(
        # Longer than the bank keeps an idle connection, as the API does.
        uvicorn.Config(app, port=port, log_level="error", timeout_keep_alive=75, timeout_graceful_shutdown=1)
    )
    # The test session has its own handling of signals.
    server.capture_signals = contextlib.nullcontext  # type: ignore[assignment,method-assign]  # no other switch exists
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started, "the server that takes notices starts")
    try:
        yield room
    finally:
        server.should_exit = True
        await serving
