"""What is checked before an account of a member is debited: that the member consented to just this, by the books."""

from typing import Any

from activities.guards import require_consent
from activities.pay_ins import CollectionRef, require_own_collection
from escrow.channels.collections import Payer
from escrow.domain.collections.pay_ins import COLLECT, pay_in_operation_hash, pay_in_terms
from escrow.domain.errors import Refused
from escrow.domain.money.journal import Basis
from escrow.ledger.books_time import books_now
from escrow.ledger.consents import get_consent
from escrow.ledger.engine import Reader
from escrow.registry.accounts.card_holders import CardHolder


def payer_of(holder: CardHolder) -> Payer:
    """The holder of a card as the bank is told."""
    return Payer(
        account_no=holder.card_no, account_name=holder.name, citizen_id=holder.citizen_id, mobile=holder.mobile
    )


async def require_consented_debit(
    reader: Reader, collection: CollectionRef, *, consent_no: str, member_no: str, **terms: Any
) -> None:
    """The member consented to exactly this collection of its own pay-in, and the consent has been used for none yet.

    Args:
        consent_no: number of the consent to the top-up, or to collect for an order.
        terms: as `pay_in_terms` takes them.

    Raises:
        Refused: `wrong_workflow`, `not_found`, `basis_missing`, `basis_void`, `basis_used`, `basis_expired` or
            `basis_mismatch`.
    """
    await require_own_collection(reader, collection)
    consent = await get_consent(reader, collection.platform_no, consent_no)
    if consent is not None and consent.expires_at <= await books_now(reader, collection.platform_no):
        raise Refused("basis_expired", f"The consent {consent_no} has expired.")
    expected = pay_in_operation_hash(
        platform_no=collection.platform_no,
        pay_in_no=collection.pay_in_no,
        by=member_no,
        terms=pay_in_terms(**terms),
        for_order=consent is not None and consent.operation == COLLECT,
    )
    await require_consent(
        reader,
        platform_no=collection.platform_no,
        basis=Basis(kind="consent", reference=consent_no, operation_hash=expected),
    )
