"""What a channel that collects money says: of a collection, its payments, its refunds, and what it settles."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Literal

from escrow.domain.members.code_checks import CodeCheck
from escrow.domain.requests import derived


class CollectionMethod(StrEnum):
    """A way in which a payer can pay in, other than a transfer of the payer's own."""

    ACQUIRING = "acquiring"
    DIRECT_DEBIT = "direct_debit"
    GATEWAY = "gateway"
    QUICK = "quick"
    WECHAT_APP = "wechat_app"
    QR_WECHAT = "qr_wechat"
    QR_ALIPAY = "qr_alipay"
    QR_QQ = "qr_qq"


class StatusAtChannel(StrEnum):
    """Where a collection stands at its channel. A closed one may still have been paid: look at its payments."""

    AWAITING_PAYER = "awaiting_payer"
    PROCESSING = "processing"
    PAID = "paid"
    CLOSED = "closed"
    FAILED = "failed"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """What the payer has to do now.

    Args:
        kind: `redirect` to `url`; scan `qr_content` (a URL); open the wallet with `app_parameters`; type the
            `sms_code` sent to `code_sent_to` (masked mobile) until `code_expires_at`; `none`.
    """

    kind: Literal["redirect", "qr", "app", "sms_code", "none"]
    url: str | None = None
    qr_content: str | None = None
    app_parameters: Mapping[str, str] | None = None
    code_sent_to: str | None = None
    code_expires_at: datetime | None = None

    def document(self) -> dict[str, Any]:
        """What the books keep of it, for the payer's page; what it does not have is empty there."""
        return {
            "kind": self.kind,
            "url": self.url or "",
            "qr_content": self.qr_content or "",
            "app_parameters": dict(self.app_parameters or {}),
            "code_expires_at": None if self.code_expires_at is None else self.code_expires_at.isoformat(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelPayment:
    """One payment that a channel took for a collection: usually one, of the asked amount, in time.

    Args:
        payment_no: the channel's own number, unique for ever.
        fee_fen: what the channel charges for it; kept when the payment is refunded.
        settles_on: day (Asia/Shanghai) on which its money reaches the custody account.
        settlement_no: the settlement that brought it, None before. It is `request_no` of that custody line.
    """

    payment_no: str
    amount_fen: int
    fee_fen: int
    paid_at: datetime
    settles_on: date
    settlement_no: str | None = None


def payment_booking_no(payment_no: str) -> str:
    """Request number under which a channel's payment is booked: once for ever, for whomever it is booked first."""
    return derived("", "channel-payment", payment_no)


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionAnswer:
    """State of a collection at its channel.

    Args:
        final: with NOT_FOUND only: the channel promises that this number can no longer arrive.
        refunded_fen: refunds that succeeded or are under way.
        code_check: after `confirm` only: how the typed code compared, with `tries_left` more tries.
    """

    request_no: str
    status: StatusAtChannel
    final: bool = False
    method: CollectionMethod | None = None
    amount_fen: int = 0
    payments: tuple[ChannelPayment, ...] = ()
    refunded_fen: int = 0
    interaction: Interaction | None = None
    expires_at: datetime | None = None
    reason: str | None = None
    code_check: CodeCheck | None = None
    tries_left: int = 0

    @property
    def paid_fen(self) -> int:
        """Everything the channel took, whether or not it is what was asked."""
        return sum(payment.amount_fen for payment in self.payments)


class RefundStatus(StrEnum):
    """Where a refund stands at its channel."""

    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundAnswer:
    """State of a refund at its channel; what it gave back is taken off a later settlement of the same channel.

    Args:
        final: with NOT_FOUND only: the channel promises that this number can no longer arrive.
        settles_on: day (Asia/Shanghai) whose settlement is less by it.
    """

    request_no: str
    status: RefundStatus
    final: bool = False
    amount_fen: int = 0
    reason: str | None = None
    refunded_at: datetime | None = None
    settles_on: date | None = None
    settlement_no: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementItem:
    """One payment or refund inside a settlement; `request_no` is that of the collection or of the refund."""

    kind: Literal["payment", "refund"]
    request_no: str
    amount_fen: int
    fee_fen: int
    payment_no: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What one channel settled for one day, line by line.

    The custody line of kind `settlement` with this number brings `paid_fen - refunded_fen`, less `fee_fen` when
    `net_of_fees`; otherwise the fee is a line of kind `charge` with the same number. It may be negative; no line is
    booked for zero.
    """

    settlement_no: str
    method: CollectionMethod
    day: date
    paid_fen: int
    refunded_fen: int
    fee_fen: int
    net_of_fees: bool
    bank_serial_no: str
    items: tuple[SettlementItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateAnswer:
    """A payer's mandate for direct debits.

    Args:
        mandate_no: the bank's number of it, None when `status` is `not_found`.
        reason: why it was refused; else None.
        payer_bank: the bank's short name of the payer's bank (e.g. `ICBC`), by which debit channels have their caps.
    """

    request_no: str
    status: Literal["active", "revoked", "refused", "not_found"]
    mandate_no: str | None = None
    payer_bank: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodCapability:
    """What the bank says of one method now.

    Args:
        cap_fen: largest single collection, None for no limit.
        fee_basis_points: share of the amount that is charged; for direct debit see the debit channels.
        next_day: whether money reaches the custody account with the day's settlement; else at once.
        net_of_fees: whether settlements come less fees; else the fee is a line of its own.
        refund_days: how long after the payment the channel refunds.
    """

    method: CollectionMethod
    cap_fen: int | None
    healthy: bool
    note: str
    fee_basis_points: int
    next_day: bool
    net_of_fees: bool
    refund_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DebitChannelCapability:
    """One way to debit an account elsewhere: `bank_caps_fen` names the banks it reaches, None for no limit."""

    channel: str
    healthy: bool
    note: str
    fee_fen: int
    bank_caps_fen: Mapping[str, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionCapabilities:
    """The bank's answer about its collection methods at its own time `as_of`.

    Args:
        transit_account_no: the bank's own account that all it collects passes on the way to a custody account.
    """

    as_of: datetime
    transit_account_no: str
    methods: tuple[MethodCapability, ...]
    debit_channels: tuple[DebitChannelCapability, ...]
