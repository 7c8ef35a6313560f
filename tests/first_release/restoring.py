"""Puts the books of the first release, and its bank's, where today's stack finds them, as an upgrade of a sandbox does.

The moment at which the first release was stopped is made the present one of its platform, so that whatever was to
happen then happens now, whenever now is.
"""

import asyncio
import gzip
import json
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from escrow.ledger.engine import APPLICATION_ROLE
from escrow.migrations.migrate import migrate
from escrow.stack.postgres import BINARIES, PostgresServer

_HERE = Path(__file__).parent
_AHEAD = "clock_offset_ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What stands in the books: status and version of every object, all balances in fen, and all deadlines."""

    objects: dict[tuple[str, str], tuple[str, int]]
    balances: dict[tuple[str, str, str], int]
    deadlines: dict[tuple[str, str, str], datetime]


async def snapshot(dsn: str) -> Snapshot:
    """What stands in the books now; objects by kind and number, accounts by member, purpose and reference."""
    connection = await asyncpg.connect(dsn)
    try:
        objects = await connection.fetch("SELECT kind, object_no, status, sequence_no FROM business_object")
        balances = await connection.fetch("SELECT member_no, purpose, ref, balance_fen FROM account")
        deadlines = await connection.fetch("SELECT object_kind, object_no, name, due_at FROM deadline")
    finally:
        await connection.close()
    return Snapshot(
        objects={(row["kind"], row["object_no"]): (row["status"], row["sequence_no"]) for row in objects},
        balances={(row["member_no"], row["purpose"], row["ref"]): row["balance_fen"] for row in balances},
        deadlines={(row["object_kind"], row["object_no"], row["name"]): row["due_at"] for row in deadlines},
    )


def told() -> dict[str, Any]:
    """When the first release was stopped, its platform's number and accounts, and all keys."""
    found: dict[str, Any] = json.loads((_HERE / "told.json").read_text())
    return found


async def restore(folder: Path) -> tuple[Snapshot, Snapshot]:
    """Fill the folder of a stack that has not been started yet with what the first release left, and migrate that.

    Answers what stood in the books before the migration, and after it.
    """
    last = told()
    (folder / "keys").mkdir()
    for name, key in last["stack_keys"].items():
        (folder / "keys" / name).write_text(key)
    stopped_at = datetime.fromisoformat(last["stopped_at"])
    _restore_bank(folder / "bank", ahead=stopped_at - datetime.now(UTC))
    postgres = PostgresServer(folder / "postgres")
    await postgres.start()
    try:
        await _restore_books(postgres)
        before = await snapshot(postgres.dsn)
        await migrate(postgres.dsn, sandbox=True, in_use=True)
        after = await snapshot(postgres.dsn)
        connection = await asyncpg.connect(postgres.dsn)
        try:
            begun = "INSERT INTO story_clock (platform_no, ahead) VALUES ($1, $2::timestamptz - now())"
            await connection.execute(begun, last["platform_no"], stopped_at)
        finally:
            await connection.close()
    finally:
        await postgres.stop()
    return before, after


async def _restore_books(postgres: PostgresServer) -> None:
    connection = await asyncpg.connect(postgres.dsn)
    try:
        await connection.execute(f"CREATE ROLE {APPLICATION_ROLE} LOGIN; GRANT {APPLICATION_ROLE} TO CURRENT_USER")
    finally:
        await connection.close()
    process = await asyncio.create_subprocess_exec(
        BINARIES / "psql",
        *("--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={postgres.superuser_dsn}"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    await process.communicate(gzip.decompress((_HERE / "books.sql.gz").read_bytes()))
    assert process.returncode == 0, "psql says why"


def _restore_bank(folder: Path, *, ahead: timedelta) -> None:
    folder.mkdir()
    with sqlite3.connect(folder / "books.sqlite") as bank:
        bank.executescript(gzip.decompress((_HERE / "bank.sql.gz").read_bytes()).decode())
        later = f"UPDATE setting SET value = CAST(value AS INTEGER) + ? WHERE name = '{_AHEAD}'"
        bank.execute(later, (ahead // timedelta(milliseconds=1),))
    bank.close()
