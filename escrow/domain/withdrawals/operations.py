"""What exactly a party consents to when it asks for a withdrawal; changing any of it voids the consent."""

from collections.abc import Mapping
from typing import Any

from escrow.domain.requests import operation_hash


def withdrawal_terms(*, account_id: str, principal_fen: int, fee_fen: int) -> dict[str, Any]:
    """Asking for a withdrawal consents to that amount to exactly that bound account (empty: the default one).

    Args:
        fee_fen: taken on top of the principal; named where there is one.
    """
    terms = {"account_id": account_id, "principal_fen": principal_fen}
    return {**terms, "fee_fen": fee_fen} if fee_fen else terms


def withdrawal_operation_hash(*, platform_no: str, withdrawal_no: str, by: str, terms: Mapping[str, Any]) -> str:
    """Hash of one request to withdraw, with `withdrawal_terms`.

    Args:
        by: member number whose money it is, or `platform` for the platform's own.
    """
    return operation_hash(
        platform_no=platform_no,
        object_kind="withdrawal",
        object_no=withdrawal_no,
        operation="withdraw",
        by=by,
        terms=terms,
    )
