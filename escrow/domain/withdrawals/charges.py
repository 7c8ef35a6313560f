"""What a payout brings with it: the bank's charge, which is never members' money, and word of a large one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeCover:
    """How bank charges are made good, in fen: from fees, then from the platform's own; the rest is a shortage."""

    from_fees_fen: int
    from_own_fen: int
    shortage_fen: int


def cover_charges(*, charges_fen: int, fees_fen: int, own_fen: int) -> ChargeCover:
    """Cover bank charges from the fee sub-account first, then from the platform's own sub-account.

    Args:
        charges_fen: what the bank has charged and nobody has covered yet.
        fees_fen: balance of the fee sub-account.
        own_fen: balance of the platform's own sub-account.

    Raises:
        ValueError: a negative amount.
    """
    if min(charges_fen, fees_fen, own_fen) < 0:
        raise ValueError("charges and balances are not negative")
    from_fees_fen = min(charges_fen, fees_fen)
    from_own_fen = min(charges_fen - from_fees_fen, own_fen)
    return ChargeCover(
        from_fees_fen=from_fees_fen,
        from_own_fen=from_own_fen,
        shortage_fen=charges_fen - from_fees_fen - from_own_fen,
    )


def needs_large_withdrawal_sms(*, principal_fen: int, threshold_fen: int) -> bool:
    """Whether a withdrawal is announced by SMS: strictly above the threshold, fee not counted, whatever the rails."""
    return principal_fen > threshold_fen
