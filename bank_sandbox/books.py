"""The bank's books: one SQLite file, one thread that works on it, one transaction per piece of work."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from bank_sandbox import refusals
from bank_sandbox.options import Options
from bank_sandbox.refusals import Refusal
from bank_sandbox.tables import SCHEMA
from bank_sandbox.workdays import SHANGHAI

_T = TypeVar("_T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS custody_account (
  acct_no TEXT PRIMARY KEY, reference TEXT NOT NULL UNIQUE, title TEXT NOT NULL, opened_ms INTEGER NOT NULL,
  balance_fen INTEGER NOT NULL DEFAULT 0, last_line_no INTEGER NOT NULL DEFAULT 0,
  last_booked_ms INTEGER NOT NULL DEFAULT 0, clock_ahead_ms INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS line (
  acct_no TEXT NOT NULL REFERENCES custody_account, line_no INTEGER NOT NULL, serial_no TEXT NOT NULL,
  kind TEXT NOT NULL, amount_fen INTEGER NOT NULL CHECK (amount_fen <> 0), balance_fen INTEGER NOT NULL,
  booked_ms INTEGER NOT NULL, req_seq TEXT NOT NULL, party_acct TEXT NOT NULL, party_name TEXT NOT NULL,
  remark TEXT NOT NULL, PRIMARY KEY (acct_no, line_no)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS payout (
  req_seq TEXT PRIMARY KEY, acct_no TEXT NOT NULL REFERENCES custody_account, channel TEXT NOT NULL,
  amount_fen INTEGER NOT NULL CHECK (amount_fen > 0), payee_acct TEXT NOT NULL, payee_name TEXT NOT NULL,
  payee_is_corporate INTEGER NOT NULL, payee_bank_code TEXT NOT NULL, summary TEXT NOT NULL,
  fingerprint TEXT NOT NULL, scenario TEXT NOT NULL, state TEXT NOT NULL, reason_code TEXT NOT NULL DEFAULT '',
  reason_text TEXT NOT NULL DEFAULT '', accepted_ms INTEGER NOT NULL, due_ms INTEGER, serial_no TEXT,
  finished_ms INTEGER, return_due_ms INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS payout_due ON payout (acct_no, due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX IF NOT EXISTS payout_return_due ON payout (acct_no, return_due_ms) WHERE return_due_ms IS NOT NULL;
CREATE TABLE IF NOT EXISTS unknown_number (
  req_seq TEXT PRIMARY KEY, acct_no TEXT NOT NULL REFERENCES custody_account, first_asked_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS sms (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, req_seq TEXT NOT NULL UNIQUE, acct_no TEXT NOT NULL REFERENCES custody_account,
  mobile TEXT NOT NULL, text TEXT NOT NULL, received_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS notice (
  notice_no INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL, state TEXT NOT NULL, copies INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, not_before_real_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS notice_waiting ON notice (not_before_real_ms) WHERE state = 'waiting';
CREATE TABLE IF NOT EXISTS one_time (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, scenario TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS saying (number TEXT PRIMARY KEY, fields TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""


#: Brings books from before accounts had clocks of their own up to date: all of them showed the bank's time. Indexes
#: that are led by the account now are made anew by the schema. Whose an old message was is not known.
_CLOCKS_PER_ACCOUNT = """
ALTER TABLE custody_account ADD COLUMN clock_ahead_ms INTEGER NOT NULL DEFAULT 0;
UPDATE custody_account SET clock_ahead_ms =
  coalesce((SELECT CAST(value AS INTEGER) FROM setting WHERE name = 'clock_offset_ms'), 0);
ALTER TABLE unknown_number ADD COLUMN acct_no TEXT NOT NULL DEFAULT '';
ALTER TABLE sms ADD COLUMN acct_no TEXT NOT NULL DEFAULT '';
ALTER TABLE card_check ADD COLUMN acct_no TEXT NOT NULL DEFAULT '';
DROP INDEX payout_due;
DROP INDEX payout_return_due;
DROP INDEX collection_due;
DROP INDEX payment_to_settle;
DROP INDEX refund_due;
DROP INDEX refund_to_settle;
DROP INDEX micro_deposit_return;
"""

#: Brings books up to date in which no serial number could be used again; the schema makes the table anew.
_SERIAL_NUMBERS_AGAIN = """
ALTER TABLE line RENAME TO line_before;
{schema}
INSERT INTO line SELECT * FROM line_before;
DROP TABLE line_before;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One transaction on the books, for one custody account at one moment of its clock.

    Args:
        now_ms: the account's time, milliseconds since 1970 UTC; the bank's own in a session for no account.
        real_ms: the machine's time, same unit; notices and signatures live in it.
        acct_no: the custody account; empty for what belongs to none.
    """

    db: sqlite3.Connection
    options: Options
    now_ms: int
    real_ms: int
    acct_no: str = ""

    @property
    def now(self) -> datetime:
        """The session's time in Asia/Shanghai."""
        return moment(self.now_ms)

    def at(self, acct_no: str) -> "Session":
        """The same transaction for a custody account, at its present moment.

        Raises:
            Refusal: no such account.
        """
        row = self.db.execute("SELECT clock_ahead_ms FROM custody_account WHERE acct_no = ?", (acct_no,)).fetchone()
        if row is None:
            raise Refusal(refusals.CUSTODY_ACCOUNT, "there is no such custody account")
        return replace(self, acct_no=acct_no, now_ms=self.real_ms + row["clock_ahead_ms"])

    def of(self, row: sqlite3.Row) -> "Session":
        """The same transaction for the account of a row; the bank's own where the first release kept none.

        Raises:
            Refusal: no such account.
        """
        return self.at(row["acct_no"]) if row["acct_no"] else self

    def setting(self, name: str, default: str = "") -> str:
        """Value of a remembered setting."""
        row = self.db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return str(row["value"]) if row else default

    def remember(self, name: str, value: str) -> None:
        """Keep a setting across restarts."""
        self.db.execute(
            "INSERT INTO setting VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value)
        )


def moment(milliseconds: int) -> datetime:
    """Aware Asia/Shanghai time of milliseconds since 1970 UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, SHANGHAI)


class Books:
    """Opens the file durably (WAL, every commit synced) and runs work on it, one piece after the other."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="books")
        self._db: sqlite3.Connection | None = None

    async def transact(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run `work` in one transaction: committed when it returns, undone when it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._in_transaction, work)

    def close(self) -> None:
        """Wait for the work under way and close the file."""
        if self._db is not None:
            self._thread.submit(self._db.close).result()
        self._thread.shutdown()

    def _in_transaction(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        if self._db is None:
            self._db = self._open()
        self._db.execute("BEGIN IMMEDIATE")
        try:
            result = work(self._db)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        return result

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._file, isolation_level=None)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        known = {row["name"] for row in db.execute("PRAGMA table_info(custody_account)")}
        if known and "clock_ahead_ms" not in known:
            db.executescript(f"BEGIN; {_CLOCKS_PER_ACCOUNT} COMMIT;")
        if any(row["unique"] and row["origin"] == "u" for row in db.execute("PRAGMA index_list(line)")):
            db.executescript(f"BEGIN; {_SERIAL_NUMBERS_AGAIN.format(schema=_SCHEMA)} COMMIT;")
        db.executescript(_SCHEMA)
        db.executescript(SCHEMA)
        return db
