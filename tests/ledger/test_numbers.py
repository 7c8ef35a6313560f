"""A platform may give an order, a withdrawal and a top-up the same number: what happens to one is not the other's."""

import inspect
from collections.abc import Iterator
from itertools import combinations
from types import ModuleType
from typing import Any

import asyncpg
from pydantic import BaseModel

from escrow.domain.collections import batch_commands, refund
from escrow.domain.collections import commands as collection_commands
from escrow.domain.collections.commands import CallOperator as CallToCollection
from escrow.domain.collections.opening import COLLECTIONS
from escrow.domain.collections.refund import REFUNDS, CallOperatorToRefund
from escrow.domain.decisions import Aggregate
from escrow.domain.money.journal import Change
from escrow.domain.orders import commands as order_commands
from escrow.domain.orders.commands import CallOperator as CallToOrder
from escrow.domain.orders.opening import ORDERS
from escrow.domain.withdrawals import commands as withdrawal_commands
from escrow.domain.withdrawals.commands import CallOperator as CallToWithdrawal
from escrow.domain.withdrawals.holding import WITHDRAWALS
from escrow.ledger.books import Books
from escrow.ledger.engine import Recorder
from escrow.ledger.posting import LedgerWriter
from tests.domain.test_collection_decisions import refund as a_refund
from tests.domain.test_collection_decisions import shown
from tests.domain.withdrawals import held
from tests.ledger.books import HOME, posting
from tests.ledger.orders import Parties, open_platform

SUBJECTS: dict[str, ModuleType] = {
    "order": order_commands,
    "withdrawal": withdrawal_commands,
    "pay_in": collection_commands,
    "batch_payment": batch_commands,
    "refund": refund,
}


class _Anything:
    """A value of every field: its text is the same wherever it is asked for."""

    def __getattr__(self, name: str) -> "_Anything":
        return self

    def __str__(self) -> str:
        return "3"

    def isoformat(self) -> str:
        return "3"


#: A payment that a channel took is booked under its own number by whoever is first, whatever had it collected; and only
#: what pays an order or a batch, under a number of ours, is told that it was taken.
_ONE_NUMBER_MEANT = {"PaidDirectly", "BookPayment", "PaidByChannel", "TakenByPaid"}


def _numbers(module: ModuleType) -> Iterator[tuple[str, str]]:
    """Commands of a subject, and the numbers of ours under which they are posted for an object X."""
    for name, kind in inspect.getmembers(module, inspect.isclass):
        is_command = kind.__module__ == module.__name__ and hasattr(kind, "own_no") and not name.startswith("_")
        if not is_command or not issubclass(kind, BaseModel) or name in _ONE_NUMBER_MEANT:
            continue
        fields: dict[str, Any] = {field: _Anything() for field, it in kind.model_fields.items() if it.is_required()}
        for choice in ({"how": "closed"}, {"how": "failed"}) if "how" in fields else ({},):
            command: Any = kind.model_construct(**{**fields, **choice})
            number = command.own_no("X")
            if number is not None:
                yield name, number


def test_no_two_subjects_post_under_one_number() -> None:
    found = {subject: {number: name for name, number in _numbers(module)} for subject, module in SUBJECTS.items()}
    assert all(found.values())
    for one, other in combinations(found, 2):
        shared = {number: (found[one][number], found[other][number]) for number in found[one] & found[other].keys()}
        assert not shared, f"{one} and {other}"


async def test_an_operator_is_called_for_each_of_the_objects_that_have_one_number(
    owner: asyncpg.Connection, writer: LedgerWriter, recorder: Recorder
) -> None:
    await open_platform(owner, writer)
    order = Parties(writer, recorder, "X")
    await order.done(await order.opening())
    there: tuple[tuple[str, Aggregate], ...] = (("withdrawal", held()), ("pay_in", shown()), ("refund", a_refund()))
    for kind, item in there:
        change = Change(kind=kind, object_no="X", event_type="x", status=item.status, body=item.document())
        await writer.post(posting(changes=(change,)))
    books, reason = Books(writer, recorder), "look at this"
    taken: list[Any] = [
        await books.take(ORDERS, HOME, "X", CallToOrder(reason="another one", seen_version=1)),
        await books.take(WITHDRAWALS, HOME, "X", CallToWithdrawal(reason=reason, seen_version=1)),
        await books.take(COLLECTIONS, HOME, "X", CallToCollection(reason=reason, seen_version=1)),
        await books.take(REFUNDS, HOME, "X", CallOperatorToRefund(reason=reason, seen_version=1)),
    ]
    for item in taken:
        assert item.object is not None, item.refusal
        assert item.object.state.attention, "nobody was called for it"
