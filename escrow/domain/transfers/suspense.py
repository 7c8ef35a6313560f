"""Money in suspense: credits that wait until somebody says whose they are."""

from escrow.domain.money.journal import Change

#: Kind of a credit's object in the books, and the key of its document that says for whom it was collected.
CREDIT, COLLECTED_FOR = "bank_credit", "collected_for"


def suspended_credit(*, payment_no: str, amount_fen: int, collected_for: str) -> Change:
    """The credit that a booking leaves in suspense.

    Args:
        amount_fen: what of the payment waits.
        collected_for: member number; empty where the books know nobody.
    """
    body = {"amount_fen": amount_fen, "line_kind": "settlement", "member_no": None}
    return Change(
        kind=CREDIT,
        object_no=payment_no,
        event_type="bank_credit.suspended",
        status="suspended",
        body={**body, COLLECTED_FOR: collected_for} if collected_for else body,
    )
