"""Transfers between sub-accounts that are one step: unguaranteed payments, and suspense money given to a member.

Money that is pending stays pending whoever gets it: else T+1 could be avoided by paying somebody.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Any

from escrow.domain.money import accounts
from escrow.domain.money.funding import FundingLeg
from escrow.domain.money.journal import JournalEntry
from escrow.domain.money.recipes import balanced_entry, bucket, require_positive
from escrow.domain.requests import derived, operation_hash


class TransferKind(StrEnum):
    """What a transfer is; also the kind of its object in the books.

    - `payment`: a member pays another, or a self-operated platform, without a guarantee.
    - `assignment`: money in suspense is given to the member that it belongs to.
    - `reversal`: an assignment was wrong: what the member still has goes back to suspense.
    """

    PAYMENT = "payment"
    ASSIGNMENT = "assignment"
    REVERSAL = "reversal"


class TransferStatus(StrEnum):
    """How a transfer stands in the books; what a rule refuses stands there no more, as it did in the first release."""

    DONE = "done"
    REFUSED = "refused"


def transfer_terms(*, subject_no: str, member_no: str, amount_fen: int) -> dict[str, Any]:
    """What a transfer consents to.

    Args:
        subject_no: the payee of a payment (empty: the platform), the suspense credit of an assignment, the assignment
            of a reversal.
        member_no: who pays, is given to, or gives back.
    """
    return {"subject_no": subject_no, "member_no": member_no, "amount_fen": amount_fen}


def transfer_operation_hash(
    *, platform_no: str, kind: TransferKind, transfer_no: str, by: str, terms: Mapping[str, Any]
) -> str:
    """Hash of one transfer, with `transfer_terms`.

    Args:
        by: the paying member, or `platform` for assignments and reversals.
    """
    return operation_hash(
        platform_no=platform_no,
        object_kind=kind.value,
        object_no=transfer_no,
        operation=kind.value,
        by=by,
        terms=terms,
    )


def transfer_consent_no(kind: TransferKind, transfer_no: str) -> str:
    """Number of the one consent that asks for a transfer; it cannot meet one that a platform gives."""
    return derived("", kind, transfer_no, "consent")


def payment_made(
    *, platform_no: str, payer_no: str, payee_no: str, legs: Sequence[FundingLeg], pending_day: date | None
) -> JournalEntry:
    """A member pays at once: what was withdrawable becomes the payee's of `pending_day`, pending money stays pending.

    Args:
        payee_no: a member, or empty for the platform itself.
        pending_day: accounting day whose closing makes it withdrawable (T+1), None for at once.
    """
    require_positive(**{leg.source: leg.amount_fen for leg in legs})
    drawn = [(bucket(platform_no, payer_no, leg.pending_day), -leg.amount_fen) for leg in legs]
    given = [
        (bucket(platform_no, payee_no, _later(leg.pending_day, pending_day)), leg.amount_fen) for leg in legs
    ]  # fmt: skip
    return balanced_entry("payment_made", *drawn, *given)


def suspense_assigned(
    *, platform_no: str, credit_no: str, member_no: str, amount_fen: int, pending_day: date | None
) -> JournalEntry:
    """Money in suspense is credited to a member, or a part of it."""
    require_positive(amount_fen=amount_fen)
    return balanced_entry(
        "suspense_assigned",
        (accounts.suspense(platform_no, credit_no), -amount_fen),
        (bucket(platform_no, member_no, pending_day), amount_fen),
    )


def assignment_reversed(
    *, platform_no: str, credit_no: str, member_no: str, legs: Sequence[FundingLeg]
) -> JournalEntry:
    """What a member was given by mistake, and still has, goes back to suspense."""
    require_positive(**{leg.source: leg.amount_fen for leg in legs})
    drawn = [(bucket(platform_no, member_no, leg.pending_day), -leg.amount_fen) for leg in legs]
    total_fen = sum(leg.amount_fen for leg in legs)
    return balanced_entry("assignment_reversed", *drawn, (accounts.suspense(platform_no, credit_no), total_fen))


def _later(one: date | None, other: date | None) -> date | None:
    days = [day for day in (one, other) if day is not None]
    return max(days) if days else None
