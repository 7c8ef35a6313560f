"""Payouts: accepted or refused at once, finished later, sometimes returned; every number is answered for ever."""

import sqlite3
from dataclasses import asdict, dataclass
from enum import StrEnum

from bank_sandbox import channels, custody, notices, numbers, refusals, scenarios
from bank_sandbox.books import Session, moment
from bank_sandbox.channels import Channel, Health, Payee
from bank_sandbox.custody import LineKind
from bank_sandbox.money import yuan
from bank_sandbox.refusals import Refusal
from bank_sandbox.scenarios import Scenario, Target

_SLOW_CHANNEL_FACTOR = 20
#: When the next payout of an account ends or returns.
NEXT_DUE = (
    "SELECT min(due_ms) AS at_ms FROM payout WHERE acct_no = custody_account.acct_no AND due_ms IS NOT NULL UNION ALL"
    " SELECT min(return_due_ms) FROM payout WHERE acct_no = custody_account.acct_no AND return_due_ms IS NOT NULL"
)


class PayoutState(StrEnum):
    """Where a payout stands; a number the bank does not know is answered with `NONE`."""

    PROCESSING = "PROCESSING"
    SUCCESS = "SUCCESS"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutRequest:
    """A payout as the client asks for it; amounts in fen."""

    req_seq: str
    acct_no: str
    channel: Channel
    amount_fen: int
    payee_acct: str
    payee_name: str
    payee_is_corporate: bool
    payee_bank_code: str
    summary: str

    @property
    def fingerprint(self) -> str:
        """Hash of the whole content, by which a repeat is told from another request."""
        return numbers.fingerprint(asdict(self))


def receive(session: Session, request: PayoutRequest) -> tuple[Scenario, sqlite3.Row | None]:
    """Take in a request; a known number is answered with its state and suffers nothing.

    Returns:
        The scenario that befalls this request, and the payout's row unless it was not booked.

    Raises:
        Refusal: number known with other content, or closed for good; unknown custody account.
    """
    session = session.at(request.acct_no)
    known = _known(session, request)
    if known is not None:
        return Scenario.NONE, known
    scenario = scenarios.befalling(session, Target.PAYOUT, request.amount_fen)
    if scenario in scenarios.NOT_BOOKED_NOW:
        numbers.lose(session, request.req_seq)
        return scenario, None
    return scenario, _enter(session, request, scenario)


def receive_late(session: Session, request: PayoutRequest) -> None:
    """Take in a request that was long on its way."""
    session = session.at(request.acct_no)
    if _known(session, request) is None:
        _enter(session, request, Scenario.TIMEOUT_BOOKED_LATE)


def query(session: Session, req_seq: str, acct_no: str) -> dict[str, object]:
    """Wire form of a payout's state; the first query of an unknown number starts what closes it.

    Raises:
        Refusal: unknown number, and no such account either.
    """
    row = session.db.execute("SELECT * FROM payout WHERE req_seq = ?", (req_seq,)).fetchone()
    return numbers.not_found(session.at(acct_no), req_seq) if row is None else wire(row)


def wire(row: sqlite3.Row) -> dict[str, object]:
    """Wire form of a known payout, without its payee."""
    finished_ms = row["finished_ms"]
    return {
        "reqSeq": row["req_seq"],
        "state": row["state"],
        "closed": False,
        "serialNo": row["serial_no"] or "",
        "reasonCode": row["reason_code"],
        "reasonText": row["reason_text"],
        "finishedAt": moment(finished_ms).isoformat(timespec="milliseconds") if finished_ms is not None else None,
    }


def listed(session: Session) -> list[dict[str, object]]:
    """All payouts in the order of their acceptance, for the steering handle."""
    rows = session.db.execute("SELECT * FROM payout ORDER BY rowid")
    return [
        wire(row)
        | {
            "acctNo": row["acct_no"],
            "channel": row["channel"],
            "amt": yuan(row["amount_fen"]),
            "scenario": row["scenario"],
        }
        for row in rows
    ]


def do_due(session: Session) -> None:
    """Return and finish what is due of the session's account, in the order of its time."""
    for column, do in (("return_due_ms", _give_back), ("due_ms", _finish)):
        rows = session.db.execute(
            f"SELECT * FROM payout WHERE acct_no = ? AND {column} <= ? ORDER BY {column}, rowid",  # noqa: S608 - constants
            (session.acct_no, session.now_ms),
        ).fetchall()
        for row in rows:
            do(session, row)


def channel_health(session: Session, channel: Channel) -> Health:
    """Health of a channel as set by hand."""
    return Health(session.setting(f"health:{channel}", Health.UP))


def set_channel_health(session: Session, channel: Channel, health: Health) -> None:
    """Set the health of a channel; it stays across restarts."""
    session.remember(f"health:{channel}", health)


def _known(session: Session, request: PayoutRequest) -> sqlite3.Row | None:
    row: sqlite3.Row | None = session.db.execute(
        "SELECT * FROM payout WHERE req_seq = ?", (request.req_seq,)
    ).fetchone()
    numbers.check(session, request.req_seq, request.fingerprint, row)
    return row


def _enter(session: Session, request: PayoutRequest, scenario: Scenario) -> sqlite3.Row:
    """Write the payout down, accepted or refused: a refused number stays refused."""
    refusal = _refusal(session, request, scenario)
    row = session.db.execute(
        "INSERT INTO payout (req_seq, acct_no, channel, amount_fen, payee_acct, payee_name, payee_is_corporate,"
        " payee_bank_code, summary, fingerprint, scenario, state, reason_code, reason_text, accepted_ms, due_ms,"
        " finished_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *",
        (
            request.req_seq,
            request.acct_no,
            request.channel,
            request.amount_fen,
            request.payee_acct,
            request.payee_name,
            int(request.payee_is_corporate),
            request.payee_bank_code,
            request.summary,
            request.fingerprint,
            scenario,
            PayoutState.FAIL if refusal else PayoutState.PROCESSING,
            refusal.code if refusal else "",
            refusal.text if refusal else "",
            session.now_ms,
            None if refusal else session.now_ms + _processing_ms(session, request.channel, scenario),
            session.now_ms if refusal else None,
        ),
    ).fetchone()
    if refusal is None:
        do_due(session)
        row = session.db.execute("SELECT * FROM payout WHERE req_seq = ?", (request.req_seq,)).fetchone()
    entered: sqlite3.Row = row
    return entered


def _refusal(session: Session, request: PayoutRequest, scenario: Scenario) -> Refusal | None:
    payee = Payee(
        account_no=request.payee_acct,
        name=request.payee_name,
        is_corporate=request.payee_is_corporate,
        bank_code=request.payee_bank_code,
        is_own=_is_own(session, request.payee_acct),
    )
    try:
        channels.check_payee(request.channel, payee)
        if channel_health(session, request.channel) is Health.DOWN:
            raise Refusal(refusals.CHANNEL_DOWN, f"{request.channel} is out of service")
        channels.check_hours(request.channel, session.now)
        channels.check_amount(request.channel, request.amount_fen)
        if scenario is Scenario.DECLINED:
            raise Refusal(refusals.PAYEE_ACCOUNT, "the payee's bank refuses this account")
        if request.amount_fen > free_fen(session, request.acct_no):
            raise Refusal(refusals.FUNDS, "the custody account does not hold that much")
    except Refusal as refusal:
        return refusal
    return None


def _is_own(session: Session, account_no: str) -> bool:
    row = session.db.execute("SELECT 1 FROM custody_account WHERE acct_no = ?", (account_no,)).fetchone()
    return row is not None


def free_fen(session: Session, acct_no: str) -> int:
    """Booked balance less payouts under way. The bank's charges do not count: they may overdraw the account."""
    under_way_fen: int = session.db.execute(
        "SELECT coalesce(sum(amount_fen), 0) FROM payout WHERE acct_no = ? AND due_ms IS NOT NULL", (acct_no,)
    ).fetchone()[0]
    booked_fen: int = custody.account(session, acct_no)["balance_fen"]
    return booked_fen - under_way_fen


def _processing_ms(session: Session, channel: Channel, scenario: Scenario) -> int:
    if scenario is Scenario.STUCK:
        return int(session.options.stuck_seconds * 1000)
    seconds = channels.TERMS[channel].seconds * session.options.delay_factor
    if channel_health(session, channel) is Health.SLOW:
        seconds *= _SLOW_CHANNEL_FACTOR
    return int(seconds * 1000)


def _finish(session: Session, row: sqlite3.Row) -> None:
    scenario = Scenario(row["scenario"])
    if scenario is Scenario.FAILED_LATER:
        session.db.execute(
            "UPDATE payout SET state = ?, reason_code = ?, reason_text = ?, finished_ms = ?, due_ms = NULL"
            " WHERE req_seq = ?",
            (PayoutState.FAIL, refusals.PAYEE_ACCOUNT, "the payee's bank rejected it", session.now_ms, row["req_seq"]),
        )
        _tell_end(session, row, PayoutState.FAIL)
        return
    line = custody.book(
        session,
        row["acct_no"],
        LineKind.PAYOUT,
        -row["amount_fen"],
        req_seq=row["req_seq"],
        party_acct=row["payee_acct"],
        party_name=row["payee_name"],
        remark=row["summary"],
    )
    return_due_ms = None
    if scenario is Scenario.RETURNED:
        return_due_ms = session.now_ms + int(session.options.return_days * 86_400_000)
    session.db.execute(
        "UPDATE payout SET state = ?, serial_no = ?, finished_ms = ?, due_ms = NULL, return_due_ms = ?"
        " WHERE req_seq = ?",
        (PayoutState.SUCCESS, line["serial_no"], line["booked_ms"], return_due_ms, row["req_seq"]),
    )
    _tell_end(session, row, PayoutState.SUCCESS)
    _charge(session, row)


def _charge(session: Session, row: sqlite3.Row) -> None:
    charge_fen = channels.charge_fen(Channel(row["channel"]), row["amount_fen"])
    if charge_fen == 0:
        return
    custody.book(
        session,
        row["acct_no"],
        LineKind.CHARGE,
        -charge_fen,
        req_seq=row["req_seq"],
        remark=f"charge for {row['channel']}",
    )
    notices.write(session, Scenario.NONE, kind="LINE", acct_no=row["acct_no"], amount_fen=-charge_fen)


def _give_back(session: Session, row: sqlite3.Row) -> None:
    session.db.execute("UPDATE payout SET return_due_ms = NULL WHERE req_seq = ?", (row["req_seq"],))
    custody.book(
        session,
        row["acct_no"],
        LineKind.RETURN,
        row["amount_fen"],
        req_seq=row["req_seq"],
        party_acct=row["payee_acct"],
        party_name=row["payee_name"],
        remark="returned remittance",
    )
    notices.write(session, Scenario.NONE, kind="LINE", acct_no=row["acct_no"], amount_fen=row["amount_fen"])


def _tell_end(session: Session, row: sqlite3.Row, state: PayoutState) -> None:
    notices.write(
        session,
        Scenario(row["scenario"]),
        kind="PAYOUT",
        acct_no=row["acct_no"],
        amount_fen=row["amount_fen"],
        req_seq=row["req_seq"],
        state=state,
    )
