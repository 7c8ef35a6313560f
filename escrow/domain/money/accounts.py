"""Chart of accounts: which sub-accounts exist under a platform's custody account.

Signs: a sub-account that holds somebody's money has a balance ≥ 0; the custody account carries the
counter-sign, so that the balances of a platform always sum to zero. What the bank itself shows for the
custody account is therefore `-balance_fen`.
"""

from dataclasses import dataclass
from enum import StrEnum


class Purpose(StrEnum):
    """What the money on an account is for."""

    CUSTODY = "custody"
    CHANNEL_DUE = "channel_due"
    BANK_CHARGES = "bank_charges"
    WITHDRAWABLE = "withdrawable"
    PENDING = "pending"
    FROZEN = "frozen"
    ESCROW = "escrow"
    PAYOUT = "payout"
    REFUND = "refund"
    SUSPENSE = "suspense"
    FEES = "fees"
    INTEREST = "interest"
    OWN = "own"
    SUBSIDY = "subsidy"


#: Accounts without a minimum: what the bank and the channels hold for us, and what the bank charged.
WITHOUT_MINIMUM = frozenset({Purpose.CUSTODY, Purpose.CHANNEL_DUE, Purpose.BANK_CHARGES})


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountKey:
    """Names one account: unique per (platform, member, purpose, ref).

    Args:
        platform_no: the platform under whose custody account it lies.
        purpose: what the money is for.
        member_no: the member whose money it is; empty for functional accounts of the platform.
            An escrow account carries the owner's member number, a payout account the payee's.
        ref: what it is attributed to: the day (ISO) of `pending`, the order number of `escrow`, the
            withdrawal number of `payout`, the bank serial number (or a channel's payment number) of `suspense`,
            the channel's payment number of `refund`, the channel of `channel_due`; else empty.
    """

    platform_no: str
    purpose: Purpose
    member_no: str = ""
    ref: str = ""

    @property
    def min_balance_fen(self) -> int | None:
        """Lowest balance in fen that the database lets this account reach, None for no limit."""
        return None if self.purpose in WITHOUT_MINIMUM else 0

    def __str__(self) -> str:
        """Readable form for statements and error messages, e.g. `C-1/withdrawable`, `escrow:D-1001`."""
        owner = f"{self.member_no}/" if self.member_no else ""
        return f"{owner}{self.purpose}{':' + self.ref if self.ref else ''}"


def custody(platform_no: str) -> AccountKey:
    """Custody account of the platform at the bank."""
    return AccountKey(platform_no=platform_no, purpose=Purpose.CUSTODY)


def bank_charges(platform_no: str) -> AccountKey:
    """What the bank charged and the platform has not yet made good."""
    return AccountKey(platform_no=platform_no, purpose=Purpose.BANK_CHARGES)


def fees(platform_no: str) -> AccountKey:
    """Commission and fees taken, before they are swept to the platform's own sub-account."""
    return AccountKey(platform_no=platform_no, purpose=Purpose.FEES)


def own(platform_no: str) -> AccountKey:
    """The platform's own sub-account."""
    return AccountKey(platform_no=platform_no, purpose=Purpose.OWN)


def withdrawable(platform_no: str, member_no: str) -> AccountKey:
    """Member's money that can be withdrawn now."""
    return AccountKey(platform_no=platform_no, purpose=Purpose.WITHDRAWABLE, member_no=member_no)


def pending(platform_no: str, member_no: str, day_iso: str) -> AccountKey:
    """Member's money that becomes withdrawable when accounting day `day_iso` is closed."""
    return AccountKey(platform_no=platform_no, purpose=Purpose.PENDING, member_no=member_no, ref=day_iso)


def escrow(platform_no: str, owner_no: str, order_no: str) -> AccountKey:
    """Money frozen for one order, paid by its owner."""
    return AccountKey(platform_no=platform_no, purpose=Purpose.ESCROW, member_no=owner_no, ref=order_no)


def payout(platform_no: str, member_no: str, withdrawal_no: str) -> AccountKey:
    """Money of one withdrawal in transit to the bank."""
    return AccountKey(platform_no=platform_no, purpose=Purpose.PAYOUT, member_no=member_no, ref=withdrawal_no)


def suspense(platform_no: str, bank_serial_no: str) -> AccountKey:
    """One inbound credit, or payment of a channel, that is not attributed to a member."""
    return AccountKey(platform_no=platform_no, purpose=Purpose.SUSPENSE, ref=bank_serial_no)


def channel_due(platform_no: str, channel: str) -> AccountKey:
    """What a collection channel took for the platform, less what it gave back, and has not settled yet."""
    return AccountKey(platform_no=platform_no, purpose=Purpose.CHANNEL_DUE, ref=channel)


def refund(platform_no: str, payment_no: str) -> AccountKey:
    """Money of one payment on its way back through the channel that took it."""
    return AccountKey(platform_no=platform_no, purpose=Purpose.REFUND, ref=payment_no)
