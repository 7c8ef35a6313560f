"""Gates on the wires of a process: they show what passes, and can keep a request or its answer from passing.

A gate lies between one process and the far side it calls, so the product carries nothing planted. What a gate keeps
when the process is killed is lost with the process's connections, as on a real wire.
"""

import asyncio
import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from escrow.stack.processes import free_port
from tests.waiting import within_reason

#: Words of the statements that post a batch, and of those that record a consent.
POSTS, RECORDS_CONSENT = b"post_batch(", b"INSERT INTO consent"
_BEGINNING_OF_A_BATCH = b'{"postings":['
_END_OF_HEAD = b"\r\n\r\n"


class Kept:
    """One call at a gate: first the request is kept, then, once forwarded, its answer may be kept."""

    def __init__(self) -> None:
        self._may_leave = asyncio.Event()
        self._may_return = asyncio.Event()
        self.answered = asyncio.Event()

    def forward(self, *, keep_answer: bool) -> None:
        """Let the request go to the far side; `keep_answer` holds what comes back until `let_return`."""
        if not keep_answer:
            self._may_return.set()
        self._may_leave.set()

    def let_return(self) -> None:
        """Let the answer go back to the process."""
        self._may_return.set()

    async def before_leaving(self) -> None:
        """Wait until the request may go."""
        await self._may_leave.wait()

    async def before_returning(self) -> None:
        """The answer is here: wait until it may go back."""
        self.answered.set()
        await self._may_return.wait()


class KeptStatement(Kept):
    """One statement; `numbers` are the (platform, request number) pairs that it posts."""

    def __init__(self, numbers: list[tuple[str, str]]) -> None:
        super().__init__()
        self.numbers = numbers

    def leave_out(self, posted: "KeptStatement") -> None:
        """What was given up as too slow and posted once more meanwhile is no posting of its own."""
        self.numbers = [pair for pair in self.numbers if pair not in posted.numbers]


class KeptCall(Kept):
    """One HTTP request."""

    def __init__(self, method: str, target: str, body: bytes) -> None:
        super().__init__()
        self.method = method
        self.target = target
        self.body = body


class Gate:
    """Base: accepts connections and serves each until either side leaves or all are cut."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Accept nobody any more and cut everything."""
        if self._server is not None:
            self._server.close()
        await self.cut()

    async def cut(self) -> None:
        """Cut every connection on both sides; what was kept never passes."""
        connections, self._connections = self._connections, set()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    @property
    def keeps_something(self) -> bool:
        """Whether something is kept or would be."""
        raise NotImplementedError

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        try:
            # A cut or lost wire shows at its two ends, not here.
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            self._connections.discard(connection)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError


class LedgerGate(Gate):
    """A Unix socket before PostgreSQL's, where messages of its protocol pass one by one.

    While `keeping`, every statement with the words `keeps` is kept; these are postings unless told otherwise. With
    `keeps_commits` so is the commit of a transaction that posted on a connection that was kept from posting before.

    Args:
        far_folder: folder of the server's own socket.
        dsn: URL of the database at the server itself.
    """

    def __init__(self, far_folder: Path, dsn: str) -> None:
        super().__init__()
        self._far_socket = far_folder / ".s.PGSQL.5432"
        self._folder = tempfile.TemporaryDirectory(prefix="gate-")
        self.dsn = f"{dsn.split('?')[0]}?host={quote(self._folder.name)}"
        self.keeping = False
        self.keeps = POSTS
        self.keeps_commits = False
        self.kept: asyncio.Queue[KeptStatement] = asyncio.Queue()
        self._passed = b""

    async def open(self) -> None:
        """Begin to accept connections."""
        self._server = await asyncio.start_unix_server(self._accept, Path(self._folder.name) / ".s.PGSQL.5432")

    async def close(self) -> None:
        """Accept nobody any more, cut everything and remove the socket."""
        await super().close()
        self._folder.cleanup()

    async def next_posting(self, number: str) -> KeptStatement:
        """The first posting with this in one of its request numbers, kept; those before it pass."""
        while True:
            kept = await within_reason(self.kept.get(), f"{number} is posted")
            if any(number in request_no for _, request_no in kept.numbers):
                return kept
            kept.forward(keep_answer=False)

    def has_read(self, text: str) -> bool:
        """Whether some other statement with this text among its parameters has passed while postings were kept."""
        return text.encode() in self._passed

    @property
    def keeps_something(self) -> bool:
        """Whether a statement is kept or would be."""
        return self.keeping

    async def cut(self) -> None:
        """Cut every connection, and keep nothing any more."""
        self.keeping, self.keeps, self.keeps_commits = False, POSTS, False
        self._passed = b""
        self.kept = asyncio.Queue()
        await super().cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self._far_socket)
        under_way: list[KeptStatement] = []
        directions = [
            asyncio.create_task(self._requests(reader, far_writer, under_way)),
            asyncio.create_task(self._answers(far_reader, writer, under_way)),
        ]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)
            far_writer.transport.abort()

    async def _requests(
        self, reader: asyncio.StreamReader, far_writer: asyncio.StreamWriter, under_way: list[KeptStatement]
    ) -> None:
        # The first message of a connection has no type byte.
        far_writer.write(await _message(reader, b""))
        prepared: dict[bytes, bytes] = {}
        posted: list[tuple[str, str]] = []
        while True:
            message = await _message(reader, await reader.readexactly(1))
            if message[:1] == b"P":  # Parse: name, statement
                name, statement, _ = message[5:].split(b"\0", 2)
                prepared[name] = statement
            if message[:1] == b"B" and self.keeping:  # Bind: portal, name, parameters
                _, name, _ = message[5:].split(b"\0", 2)
                if self.keeps in prepared.get(name, b""):
                    posted = _numbers(message)
                    await self._keep(posted, under_way)
                else:
                    self._passed += message
            if message[:1] == b"Q" and self.keeps_commits and posted and b"COMMIT" in message:  # simple query
                await self._keep(posted, under_way)
            far_writer.write(message)
            await far_writer.drain()

    async def _keep(self, numbers: list[tuple[str, str]], under_way: list[KeptStatement]) -> None:
        kept = KeptStatement(numbers)
        self.kept.put_nowait(kept)
        await kept.before_leaving()
        under_way.append(kept)

    async def _answers(
        self, far_reader: asyncio.StreamReader, writer: asyncio.StreamWriter, under_way: list[KeptStatement]
    ) -> None:
        waiting = b""
        while True:
            message = await _message(far_reader, await far_reader.readexactly(1))
            if under_way:
                waiting += message
                if message[:1] != b"Z":  # ReadyForQuery: the statement's transaction has ended
                    continue
                await under_way.pop().before_returning()
                message, waiting = waiting, b""
            writer.write(message)
            await writer.drain()


class BankGate(Gate):
    """An HTTP gate before the bank; one request at a time on each connection, as HTTP/1.1 clients do.

    `trap` chooses the calls to keep; all others pass.
    """

    def __init__(self, far_port: int) -> None:
        super().__init__()
        self._far_port = far_port
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.trap: Callable[[KeptCall], bool] = _nothing
        self.passed: list[KeptCall] = []
        self.kept: list[KeptCall] = []

    async def open(self) -> None:
        """Begin to accept connections."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def next_kept(self) -> KeptCall:
        """The first call that is kept, once there is one."""
        while not self.kept:
            await asyncio.sleep(0.02)
        return self.kept[0]

    @property
    def keeps_something(self) -> bool:
        """Whether a call is kept or would be."""
        return self.trap is not _nothing

    async def cut(self) -> None:
        """Cut every connection, and keep nothing any more."""
        self.trap = _nothing
        self.passed, self.kept = [], []
        await super().cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, body = await _http_message(reader)
            method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
            call = KeptCall(method, target, body)
            keep = self.trap(call)
            (self.kept if keep else self.passed).append(call)
            if keep:
                await call.before_leaving()
            answer = await self._answer_to(head + body)
            if keep:
                await call.before_returning()
            writer.write(answer)
            await writer.drain()

    async def _answer_to(self, request: bytes) -> bytes:
        # One connection a request: the bank closes idle ones, which would look like a lost answer.
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._far_port)
        try:
            far_writer.write(request)
            return b"".join(await _http_message(far_reader))
        finally:
            far_writer.transport.abort()


def _nothing(_: KeptCall) -> bool:
    return False


async def _message(reader: asyncio.StreamReader, kind: bytes) -> bytes:
    """One message of PostgreSQL's protocol whose type byte was read before; the length counts itself."""
    length = await reader.readexactly(4)
    return kind + length + await reader.readexactly(int.from_bytes(length) - 4)


def _numbers(message: bytes) -> list[tuple[str, str]]:
    if _BEGINNING_OF_A_BATCH not in message:
        return []
    text = message[message.index(_BEGINNING_OF_A_BATCH) :].decode(errors="replace")
    batch, _ = json.JSONDecoder().raw_decode(text)
    return [(posting["platform_no"], posting["request_no"]) for posting in batch["postings"]]


async def _http_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of a request or an answer whose length is told."""
    head = await reader.readuntil(_END_OF_HEAD)
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return head, await reader.readexactly(int(line.split(b":")[1]))
    return head, b""


async def as_far_as_it_goes(seconds: float, condition: Callable[[], bool]) -> None:
    """Wait for the slow ones, but not for ever: another round takes those that missed."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.05)
