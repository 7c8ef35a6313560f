"""What must follow a step of an order: objects written by the same posting, whoever wakes their processes."""

from collections.abc import Sequence

from escrow.domain.collections.direct_payments import DirectPaid, DirectRefundStatus
from escrow.domain.money.funding import FundingLeg
from escrow.domain.money.journal import Change
from escrow.domain.orders.contract import OrderContract, automatic_withdrawal_no
from escrow.domain.withdrawals.states import WithdrawalStatus


def automatic_withdrawal(
    contract: OrderContract, milestone: int, *, net_fen: int, released_as: str
) -> tuple[Change, ...]:
    """The withdrawal of what was just released, where the order says so; none when the fee would leave nothing.

    Args:
        released_as: request number of the release, on which it stands.
    """
    principal_fen = net_fen - contract.withdrawal_fee_fen
    if not contract.withdraw_automatically or principal_fen <= 0:
        return ()
    body = {
        "member_no": contract.payee_no,
        "account_id": "",
        "principal_fen": principal_fen,
        "fee_fen": contract.withdrawal_fee_fen,
        "order_no": contract.order_no,
        "credit_no": "",
        "released_as": released_as,
        "config_version": contract.config_version,
        "attempts": [],
        "route": [],
        "opens_at": None,
        "attention": "",
    }
    number = automatic_withdrawal_no(contract.order_no, milestone)
    return (_follows("withdrawal", number, WithdrawalStatus.REQUESTED, body),)


def refund_through_channel(
    contract: OrderContract, direct: DirectPaid | None, parts: Sequence[FundingLeg]
) -> tuple[Change, ...]:
    """The refund of what a channel collected for just this order."""
    refund_fen = sum(part.amount_fen for part in parts if part.payment_no)
    if direct is None or refund_fen == 0:
        return ()
    body = {
        "order_no": contract.order_no,
        "owner_no": contract.owner_no,
        "amount_fen": refund_fen,
        "direct": direct.model_dump(mode="json"),
        "reason": "",
    }
    return (_follows("refund", contract.order_no, DirectRefundStatus.UNDER_WAY, body),)


def _follows(kind: str, number: str, status: WithdrawalStatus | DirectRefundStatus, body: dict[str, object]) -> Change:
    return Change(
        kind=kind, object_no=number, event_type=f"{kind}.{status}", status=status.value, body=body, must_be_new=True
    )
