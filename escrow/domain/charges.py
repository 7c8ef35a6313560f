"""Who bears what a payout costs: the member's fixed fee, and the bank's charge, which is never members' money."""

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


def held_fen(*, principal_fen: int, fee_fen: int) -> int:
    """What a withdrawal takes from the sub-account: the principal, and on top of it the fee fixed at request.

    Raises:
        ValueError: principal not positive, or fee negative.
    """
    if principal_fen <= 0 or fee_fen < 0:
        raise ValueError("the principal is positive and the fee not negative")
    return principal_fen + fee_fen


def needs_large_withdrawal_sms(*, principal_fen: int, threshold_fen: int) -> bool:
    """Whether a withdrawal is announced by SMS: strictly above the threshold, fee not counted, whatever the rails."""
    return principal_fen > threshold_fen
