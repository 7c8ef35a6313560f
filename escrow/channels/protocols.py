"""What we ask of a bank, as small protocols. One folder per counterpart implements them.

Amounts are integer fen; times are timezone-aware. Implementations raise `BankUnreachable` when nothing was
sent, `OutcomeUnknown` when a request was sent and no answer came, `BankDeclined` on a definite no.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, Protocol

from escrow.domain.withdrawals.payouts import PayoutAnswer
from escrow.domain.withdrawals.rails import Rail

NoticeKind = Literal["custody_line", "payout", "collection", "collection_refund"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutOrder:
    """One payment out of a platform's custody account over one rail.

    `account_no` and `account_name` are personal data: they live only between the ledger and the bank.
    `request_no` must be unique at the bank, which serves all platforms over one connection: it begins with the
    platform's number, e.g. `HOME/W-1:payout:1`.
    """

    request_no: str
    custody_account_no: str
    rail: Rail
    amount_fen: int
    account_no: str
    account_name: str
    is_corporate: bool
    cnaps_code: str
    purpose_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RailCapability:
    """What the bank says of one rail now: its cap a payment, whether it accepts, how healthy it is."""

    rail: Rail
    cap_fen: int | None
    open_now: bool
    healthy: bool
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The bank's answer about its rails at `as_of`, the custody account's time at the bank."""

    as_of: datetime
    custody_bank_code: str
    rails: tuple[RailCapability, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BankLine:
    """One line of the custody account as the bank booked it; credits positive, debits negative, in fen.

    kind: `inbound` (transfer from outside), `payout`, `charge`, `return` (of a payout), `adjustment` (booked by
    the bank on its own account; nothing of ours explains it), `settlement` (of a collection method),
    `micro_deposit` and `micro_deposit_return`. `request_no` names our payout on its line, its charge and its return;
    the return carries it only from the day after it was booked. It is the settlement's number on a settlement and
    the charge for its fees, and our number on a micro-deposit and its return.
    """

    line_no: int
    bank_serial_no: str
    kind: str
    amount_fen: int
    booked_at: datetime
    value_date: date
    balance_after_fen: int
    request_no: str = ""
    counterparty_account_no: str = ""
    counterparty_name: str = ""
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankNotice:
    """The bank says that something happened; it only wakes whoever then asks the bank, and proves nothing.

    kind: `custody_line` (a line was booked on the custody account), `payout` (the payout `request_no` ended),
    `collection` (the collection was paid or failed) or `collection_refund` (the refund ended). A notice
    may come twice, late, out of order or never. `request_no` is the number the bank knows, that of its order.
    """

    notice_id: str
    kind: NoticeKind
    custody_account_no: str
    request_no: str = ""


class Custody(Protocol):
    """The custody account at the bank."""

    async def balance_fen(self, custody_account_no: str) -> int:
        """Booked balance of the custody account in fen."""
        ...

    async def lines_after(self, custody_account_no: str, line_no: int, limit: int = 200) -> Sequence[BankLine]:
        """Lines with a number above `line_no`, ascending, at most `limit`."""
        ...

    async def statement_camt053(self, custody_account_no: str, day: date) -> bytes:
        """The bank's statement of `day` (Asia/Shanghai) as camt.053 XML."""
        ...


class Payouts(Protocol):
    """Payments out of the custody account."""

    async def capabilities(self, custody_account_no: str) -> Capabilities:
        """Rails, caps, hours and health at this moment of the custody account's clock at the bank."""
        ...

    async def submit(self, order: PayoutOrder) -> PayoutAnswer:
        """Send the order once. A repeat of a known request number is answered with its state, not paid again.

        Raises:
            BankDeclined: definite no; nothing was or will be paid under this number.
            BankUnreachable: the connection was never made.
            OutcomeUnknown: sent, and no or no readable answer.
        """
        ...

    async def query(self, request_no: str, *, custody_account_no: str) -> PayoutAnswer:
        """State of the payout with this number; NOT_FOUND with `final` once it can no longer arrive.

        Args:
            custody_account_no: the account by whose time an unknown number is waited for.
        """
        ...


class Sms(Protocol):
    """Text messages to members, sent on behalf of a platform's custody account."""

    async def send(self, *, request_no: str, custody_account_no: str, mobile: str, text: str) -> None:
        """Send once per request number; a repeat sends nothing more."""
        ...
