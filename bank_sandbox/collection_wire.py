"""Wire form of collections: state, payments, and what the payer has to do."""

import sqlite3

from bank_sandbox import codes
from bank_sandbox.books import Session, moment
from bank_sandbox.collections import State
from bank_sandbox.methods import Method
from bank_sandbox.money import yuan


def wire(session: Session, row: sqlite3.Row) -> dict[str, object]:
    """Wire form of a collection, with what the payer has to do and what was paid."""
    payments = session.db.execute(
        "SELECT * FROM collection_payment WHERE req_seq = ? ORDER BY booked_ms, payment_no", (row["req_seq"],)
    )
    refunded_fen = session.db.execute(
        "SELECT coalesce(sum(amount_fen), 0) FROM collection_refund WHERE original_req_seq = ? AND state <> 'FAIL'",
        (row["req_seq"],),
    ).fetchone()[0]
    return {
        "reqSeq": row["req_seq"],
        "state": row["state"],
        "closed": False,
        "method": row["method"],
        "amt": yuan(row["amount_fen"]),
        "reasonCode": row["reason_code"],
        "reasonText": row["reason_text"],
        "expiresAt": _iso(row["expires_ms"]),
        "payments": [_payment(payment) for payment in payments],
        "refunded": yuan(refunded_fen),
        **_interaction(session, row),
    }


def _payment(row: sqlite3.Row) -> dict[str, object]:
    return {
        "paymentNo": row["payment_no"],
        "amt": yuan(row["amount_fen"]),
        "fee": yuan(row["fee_fen"]),
        "paidAt": _iso(row["booked_ms"]),
        "settlesOn": moment(row["settle_due_ms"]).date().isoformat(),
        "settlementNo": row["settlement_no"] or "",
    }


def _interaction(session: Session, row: sqlite3.Row) -> dict[str, object]:
    page = f"{session.options.public_url}/pay/{row['token']}"
    method = Method(row["method"])
    if method in (Method.ACQUIRING, Method.GATEWAY):
        return {"payUrl": page}
    if method in (Method.QR_WECHAT, Method.QR_ALIPAY, Method.QR_QQ):
        return {"qrContent": page}
    if method is Method.WECHAT_APP:
        return {"appParams": {"prepayId": f"wx{row['token']}", "package": "Sign=WXPay", "payUrl": page}}
    if method is Method.QUICK and row["state"] == State.WAITING:
        expires_ms = codes.expires_ms(session, row["req_seq"])
        return {
            "codeSentTo": codes.masked(row["payer_mobile"]),
            "codeExpiresAt": None if expires_ms is None else _iso(expires_ms),
        }
    return {}


def _iso(milliseconds: int) -> str:
    return moment(milliseconds).isoformat(timespec="milliseconds")
