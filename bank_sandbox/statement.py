"""The statement of a day as ISO 20022 camt.053 (bank-to-customer statement, version 08)."""

import sqlite3
from datetime import date, datetime, time, timedelta

from lxml import etree

from bank_sandbox import custody, refusals, sayings
from bank_sandbox.books import Session, moment
from bank_sandbox.custody import LineKind
from bank_sandbox.money import yuan
from bank_sandbox.refusals import Refusal
from bank_sandbox.workdays import SHANGHAI

_NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"


def camt053(session: Session, day: date) -> bytes:
    """Statement of one Asia/Shanghai day of the session's account; today's shows what is booked so far.

    Raises:
        Refusal: a day that has not begun.
    """
    acct_no = session.acct_no
    account = custody.account(session, acct_no)
    if day > session.now.date():
        raise Refusal(refusals.STATEMENT_DAY, "that day has not begun")
    from_ms, to_ms = _ms(day), _ms(day + timedelta(days=1))
    opening_fen = _balance_before(session, acct_no, from_ms)
    rows = session.db.execute(
        "SELECT * FROM line WHERE acct_no = ? AND booked_ms >= ? AND booked_ms < ? ORDER BY line_no",
        (acct_no, from_ms, to_ms),
    ).fetchall()
    cut = sayings.said_of(session, number_of(acct_no, day))
    closing_fen = rows[-1]["balance_fen"] if rows else opening_fen

    document = etree.Element("Document", xmlns=_NAMESPACE)
    report = etree.SubElement(document, "BkToCstmrStmt")
    header = etree.SubElement(report, "GrpHdr")
    _put(header, "MsgId", number_of(acct_no, day))
    _put(header, "CreDtTm", session.now.isoformat(timespec="seconds"))
    statement = etree.SubElement(report, "Stmt")
    _put(statement, "Id", number_of(acct_no, day))
    _put(statement, "CreDtTm", session.now.isoformat(timespec="seconds"))
    _put(statement, "FrToDt/FrDtTm", moment(from_ms).isoformat(timespec="seconds"))
    _put(statement, "FrToDt/ToDtTm", moment(to_ms - 1000).isoformat(timespec="seconds"))
    _put(statement, "Acct/Id/Othr/Id", acct_no)
    _put(statement, "Acct/Ccy", "CNY")
    _put(statement, "Acct/Nm", account["title"])
    _balance(statement, "OPBD", opening_fen, day)
    _balance(statement, "CLBD", closing_fen, day)
    _summary(statement, rows)
    for row in rows[: cut.get("entries")]:
        _entry(statement, session, row)
    file = etree.tostring(document, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return file[: cut.get("size")]


def number_of(acct_no: str, day: date) -> str:
    """Number of the statement of a day."""
    return f"{acct_no}-{day:%Y%m%d}"


def _ms(day: date) -> int:
    return int(datetime.combine(day, time(), SHANGHAI).timestamp()) * 1000


def _balance_before(session: Session, acct_no: str, before_ms: int) -> int:
    row = session.db.execute(
        "SELECT balance_fen FROM line WHERE acct_no = ? AND booked_ms < ? ORDER BY line_no DESC LIMIT 1",
        (acct_no, before_ms),
    ).fetchone()
    return int(row["balance_fen"]) if row else 0


def _put(parent: etree._Element, path: str, text: str) -> etree._Element:
    """Append the element at `path`, sharing the last element of the same parent for leading steps."""
    *leading, last = path.split("/")
    for step in leading:
        present = parent[-1] if len(parent) and parent[-1].tag == step else None
        parent = etree.SubElement(parent, step) if present is None else present
    element = etree.SubElement(parent, last)
    element.text = text
    return element


def _amount(parent: etree._Element, amount_fen: int) -> None:
    _put(parent, "Amt", yuan(abs(amount_fen))).set("Ccy", "CNY")
    _put(parent, "CdtDbtInd", "DBIT" if amount_fen < 0 else "CRDT")


def _balance(statement: etree._Element, code: str, amount_fen: int, day: date) -> None:
    balance = etree.SubElement(statement, "Bal")
    _put(balance, "Tp/CdOrPrtry/Cd", code)
    _amount(balance, amount_fen)
    _put(balance, "Dt/Dt", day.isoformat())


def _summary(statement: etree._Element, rows: list[sqlite3.Row]) -> None:
    summary = etree.SubElement(statement, "TxsSummry")
    for tag, chosen in (
        ("TtlCdtNtries", [row["amount_fen"] for row in rows if row["amount_fen"] > 0]),
        ("TtlDbtNtries", [-row["amount_fen"] for row in rows if row["amount_fen"] < 0]),
    ):
        total = etree.SubElement(summary, tag)
        _put(total, "NbOfNtries", str(len(chosen)))
        _put(total, "Sum", yuan(sum(chosen)))


def _entry(statement: etree._Element, session: Session, row: sqlite3.Row) -> None:
    booked = moment(row["booked_ms"])
    entry = etree.SubElement(statement, "Ntry")
    _put(entry, "NtryRef", str(row["line_no"]))
    _amount(entry, row["amount_fen"])
    if row["kind"] == LineKind.RETURN:
        _put(entry, "RvslInd", "true")
    _put(entry, "Sts/Cd", "BOOK")
    _put(entry, "BookgDt/DtTm", booked.isoformat(timespec="milliseconds"))
    _put(entry, "ValDt/Dt", booked.date().isoformat())
    _put(entry, "AcctSvcrRef", row["serial_no"])
    _put(entry, "BkTxCd/Prtry/Cd", row["kind"])
    details = etree.SubElement(etree.SubElement(entry, "NtryDtls"), "TxDtls")
    _put(details, "Refs/EndToEndId", custody.original_number(session, row) or "NOTPROVIDED")
    if row["party_acct"]:
        party = "Dbtr" if row["amount_fen"] > 0 else "Cdtr"
        parties = etree.SubElement(details, "RltdPties")
        _put(parties, f"{party}/Pty/Nm", row["party_name"])
        _put(parties, f"{party}Acct/Id/Othr/Id", row["party_acct"])
    if row["remark"]:
        _put(details, "RmtInf/Ustrd", row["remark"])
