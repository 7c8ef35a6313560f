"""PostgreSQL's own measure: TPC-B as `pgbench` runs it, on the same server as the ledger."""

import asyncio
import re
from typing import Final

from escrow.stack.postgres import BINARIES, PostgresServer

#: Rows per `pgbench`: 10 branches, 1,000,000 accounts; more branches than clients, as its manual asks.
_SCALE: Final = 10
_RATE = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)


class Tpcb:
    """TPC-B on one database of the server."""

    def __init__(self, server: PostgresServer, database: str) -> None:
        self._connection = ["-h", str(server.socket_folder), "-U", "postgres", database]

    async def prepare(self) -> None:
        """Create and fill its tables."""
        await self._pgbench("-i", "-q", "-s", str(_SCALE))

    async def per_second(self, *, clients: int, seconds: float) -> float:
        """Transactions per second of `clients` clients with prepared statements."""
        output = await self._pgbench("-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(round(seconds)))
        found = _RATE.search(output)
        if found is None:
            raise RuntimeError(f"pgbench told no rate:\n{output}")
        return float(found[1])

    async def _pgbench(self, *options: str) -> str:
        process = await asyncio.create_subprocess_exec(
            BINARIES / "pgbench",
            *options,
            *self._connection,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"pgbench failed:\n{errors.decode()}")
        return output.decode()
