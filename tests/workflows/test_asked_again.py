"""A worker may die after an activity was done and before Temporal heard of it: the next one is asked the same again."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_type_hints

import pytest
from temporalio.client import WorkflowHandle
from temporalio.testing import ActivityEnvironment

from activities.batch_payments import BatchNo
from escrow.domain.collections.batch_payments import batch_pay_in_no
from tests.stage import settings_for
from tests.story import Story
from tests.story_batches import BATCH, batches_of
from tests.story_collections import QR, Cashier
from worker import Activities

#: What these answer is how a withdrawal stands now: it has ended meanwhile.
_SEE_IT_NOW = {"send_payout", "ask_about_payout", "announce_withdrawal"}
#: What these answer is how a collection stands now.
_SEE_IT_PAID = {"look_after_collection", "give_back"}


async def test_what_is_asked_again_after_it_was_done_is_answered_as_the_first_time(story: Story) -> None:
    await story.paid_order(withdraw_automatically=True)
    await story.starts()
    withdrawal_no = "D-1001:M1:withdrawal:1"
    await story.until(lambda: story.is_entered("withdrawal", withdrawal_no), "the deposit is withdrawn")
    await story.withdrawal_ends(withdrawal_no)
    await story.cancels("O-1")
    await story.cancels("C-1")
    await story.order_ends()
    await story.withdraws("130,200.00", member_no="O-1", withdrawal_no="W-rest")
    await story.withdrawal_ends("W-rest")
    before = await story.balances()

    payouts = await story.payouts_at_bank()

    await _asked_again(story, story.order)
    asked_again = await _asked_again(story, story.withdrawal(withdrawal_no))

    # What an order and a withdrawal ask of the books alone is asked inside the workflow task, and again elsewhere.
    assert asked_again == _SEE_IT_NOW
    assert await story.balances() == before
    assert await story.payouts_at_bank() == payouts


@pytest.mark.parametrize("collected", [False, True])
async def test_a_batch_that_is_asked_again_pays_nothing_a_second_time(story: Story, collected: bool) -> None:
    batches = await batches_of(story, "120,000.00")
    if collected:
        cashier = await batches.collects(method=QR)
        await batches.about("D-2").cancels("O-1")
        await cashier.payer_pays(number=batch_pay_in_no(BATCH))
        await batches.knows("D-3")
        await story.balances_become(
            {
                "O-1/withdrawable": "120,000.00",
                "O-1/escrow:D-1": "30,000.00",
                "O-1/escrow:D-3": "10,000.00",
                "channel_due:qr_wechat": "-40,000.00",
            }
        )
    else:
        await batches.pays()
    await story.ending_of(batches.workflow)
    await batches.about("D-1").starts()
    before = await story.balances()

    # What a batch asks of the books alone is asked inside the workflow task.
    assert await _asked_again(story, batches.workflow) == set()
    if collected:
        process = Cashier(story).handle(batch_pay_in_no(BATCH))
        assert await _asked_again(story, process) == {"look_after_collection", "give_back"}
    batch = BatchNo(platform_no=story.platform_no, batch_no=BATCH)
    activities = Activities(
        settings_for(story.stage.database, story.stage.sandbox),
        story.stage.writer,
        story.stage.recorder,
        story.stage.sandbox.bank,
    )
    again = await ActivityEnvironment().run(activities.batches.take_batch, batch)
    assert again.view is not None
    assert again.view.status == "paid"
    assert await story.balances() == before


async def _asked_again(story: Story, handle: WorkflowHandle[Any, Any]) -> set[str]:
    """Run every activity that the history shows done once more; each must answer what it answered then."""
    stage = story.stage
    activities = Activities(
        settings_for(stage.database, stage.sandbox), stage.writer, stage.recorder, stage.sandbox.bank
    )
    known: dict[str, Callable[..., Any]] = {
        activity.__name__: activity for activity in (*activities.on_orders_queue(), *activities.on_payments_queue())
    }
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, workflow_id=handle.id)
    converter = stage.client.data_converter
    events = {event.event_id: event for event in (await handle.fetch_history()).events}
    done = set()
    for event in events.values():
        if not event.HasField("activity_task_completed_event_attributes"):
            continue
        completed = event.activity_task_completed_event_attributes
        scheduled = events[completed.scheduled_event_id].activity_task_scheduled_event_attributes
        name = scheduled.activity_type.name
        *arguments, answer = get_type_hints(known[name]).values()
        first = (await converter.decode(completed.result.payloads, [answer]))[0] if completed.result.payloads else None
        again = await environment.run(known[name], *await converter.decode(scheduled.input.payloads, arguments))
        if name in _SEE_IT_NOW:
            assert (again.status, again.must_be_announced) == ("paid", False)
        elif name in _SEE_IT_PAID:
            assert (again.view.status, again.view.suspended_fen) == ("paid", 0)
        else:
            assert _without_repeated(again) == _without_repeated(first), name
        done.add(name)
    return done


def _without_repeated(answer: Any) -> Any:
    """A receipt says whether it is a repeat's; everything else in it stays."""
    return replace(answer, repeated=False) if hasattr(answer, "repeated") else answer
