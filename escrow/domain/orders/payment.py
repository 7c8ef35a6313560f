"""How an order is paid: from its owner's balance, or by what a channel collected for just this order."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from escrow.domain.collections.direct_payments import DirectPaid
from escrow.domain.collections.methods import payment_booking_no
from escrow.domain.collections.recipes import order_paid_directly
from escrow.domain.decisions import Decision, Facts
from escrow.domain.members.parties import require_members
from escrow.domain.members.states import Permission
from escrow.domain.money import recipes
from escrow.domain.money.funding import FundingLeg, direct_leg, draw
from escrow.domain.money.journal import Basis, CounterUse, StandsOn
from escrow.domain.orders.contract import OrderContract
from escrow.domain.orders.operations import unpaid_claim
from escrow.domain.orders.state import OrderState
from escrow.domain.platforms.config import PlatformConfig
from escrow.domain.platforms.functions import Function
from escrow.domain.platforms.rules import require_function
from escrow.domain.requests import derived
from escrow.domain.time.calendars import SHANGHAI
from escrow.domain.transfers.suspense import suspended_credit

#: Event of the step that pays an order.
PAID = "order.paid"


def paid_from_balance(
    contract: OrderContract, moved: OrderState, *, basis: Basis, answer: Mapping[str, Any], at: datetime, facts: Facts
) -> tuple[OrderState, Decision]:
    """The full price is drawn from what the owner can spend, pending money first.

    Args:
        moved: the order as a paid one, by the table.

    Raises:
        Refused: `function_off`, `member_unknown`, `member_state`, or `insufficient_balance`.
    """
    assert facts.config is not None and facts.spendable is not None  # noqa: S101, PT018 - the command declares them
    require_function(facts.config, Function.BALANCE_PAYMENT)
    parties = require_parties(contract, facts)
    legs = draw(
        withdrawable_fen=facts.spendable.withdrawable_fen,
        pending_fen_by_day=facts.spendable.pending_fen_by_day,
        amount_fen=contract.total_fen,
    )
    after = paid_state(contract, moved, legs, at).model_copy(update={"direct": None})
    return after, Decision(
        request_no=derived(contract.order_no, "freeze"),
        event_type=PAID,
        event={},
        answer=answer,
        entry=recipes.order_frozen(
            platform_no=contract.platform_no, owner_no=contract.owner_no, order_no=contract.order_no, legs=legs
        ),
        bases=(basis,),
        claims=(unpaid_claim(contract.order_no),),
        has_read=parties,
        counters=limit_of_day(contract.owner_no, contract.total_fen, facts.config, at),
    )


def paid_directly(
    contract: OrderContract,
    moved: OrderState,
    direct: DirectPaid,
    *,
    basis: Basis,
    answer: Mapping[str, Any],
    at: datetime,
    facts: Facts,
) -> tuple[OrderState, Decision]:
    """What a channel took is frozen under the payment's own number; what is above the price waits in suspense.

    Args:
        direct: as the channel says, asked by who brings it; it covers the price.

    Raises:
        Refused: `member_unknown` or `member_state`.
    """
    order_no = contract.order_no
    parties = require_parties(contract, facts)
    leg = direct_leg(payment_no=direct.payment_no, amount_fen=contract.total_fen)
    after = paid_state(contract, moved, (leg,), at).model_copy(update={"direct": direct})
    excess_fen = direct.paid_fen - contract.total_fen
    return after, Decision(
        request_no=payment_booking_no(direct.payment_no),
        event_type=PAID,
        event={},
        answer=answer,
        entry=order_paid_directly(
            platform_no=contract.platform_no,
            channel=direct.method,
            owner_no=contract.owner_no,
            order_no=order_no,
            payment_no=direct.payment_no,
            paid_fen=direct.paid_fen,
            price_fen=contract.total_fen,
        ),
        bases=(basis,),
        claims=(unpaid_claim(order_no),),
        follows=(
            suspended_credit(payment_no=direct.payment_no, amount_fen=excess_fen, collected_for=contract.owner_no),
        )
        if excess_fen
        else (),
        has_read=parties,
    )


def require_parties(contract: OrderContract, facts: Facts, *, also: Permission | None = None) -> tuple[StandsOn, ...]:
    """Whoever began to close since the order was opened neither pays nor is paid.

    Args:
        also: what both must be allowed besides.

    Returns:
        The members with the versions that were read.

    Raises:
        Refused: `member_unknown` or `member_state`.
    """
    more = () if also is None else (also,)
    parties = {contract.owner_no: (*more, Permission.PAY)}
    if contract.payee_no:
        parties[contract.payee_no] = (*more, Permission.RECEIVE)
    return require_members(facts, parties)


def paid_state(contract: OrderContract, moved: OrderState, legs: tuple[FundingLeg, ...], at: datetime) -> OrderState:
    """A paid order's state: who paid it with what, and until when its work must start.

    Args:
        moved: the order as a paid one, by the table.
    """
    update = {
        "funding": legs,
        "paid_fen": contract.total_fen,
        "step_due_at": at + contract.periods.start_deadline,
    }
    return moved.model_copy(update=update)


def limit_of_day(member_no: str, amount_fen: int, config: PlatformConfig, at: datetime) -> tuple[CounterUse, ...]:
    """What paying uses of a member's limit of the day in Shanghai; nothing is counted where there is no limit."""
    maximum_fen = config.limits.payments_per_day_fen
    if maximum_fen is None:
        return ()
    name = f"order/{member_no}/{at.astimezone(SHANGHAI).date()}"
    return (CounterUse(name=name, add_fen=amount_fen, maximum_fen=maximum_fen, limit=_LIMIT),)


_LIMIT = "limits.payments_per_day_fen"
