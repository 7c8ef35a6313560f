"""The clocks: each custody account's is the machine's clock plus an offset of its own that only grows.

The bank's own offset is set once, when its books are new; it is where accounts begin that name no first moment.
"""

import sqlite3
import time
from dataclasses import replace
from datetime import datetime

from bank_sandbox.books import Session
from bank_sandbox.options import Options

_OFFSET = "clock_offset_ms"


def session_now(db: sqlite3.Connection, options: Options) -> Session:
    """A session for no account, at the bank's present time."""
    real_ms = time.time_ns() // 1_000_000
    session = Session(db=db, options=options, now_ms=real_ms, real_ms=real_ms)
    return replace(session, now_ms=real_ms + int(session.setting(_OFFSET, "0")))


def set_first(session: Session) -> None:
    """Set the bank's time in new books to the wanted start; one that ran before is left alone."""
    start_at = session.options.start_at
    first_ms = session.real_ms if start_at is None else milliseconds(start_at)
    if not session.setting(_OFFSET):
        session.remember(_OFFSET, str(first_ms - session.real_ms))


def move_to(session: Session, moment: datetime) -> None:
    """Move the clock of the session's account forward to `moment` (aware).

    Raises:
        ValueError: `moment` lies before the account's present time.
    """
    target_ms = milliseconds(moment)
    if target_ms < session.now_ms:
        raise ValueError(f"the clock moves forward only; it shows {session.now.isoformat(timespec='seconds')}")
    session.db.execute(
        "UPDATE custody_account SET clock_ahead_ms = ? WHERE acct_no = ?",
        (target_ms - session.real_ms, session.acct_no),
    )


def milliseconds(moment: datetime) -> int:
    """Milliseconds since 1970 UTC of an aware time."""
    return int(moment.timestamp() * 1000)
