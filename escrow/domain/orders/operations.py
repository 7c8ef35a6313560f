"""What exactly a party consents to when it commands an order; changing any of it voids the consent."""

from collections.abc import Mapping
from typing import Any

from escrow.domain.requests import operation_hash


def order_operation_hash(*, platform_no: str, order_no: str, operation: str, by: str, terms: Mapping[str, Any]) -> str:
    """Hash of one command to an order.

    Terms by operation: `pay` → `pay_terms`; commands that concern a milestone → `milestone_terms`; the others → none.

    Args:
        by: member number of the party in whose name the command is given.
    """
    return operation_hash(
        platform_no=platform_no, object_kind="order", object_no=order_no, operation=operation, by=by, terms=terms
    )


def unpaid_claim(order_no: str) -> str:
    """What the end of an order's wait for its payment claims: paid, closed or cancelled, it ends once."""
    return f"order/{order_no}/unpaid"


def released_claim(order_no: str, milestone: int) -> str:
    """What the release of a milestone claims: its money leaves escrow once."""
    return f"order/{order_no}/M{milestone}/released"


def pay_terms(*, total_fen: int, inspection_days: int, method: str | None = None) -> dict[str, Any]:
    """Paying consents to the full price and to the clause that silence of so many days is acceptance.

    Args:
        method: by which a channel collects the price; None when it is drawn from the owner's balance.
    """
    terms = {"amount_fen": total_fen, "silence_is_acceptance_after_days": inspection_days}
    return {**terms, "method": method} if method else terms


def milestone_terms(*, milestone: int, amount_fen: int) -> dict[str, Any]:
    """Accepting (or completing, or asking to rectify) concerns one milestone and its amount."""
    return {"milestone": milestone, "amount_fen": amount_fen}
