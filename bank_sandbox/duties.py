"""What falls due by itself: payouts end and return, collections expire, refunds end, batches are settled.

Due times are kept in the time of their account.
"""

import sqlite3
from dataclasses import replace

from bank_sandbox import collection_refunds, collections, micro_deposits, payouts, settlements
from bank_sandbox.books import Session

#: At one moment of an account, in this order: a payment comes before the batch that settles it.
_DUTIES = (payouts, collections, collection_refunds, micro_deposits, settlements)

#: Of each account what is due first. `NEXT_DUE` of a module looks up its first due time of `custody_account.acct_no`;
#: account by account, so that however much waits, only the first of it is looked at.
_DUE = """
WITH due AS MATERIALIZED (
  SELECT acct_no, clock_ahead_ms, (SELECT min(at_ms) FROM ({all_next})) AS due_ms FROM custody_account
)
SELECT acct_no, due_ms, due_ms - clock_ahead_ms AS due_real_ms FROM due WHERE due_ms IS NOT NULL
""".format(all_next=" UNION ALL ".join(module.NEXT_DUE for module in _DUTIES))  # noqa: S608 - constants
_FIRST_DUE = f"{_DUE} ORDER BY due_real_ms LIMIT 1"
_FIRST_DUE_OF_ACCOUNT = f"{_DUE} AND acct_no = ?"


def next_due_real_ms(session: Session) -> int | None:
    """The machine's time at which the next thing falls due."""
    first = _first_due(session)
    return None if first is None else int(first["due_real_ms"])


def do_due(session: Session) -> None:
    """Do what is due by now, each at its own moment of its account's time, in the order of time."""
    while (first := _first_due(session)) is not None and first["due_real_ms"] <= session.real_ms:
        then = replace(session, acct_no=first["acct_no"], now_ms=first["due_ms"])
        for module in _DUTIES:
            module.do_due(then)


def next_due_ms(session: Session) -> int | None:
    """The time of the session's account at which its next thing falls due."""
    first = session.db.execute(_FIRST_DUE_OF_ACCOUNT, (session.acct_no,)).fetchone()
    return None if first is None else int(first["due_ms"])


def _first_due(session: Session) -> sqlite3.Row | None:
    row: sqlite3.Row | None = session.db.execute(_FIRST_DUE).fetchone()
    return row
