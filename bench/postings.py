"""Postings per second of the ledger against TPC-B on the same server, in interleaved rounds."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncpg

from bench.books import freezes, open_book
from bench.pgbench import Tpcb
from escrow.domain.money.journal import Posting
from escrow.ledger.posting import LedgerWriter
from escrow.migrations.migrate import migrate
from escrow.stack.postgres import PostgresServer

#: More than any machine of today posts in a second, so that no round runs out of consents.
PREPARED_PER_SECOND: Final = 20_000


@asynccontextmanager
async def ledger_server() -> AsyncIterator[PostgresServer]:
    """PostgreSQL with our schema as `escrow up` runs it (fsync on), in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        server = PostgresServer(Path(folder) / "postgres")
        await server.start()
        try:
            await migrate(server.dsn)
            yield server
        finally:
            await server.stop()


async def postings_per_second(
    writer: LedgerWriter, postings: Iterator[Posting], *, callers: int, seconds: float
) -> float:
    """How many postings `callers` coroutines get acknowledged per second, each waiting for its answer."""
    acknowledged = 0
    until = time.perf_counter() + seconds

    async def caller() -> None:
        nonlocal acknowledged
        while time.perf_counter() < until:
            await writer.post(next(postings))
            acknowledged += 1

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return acknowledged / (time.perf_counter() - began)


@dataclass
class PostingRates:
    """Rates per second by round, in the order they were measured."""

    tpcb: list[float] = field(default_factory=list)
    spread: list[float] = field(default_factory=list)
    hot: list[float] = field(default_factory=list)
    spread_64: list[float] = field(default_factory=list)

    def ratios(self) -> dict[str, list[float]]:
        """Ratios of each round, by the names of the table."""
        return {
            "postings_vs_tpcb": [ours / theirs for ours, theirs in zip(self.spread, self.tpcb, strict=True)],
            "hot_vs_spread": [hot / spread for hot, spread in zip(self.hot, self.spread, strict=True)],
            "postings_64_vs_tpcb": [ours / theirs for ours, theirs in zip(self.spread_64, self.tpcb, strict=True)],
        }


async def measure_postings(*, rounds: int, seconds: float) -> PostingRates:
    """Interleaved rounds of TPC-B, spread postings, hot postings and postings of 64 callers."""
    rates = PostingRates()
    async with ledger_server() as server:
        owner = await asyncpg.connect(server.dsn)
        checkpoints = await asyncpg.connect(server.superuser_dsn)
        writer = await LedgerWriter.start(server.dsn)
        tpcb = Tpcb(server, "postgres")
        await tpcb.prepare()
        book = await open_book(owner, writer)

        async def ours(*, callers: int, hot: bool = False) -> float:
            postings = await freezes(book, round(PREPARED_PER_SECOND * seconds), hot=hot)
            await checkpoints.execute("CHECKPOINT")
            return await postings_per_second(writer, postings, callers=callers, seconds=seconds)

        for _ in range(rounds):
            await checkpoints.execute("CHECKPOINT")
            rates.tpcb.append(await tpcb.per_second(clients=8, seconds=seconds))
            rates.spread.append(await ours(callers=8))
            rates.hot.append(await ours(callers=8, hot=True))
            rates.spread_64.append(await ours(callers=64))
        await writer.close()
        await checkpoints.close()
        await owner.close()
    return rates
