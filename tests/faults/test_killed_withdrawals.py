"""SIGKILL of the worker at every point of every step of a withdrawal and of the bank's lines: each is paid once."""

import importlib
import json
import pkgutil
import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from temporalio.activity import _Definition
from temporalio.client import Client, WorkflowHistory

from activities import __path__ as activity_modules
from escrow.domain.withdrawals.commands import WithdrawalCommand
from escrow.sandbox.moments import begin_of_story
from tests.api.platforms import Platform
from tests.faults import callers, money_in_rows
from tests.faults.house import House
from tests.faults.matrix import play
from tests.faults.orders_round import OrdersRound
from tests.faults.test_killed_debits import ACTIVITIES as OF_DEBITS
from tests.faults.withdrawals_round import AMOUNTS_FEN, GIVEN_BACK, STANDING_ORDERS, WithdrawalsRound
from tests.waiting import until

_HISTORIES = Path(__file__).parents[1] / "histories"
#: Nothing leaves them.
_WITHOUT_A_POINT = money_in_rows.READ_ONLY
_ROWS = OrdersRound.activities() | WithdrawalsRound.activities() | OF_DEBITS | money_in_rows.ACTIVITIES
_FUNDS_FEN = 10_000_000_000


def activity_types(history: WorkflowHistory) -> set[str]:
    """Types of all activities in a history: regular ones, and local ones from their markers."""
    types: set[str] = set()
    for event in history.events:
        if event.HasField("activity_task_scheduled_event_attributes"):
            types.add(event.activity_task_scheduled_event_attributes.activity_type.name)
        if event.HasField("marker_recorded_event_attributes"):
            marker = event.marker_recorded_event_attributes
            if marker.marker_name == "core_local_activity":
                types.add(json.loads(marker.details["data"].payloads[0].data)["activity_type"])
    return types


def defined_types() -> set[str]:
    """Types of all activities that there are."""
    return {
        definition.name
        for module in pkgutil.iter_modules(activity_modules)
        for value in vars(importlib.import_module(f"activities.{module.name}")).values()
        if isinstance(value, type)
        for function in vars(value).values()
        if (definition := _Definition.from_callable(function)) is not None and definition.name
    }


def test_every_activity_has_a_row_in_a_matrix_and_every_row_an_activity() -> None:
    assert defined_types() == _ROWS | _WITHOUT_A_POINT


def test_every_command_to_a_withdrawal_has_a_row() -> None:
    commands = {kind.__name__ for kind in typing.get_args(WithdrawalCommand)}
    assert commands <= {posting.command for posting in WithdrawalsRound.POSTINGS.values()}


async def recorded_types(temporal: Client) -> set[str]:
    """Activity types in the committed histories and in all histories of the server."""
    types: set[str] = set()
    for path in sorted(_HISTORIES.glob("*.json")):
        types |= activity_types(WorkflowHistory.from_json(path.stem, path.read_text()))
    async for workflow in temporal.list_workflows():
        types |= activity_types(await temporal.get_workflow_handle(workflow.id, run_id=workflow.run_id).fetch_history())
    return types


async def test_a_worker_killed_at_any_point_of_a_withdrawal_loses_nothing_and_repeats_nothing(
    house: House, tables: list[str]
) -> None:
    temporal = await house.temporal()
    # On a morning when all rails are open: one of the withdrawals fits the large-value rail alone.
    morning = begin_of_story("", datetime.now(UTC))
    trade, ahead = [await house.platforms.open(begins_at=morning) for _ in range(2)]
    for number, platform in enumerate((trade, ahead)):
        card, account = await platform.open_owner(), f"75591234567892000{number}"
        await callers.open_contractor(platform, account)
        await platform.top_up(card, _FUNDS_FEN)
        await platform.top_up(account, _FUNDS_FEN, member_no="C-1")
    played: list[WithdrawalsRound] = []

    async def begin(name: str) -> WithdrawalsRound:
        reading, booking = [await house.platforms.open(begins_at=morning) for _ in range(2)]
        played.append(
            WithdrawalsRound(house, temporal, name, trade=trade, ahead=ahead, reading=reading, booking=booking)
        )
        return played[-1]

    async def right_end(game: WithdrawalsRound) -> None:
        await require_right_end(house, game)

    await house.steer.send_notices_to("")
    try:
        await play(WithdrawalsRound, begin, right_end, tables)
    finally:
        await house.steer.send_notices_to(f"{house.stack.api_url}/bank/notices")
    assert await recorded_types(temporal) <= _ROWS | _WITHOUT_A_POINT, "an activity type has no row in a matrix"
    watched = [platform for game in played for platform in (game.reading, game.booking)]
    await house.require_sound_books(trade, ahead, *watched)
    for platform, is_ahead in ((trade, False), (ahead, True)):
        paid = [part for part in AMOUNTS_FEN if (part in WithdrawalsRound.AHEAD) == is_ahead and part not in GIVEN_BACK]
        # The first order of each round, and those that are withdrawn by themselves.
        earned_fen, spent_fen = (0, 0) if is_ahead else (callers.RELEASED_FEN, callers.PRICE_FEN)
        spent_fen *= 1 + len(STANDING_ORDERS)
        owner, contractor = await platform.balances("O-1"), await platform.balances("C-1")
        assert owner["available_fen"] == _FUNDS_FEN - len(played) * spent_fen
        withdrawn_fen = sum(AMOUNTS_FEN[part] for part in paid)
        assert contractor["available_fen"] == _FUNDS_FEN + len(played) * (earned_fen - withdrawn_fen)


async def answers_with(house: House, platform: Platform, no: str, numbers: set[str]) -> dict[str, Any]:
    """What the ledger answered about a withdrawal, once it has these numbers: a text may be on its way at the end."""

    async def all_there() -> dict[str, Any] | None:
        taken = await house.answers_of(platform, no)
        return taken if numbers <= set(taken) else None

    return await until(all_there, f"{sorted(numbers)} are recorded")


async def require_right_end(house: House, game: WithdrawalsRound) -> None:
    """Every request number once, every payout once at the bank, every message sent once, nothing that nobody asked."""
    at_bank = {payout["reqSeq"] for payout in await house.steer.payouts()}
    for part in game.parts():
        no, platform = game.withdrawal_no(part), game.platform_of(part)
        ended = f"{no}:{'return' if part in GIVEN_BACK else 'paid'}"
        told = {f"{no}:sms"} if part in _LARGE else set()
        taken = await answers_with(house, platform, no, {f"{no}:hold", ended} | told)
        sent = {number for number in taken if number.rpartition(":")[0] == f"{no}:attempt"}
        assert sent
        rest = set(taken) - {f"{no}:hold", ended} - told - sent
        assert steps_of(no, rest) <= {"seen", "ended", "queue"} | _ONLY_OF.get(part, set())
        for only in _ONLY_OF.get(part, set()):
            # Before the kept question about the rails is answered, a day has passed for its withdrawal too.
            times = sum(f":{only}:" in number for number in rest)
            assert times == 1 or (part == "survey" and times == 0), f"{part}: {only} {times} times"
        # What was sent was recorded before.
        orders = {number for number in at_bank if number.startswith(f"{platform.number}/{no}:")}
        assert orders <= {f"{platform.number}/{number.replace(':attempt:', ':payout:')}" for number in sent}
    for platform in (game.trade, game.ahead):
        booked = await house.payouts_booked(platform)
        for part in game.parts():
            if game.platform_of(part) is platform:
                assert booked.get(game.withdrawal_no(part), 0) == (0 if part in GIVEN_BACK else 1), part
    texts = [text for text in await house.texts(game.trade) if text.startswith(f"{game.name}-")]
    assert texts == sorted(game.no(f"{part}:sms") for part in _LARGE)


_LARGE = ("large", "announced", "queue")
#: An operator is called once for these, whatever is repeated.
_ONLY_OF: Mapping[str, set[str]] = {"overdue": {"overdue"}, "survey": {"overdue"}, "differs": {"operator"}}


def steps_of(no: str, numbers: set[str]) -> set[str]:
    """What these request numbers of a withdrawal are about."""
    words = {number.removeprefix(f"{no}:") for number in numbers}
    return {
        next((word for word in ("seen", "ended", "queue", "overdue", "operator") if word in text.split(":")), text)
        for text in words
    }
