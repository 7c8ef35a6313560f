"""Puts the books of the first release, and its bank's, where today's stack finds them, as an upgrade of a sandbox does.

The moment at which the first release was stopped is made the present one of its platform, so that whatever was to
happen then happens now, whenever now is.
"""

import gzip
import json
import sqlite3
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from escrow.ledger.connections import APPLICATION_ROLE
from escrow.migrations.migrate import migrate
from escrow.stack.postgres import BINARIES, PostgresServer

_HERE = Path(__file__).parent
_AHEAD = "clock_offset_ms"

#: When each deadline is due, by kind and number of its object and its own name.
Deadlines = dict[tuple[str, str, str], datetime]


def told() -> dict[str, Any]:
    """What the first release told last: its orders and withdrawals, balances, keys, and when it was stopped."""
    found: dict[str, Any] = json.loads((_HERE / "told.json").read_text())
    return found


async def restore(folder: Path) -> Deadlines:
    """Fill the folder of a stack that has not been started yet with what the first release left, and migrate that.

    Answers the deadlines that ran before the migration.
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
        before = await _restore_books(postgres)
        await migrate(postgres.dsn, sandbox=True, in_use=True)
        connection = await asyncpg.connect(postgres.dsn)
        try:
            begun = "INSERT INTO story_clock (platform_no, ahead) VALUES ($1, $2::timestamptz - now())"
            await connection.execute(begun, last["platform_no"], stopped_at)
        finally:
            await connection.close()
    finally:
        await postgres.stop()
    return before


async def _restore_books(postgres: PostgresServer) -> Deadlines:
    connection = await asyncpg.connect(postgres.dsn)
    try:
        await connection.execute(f"CREATE ROLE {APPLICATION_ROLE} LOGIN; GRANT {APPLICATION_ROLE} TO CURRENT_USER")
    finally:
        await connection.close()
    command = [str(BINARIES / "psql"), "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={postgres.superuser_dsn}"]
    books = gzip.decompress((_HERE / "books.sql.gz").read_bytes())
    subprocess.run(command, check=True, input=books, stdout=subprocess.DEVNULL)
    connection = await asyncpg.connect(postgres.dsn)
    try:
        rows = await connection.fetch("SELECT object_kind, object_no, name, due_at FROM deadline")
    finally:
        await connection.close()
    return {(row["object_kind"], row["object_no"], row["name"]): row["due_at"] for row in rows}


def _restore_bank(folder: Path, *, ahead: timedelta) -> None:
    folder.mkdir()
    with sqlite3.connect(folder / "books.sqlite") as bank:
        bank.executescript(gzip.decompress((_HERE / "bank.sql.gz").read_bytes()).decode())
        later = f"UPDATE setting SET value = CAST(value AS INTEGER) + ? WHERE name = '{_AHEAD}'"
        bank.execute(later, (ahead // timedelta(milliseconds=1),))
    bank.close()
