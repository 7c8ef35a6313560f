"""What falls due by itself: payouts end and return, collections expire, refunds end, batches are settled."""

from dataclasses import replace

from bank_sandbox import collection_refunds, collections, micro_deposits, payouts, settlements
from bank_sandbox.books import Desk

#: At one moment, in this order: a payment comes before the batch that settles it.
_DUTIES = (
    (payouts.next_due_ms, payouts.settle_due),
    (collections.next_due_ms, collections.do_due),
    (collection_refunds.next_due_ms, collection_refunds.do_due),
    (micro_deposits.next_due_ms, micro_deposits.do_due),
    (settlements.next_due_ms, settlements.do_due),
)


def next_due_ms(desk: Desk) -> int | None:
    """Bank time at which the next thing falls due."""
    return min((at_ms for next_ms, _ in _DUTIES if (at_ms := next_ms(desk)) is not None), default=None)


def do_due(desk: Desk) -> None:
    """Do what is due by now, each at its own time, in the order of time."""
    while (at_ms := next_due_ms(desk)) is not None and at_ms <= desk.now_ms:
        then = replace(desk, now_ms=at_ms)
        for next_ms, do in _DUTIES:
            if (mine_ms := next_ms(desk)) is not None and mine_ms <= at_ms:
                do(then)
