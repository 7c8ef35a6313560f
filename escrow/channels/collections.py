"""What we ask of a channel that collects money from payers, as a protocol.

Amounts are integer fen; times are timezone-aware. Errors as in `escrow.channels.protocols`: `BankUnreachable` when
nothing was sent, `OutcomeUnknown` when a request was sent and no answer came (then query), `BankDeclined` on a
definite no. Request numbers are unique at the bank, so they begin with the platform's number.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from escrow.domain.collections.methods import (
    CollectionAnswer,
    CollectionCapabilities,
    CollectionMethod,
    MandateAnswer,
    RefundAnswer,
    Settlement,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """Who pays by quick payment or direct debit: personal data, that lives only between the ledger and the bank."""

    account_no: str
    account_name: str
    citizen_id: str
    mobile: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateOrder:
    """A payer's permission to debit one account for one platform, up to two caps in fen.

    Args:
        last_day: the last day (Asia/Shanghai) on which it is in force.
    """

    request_no: str
    custody_account_no: str
    payer: Payer
    per_debit_fen: int
    per_day_fen: int
    last_day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionOrder:
    """One collection into a platform's custody account.

    Args:
        subject: what the payer is shown; no personal data.
        expires_at: after it the channel takes no payment any more.
        return_url: where the payer's browser goes after paying, for `acquiring` and `gateway`.
        payer: for `quick` only.
        mandate_no: for `direct_debit` only, with `debit_channel` chosen from the capabilities.
    """

    request_no: str
    custody_account_no: str
    method: CollectionMethod
    amount_fen: int
    subject: str
    expires_at: datetime
    return_url: str | None = None
    payer: Payer | None = None
    mandate_no: str | None = None
    debit_channel: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionRefundOrder:
    """Gives back the whole or a part of what the collection `collection_request_no` brought, the way it came."""

    request_no: str
    collection_request_no: str
    amount_fen: int
    reason_text: str | None = None


class Collections(Protocol):
    """Money in, other than by the payer's own transfer.

    Where a number may be unknown to the channel, `custody_account_no` names the account by whose time it is waited for.
    """

    async def capabilities(self, custody_account_no: str) -> CollectionCapabilities:
        """Methods and debit channels with caps, fees and health at this moment of the custody account's clock."""
        ...

    async def sign_mandate(self, order: MandateOrder) -> MandateAnswer:
        """Register a mandate once per request number; without an answer sign again.

        Raises:
            BankDeclined: it is not taken, for good.
            BankUnreachable: no readable answer.
        """
        ...

    async def query_mandate(self, request_no: str, *, custody_account_no: str) -> MandateAnswer:
        """State of the mandate registered with this number."""
        ...

    async def revoke_mandate(self, request_no: str, *, custody_account_no: str) -> MandateAnswer:
        """Let no further debit be made under the mandate registered with this number; repeatable."""
        ...

    async def create(self, order: CollectionOrder) -> CollectionAnswer:
        """Open a collection once; a repeat of a known number is answered with its state."""
        ...

    async def confirm(self, request_no: str, code: str) -> CollectionAnswer:
        """Try the SMS code of a quick payment; `code_check` says how it compared. Each wrong try counts."""
        ...

    async def send_code_again(self, request_no: str) -> CollectionAnswer:
        """Send a new SMS code for a quick payment; the old one is void."""
        ...

    async def query(self, request_no: str, *, custody_account_no: str) -> CollectionAnswer:
        """State of the collection; NOT_FOUND with `final` once it can no longer arrive."""
        ...

    async def close(self, request_no: str, *, custody_account_no: str) -> CollectionAnswer:
        """Let no payer pay any more; an unknown number can then no longer arrive. Repeatable.

        Raises:
            BankDeclined: `collection_paid` or `collection_under_way`: query instead.
            BankUnreachable: no readable answer; close again.
        """
        ...

    async def refund(self, order: CollectionRefundOrder) -> RefundAnswer:
        """Refund once; a repeat of a known number is answered with its state."""
        ...

    async def query_refund(self, request_no: str, *, custody_account_no: str) -> RefundAnswer:
        """State of the refund; NOT_FOUND with `final` once it can no longer arrive."""
        ...

    async def settlement(self, settlement_no: str) -> Settlement:
        """What a settlement line on the custody account consists of."""
        ...
