"""The process of a withdrawal dies at any of its waits; started again by its number alone it goes on from the books."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from escrow.domain.withdrawals.rails import Rail
from tests.stage import TUESDAY_MORNING
from tests.story import Story
from tests.workflows.conftest import STUCK, StoryAt
from workflows.messages import PAYMENTS_TASK_QUEUE

_AMOUNT, _TOO_MUCH = "20,000.00", "1,000,000.01"


async def _held(story: Story) -> None:
    """The bank cannot be asked which rails are open."""
    await story.payee_has(_AMOUNT)
    await story.stage.sandbox.steer.set_bank_health("DOWN")
    await story.withdraws(_AMOUNT)
    await story.withdrawal_is("held")


async def _queued(story: Story) -> None:
    """The one rail that carries so much is disturbed."""
    await story.payee_has(_TOO_MUCH)
    await story.stage.sandbox.steer.set_rail_health(Rail.HVPS, "DOWN")
    await story.withdraws(_TOO_MUCH)
    await story.withdrawal_is("queued")


async def _unknown(story: Story) -> None:
    """The payment order was booked and its answer lost, and the bank is away when it is asked."""
    await story.payee_has(_AMOUNT)
    await story.stage.sandbox.steer.next_suffers("timeout_booked")
    await story.withdraws(_AMOUNT)
    await story.withdrawal_is("unknown")


async def _submitted(story: Story) -> None:
    """The bank has the payment order and is not done with it."""
    await story.payee_has(_AMOUNT)
    await story.stage.sandbox.steer.next_suffers("stuck")
    await story.withdraws(_AMOUNT)
    await story.withdrawal_is("submitted")


async def _needs_attention(story: Story) -> None:
    """So it has been for a day."""
    await _submitted(story)
    await story.hours_pass(24.2)
    await story.withdrawal_is("needs_attention")


@pytest.mark.parametrize("waits", [_held, _queued, _unknown, _submitted, _needs_attention])
async def test_a_process_that_died_is_started_again_by_its_number_and_goes_on(
    story_at: StoryAt, waits: Callable[[Story], Awaitable[None]]
) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        await waits(story)
        await story.withdrawal().terminate("a misfortune")

        again = await story.start_withdrawal()
        await story.stage.sandbox.steer.set_rail_health(Rail.HVPS, "UP")
        await story.stage.sandbox.steer.set_bank_health("UP")
        await story.stage.sandbox.steer.move_clock(story.stage.custody_account_no, by=STUCK)

        assert (await story.ending_of(again)).status == "paid"
        assert len(await story.payouts_at_bank()) == 1


async def test_one_that_has_ended_says_again_how(story: Story) -> None:
    await story.payee_has(_AMOUNT)
    await story.withdraws(_AMOUNT)
    outcome = await story.withdrawal_ends()

    again = await story.start_withdrawal()

    assert await story.ending_of(again) == outcome


async def test_what_a_release_wrote_down_is_withdrawn_by_whoever_starts_it(story: Story) -> None:
    await story.paid_order(withdraw_automatically=True)
    await story.stage.sandbox.steer.set_bank_health("DOWN")
    await story.starts()
    number = "D-1001:M1:withdrawal:1"
    await story.withdrawal_is("held", number)
    await story.withdrawal(number).terminate("a misfortune")
    await story.stage.sandbox.steer.set_bank_health("UP")

    await story.start_withdrawal(number)

    assert (await story.withdrawal_ends(number)).status == "paid"


async def test_what_the_first_release_was_started_with_still_names_its_withdrawal(story: Story) -> None:
    await story.payee_has(_AMOUNT)
    basis = await story.consents_to_withdraw(_AMOUNT, withdrawal_no="W-1")
    first_release = {
        "platform_no": story.platform_no, "withdrawal_no": "W-1", "member_no": "C-1", "principal_fen": 2_000_000,
        "basis": {"kind": basis.kind, "reference": basis.reference, "operation_hash": basis.operation_hash},
        "state": None, "credit_no": "", "routing_objective": "balanced",
    }  # fmt: skip

    await story.stage.client.start_workflow(
        "Withdrawal", first_release, id=story.withdrawal().id, task_queue=PAYMENTS_TASK_QUEUE
    )

    assert (await story.withdrawal_ends()).status == "paid"


@pytest.mark.parametrize("waits", [_held, _queued, _submitted])
async def test_a_cancel_is_noted_and_ends_nothing(story_at: StoryAt, waits: Callable[[Story], Awaitable[None]]) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        await waits(story)

        await story.withdrawal().cancel()

        async def is_noted() -> bool:
            return [note.name for note in (await story.withdrawal_state()).noted] == ["temporal cancel"]

        await story.until(is_noted, "the cancel is noted")
        await story.stage.sandbox.steer.set_rail_health(Rail.HVPS, "UP")
        await story.stage.sandbox.steer.set_bank_health("UP")
        await story.stage.sandbox.steer.move_clock(story.stage.custody_account_no, by=STUCK)
        assert (await story.withdrawal_ends()).status == "paid"


async def test_a_bank_that_is_away_for_days_is_asked_less_and_less_often(story_at: StoryAt) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        await _submitted(story)
        await story.hours_pass(24.2)
        after_a_day = len((await story.withdrawal().fetch_history()).events)

        await story.hours_pass(20)

        grown = len((await story.withdrawal().fetch_history()).events) - after_a_day
        assert grown < 150, "asked every five minutes it were 2,600 events"
        await story.stage.sandbox.steer.move_clock(story.stage.custody_account_no, by=STUCK)
        await story.operator_resumes(story.withdrawal())
        await story.withdrawal_is("paid")


async def test_an_operator_is_called_when_the_bank_does_not_say_for_a_day_which_rails_are_open(
    story_at: StoryAt,
) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        await _held(story)

        await story.hours_pass(24.5)

        async def is_shown() -> bool:
            return bool((await story.in_the_books("withdrawal", "W-1")).body["attention"])

        await story.until(is_shown, "an operator is called")
        assert (await story.withdrawal_state()).attention
        await story.stage.sandbox.steer.set_bank_health("UP")
        await story.operator_resumes(story.withdrawal())
        assert (await story.withdrawal_ends()).status == "paid"
        assert (await story.in_the_books("withdrawal", "W-1")).body["attention"] == ""


async def test_a_look_takes_the_books_up_anew(story_at: StoryAt) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        await _queued(story)
        await story.stage.sandbox.steer.set_rail_health(Rail.HVPS, "UP")
        await story.time_passes(timedelta(minutes=1))

        await story.withdrawal().signal("look")

        assert (await story.withdrawal_ends()).rail is Rail.HVPS
