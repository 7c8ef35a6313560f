"""The bank's clock: the machine's clock plus an offset that only grows."""

import sqlite3
import time
from dataclasses import replace
from datetime import datetime

from bank_sandbox.books import Desk
from bank_sandbox.options import Options

_OFFSET = "clock_offset_ms"


def desk_now(db: sqlite3.Connection, options: Options) -> Desk:
    """A desk at the bank's present time."""
    real_ms = time.time_ns() // 1_000_000
    desk = Desk(db=db, options=options, now_ms=real_ms, real_ms=real_ms)
    return replace(desk, now_ms=real_ms + int(desk.setting(_OFFSET, "0")))


def set_first(desk: Desk) -> None:
    """Set the clock of new books to the wanted start; a clock that ran before is left alone."""
    start_at = desk.options.start_at
    first_ms = desk.real_ms if start_at is None else int(start_at.timestamp() * 1000)
    if not desk.setting(_OFFSET):
        desk.remember(_OFFSET, str(first_ms - desk.real_ms))


def move_to(desk: Desk, moment: datetime) -> Desk:
    """Move the clock forward to `moment` (aware) and answer the desk at that time.

    Raises:
        ValueError: `moment` lies before the bank's present time.
    """
    target_ms = int(moment.timestamp() * 1000)
    if target_ms < desk.now_ms:
        raise ValueError(f"the clock moves forward only; it shows {desk.now.isoformat(timespec='seconds')}")
    desk.remember(_OFFSET, str(target_ms - desk.real_ms))
    return replace(desk, now_ms=target_ms)
