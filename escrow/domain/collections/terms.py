"""What is asked for with a collection: where it stands, what exactly a payer consents to, how codes are counted."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.errors import Refused
from escrow.domain.requests import derived, operation_hash

#: Methods at which the payer acts on a page or in an app of its own, so that we need know nothing of the payer.
PAYER_ACTS_ELSEWHERE = frozenset(
    {
        CollectionMethod.ACQUIRING,
        CollectionMethod.GATEWAY,
        CollectionMethod.WECHAT_APP,
        CollectionMethod.QR_WECHAT,
        CollectionMethod.QR_ALIPAY,
        CollectionMethod.QR_QQ,
    }
)


#: Operations that a consent about a collection may be for.
TOP_UP, COLLECT = "top_up", "collect"

#: Methods that debit an account of a known member: only with that member's consent to this very collection.
DEBITS_A_MEMBER = frozenset({CollectionMethod.QUICK, CollectionMethod.DIRECT_DEBIT})

#: One quick payment: how many codes may be tried, and how many are sent, the first one included.
CODE_TRIES = 3
CODE_SENDINGS = 5


class CollectionStatus(StrEnum):
    """Where a collection stands. `paid` can follow every other state, since a payment can come late.

    `processing`: nobody has anything to do any more, the bank is at it.
    """

    OPENED = "opened"
    AWAITING_PAYER = "awaiting_payer"
    PROCESSING = "processing"
    PAID = "paid"
    CLOSED = "closed"
    FAILED = "failed"


def sends_none(declined: str) -> Refused:
    """What a payer is told whose bank sends no other code.

    Args:
        declined: by which code the bank said so.
    """
    code = "sms_code_limit" if declined == "codes_exhausted" else "code_not_awaited"
    return Refused(code, "The bank sends no other code for this payment.", {"reason": declined})


def collection_terms(
    *, method: str, amount_fen: int, account_id: str | None = None, mandate_no: str | None = None
) -> dict[str, Any]:
    """A top-up consents to exactly this amount by this method.

    Args:
        account_id: the bound card that a quick payment is made from; None for other methods.
        mandate_no: the mandate under which a direct debit is made; None for other methods.
    """
    named = {"account_id": account_id, "mandate_no": mandate_no}
    return {"method": method, "amount_fen": amount_fen, **{name: number for name, number in named.items() if number}}


def require_only_its_own(method: CollectionMethod, *, account_id: str | None, mandate_no: str | None) -> None:
    """A card belongs to a quick payment, a mandate to a direct debit, and to nothing else.

    Raises:
        ValueError: it names what is not for its method.
    """
    if account_id is not None and method is not CollectionMethod.QUICK:
        raise ValueError(f"account_id belongs to {CollectionMethod.QUICK} alone")
    if mandate_no is not None and method is not CollectionMethod.DIRECT_DEBIT:
        raise ValueError(f"mandate_no belongs to {CollectionMethod.DIRECT_DEBIT} alone")


def require_payer_named(method: CollectionMethod, *, account_id: str | None, mandate_no: str | None) -> None:
    """Whose card or which mandate is debited is said with what asks for it.

    Raises:
        Refused: `card_required` or `mandate_required`.
    """
    if method is CollectionMethod.QUICK and account_id is None:
        raise Refused("card_required", "Name the payer's bound card in `account_id`.")
    if method is CollectionMethod.DIRECT_DEBIT and mandate_no is None:
        raise Refused("mandate_required", "Name the payer's mandate in `mandate_no`.")


def collecting_terms(
    how: Mapping[str, Any],
    *,
    subject: str,
    expires_in_minutes: int,
    return_url: str | None = None,
    order_no: str | None = None,
    batch_no: str | None = None,
    pays_by: str | None = None,
) -> dict[str, Any]:
    """All that is asked for with a collection: what is collected how (`collection_terms`), and what the payer meets.

    Args:
        order_no, batch_no: what is paid; both None for a top-up.
        pays_by: number of the consent to pay it; None for a top-up.
    """
    named = {"return_url": return_url, "order_no": order_no, "batch_no": batch_no, "pays_by": pays_by}
    given = {name: value for name, value in named.items() if value}
    return {**how, "subject": subject, "expires_in_minutes": expires_in_minutes, **given}


def opening_consent_no(pay_in_no: str) -> str:
    """Number of the consent to a top-up; it cannot meet one that a platform gives."""
    return derived("", "pay_in", pay_in_no, "open")


def collect_consent_no(pay_in_no: str) -> str:
    """Number of what asks for the collection that pays an order or a batch."""
    return derived("", "pay_in", pay_in_no, COLLECT)


def direct_pay_in_no(order_no: str, request_no: str) -> str:
    """Number of what collects one direct payment of an order."""
    return derived(order_no, "pay", request_no)


def collection_operation_hash(
    *, platform_no: str, pay_in_no: str, by: str, terms: Mapping[str, Any], for_order: bool = False
) -> str:
    """Hash of one top-up, or of collecting from the payer what pays an order; with `collection_terms`.

    Args:
        by: member number whose sub-account is credited, or who pays.
        for_order: a consent to collect for an order does not credit a sub-account, nor the other way round.
    """
    return operation_hash(
        platform_no=platform_no,
        object_kind="pay_in",
        object_no=pay_in_no,
        operation=COLLECT if for_order else TOP_UP,
        by=by,
        terms=terms,
    )
