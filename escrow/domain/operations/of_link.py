"""All kinds of operations, and how one is made of what waits with a link."""

from escrow.domain.collections.batch_payments import BATCH_PAYMENT
from escrow.domain.members.account_operations import UNBIND
from escrow.domain.operations.asked import AskedFor
from escrow.domain.operations.members import BindAccount, CloseMember, Opened, SignMandate, UnbindAccount
from escrow.domain.operations.orders import CommandOrder, PayDirectly, PayTogether
from escrow.domain.operations.transfers import PayAtOnce, Withdraw

#: Each of them has one function that carries it out, in `api.carrying_out`.
Operation = (
    CommandOrder
    | PayDirectly
    | PayTogether
    | PayAtOnce
    | Withdraw
    | SignMandate
    | BindAccount
    | UnbindAccount
    | CloseMember
)


def operation_of(asked: AskedFor, *, opened: Opened) -> Operation:
    """The operation that waits with a link, told by what it is about.

    Args:
        opened: opens what waits sealed of a bank account.

    Raises:
        ValueError: it is none of ours.
    """
    match asked.object_kind:
        case "order" if "method" in asked.terms:
            return PayDirectly.of_document(asked)
        case "order":
            return CommandOrder.of_document(asked)
        case "withdrawal":
            return Withdraw.of_document(asked)
        case "payment":
            return PayAtOnce.of_document(asked)
        case kind if kind == BATCH_PAYMENT:
            return PayTogether.of_document(asked)
        case "mandate":
            return SignMandate.of_document(asked)
        case "bank_account" if asked.operation == UNBIND:
            return UnbindAccount.of_document(asked)
        case "bank_account":
            return BindAccount.of_document(asked, opened)
        case "member":
            return CloseMember.of_document(asked)
        case kind:
            raise ValueError(f"nothing carries out what concerns a {kind}")
