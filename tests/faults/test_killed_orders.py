"""SIGKILL of the worker at every point of every command to an order: nothing is lost, nothing happens twice."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from temporalio.client import WorkflowHistory
from temporalio.common import WorkflowIDConflictPolicy

import escrow.domain.orders.commands as commands_of_orders
from escrow.domain.orders.states import OrderCommand
from escrow.ledger.objects import get_object, object_events
from tests.api.platforms import Platform, card_number
from tests.faults import callers
from tests.faults.house import House
from tests.faults.matrix import play
from tests.faults.money_in_rows import ROWS as ROWS_OF_MONEY_IN
from tests.faults.orders_round import CONFIG, REMINDER, WITHOUT_A_MOBILE, OrdersRound, open_without_a_mobile
from tests.servers import RARELY, ROUNDS_ARE_RARE, set_for
from workflows.messages import order_workflow_id
from workflows.taking_up import the_rounds

_FUNDS_FEN = 100_000_000
_SETTLED = ("open", "freeze", "M1:release:1", "M2:complete:1", "M2:release:1")
_REMINDED = (*_SETTLED, "M2:reminded:1")
#: What the books take for each order from its beginning to its end, in whatever order; every number once.
_STEPS = {
    "first": _SETTLED,
    "open": _SETTLED,
    "pay": _SETTLED,
    "start": _SETTLED,
    "complete": _SETTLED,
    "accept": _SETTLED,
    "rectify": (*_SETTLED, "M2:rectify:1", "M2:complete:2"),
    "cancel": ("open", "freeze", "refund"),
    "propose": (*_SETTLED, "propose-cancel:{no}-cancel"),
    "agree": ("open", "freeze", "M1:release:1", "propose-cancel:{no}-cancel", "refund"),
    "unpaid": ("open", "close"),
    "unstarted": ("open", "freeze", "refund"),
    "late": (*_SETTLED, "M2:work:0:overdue"),
    "silent": _REMINDED,
    "warranted": (*_SETTLED, "M3:release:1"),
    "claimed": (*_REMINDED, "attention:{version}"),
    "reminded": _REMINDED,
    "told": _REMINDED,
    "attended": (*_SETTLED, "M2:work:0:overdue", "attended:{version}"),
    "mute": (*_SETTLED, "attention:{version}"),
}
_REMINDED_OWNERS = ("silent", "claimed", "reminded", "told")
#: Orders that end otherwise than with all their money with the contractor: what the contractor has of them, net.
_EARNED_FEN = {"cancel": 0, "agree": callers.DEPOSIT_FEN * 95 // 100, "unpaid": 0, "unstarted": 0}
_SPENT_FEN = {"cancel": 0, "agree": callers.DEPOSIT_FEN, "unpaid": 0, "unstarted": 0}


def commands_in_the_code() -> Iterator[str]:
    """Names of all commands that an order takes, those of parties and deadlines one by one."""
    base = commands_of_orders._OrderCommand
    for name, kind in vars(commands_of_orders).items():
        if not (isinstance(kind, type) and issubclass(kind, base)) or kind is base:
            continue
        if name == "PartyCommand":
            yield from (f"{name} {operation}" for operation in OrderCommand)
        elif name == "DeadlinePassed":
            yield from (f"{name} {deadline}" for deadline in ("payment", "start", "work", "inspection", "warranty"))
        else:
            yield name


def test_every_command_to_an_order_has_a_row() -> None:
    rows = {posting.command.partition(",")[0] for posting in OrdersRound.POSTINGS.values()}
    assert set(commands_in_the_code()) - rows == {"PaidDirectly"}
    assert "freeze_collected" in ROWS_OF_MONEY_IN, (
        "what a channel collected for an order is brought to its points there"
    )


async def test_a_worker_killed_at_any_point_of_any_command_to_an_order_loses_nothing_and_repeats_nothing(
    house: House, tables: list[str]
) -> None:
    temporal = await house.temporal()
    trade, ahead = await house.platforms.open(), await house.platforms.open(CONFIG)
    for number, platform in enumerate((trade, ahead)):
        card = await platform.open_owner()
        await callers.open_contractor(platform, f"75591234567891000{number}")
        await platform.top_up(card, _FUNDS_FEN)
    card = card_number()
    await open_without_a_mobile(ahead, card)
    await ahead.top_up(card, _FUNDS_FEN, member_no=WITHOUT_A_MOBILE)

    async def begin(name: str) -> OrdersRound:
        return OrdersRound(house, temporal, name, trade=trade, ahead=ahead)

    async def right_end(game: OrdersRound) -> None:
        await require_right_end(house, game)

    async with rounds_are_rare(house):
        played = await play(OrdersRound, begin, right_end, tables)
    await house.require_sound_books(trade, ahead)
    await require_right_balances(trade, ahead, rounds=played)


@asynccontextmanager
async def rounds_are_rare(house: House) -> AsyncIterator[None]:
    """Meanwhile nobody goes round but when asked: the worker is set so.

    What is kept at the gates makes no progress; on a slow machine rounds would end its process, begin another one and
    call a person, and the history that is compared would be another one's.
    """
    usual, rare = house.worker.command, the_rounds(every=RARELY)
    await house.worker.stop()
    set_for(house.worker, ROUNDS_ARE_RARE)
    # Before the worker comes, so that no round of the usual ones is made any more when it is there.
    begun = await (await house.temporal()).start_workflow(
        rare.workflow,
        rare.reference,
        id=rare.workflow_id,
        task_queue=rare.task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
    )
    await house.worker.start()
    try:
        yield
    finally:
        await house.worker.stop()
        house.worker.command = usual
        await begun.terminate("the worker begins those that are made every minute")
        await house.worker.start()


async def require_right_end(house: House, game: OrdersRound) -> None:
    """Every request number once, every reminder sent once, and every repeat was answered what is stored."""
    for part, steps in _STEPS.items():
        no, platform = game.no(part), game.platform_of(part)
        taken = await house.answers_of(platform, no)
        attentions = [number for number in taken if ":attention:" in number or ":attended:" in number]
        version = attentions[0].rpartition(":")[2] if attentions else ""
        events = await object_events(house.recorder, platform.number, "order", no)
        happened = [(event.event_type, event.body) for event in events]
        assert set(taken) == {f"{no}:{step.format(no=no, version=version)}" for step in steps}, happened
        order = await get_object(house.recorder, platform.number, "order", no)
        assert order is not None
        assert order.sequence_no == len(taken), "one posting, one event"
        handle = game.temporal.get_workflow_handle(order_workflow_id(platform.number, no))
        told = [taken["answer"] for taken in taken_in(await handle.fetch_history()) if taken["answer"] is not None]
        assert [answer for answer in told if answer not in taken.values()] == [], f"{part} was told what is not stored"
        given = game.calling[part].result() if part in game.calling else {}
        if "result" in given:  # a command, not an opening
            stored = taken[OrdersRound.POSTINGS[part].number.format(no=no)]
            assert given["result"] == stored
            assert stored in told, f"{part}: the repeat is answered what is stored"
    texts = [text for text in await house.texts(game.ahead) if text.startswith(f"{game.name}-")]
    assert texts == sorted(REMINDER.format(no=game.no(part)) for part in _REMINDED_OWNERS)


def taken_in(history: WorkflowHistory) -> Iterator[dict[str, Any]]:
    """What activities that took a command answered, as the history keeps it: local ones, and those that went on."""
    events = {event.event_id: event for event in history.events}
    for event in history.events:
        marker, completed = event.marker_recorded_event_attributes, event.activity_task_completed_event_attributes
        if marker.marker_name == "core_local_activity" and marker.details["result"].payloads:
            kind = json.loads(marker.details["data"].payloads[0].data)["activity_type"]
            result = marker.details["result"]
        elif completed.result.payloads:
            scheduled = events[completed.scheduled_event_id].activity_task_scheduled_event_attributes
            kind, result = scheduled.activity_type.name, completed.result
        else:
            continue
        if kind == "take_order_command":
            yield json.loads(result.payloads[0].data)


async def require_right_balances(trade: Platform, ahead: Platform, *, rounds: int) -> None:
    """What the members have is what the rounds moved, to the fen."""
    for platform, parts in (
        (trade, [part for part in _STEPS if part not in OrdersRound.AHEAD]),
        (ahead, [part for part in _STEPS if part in OrdersRound.AHEAD]),
    ):
        spent = {part: _SPENT_FEN.get(part, callers.PRICE_FEN) for part in parts}
        owner, contractor = await platform.balances("O-1"), await platform.balances("C-1")
        by_owner_fen = sum(fen for part, fen in spent.items() if part != "mute")
        assert owner["available_fen"] == _FUNDS_FEN - rounds * by_owner_fen
        assert contractor["available_fen"] == rounds * sum(
            _EARNED_FEN.get(part, callers.RELEASED_FEN) for part in parts
        )
