"""Every row of the order's table: the books have an order where it applies, and a process that knows the number waits.

An order is brought there by words to the books alone. Then its process is begun, and is found waiting for whom and for
which deadlines the table names; then the row comes true through it. A new row is met by itself.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.contrib.pydantic import pydantic_data_converter

from escrow.domain.money.amounts import format_fen, yuan
from escrow.domain.orders.commands import Open, PartyCommand
from escrow.domain.orders.milestones import MilestoneKind, Stage
from escrow.domain.orders.opening import ORDERS, MilestoneLine, OpeningTerms
from escrow.domain.orders.order import Order
from escrow.domain.orders.states import (
    TRANSITIONS,
    MilestoneStatus,
    OrderCommand,
    OrderDeadline,
    OrderStatus,
    Party,
    Transition,
    When,
    next_state,
)
from escrow.domain.orders.view import DeadlineView
from escrow.ledger.books import Books, known
from tests.beginning import beginning
from tests.postgres import Database
from tests.sandbox import Sandbox
from tests.story import TOP_UPS_AT_ONCE, Story, told
from tests.story_ground import CONTRACTOR, OWNER
from tests.waiting import until
from workflows.messages import OrderInput, OrderProcessState

_MEMBERS = {Party.OWNER: OWNER, Party.CONTRACTOR: CONTRACTOR}
_K = MilestoneKind
#: What is signed: with a retention, and without one.
_PLANS: tuple[tuple[MilestoneKind, ...], ...] = (
    (_K.START, _K.ACCEPTANCE, _K.ACCEPTANCE, _K.WARRANTY),
    (_K.START, _K.ACCEPTANCE, _K.ACCEPTANCE),
)
_LINE_FEN = yuan("100.00")
#: Deadlines that end no wait: an operator is called, the owner is reminded.
_BESIDES = {"work", "reminder"}


@dataclass(frozen=True, kw_only=True)
class Word:
    """What a party says, of a milestone or of the whole order."""

    operation: OrderCommand
    by: Party
    milestone: int | None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where an order stands, and by which words it came there; `proposed` by whom it is to be cancelled."""

    kinds: tuple[MilestoneKind, ...]
    status: OrderStatus = OrderStatus.AWAITING_PAYMENT
    milestones: tuple[MilestoneStatus, ...]
    proposed: Party | None = None
    words: tuple[Word, ...] = ()

    def where(self, row: Transition) -> list[int | None]:
        """Milestones of which the row speaks here; None for the order as a whole."""
        if row.status is not self.status:
            return []
        if row.milestone is None:
            return [None]
        return [number for number, status in enumerate(self.milestones, start=1) if status is row.milestone]

    def is_taken(self, row: Transition, number: int | None, by: Party | None) -> bool:
        """Whether this very row applies when its trigger comes from somebody, or by itself."""
        after = next_state(
            self.status,
            self.milestones,
            self.kinds,
            row.trigger,
            number,
            other_side_proposed=self.proposed not in (None, by),
        )
        return (after.status, after.effect) == (row.to_status, row.effect)

    def after(self, row: Transition, number: int | None, by: Party) -> "Standing":
        """Where it stands after a word."""
        assert isinstance(row.trigger, OrderCommand)
        after = next_state(self.status, self.milestones, self.kinds, row.trigger, number)
        word = Word(operation=row.trigger, by=by, milestone=number)
        proposed = by if row.when is When.FIRST_SIDE else self.proposed
        return replace(
            self, status=after.status, milestones=after.milestones, proposed=proposed, words=(*self.words, word)
        )


@dataclass(frozen=True, kw_only=True)
class Due:
    """A row about to come true: of this milestone, by this party or by itself."""

    row: Transition
    standing: Standing
    milestone: int | None
    by: Party | None


def the_way_to(row: Transition) -> Due:
    """The fewest words after which a row applies."""
    reached = [Standing(kinds=kinds, milestones=(MilestoneStatus.PLANNED,) * len(kinds)) for kinds in _PLANS]
    seen = {(item.kinds, item.status, item.milestones, item.proposed) for item in reached}
    for standing in reached:  # grows while it is gone through
        for number in standing.where(row):
            for by in row.by or (None,):
                if standing.is_taken(row, number, by):
                    return Due(row=row, standing=standing, milestone=number, by=by)
        for item in _after_one_word(standing):
            key = (item.kinds, item.status, item.milestones, item.proposed)
            if key not in seen:
                seen.add(key)
                reached.append(item)
    raise AssertionError(f"no words lead to {row}")


def _after_one_word(standing: Standing) -> list[Standing]:
    return [
        standing.after(row, number, by)
        for row in TRANSITIONS
        if isinstance(row.trigger, OrderCommand) and row.when is not When.BOTH_SIDES
        for number in standing.where(row)
        for by in row.by
        if standing.is_taken(row, number, by)
    ]


@pytest.fixture(scope="module")
async def many_orders(database: Database, bank_of_all_stories: Sandbox) -> AsyncIterator[Story]:
    """One story for all rows, each with an order of its own."""
    async with told(database, bank_of_all_stories, TOP_UPS_AT_ONCE, begins_at=beginning()) as story:
        await story.members_open()
        await story.owner_transfers("100,000.00")
        yield story


def _name(number: int) -> str:
    row = TRANSITIONS[number]
    return "-".join(str(part) for part in (row.status, row.milestone, row.trigger, row.when.name.lower()) if part)


@pytest.mark.parametrize("number", range(len(TRANSITIONS)), ids=_name)
async def test_a_process_that_is_begun_by_its_number_waits_for_what_the_table_says(
    many_orders: Story, number: int
) -> None:
    story, due = many_orders, the_way_to(TRANSITIONS[number])
    await _brought_there(story, f"T-{number}", due.standing)

    await story.start_order(OrderInput(platform_no=story.platform_no, order_no=f"T-{number}"))

    await _waits(story, due)
    await _comes_true(story, due)


async def _brought_there(story: Story, order_no: str, standing: Standing) -> None:
    """The order is opened and words are said to the books, of which no process hears."""
    lines = [Stage(name=f"第{number}期", kind=kind, amount_fen=_LINE_FEN) for number, kind in enumerate(standing.kinds)]
    terms = OpeningTerms(
        order_no=order_no,
        owner_no=OWNER,
        contractor_no=CONTRACTOR,
        total_fen=_LINE_FEN * len(lines),
        milestones=tuple(MilestoneLine(name=item.name, kind=item.kind, amount_fen=_LINE_FEN) for item in lines),
    )
    version = await story.platform_has()
    await story.opening_is_recorded(order_no, terms.model_dump(mode="json"), config_version=version)
    books = Books(story.stage.writer, story.stage.recorder)
    opened = await books.take(ORDERS, story.platform_no, order_no, Open(order_no=order_no))
    assert opened.object is not None, opened.refusal
    story.contract = opened.object.contract
    for word in standing.words:
        by = _MEMBERS[word.by]
        message = await story.consents(word.operation, by, milestone=word.milestone, asked=True)
        said = PartyCommand(operation=word.operation, request_no=message.request_no, by=by, milestone=word.milestone)
        taken = await books.take(ORDERS, story.platform_no, order_no, said)
        assert taken.answer is not None, taken.refusal


async def _waits(story: Story, due: Due) -> None:
    """The process names whom and which deadlines the table names, and sleeps until the nearest of these."""
    timer, state = await until(lambda: _asleep(story), f"{due.row} is waited for")
    order, standing, awaiting = state.order, due.standing, state.awaiting or ""
    assert order is not None
    assert order.status is standing.status
    assert tuple(item.status for item in order.milestones) == standing.milestones
    assert (None if order.proposal is None else order.proposal.by) == (
        None if standing.proposed is None else _MEMBERS[standing.proposed]
    )
    rows = [row for row in TRANSITIONS if standing.where(row) and row.trigger is not OrderCommand.CANCEL]
    for row in rows:
        named = [*row.by, *(f"M{number}" for number in standing.where(row) if number is not None)]
        assert [name for name in named if name not in awaiting] == [], awaiting
    deadlines = {_kind_of(deadline) for deadline in order.deadlines}
    assert deadlines - _BESIDES == {_word_of(row.trigger) for row in rows if isinstance(row.trigger, OrderDeadline)}
    assert _summary_of(timer) == awaiting
    sleeps = timer.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
    assert timedelta(0) <= order.deadlines[0].left - sleeps < timedelta(minutes=10)


async def _asleep(story: Story) -> tuple[HistoryEvent, OrderProcessState] | None:
    """The one timer that runs for the order's process, and what that says of itself; None while it does not sleep."""
    timers: dict[int, HistoryEvent] = {}
    for event in (await story.order.fetch_history()).events:
        if event.event_type == EventType.EVENT_TYPE_TIMER_STARTED:
            timers[event.event_id] = event
        elif event.event_type == EventType.EVENT_TYPE_TIMER_FIRED:
            del timers[event.timer_fired_event_attributes.started_event_id]
        elif event.event_type == EventType.EVENT_TYPE_TIMER_CANCELED:
            del timers[event.timer_canceled_event_attributes.started_event_id]
    if len(timers) != 1:
        return None
    return next(iter(timers.values())), await story.order_state()


def _summary_of(timer: HistoryEvent) -> str:
    (summary,) = pydantic_data_converter.payload_converter.from_payloads([timer.user_metadata.summary], [str])
    return str(summary)


def _word_of(trigger: OrderDeadline) -> str:
    """What a deadline of the table is called where it runs."""
    return trigger.value.removesuffix("_passed").removesuffix("_deadline")


def _kind_of(deadline: DeadlineView) -> str:
    """What a running deadline is of: `M2:inspection:1` is of an inspection."""
    return deadline.name.split(":")[1] if ":" in deadline.name else deadline.name


async def _comes_true(story: Story, due: Due) -> None:
    """Through the process, by a word or by time; the money follows."""
    if isinstance(due.row.trigger, OrderCommand):
        assert due.by is not None
        await story.says(due.row.trigger, _MEMBERS[due.by], milestone=due.milestone)
    else:
        word, deadlines = _word_of(due.row.trigger), (await story.order_view()).deadlines
        (left,) = (deadline.left for deadline in deadlines if _kind_of(deadline) == word)
        await story.time_passes(left + timedelta(hours=1))

    async def is_so() -> Order | None:
        order = await known(story.stage.recorder, ORDERS, story.platform_no, story.signed.order_no)
        is_there = order.state.status is due.row.to_status
        if due.milestone is not None:
            is_there = is_there and order.state.milestone(due.milestone).status is due.row.to_milestone
        return order if is_there else None

    order = await until(is_so, f"{due.row} has come true")
    held_fen, balances = order.state.held_fen, await story.balances()
    held = format_fen(held_fen) if held_fen else None
    assert balances.get(f"{OWNER}/escrow:{order.contract.order_no}") == held
    assert held_fen == sum(
        item.amount_fen
        for item in order.state.milestones
        if order.state.paid_fen and item.status not in (MilestoneStatus.RELEASED, MilestoneStatus.REFUNDED)
    )
