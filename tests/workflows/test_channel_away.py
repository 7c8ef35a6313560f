"""The bank is away for longer than a day while it owes us an answer: a person is called, and all ends right."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from escrow.stack.up import Stack
from tests.story import Story
from tests.story_collections import Cashier
from tests.waiting import until
from tests.workflows.house_of_rounds import House, opened_house
from tests.workflows.money_rows import ROWS
from tests.workflows.test_money_blows import CONFIG
from workflows.messages import PROCESSES, bank_watch_workflow_id

_TOP_UP, _ORDER = "top-up paid twice, a return under way", "refund under way"
#: The bank takes longer than a day for this one.
_STUCK = "900.04"
#: What is held meanwhile, by kind and number; the bank's own is the platform's.
_HELD_FEN = {("bank", ""): 0, ("pay_in", "T-1"): 190_004, ("refund", "D-1"): 190_004}
_SILENT_FOR_A_DAY = "the channel has not said for a day"


@pytest.fixture
async def house(broken_stack: Stack) -> AsyncIterator[House]:
    async with opened_house(broken_stack, CONFIG) as opened:
        card = await opened.platform.open_owner()
        await opened.platform.open_contractor()
        await opened.platform.top_up(card, 100)  # the watch runs
        yield opened
        await opened.books_are_sound_and_equal()


async def test_who_waits_for_a_channel_that_is_away_is_on_the_list_with_its_money_until_it_is_back(
    house: House,
) -> None:
    await ROWS[_TOP_UP].prepared(house, "T-1")
    await ROWS[_ORDER].prepared(house, "D-1")
    bank = house.platform.bank

    watch = house.client.get_workflow_handle(bank_watch_workflow_id(house.platform.number))
    await bank.set_bank_health("DOWN")
    try:
        await watch.signal("look")
        await until(lambda: _is_found_silent(house), "the bank's list of lines could not be read")
        assert await _waiting(house) == {}
        await house.time_passes_unseen(timedelta(hours=25))
        for kind, number in (("pay_in", "T-1"), ("refund", "D-1")):
            await house.client.get_workflow_handle(PROCESSES[kind].workflow_id(house.platform.number, number)).signal(
                "look"
            )

        async def all_wait() -> bool:
            return len(await _waiting(house)) == len(_HELD_FEN)

        await until(all_wait, "a person is called to all of them")
        waiting = await _waiting(house)
        assert {key: item["held_fen"] for key, item in waiting.items()} == {
            (kind, number or house.platform.number): held_fen for (kind, number), held_fen in _HELD_FEN.items()
        }
        assert waiting["pay_in", "T-1"]["reason"].startswith(_SILENT_FOR_A_DAY)
        assert waiting["refund", "D-1"]["reason"].startswith(_SILENT_FOR_A_DAY)
    finally:
        await bank.set_bank_health("UP")

    async def nobody_waits() -> bool:
        return await _waiting(house) == {}

    await watch.signal("look")
    await until(nobody_waits, "the bank tells its lines again, and has given back both")
    assert (await house.platform.get("/orders/D-1")).json()["status"] == "cancelled"


async def _waiting(house: House) -> dict[tuple[str, str], dict[str, Any]]:
    """What its platform is told of who waits for a person, by kind and number."""
    waiting = (await house.platform.get("/attention")).json()["waiting"]
    return {(item["kind"], item["object_no"]): item for item in waiting}


async def _is_found_silent(house: House) -> bool:
    row = await house.books.recorder.row("SELECT FROM attention WHERE platform_no = $1", house.platform.number)
    return row is not None


async def test_a_collection_is_looked_after_while_its_return_has_no_answer(story: Story) -> None:
    await story.members_open()
    cashier = Cashier(story)
    await cashier.opens("1,000.00")
    await cashier.awaits_payer()
    await cashier.payer_pays()
    await cashier.stands("T-1", "paid")
    await cashier.payer_pays(_STUCK)

    async def is_on_its_way() -> bool:
        return any(account.startswith("refund") for account in await story.balances())

    await story.until(is_on_its_way, "the return is on its way")
    await story.stage.sandbox.steer.set_bank_health("DOWN")
    await story.hours_pass(0.2)

    steps = [
        event.activity_task_scheduled_event_attributes.activity_type.name
        for event in (await cashier.handle().fetch_history()).events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    while_away = steps[steps.index("give_back") :]
    assert while_away.count("look_after_collection") > 1, while_away
    await story.stage.sandbox.steer.set_bank_health("UP")
