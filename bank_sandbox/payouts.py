"""Payouts: accepted or refused at once, finished later, sometimes returned; every number is answered for ever."""

import sqlite3
from dataclasses import asdict, dataclass
from enum import StrEnum

from bank_sandbox import channels, custody, notices, numbers, refusals, scenarios
from bank_sandbox.books import Desk, moment
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


def receive(desk: Desk, request: PayoutRequest) -> tuple[Scenario, sqlite3.Row | None]:
    """Take in a request; a known number is answered with its state and suffers nothing.

    Returns:
        The scenario that befalls this request, and the payout's row unless it was not booked.

    Raises:
        Refusal: number known with other content, or closed for good; unknown custody account.
    """
    desk = desk.at(request.acct_no)
    known = _known(desk, request)
    if known is not None:
        return Scenario.NONE, known
    scenario = scenarios.befalling(desk, Target.PAYOUT, request.amount_fen)
    if scenario in scenarios.NOT_BOOKED_NOW:
        return scenario, None
    return scenario, _enter(desk, request, scenario)


def receive_late(desk: Desk, request: PayoutRequest) -> None:
    """Take in a request that was long on its way."""
    desk = desk.at(request.acct_no)
    if _known(desk, request) is None:
        _enter(desk, request, Scenario.TIMEOUT_BOOKED_LATE)


def query(desk: Desk, req_seq: str, acct_no: str) -> dict[str, object]:
    """Wire form of a payout's state; the first query of an unknown number starts what closes it.

    Raises:
        Refusal: unknown number, and no such account either.
    """
    row = desk.db.execute("SELECT * FROM payout WHERE req_seq = ?", (req_seq,)).fetchone()
    return numbers.not_found(desk.at(acct_no), req_seq) if row is None else wire(row)


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


def listed(desk: Desk) -> list[dict[str, object]]:
    """All payouts in the order of their acceptance, for the steering handle."""
    rows = desk.db.execute("SELECT * FROM payout ORDER BY rowid")
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


def do_due(desk: Desk) -> None:
    """Return and finish what is due of the desk's account, in the order of its time."""
    for column, do in (("return_due_ms", _give_back), ("due_ms", _finish)):
        rows = desk.db.execute(
            f"SELECT * FROM payout WHERE acct_no = ? AND {column} <= ? ORDER BY {column}, rowid",  # noqa: S608 - constants
            (desk.acct_no, desk.now_ms),
        ).fetchall()
        for row in rows:
            do(desk, row)


def channel_health(desk: Desk, channel: Channel) -> Health:
    """Health of a channel as set by hand."""
    return Health(desk.setting(f"health:{channel}", Health.UP))


def set_channel_health(desk: Desk, channel: Channel, health: Health) -> None:
    """Set the health of a channel; it stays across restarts."""
    desk.remember(f"health:{channel}", health)


def _known(desk: Desk, request: PayoutRequest) -> sqlite3.Row | None:
    row: sqlite3.Row | None = desk.db.execute("SELECT * FROM payout WHERE req_seq = ?", (request.req_seq,)).fetchone()
    numbers.check(desk, request.req_seq, request.fingerprint, row)
    return row


def _enter(desk: Desk, request: PayoutRequest, scenario: Scenario) -> sqlite3.Row:
    """Write the payout down, accepted or refused: a refused number stays refused."""
    refusal = _refusal(desk, request, scenario)
    row = desk.db.execute(
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
            desk.now_ms,
            None if refusal else desk.now_ms + _processing_ms(desk, request.channel, scenario),
            desk.now_ms if refusal else None,
        ),
    ).fetchone()
    if refusal is None:
        do_due(desk)
        row = desk.db.execute("SELECT * FROM payout WHERE req_seq = ?", (request.req_seq,)).fetchone()
    entered: sqlite3.Row = row
    return entered


def _refusal(desk: Desk, request: PayoutRequest, scenario: Scenario) -> Refusal | None:
    payee = Payee(
        account_no=request.payee_acct,
        name=request.payee_name,
        is_corporate=request.payee_is_corporate,
        bank_code=request.payee_bank_code,
        is_own=_is_own(desk, request.payee_acct),
    )
    try:
        channels.check_payee(request.channel, payee)
        if channel_health(desk, request.channel) is Health.DOWN:
            raise Refusal(refusals.CHANNEL_DOWN, f"{request.channel} is out of service")
        channels.check_hours(request.channel, desk.now)
        channels.check_amount(request.channel, request.amount_fen)
        if scenario is Scenario.DECLINED:
            raise Refusal(refusals.PAYEE_ACCOUNT, "the payee's bank refuses this account")
        if request.amount_fen > free_fen(desk, request.acct_no):
            raise Refusal(refusals.FUNDS, "the custody account does not hold that much")
    except Refusal as refusal:
        return refusal
    return None


def _is_own(desk: Desk, account_no: str) -> bool:
    row = desk.db.execute("SELECT 1 FROM custody_account WHERE acct_no = ?", (account_no,)).fetchone()
    return row is not None


def free_fen(desk: Desk, acct_no: str) -> int:
    """Booked balance less payouts under way. The bank's charges do not count: they may overdraw the account."""
    under_way_fen: int = desk.db.execute(
        "SELECT coalesce(sum(amount_fen), 0) FROM payout WHERE acct_no = ? AND due_ms IS NOT NULL", (acct_no,)
    ).fetchone()[0]
    booked_fen: int = custody.account(desk, acct_no)["balance_fen"]
    return booked_fen - under_way_fen


def _processing_ms(desk: Desk, channel: Channel, scenario: Scenario) -> int:
    if scenario is Scenario.STUCK:
        return int(desk.options.stuck_seconds * 1000)
    seconds = channels.TERMS[channel].seconds * desk.options.delay_factor
    if channel_health(desk, channel) is Health.SLOW:
        seconds *= _SLOW_CHANNEL_FACTOR
    return int(seconds * 1000)


def _finish(desk: Desk, row: sqlite3.Row) -> None:
    scenario = Scenario(row["scenario"])
    if scenario is Scenario.FAILED_LATER:
        desk.db.execute(
            "UPDATE payout SET state = ?, reason_code = ?, reason_text = ?, finished_ms = ?, due_ms = NULL"
            " WHERE req_seq = ?",
            (PayoutState.FAIL, refusals.PAYEE_ACCOUNT, "the payee's bank rejected it", desk.now_ms, row["req_seq"]),
        )
        _tell_end(desk, row, PayoutState.FAIL)
        return
    line = custody.book(
        desk,
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
        return_due_ms = desk.now_ms + int(desk.options.return_days * 86_400_000)
    desk.db.execute(
        "UPDATE payout SET state = ?, serial_no = ?, finished_ms = ?, due_ms = NULL, return_due_ms = ?"
        " WHERE req_seq = ?",
        (PayoutState.SUCCESS, line["serial_no"], line["booked_ms"], return_due_ms, row["req_seq"]),
    )
    _tell_end(desk, row, PayoutState.SUCCESS)
    _charge(desk, row)


def _charge(desk: Desk, row: sqlite3.Row) -> None:
    charge_fen = channels.charge_fen(Channel(row["channel"]), row["amount_fen"])
    if charge_fen == 0:
        return
    custody.book(
        desk,
        row["acct_no"],
        LineKind.CHARGE,
        -charge_fen,
        req_seq=row["req_seq"],
        remark=f"charge for {row['channel']}",
    )
    notices.write(desk, Scenario.NONE, kind="LINE", acct_no=row["acct_no"], amount_fen=-charge_fen)


def _give_back(desk: Desk, row: sqlite3.Row) -> None:
    desk.db.execute("UPDATE payout SET return_due_ms = NULL WHERE req_seq = ?", (row["req_seq"],))
    custody.book(
        desk,
        row["acct_no"],
        LineKind.RETURN,
        row["amount_fen"],
        req_seq=row["req_seq"],
        party_acct=row["payee_acct"],
        party_name=row["payee_name"],
        remark="returned remittance",
    )
    notices.write(desk, Scenario.NONE, kind="LINE", acct_no=row["acct_no"], amount_fen=row["amount_fen"])


def _tell_end(desk: Desk, row: sqlite3.Row, state: PayoutState) -> None:
    notices.write(
        desk,
        Scenario(row["scenario"]),
        kind="PAYOUT",
        acct_no=row["acct_no"],
        amount_fen=row["amount_fen"],
        req_seq=row["req_seq"],
        state=state,
    )
