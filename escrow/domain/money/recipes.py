"""Every money movement as a named recipe that gives a balanced journal entry.

Those of money that channels collect are made in `escrow.domain.collections.recipes`, those of transfers between
sub-accounts in `escrow.domain.transfers.moves`, those of micro-deposits in
`escrow.domain.members.verification_recipes`, those of batches in `escrow.domain.collections.batch_payments`, those of
suspense money that is paid out in `escrow.domain.transfers.suspense_returns`.
What is no recipe is refused: `RECIPES` says which purposes a recipe may add to or take from and which kinds of
basis it may stand on, and the database holds the same list. All amounts are integer fen and greater than zero
unless a parameter says that it may be zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from escrow.domain.errors import Refused
from escrow.domain.money import accounts
from escrow.domain.money.accounts import AccountKey, Purpose
from escrow.domain.money.funding import FundingLeg
from escrow.domain.money.journal import BasisKind, JournalEntry, JournalLine

Direction = Literal["+", "-"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeRule:
    """What one recipe may do: the purposes it adds to and takes from, and the bases it may stand on."""

    adds_to: frozenset[Purpose]
    takes_from: frozenset[Purpose]
    basis_kinds: frozenset[BasisKind]

    @property
    def moves(self) -> frozenset[tuple[Purpose, Direction]]:
        """The rule as rows (purpose, direction)."""
        adds: set[tuple[Purpose, Direction]] = {(purpose, "+") for purpose in self.adds_to}
        takes: set[tuple[Purpose, Direction]] = {(purpose, "-") for purpose in self.takes_from}
        return frozenset(adds | takes)


def _rule(takes_from: Sequence[Purpose], adds_to: Sequence[Purpose], *basis_kinds: BasisKind) -> RecipeRule:
    return RecipeRule(takes_from=frozenset(takes_from), adds_to=frozenset(adds_to), basis_kinds=frozenset(basis_kinds))


_P = Purpose
_MEMBER_MONEY = (_P.PENDING, _P.WITHDRAWABLE)
_PAYEE = (_P.WITHDRAWABLE, _P.PENDING, _P.OWN, _P.FEES)

#: The allow-list. The custody account moves only in recipes that stand on a line the bank booked.
RECIPES: Mapping[str, RecipeRule] = {
    "top_up_credited": _rule((_P.CUSTODY,), _MEMBER_MONEY, "bank_line"),
    "credit_suspended": _rule((_P.CUSTODY,), (_P.SUSPENSE,), "bank_line"),
    "own_credited": _rule((_P.CUSTODY,), (_P.OWN,), "bank_line"),
    "order_frozen": _rule(_MEMBER_MONEY, (_P.ESCROW,), "consent"),
    "deposit_released": _rule((_P.ESCROW,), _PAYEE, "consent"),
    "milestone_released": _rule((_P.ESCROW,), _PAYEE, "consent", "deadline"),
    "retention_released": _rule((_P.ESCROW,), _PAYEE, "deadline"),
    "order_refunded": _rule((_P.ESCROW,), (*_MEMBER_MONEY, _P.REFUND), "consent", "deadline"),
    "withdrawal_requested": _rule((_P.WITHDRAWABLE, _P.OWN), (_P.PAYOUT,), "consent", "release"),
    "withdrawal_paid": _rule((_P.PAYOUT,), (_P.CUSTODY, _P.FEES), "bank_line"),
    "withdrawal_returned_to_member": _rule((_P.PAYOUT,), (_P.WITHDRAWABLE, _P.OWN), "none"),
    "bank_charge_booked": _rule((_P.BANK_CHARGES,), (_P.CUSTODY,), "bank_line"),
    "bank_charge_covered": _rule((_P.FEES, _P.OWN), (_P.BANK_CHARGES,), "none"),
    "pending_matured": _rule((_P.PENDING,), (_P.WITHDRAWABLE, _P.OWN), "none"),
    "commission_swept": _rule((_P.FEES,), (_P.OWN,), "none"),
    "collection_credited": _rule((_P.CHANNEL_DUE,), (*_MEMBER_MONEY, _P.SUSPENSE), "consent"),
    "collection_suspended": _rule((_P.CHANNEL_DUE,), (_P.SUSPENSE,), "none"),
    "channel_settled": _rule((_P.CUSTODY, _P.CHANNEL_DUE, _P.BANK_CHARGES), (_P.CUSTODY, _P.CHANNEL_DUE), "bank_line"),
    "suspense_return_held": _rule((_P.SUSPENSE,), (_P.REFUND,), "none"),
    "channel_refunded": _rule((_P.REFUND,), (_P.CHANNEL_DUE,), "none"),
    "suspense_return_failed": _rule((_P.REFUND,), (_P.SUSPENSE,), "none"),
    "order_paid_directly": _rule((_P.CHANNEL_DUE,), (_P.ESCROW, _P.SUSPENSE), "consent"),
    "batch_frozen": _rule(_MEMBER_MONEY, (_P.ESCROW,), "consent"),
    "batch_paid_directly": _rule((_P.CHANNEL_DUE,), (_P.ESCROW, _P.SUSPENSE), "consent"),
    "refund_credited": _rule((_P.REFUND,), _MEMBER_MONEY, "none"),
    "payment_made": _rule(_MEMBER_MONEY, (*_MEMBER_MONEY, _P.OWN), "consent"),
    "suspense_payout_requested": _rule((_P.SUSPENSE,), (_P.PAYOUT,), "consent"),
    "suspense_payout_failed": _rule((_P.PAYOUT,), (_P.SUSPENSE,), "none"),
    "suspense_assigned": _rule((_P.SUSPENSE,), _MEMBER_MONEY, "consent"),
    "assignment_reversed": _rule(_MEMBER_MONEY, (_P.SUSPENSE,), "consent"),
    "micro_deposit_sent": _rule((_P.OWN,), (_P.CUSTODY,), "bank_line"),
    "micro_deposit_returned": _rule((_P.CUSTODY,), (_P.OWN,), "bank_line"),
}

_RELEASES = frozenset({"deposit_released", "milestone_released", "retention_released"})


def balanced_entry(
    recipe: str,
    *moves: tuple[AccountKey, int],
    bank_serial_no: str | None = None,
    effective_date: date | None = None,
) -> JournalEntry:
    """Balanced entry with one line per account; lines of zero fen fall away.

    Raises:
        Refused: `unbalanced` when the moves do not sum to zero or fewer than two lines remain.
    """
    totals: dict[AccountKey, int] = {}
    for account, amount_fen in moves:
        totals[account] = totals.get(account, 0) + amount_fen
    lines = tuple(JournalLine(account=account, amount_fen=total) for account, total in totals.items() if total)
    if sum(line.amount_fen for line in lines) or len(lines) < 2:
        raise Refused("unbalanced", f"The lines of {recipe} must sum to zero and move something; check its amounts.")
    return JournalEntry(recipe=recipe, lines=lines, bank_serial_no=bank_serial_no, effective_date=effective_date)


def require_positive(**amounts_fen: int) -> None:
    """Refuse amounts that move nothing or backwards.

    Raises:
        Refused: `amount_not_positive`, naming the amount.
    """
    for name, amount_fen in amounts_fen.items():
        if amount_fen <= 0:
            raise Refused("amount_not_positive", f"{name} must be greater than zero.", {name: amount_fen})


def _not_negative(**amounts_fen: int) -> None:
    for name, amount_fen in amounts_fen.items():
        if amount_fen < 0:
            raise Refused("amount_not_positive", f"{name} must not be below zero.", {name: amount_fen})


def top_up_credited(
    *,
    platform_no: str,
    member_no: str,
    amount_fen: int,
    bank_serial_no: str,
    effective_date: date,
    pending_day: date | None = None,
) -> JournalEntry:
    """A transfer the bank booked is credited to a member: to the pending money of `pending_day` if given (T+1)."""
    require_positive(amount_fen=amount_fen)
    return balanced_entry(
        "top_up_credited",
        (accounts.custody(platform_no), -amount_fen),
        (bucket(platform_no, member_no, pending_day), amount_fen),
        bank_serial_no=bank_serial_no,
        effective_date=effective_date,
    )


def credit_suspended(*, platform_no: str, amount_fen: int, bank_serial_no: str, effective_date: date) -> JournalEntry:
    """A transfer the bank booked that belongs to no known member waits in suspense under its serial number."""
    require_positive(amount_fen=amount_fen)
    return balanced_entry(
        "credit_suspended",
        (accounts.custody(platform_no), -amount_fen),
        (accounts.suspense(platform_no, bank_serial_no), amount_fen),
        bank_serial_no=bank_serial_no,
        effective_date=effective_date,
    )


def own_credited(*, platform_no: str, amount_fen: int, bank_serial_no: str, effective_date: date) -> JournalEntry:
    """A transfer the bank booked for the platform's own sub-account."""
    require_positive(amount_fen=amount_fen)
    return balanced_entry(
        "own_credited",
        (accounts.custody(platform_no), -amount_fen),
        (accounts.own(platform_no), amount_fen),
        bank_serial_no=bank_serial_no,
        effective_date=effective_date,
    )


def order_frozen(*, platform_no: str, owner_no: str, order_no: str, legs: Sequence[FundingLeg]) -> JournalEntry:
    """The owner pays an order: `amount_fen` of each leg is drawn and frozen in the order's escrow."""
    require_positive(**{leg.source: leg.amount_fen for leg in legs})
    drawn = [(bucket(platform_no, owner_no, leg.pending_day), -leg.amount_fen) for leg in legs]
    total_fen = sum(leg.amount_fen for leg in legs)
    return balanced_entry("order_frozen", *drawn, (accounts.escrow(platform_no, owner_no, order_no), total_fen))


def order_refunded(*, platform_no: str, owner_no: str, order_no: str, parts: Sequence[FundingLeg]) -> JournalEntry:
    """Frozen money goes back where it came from, `amount_fen` of each part.

    What a channel collected is held under its payment's number until the channel has given it back.
    """
    require_positive(**{part.source: part.amount_fen for part in parts})
    returned = [
        (
            accounts.refund(platform_no, part.payment_no)
            if part.payment_no
            else bucket(platform_no, owner_no, part.pending_day),
            part.amount_fen,
        )
        for part in parts
    ]
    total_fen = sum(part.amount_fen for part in parts)
    return balanced_entry("order_refunded", (accounts.escrow(platform_no, owner_no, order_no), -total_fen), *returned)


def escrow_released(
    *,
    recipe: str,
    platform_no: str,
    owner_no: str,
    order_no: str,
    payee_no: str,
    gross_fen: int,
    commission_fen: int,
    pending_day: date | None = None,
) -> JournalEntry:
    """Frozen money goes to the payee less the commission (may be zero).

    Args:
        recipe: `deposit_released`, `milestone_released` or `retention_released`.
        payee_no: the contractor, or empty when the platform itself is the payee.
        pending_day: accounting day whose closing makes the net withdrawable (T+1), None for at once.

    Raises:
        Refused: `recipe_unknown` for another recipe; `amount_not_positive`.
    """
    if recipe not in _RELEASES:
        raise Refused("recipe_unknown", f"{recipe} releases nothing; use one of {', '.join(sorted(_RELEASES))}.")
    require_positive(gross_fen=gross_fen)
    _not_negative(commission_fen=commission_fen, net_fen=gross_fen - commission_fen)
    return balanced_entry(
        recipe,
        (accounts.escrow(platform_no, owner_no, order_no), -gross_fen),
        (bucket(platform_no, payee_no, pending_day), gross_fen - commission_fen),
        (accounts.fees(platform_no), commission_fen),
    )


def withdrawal_requested(*, platform_no: str, member_no: str, withdrawal_no: str, amount_fen: int) -> JournalEntry:
    """Principal and fee of a withdrawal, together `amount_fen`, are held in transit.

    Args:
        member_no: whose withdrawable money it is; empty for the platform's own sub-account.
    """
    require_positive(amount_fen=amount_fen)
    return balanced_entry(
        "withdrawal_requested",
        (bucket(platform_no, member_no, None), -amount_fen),
        (accounts.payout(platform_no, member_no, withdrawal_no), amount_fen),
    )


def withdrawal_paid(
    *,
    platform_no: str,
    member_no: str,
    withdrawal_no: str,
    principal_fen: int,
    fee_fen: int,
    bank_serial_no: str,
    effective_date: date | None = None,
) -> JournalEntry:
    """The bank booked the payout: the principal leaves custody, the fee (may be zero) is earned."""
    require_positive(principal_fen=principal_fen)
    _not_negative(fee_fen=fee_fen)
    return balanced_entry(
        "withdrawal_paid",
        (accounts.payout(platform_no, member_no, withdrawal_no), -(principal_fen + fee_fen)),
        (accounts.custody(platform_no), principal_fen),
        (accounts.fees(platform_no), fee_fen),
        bank_serial_no=bank_serial_no,
        effective_date=effective_date,
    )


def withdrawal_returned_to_member(
    *, platform_no: str, member_no: str, withdrawal_no: str, amount_fen: int
) -> JournalEntry:
    """A withdrawal failed for good: principal and fee, together `amount_fen`, go back where they came from."""
    require_positive(amount_fen=amount_fen)
    return balanced_entry(
        "withdrawal_returned_to_member",
        (accounts.payout(platform_no, member_no, withdrawal_no), -amount_fen),
        (bucket(platform_no, member_no, None), amount_fen),
    )


def bucket(platform_no: str, member_no: str, pending_day: date | None) -> AccountKey:
    """The member's pending money of a day, or without a day its withdrawable money.

    Args:
        member_no: empty for the platform itself, whose money is withdrawn from its own sub-account.
    """
    if pending_day is not None:
        return accounts.pending(platform_no, member_no, pending_day.isoformat())
    return accounts.withdrawable(platform_no, member_no) if member_no else accounts.own(platform_no)


def bank_charge_booked(*, platform_no: str, amount_fen: int, bank_serial_no: str, effective_date: date) -> JournalEntry:
    """The bank took `amount_fen` from custody as its charge; the platform owes it until it is covered."""
    require_positive(amount_fen=amount_fen)
    return balanced_entry(
        "bank_charge_booked",
        (accounts.bank_charges(platform_no), -amount_fen),
        (accounts.custody(platform_no), amount_fen),
        bank_serial_no=bank_serial_no,
        effective_date=effective_date,
    )


def bank_charge_covered(*, platform_no: str, from_fees_fen: int, from_own_fen: int) -> JournalEntry:
    """The platform makes a bank charge good out of fees, then its own money (either may be zero)."""
    _not_negative(from_fees_fen=from_fees_fen, from_own_fen=from_own_fen)
    return balanced_entry(
        "bank_charge_covered",
        (accounts.fees(platform_no), -from_fees_fen),
        (accounts.own(platform_no), -from_own_fen),
        (accounts.bank_charges(platform_no), from_fees_fen + from_own_fen),
    )


def pending_matured(*, platform_no: str, member_no: str, day: date, amount_fen: int) -> JournalEntry:
    """At day end, pending money of `day` becomes withdrawable, or with no member the platform's own."""
    require_positive(amount_fen=amount_fen)
    return balanced_entry(
        "pending_matured",
        (bucket(platform_no, member_no, day), -amount_fen),
        (bucket(platform_no, member_no, None), amount_fen),
    )


def commission_swept(*, platform_no: str, amount_fen: int) -> JournalEntry:
    """Commission and fees taken so far go to the platform's own sub-account."""
    require_positive(amount_fen=amount_fen)
    return balanced_entry(
        "commission_swept", (accounts.fees(platform_no), -amount_fen), (accounts.own(platform_no), amount_fen)
    )
