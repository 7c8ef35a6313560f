"""Recipes of money that a channel collects: credited or suspended when it is paid, cleared when it is settled.

All amounts are integer fen and greater than zero unless a parameter says that it may be zero.
"""

from datetime import date

from escrow.domain.collections.methods import Settlement
from escrow.domain.money import accounts
from escrow.domain.money.journal import JournalEntry
from escrow.domain.money.recipes import balanced_entry, bucket, require_positive


def collection_credited(
    *,
    platform_no: str,
    channel: str,
    member_no: str,
    payment_no: str,
    paid_fen: int,
    asked_fen: int,
    pending_day: date | None,
) -> JournalEntry:
    """A payment that a channel took is credited as asked; what the payer paid above that waits in suspense.

    Args:
        paid_fen: at least `asked_fen`.
        pending_day: accounting day whose closing makes it withdrawable, None for at once.
    """
    require_positive(asked_fen=asked_fen, paid_fen=paid_fen)
    return balanced_entry(
        "collection_credited",
        (accounts.channel_due(platform_no, channel), -paid_fen),
        (bucket(platform_no, member_no, pending_day), asked_fen),
        (accounts.suspense(platform_no, payment_no), paid_fen - asked_fen),
    )


def collection_suspended(*, platform_no: str, channel: str, payment_no: str, paid_fen: int) -> JournalEntry:
    """A payment that a channel took and that nobody asked for so waits in suspense under its number."""
    require_positive(paid_fen=paid_fen)
    return balanced_entry(
        "collection_suspended",
        (accounts.channel_due(platform_no, channel), -paid_fen),
        (accounts.suspense(platform_no, payment_no), paid_fen),
    )


def channel_settled(
    *, platform_no: str, settlement: Settlement, brought_fen: int, bank_serial_no: str, effective_date: date
) -> JournalEntry:
    """A channel settled a day: what it took less what it gave back is no longer due, its fee is the platform's.

    Args:
        brought_fen: amount of the bank's line with its sign; negative when more was given back than taken.

    Raises:
        Refused: `unbalanced` when the line does not bring what the settlement lists.
    """
    return balanced_entry(
        "channel_settled",
        (accounts.custody(platform_no), -brought_fen),
        (accounts.channel_due(platform_no, settlement.method), settlement.paid_fen - settlement.refunded_fen),
        (accounts.bank_charges(platform_no), -settlement.fee_fen if settlement.net_of_fees else 0),
        bank_serial_no=bank_serial_no,
        effective_date=effective_date,
    )


def suspense_return_held(*, platform_no: str, payment_no: str, amount_fen: int) -> JournalEntry:
    """Money in suspense is held while its channel is asked to give it back."""
    require_positive(amount_fen=amount_fen)
    return balanced_entry(
        "suspense_return_held",
        (accounts.suspense(platform_no, payment_no), -amount_fen),
        (accounts.refund(platform_no, payment_no), amount_fen),
    )


def channel_refunded(*, platform_no: str, channel: str, payment_no: str, amount_fen: int) -> JournalEntry:
    """The channel gave the money back: it will settle that much less."""
    require_positive(amount_fen=amount_fen)
    return balanced_entry(
        "channel_refunded",
        (accounts.refund(platform_no, payment_no), -amount_fen),
        (accounts.channel_due(platform_no, channel), amount_fen),
    )


def suspense_return_failed(*, platform_no: str, payment_no: str, amount_fen: int) -> JournalEntry:
    """The channel does not give the money back: it waits in suspense again."""
    require_positive(amount_fen=amount_fen)
    return balanced_entry(
        "suspense_return_failed",
        (accounts.refund(platform_no, payment_no), -amount_fen),
        (accounts.suspense(platform_no, payment_no), amount_fen),
    )


def order_paid_directly(
    *, platform_no: str, channel: str, owner_no: str, order_no: str, payment_no: str, paid_fen: int, price_fen: int
) -> JournalEntry:
    """A payment that a channel took is frozen for an order; what was paid above the price waits in suspense.

    Args:
        paid_fen: at least `price_fen`.
    """
    require_positive(paid_fen=paid_fen, price_fen=price_fen)
    return balanced_entry(
        "order_paid_directly",
        (accounts.channel_due(platform_no, channel), -paid_fen),
        (accounts.escrow(platform_no, owner_no, order_no), price_fen),
        (accounts.suspense(platform_no, payment_no), paid_fen - price_fen),
    )


def refund_credited(
    *, platform_no: str, owner_no: str, payment_no: str, amount_fen: int, pending_day: date | None
) -> JournalEntry:
    """The channel does not give a refund back: the owner has it in its sub-account instead."""
    require_positive(amount_fen=amount_fen)
    return balanced_entry(
        "refund_credited",
        (accounts.refund(platform_no, payment_no), -amount_fen),
        (bucket(platform_no, owner_no, pending_day), amount_fen),
    )
