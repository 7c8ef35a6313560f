"""Settlement: what a method collected reaches the custody account from the bank's transit account, in one line."""

import sqlite3
from collections.abc import Iterable

from bank_sandbox import custody, notices, refusals
from bank_sandbox.books import Session, moment
from bank_sandbox.custody import LineKind
from bank_sandbox.methods import TRANSIT_ACCOUNT, Method, terms
from bank_sandbox.money import yuan
from bank_sandbox.refusals import Refusal
from bank_sandbox.scenarios import Scenario

#: Title of the bank's account through which collected money passes.
TRANSIT_TITLE = "网络收单专属过渡户"

#: Not of a method whose settlements are held back.
_GOES = " AND NOT EXISTS (SELECT * FROM setting WHERE name = 'settlement_held:' || method AND value = 'True')"
#: When the next batch of an account is settled.
NEXT_DUE = (
    "SELECT min(settle_due_ms) AS at_ms FROM collection_payment"  # noqa: S608 - constants
    f" WHERE acct_no = custody_account.acct_no AND settlement_no IS NULL{_GOES} UNION ALL"
    " SELECT min(settle_due_ms) FROM collection_refund"
    f" WHERE acct_no = custody_account.acct_no AND settlement_no IS NULL AND settle_due_ms IS NOT NULL{_GOES}"
)


def do_due(session: Session) -> None:
    """Settle what is due of the session's account: one settlement per method and day."""
    found = {
        (row["method"], moment(row["booked_ms"]).date().isoformat())
        for table in ("collection_payment", "collection_refund")
        for row in _due_rows(session, table)
    }
    for method, day in sorted(found):
        _settle(session, Method(method), day)


def mislead(session: Session, method: Method, *, held: bool, short_fen: int) -> None:
    """Hold a method's settlements back, past the day that was said; let its next line bring so much less."""
    session.remember(f"settlement_held:{method}", str(held))
    session.remember(f"settlement_short:{method}", str(short_fen))


def settle_now(session: Session, method: Method | None) -> None:
    """Let everything unsettled of a method, or of all, fall due now, in whatever account, instead of in its batch."""
    for table, known in (("collection_payment", "TRUE"), ("collection_refund", "settle_due_ms IS NOT NULL")):
        session.db.execute(
            f"UPDATE {table} SET settle_due_ms = :real_now + clock_ahead_ms FROM custody_account"  # noqa: S608 - constants
            f" WHERE custody_account.acct_no = {table}.acct_no AND settlement_no IS NULL AND {known}"
            " AND (:method IS NULL OR method = :method)",
            {"real_now": session.real_ms, "method": method},
        )


def wire(session: Session, settlement_no: str) -> dict[str, object]:
    """Wire form of a settlement with every payment and refund in it.

    Raises:
        Refusal: there is none of this number.
    """
    row = session.db.execute("SELECT * FROM settlement WHERE settlement_no = ?", (settlement_no,)).fetchone()
    if row is None:
        raise Refusal(refusals.SETTLEMENT_UNKNOWN, "there is no such settlement")
    payments = session.db.execute(
        "SELECT * FROM collection_payment WHERE settlement_no = ? ORDER BY payment_no", (settlement_no,)
    )
    refunds = session.db.execute(
        "SELECT * FROM collection_refund WHERE settlement_no = ? ORDER BY booked_ms, req_seq", (settlement_no,)
    )
    return {
        "settlementNo": settlement_no,
        "acctNo": row["acct_no"],
        "method": row["method"],
        "day": row["day"],
        "paid": yuan(row["paid_fen"]),
        "refunded": yuan(row["refunded_fen"]),
        "fee": yuan(row["fee_fen"]),
        "net": bool(row["net"]),
        "serialNo": row["serial_no"],
        "items": [
            *(_item("PAYMENT", item, fee_fen=item["fee_fen"], payment_no=item["payment_no"]) for item in payments),
            *(_item("REFUND", item) for item in refunds),
        ],
    }


def _settle(session: Session, method: Method, day: str) -> None:
    payments = _of_batch(_due_rows(session, "collection_payment"), method, day)
    refunds = _of_batch(_due_rows(session, "collection_refund"), method, day)
    count = session.db.execute("SELECT count(*) FROM settlement").fetchone()[0]
    settlement_no = f"S{day.replace('-', '')}-{method}-{count + 1:08d}"
    paid_fen = sum(row["amount_fen"] for row in payments)
    refunded_fen = sum(row["amount_fen"] for row in refunds)
    fee_fen = sum(row["fee_fen"] for row in payments)
    net = terms(session, method).net
    for row in payments:
        session.db.execute(
            "UPDATE collection_payment SET settlement_no = ? WHERE payment_no = ?", (settlement_no, row["payment_no"])
        )
    for row in refunds:
        session.db.execute(
            "UPDATE collection_refund SET settlement_no = ? WHERE req_seq = ?", (settlement_no, row["req_seq"])
        )
    remark = f"{method} {day}"
    short_fen = int(session.setting(f"settlement_short:{method}", "0"))
    session.remember(f"settlement_short:{method}", "0")
    brought_fen = paid_fen - refunded_fen - (fee_fen if net else 0) - short_fen
    serial_no = _book(session, LineKind.SETTLEMENT, brought_fen, settlement_no, remark)
    if not net:
        _book(session, LineKind.CHARGE, -fee_fen, settlement_no, f"fees of {remark}")
    session.db.execute(
        "INSERT INTO settlement VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (settlement_no, session.acct_no, method, day, paid_fen, refunded_fen, fee_fen, int(net), serial_no),
    )


def _due_rows(session: Session, table: str) -> Iterable[sqlite3.Row]:
    return session.db.execute(
        f"SELECT * FROM {table} WHERE acct_no = ? AND settlement_no IS NULL AND settle_due_ms <= ?{_GOES}",  # noqa: S608 - constants
        (session.acct_no, session.now_ms),
    )


def _of_batch(rows: Iterable[sqlite3.Row], method: Method, day: str) -> list[sqlite3.Row]:
    return [row for row in rows if row["method"] == method and moment(row["booked_ms"]).date().isoformat() == day]


def _book(session: Session, kind: LineKind, amount_fen: int, settlement_no: str, remark: str) -> str:
    """Book a line and tell of it; nothing for a zero amount."""
    if amount_fen == 0:
        return ""
    line = custody.book(
        session,
        session.acct_no,
        kind,
        amount_fen,
        req_seq=settlement_no,
        party_acct=TRANSIT_ACCOUNT if kind is LineKind.SETTLEMENT else "",
        party_name=TRANSIT_TITLE if kind is LineKind.SETTLEMENT else "",
        remark=remark,
    )
    notices.write(session, Scenario.NONE, kind="LINE", acct_no=session.acct_no, amount_fen=amount_fen)
    return str(line["serial_no"])


def _item(kind: str, row: sqlite3.Row, *, fee_fen: int = 0, payment_no: str = "") -> dict[str, object]:
    return {
        "kind": kind,
        "reqSeq": row["req_seq"],
        "paymentNo": payment_no,
        "amt": yuan(row["amount_fen"]),
        "fee": yuan(fee_fen),
    }
