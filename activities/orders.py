"""Activities of an order: take a command, and what asks or tells the world before the books decide.

An input names the order and what is wanted of it, no more: who is paid, how much and on what basis is read in the books
and decided there, so nothing that somebody writes to Temporal is believed.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from temporalio import activity

from activities.messages import Message, RefusalView
from activities.notices import Texts, local_time
from activities.telemetry import RELEASES
from escrow.domain.errors import BankDeclined, BankUnreachable, OutcomeUnknown, Refused
from escrow.domain.money.amounts import format_fen
from escrow.domain.orders.commands import CallOperator, DeadlinePassed, Open, OwnerReminded, PartyCommand
from escrow.domain.orders.contract import OrderContract
from escrow.domain.orders.opening import ORDERS
from escrow.domain.orders.order import Order
from escrow.domain.orders.state import Reminder
from escrow.domain.orders.states import OrderCommand
from escrow.domain.orders.view import OrderPlan, OrderView
from escrow.domain.platforms.sms_texts import SmsText
from escrow.domain.requests import derived
from escrow.ledger.books import Books, Taken, see
from escrow.ledger.engine import Reader

#: So often a text message is tried before an operator is called.
REMINDED_AT_MOST = 8
_OPERATIONS = frozenset(operation.value for operation in OrderCommand)


class OrderRef(Message):
    """Names one order."""

    platform_no: str
    order_no: str


class TakeOrderCommand(OrderRef):
    """A command to an order. What only an activity can know is no message and cannot be sent so."""

    command: PartyCommand | DeadlinePassed | Open


class RemindOwner(OrderRef):
    """Tell the owner that silence is about to count in one round of inspection."""

    milestone: int
    round: int


class OrderTaken(Message):
    """What became of a command, beside the order as it is now.

    Args:
        view: None where the order does not stand in the books.
        answer: what the caller is told, None when it was refused or came too early.
        remaining: what is left of a deadline that has not passed.
        starts: objects that must be looked after from now on, as (kind, number).
    """

    view: OrderView | None = None
    answer: dict[str, Any] | None = None
    refusal: RefusalView | None = None
    remaining: timedelta | None = None
    starts: tuple[tuple[str, str], ...] = ()


class OrderEntered(Message):
    """An order as a new run of its process finds it.

    Args:
        plan, view: None where it could not be opened, which `refusal` says.
        asked: what parties said that nobody has answered yet, in the order of recording.
    """

    plan: OrderPlan | None = None
    view: OrderView | None = None
    refusal: RefusalView | None = None
    asked: tuple[PartyCommand, ...] = ()


class OrderActivities:
    """Activities of orders."""

    def __init__(self, books: Books, reader: Reader, texts: Texts) -> None:
        self._books = books
        self._reader = reader
        self._texts = texts

    @activity.defn
    async def enter_order(self, ref: OrderRef) -> OrderEntered:
        """The order as it stands; one that does not yet is opened by the contract that was recorded for it."""
        found = await see(self._reader, ORDERS, ref.platform_no, ref.order_no)
        order, version, at = found.object, found.version, found.at
        if order is None:
            opened = await self._books.take(ORDERS, ref.platform_no, ref.order_no, Open(order_no=ref.order_no))
            order, version, at = opened.object, opened.version, opened.at
            if order is None:
                return OrderEntered(refusal=RefusalView.of(opened.refusal))
        return OrderEntered(
            plan=OrderPlan.of(order),
            view=OrderView.of(order, version=version, at=at),
            asked=tuple(
                PartyCommand(
                    operation=OrderCommand(said.operation),
                    request_no=said.consent_no,
                    by=said.given_by,
                    milestone=said.terms.get("milestone"),
                    note=said.note,
                )
                for said in found.asked
                if said.operation in _OPERATIONS
            ),
        )

    @activity.defn
    async def take_order_command(self, request: TakeOrderCommand) -> OrderTaken:
        """Let the books decide what a command does.

        Raises:
            LedgerBusy, LedgerUnavailable: repeat.
        """
        command = request.command
        taken = await self._books.take(ORDERS, request.platform_no, request.order_no, command)
        cannot_be = taken.refusal is not None and taken.refusal.code != "order_state"
        if isinstance(command, DeadlinePassed) and cannot_be:
            flagged = await self._call_operator(request, f"{command.deadline}: {taken.refusal}", taken.version)
            # It stays refused: its process waits for the operator, and does not ask again at once.
            taken = replace(taken, object=flagged.object, version=flagged.version, at=flagged.at)
        if taken.answer is not None and taken.answer.get("released_fen") and not taken.is_repeat:
            RELEASES.labels(request.platform_no).inc()
        return _told(taken)

    @activity.defn
    async def remind_owner(self, request: RemindOwner) -> OrderTaken:
        """Remind the owner that the stage will be accepted by silence, then say so in the books.

        One that cannot be reminded is an operator's to call: silence does not count without a reminder.

        Raises:
            BankUnreachable, OutcomeUnknown, LedgerUnavailable: try again; the number of the text tells a repeat.
        """
        command = OwnerReminded(milestone=request.milestone, round=request.round)
        found = await see(self._reader, ORDERS, request.platform_no, request.order_no)
        order = found.object
        reminder = None if order is None else order.reminder(command, at=found.at)
        if order is None or reminder is None or reminder.due_at > found.at:
            return _told(await self._books.take(ORDERS, request.platform_no, request.order_no, command))
        try:
            await self._send_reminder(order.contract, request.milestone, reminder)
        except (Refused, BankDeclined) as refusal:
            return _told(await self._call_operator(request, _cannot_remind(request, refusal.message), found.version))
        except (BankUnreachable, OutcomeUnknown) as error:
            if activity.info().attempt < REMINDED_AT_MOST:
                raise
            return _told(await self._call_operator(request, _cannot_remind(request, error.message), found.version))
        return _told(await self._books.take(ORDERS, request.platform_no, request.order_no, command))

    async def _call_operator(self, ref: OrderRef, reason: str, version: int) -> Taken[Order]:
        """Call an operator, unless one was called for just that."""
        found = await see(self._reader, ORDERS, ref.platform_no, ref.order_no)
        if found.object is not None and found.object.state.attention == reason:
            return Taken(object=found.object, version=found.version, at=found.at)
        command = CallOperator(reason=reason, seen_version=version)
        return await self._books.take(ORDERS, ref.platform_no, ref.order_no, command)

    async def _send_reminder(self, contract: OrderContract, milestone: int, reminder: Reminder) -> None:
        terms = contract.milestones[milestone - 1]
        config = await self._texts.config(contract.platform_no, contract.config_version)
        text = config.sms_texts.render(
            SmsText.ORDER_REMINDER,
            order_no=contract.order_no,
            milestone=str(terms.number),
            milestone_name=terms.name,
            amount=format_fen(terms.amount_fen),
            due_at=local_time(reminder.counts_at),
        )
        number = derived(contract.order_no, reminder.name)
        await self._texts.send(contract.platform_no, contract.owner_no, number, text)


def _cannot_remind(request: RemindOwner, why: str) -> str:
    return f"the owner could not be reminded of M{request.milestone}: {why}"


def _told(taken: Taken[Order]) -> OrderTaken:
    order = taken.object
    return OrderTaken(
        view=None if order is None else OrderView.of(order, version=taken.version, at=taken.at),
        answer=None if taken.answer is None else dict(taken.answer),
        refusal=RefusalView.of(taken.refusal),
        remaining=taken.remaining,
        starts=taken.follows,
    )
