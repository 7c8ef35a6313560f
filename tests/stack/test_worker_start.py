"""A worker starts only where books and settings agree on whether time may be skipped."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process

import pytest

from escrow.migrations.migrate import migrate
from escrow.settings import variable_of
from escrow.stack.postgres import PostgresServer
from escrow.stack.processes import free_port
from escrow.stack.up import ROOT
from tests.postgres import new_database
from tests.stage import DATA_KEY, INDEX_KEY
from tests.waiting import within_reason


async def worker(dsn: str, *, time_may_be_skipped: bool) -> Process:
    """A worker's process; what it needs besides the books is not there."""
    settings = {
        "bank_url": f"http://127.0.0.1:{free_port()}",
        "bank_key": "key",
        "data_key": DATA_KEY,
        "index_key": INDEX_KEY,
        "time_may_be_skipped": str(time_may_be_skipped).lower(),
    }
    environment = {variable_of(name): value for name, value in settings.items()} | {"DATABASE_URL": dsn}
    return await asyncio.create_subprocess_exec(
        sys.executable, "worker.py", cwd=ROOT, env={**os.environ, **environment}, stdout=PIPE, stderr=PIPE
    )


@pytest.mark.parametrize("sandbox", [True, False])
async def test_it_refuses_books_that_are_marked_otherwise(server: PostgresServer, sandbox: bool) -> None:
    database = await new_database(server, migrated=False)
    await migrate(database.dsn, sandbox=sandbox)
    process = await worker(database.dsn, time_may_be_skipped=not sandbox)
    _, told = await within_reason(process.communicate(), "the worker ends")
    assert process.returncode == 2
    assert told.decode() == (
        "The books are marked as a sandbox and ESCROW_TIME_MAY_BE_SKIPPED is false: make them agree.\n"
        if sandbox
        else "The books are marked as no sandbox and ESCROW_TIME_MAY_BE_SKIPPED is true: make them agree.\n"
    )


async def test_it_waits_for_a_ledger_that_is_away_and_ends_when_it_is_told_to() -> None:
    process = await worker(f"postgresql://nobody@127.0.0.1:{free_port()}/books", time_may_be_skipped=True)
    assert process.stdout is not None
    while b"ledger_awaited" not in (line := await within_reason(process.stdout.readline(), "the ledger is awaited")):
        assert line, "the worker has ended"
    process.send_signal(signal.SIGTERM)
    await within_reason(process.communicate(), "the worker ends")
    assert process.returncode == 0
