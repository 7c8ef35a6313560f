"""A withdrawal and all that is known when it is decided about, without a server."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from escrow.domain.decisions import (
    BankLineFact,
    BoundAccount,
    Facts,
    GivenConsent,
    MemberFact,
    PlatformsOwn,
    Spendable,
    Stored,
)
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.withdrawals.commands import (
    WITHDRAW,
    BankSaid,
    BeginAttempt,
    EndAttempt,
    GiveBack,
    Hold,
    Overdue,
    Paid,
    Queue,
    WithdrawalCommand,
)
from escrow.domain.withdrawals.holding import UnheldWithdrawal, restored
from escrow.domain.withdrawals.operations import withdrawal_terms
from escrow.domain.withdrawals.rails import Rail
from escrow.domain.withdrawals.state import bank_request_no
from escrow.domain.withdrawals.states import WithdrawalStatus
from escrow.domain.withdrawals.withdrawal import Withdrawal

PLATFORM, NUMBER, MEMBER = "HOME", "W-1", "C-1"
NOON = datetime(2026, 3, 3, 4, tzinfo=UTC)
AS_WRITTEN = "2026-03-03T04:00:00Z"
TODAY = date(2026, 3, 3)
PRINCIPAL, FEE = 2_000_000, 200
CONFIG = PlatformConfig(withdrawal_fee_fen=FEE)
S = WithdrawalStatus


def consent(**changes: Any) -> GivenConsent:
    """The member asks for 20,000.00 with the fee on top."""
    usual: dict[str, Any] = {
        "consent_no": ":withdrawal:W-1:open",
        "object_kind": "withdrawal",
        "object_no": NUMBER,
        "operation": WITHDRAW,
        "given_by": MEMBER,
        "terms": withdrawal_terms(account_id="", principal_fen=PRINCIPAL, fee_fen=FEE),
        "operation_hash": "",
        "method": "platform_key",
        "recorded_at": NOON,
        "note": "",
    }
    return GivenConsent(**{**usual, **changes})


def facts(**changes: Any) -> Facts:
    """All that lets it be held."""
    usual: dict[str, Any] = {
        "accounting_day": TODAY,
        "consent": consent(),
        "config": CONFIG,
        "config_version": 3,
        "members": {MEMBER: MemberFact(status="verified", version=7)},
        "accounts": (BoundAccount(account_id="A-C1", is_default=True, is_verified=True, version=4),),
        "spendable": Spendable(withdrawable_fen=PRINCIPAL + FEE, pending_fen_by_day={}),
        "own": PlatformsOwn(own_fen=0, fees_fen=0, charges_fen=0),
        "in_transit_fen": PRINCIPAL + FEE,
    }
    return Facts(**{**usual, **changes})


UNHELD = UnheldWithdrawal(platform_no=PLATFORM, withdrawal_no=NUMBER)
HOLD = Hold(said_as=":withdrawal:W-1:open")


def held(**changes: Any) -> Withdrawal:
    """It is held."""
    return UNHELD.decide(HOLD, at=NOON, facts=facts(**changes))[0]


def after(withdrawal: Withdrawal, *commands: WithdrawalCommand) -> Withdrawal:
    """The withdrawal after these."""
    for command in commands:
        withdrawal, _ = withdrawal.decide(command, at=NOON, facts=facts(bank_line=line(1)))
    return withdrawal


def line(number: int, **changes: Any) -> BankLineFact:
    """The bank's line of a payment order."""
    usual: dict[str, Any] = {
        "kind": "payout",
        "amount_fen": -PRINCIPAL,
        "request_no": bank_request_no(PLATFORM, f"{NUMBER}:payout:{number}"),
        "booked_at": NOON,
        "value_date": TODAY,
    }
    return BankLineFact(**{**usual, **changes})


def begun(number: int = 1, rail: Rail = Rail.IBPS) -> BeginAttempt:
    return BeginAttempt(number=number, rail=rail, route=("by ibps",))


ENDED = EndAttempt(number=1, outcome="failed", reason="the bank says no")
QUEUED = Queue(attempts=0, opens_at=NOON + timedelta(hours=2), wait=timedelta(hours=2), route=("closed",))
GIVEN_BACK = GiveBack(reason="no rail", route=("no rail",))
PAID = Paid(bank_serial_no="B-1")


def in_every_status() -> dict[str, Withdrawal]:
    """A withdrawal in each status that it can have in the books once its money is held, by what led there."""
    sent = after(held(), begun())
    overdue, _ = sent.decide(Overdue(seen_version=sent.version), at=NOON + timedelta(days=1), facts=facts())
    return {
        "held": held(),
        "held after a failure": after(sent, ENDED),
        "queued": after(held(), QUEUED),
        "unknown": sent,
        "submitted": after(sent, BankSaid(number=1, is_processing=True, seen_version=2)),
        "needs attention": overdue,
        "paid": after(sent, PAID),
        "failed": after(held(), GIVEN_BACK),
    }


def as_restored(withdrawal: Withdrawal) -> Any:
    """What the books give back of it."""
    return restored(
        Stored(
            platform_no=PLATFORM,
            object_no=NUMBER,
            version=withdrawal.version,
            status=withdrawal.status,
            body=withdrawal.document(),
        )
    )
