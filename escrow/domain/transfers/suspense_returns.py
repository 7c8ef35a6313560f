"""Money in suspense that leaves as a payout: to the account it came from, or as two operators decide.

A return is a withdrawal of its own kind: held from suspense, paid over the rails, back in suspense when none carries
it. All amounts are integer fen and greater than zero.
"""

from collections.abc import Mapping
from typing import Any

from escrow.domain.money import accounts
from escrow.domain.money.journal import JournalEntry
from escrow.domain.money.recipes import balanced_entry, require_positive
from escrow.domain.requests import operation_hash

#: Operation of the consent that a return stands on; its object is the `withdrawal`.
RETURN_SUSPENSE = "return_suspense"
#: Who consents when two operators do; the other is the platform.
OPERATORS = "operators"


def suspense_return_terms(
    *, credit_no: str, principal_fen: int, cnaps_code: str, payee_digest: str | None = None
) -> dict[str, Any]:
    """What a return consents to.

    Args:
        credit_no: the bank's serial number of the line that brought the money.
        cnaps_code: of the payee's branch, empty when unknown; some rails need it.
        payee_digest: keyed digest of the account that two operators named; None for the one the money came from.
    """
    return {
        "credit_no": credit_no,
        "principal_fen": principal_fen,
        "cnaps_code": cnaps_code,
        "payee_digest": payee_digest or "",
    }


def suspense_return_operation_hash(*, platform_no: str, return_no: str, by: str, terms: Mapping[str, Any]) -> str:
    """Hash of one return, with `suspense_return_terms`; `by` is `platform` or `operators`."""
    return operation_hash(
        platform_no=platform_no,
        object_kind="withdrawal",
        object_no=return_no,
        operation=RETURN_SUSPENSE,
        by=by,
        terms=terms,
    )


def suspense_payout_requested(*, platform_no: str, credit_no: str, return_no: str, amount_fen: int) -> JournalEntry:
    """Money in suspense is held in transit for its return."""
    require_positive(amount_fen=amount_fen)
    return balanced_entry(
        "suspense_payout_requested",
        (accounts.suspense(platform_no, credit_no), -amount_fen),
        (accounts.payout(platform_no, "", return_no), amount_fen),
    )


def suspense_payout_failed(*, platform_no: str, credit_no: str, return_no: str, amount_fen: int) -> JournalEntry:
    """No rail carried a return: the money waits in suspense again."""
    require_positive(amount_fen=amount_fen)
    return balanced_entry(
        "suspense_payout_failed",
        (accounts.payout(platform_no, "", return_no), -amount_fen),
        (accounts.suspense(platform_no, credit_no), amount_fen),
    )
