"""Batch payment from the balance: one consent, one posting, all orders or none; then each order lives alone."""

from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from escrow.domain.errors import Refused
from escrow.domain.platforms.config import PlatformConfig, Settlement
from tests.story import Story
from tests.story_batches import BATCH, Batches, batches_of
from tests.story_collections import QR
from tests.story_ground import CONTRACTOR, OWNER, details_of
from tests.workflows.conftest import StoryUnder
from workflows.messages import batch_payment_workflow_id

ALL_FROZEN = {"O-1/escrow:D-1": "30,000.00", "O-1/escrow:D-2": "20,000.00", "O-1/escrow:D-3": "10,000.00"}
WAITING = dict.fromkeys(("D-1", "D-2", "D-3"), "awaiting_payment")
PAID = dict.fromkeys(WAITING, "awaiting_start")


async def test_one_consent_pays_all_orders_by_one_posting_and_each_goes_on_alone(story: Story) -> None:
    batches = await batches_of(story)

    outcome = await batches.pays()

    assert (outcome.status, outcome.frozen_fen) == ("paid", 6_000_000)
    assert await story.balances() == ALL_FROZEN
    assert await batches.statuses() == PAID
    numbers = {(await story.events("order", number))[-1].request_no for number in PAID}
    assert numbers == {":batch_payment:B-1:pay"}
    for number in PAID:
        await batches.knows(number)
        state = await batches.state(number)
        assert (state.status, state.batch_no, state.paid_fen) == (
            "awaiting_start",
            BATCH,
            batches.contracts[number].total_fen,
        )
    await batches.about("D-2").starts()
    await batches.about("D-3").cancels(CONTRACTOR)
    assert await story.balances() == {
        "O-1/escrow:D-1": "30,000.00",
        "O-1/escrow:D-2": "14,000.00",
        "C-1/withdrawable": "5,700.00",
        "fees": "300.00",
        "O-1/withdrawable": "10,000.00",
    }


async def test_operators_see_the_batch_and_its_orders(story: Story) -> None:
    batches = await batches_of(story)
    await batches.owner_consents()
    handle = await batches.begins()
    await story.ending_of(handle)

    details = await details_of(handle)

    assert "3 orders of O-1" in details
    assert "60,000.00 yuan frozen" in details
    assert "| D-2 | frozen |" in details


async def test_with_too_little_money_no_order_is_paid(story: Story) -> None:
    batches = await batches_of(story, "59,999.99")

    outcome = await batches.pays()

    assert (outcome.status, outcome.frozen_fen) == ("refused", 0)
    assert await story.balances() == {"O-1/withdrawable": "59,999.99"}
    assert await batches.statuses() == WAITING
    refused = await batches.refusal()
    assert (refused.code, refused.details["missing_fen"]) == ("insufficient_balance", 1)
    await story.owner_transfers("0.01")
    assert (await batches.pays(batch_no="B-2")).status == "paid"


async def test_each_order_has_the_legs_that_paid_it_and_they_go_back_where_they_came_from(
    story_under: StoryUnder,
) -> None:
    async with story_under(PlatformConfig(top_up_settlement=Settlement.T_PLUS_1)) as story:
        batches = await batches_of(story)
        (pending,) = await story.balances()

        await batches.pays()
        await batches.about("D-1").cancels(OWNER)

        assert (await batches.funding("D-2"))[0].source == pending.removeprefix("O-1/")
        assert (await story.balances())[pending] == "30,000.00"


@pytest.mark.parametrize("ended", ["cancelled", "closed_unpaid", "awaiting_start"])
async def test_an_order_that_waits_no_more_lets_the_batch_pay_nothing(story: Story, ended: str) -> None:
    batches = await batches_of(story)
    match ended:
        case "cancelled":
            await batches.about("D-2").cancels(OWNER)
        case "closed_unpaid":
            await story.hours_pass(24.1)
        case _:
            await batches.about("D-2").pays()
    await batches.owner_consents()
    before = await story.balances()

    outcome = await story.ending_of(await batches.begins())

    assert (outcome.status, outcome.frozen_fen) == ("refused", 0)
    assert (await batches.refusal()).code == "order_state"
    assert await story.balances() == before
    assert (await batches.statuses())["D-2"] == ended


async def test_an_order_is_not_paid_again_by_itself_and_says_so(story: Story) -> None:
    batches = await batches_of(story, "90,000.00")
    await batches.pays()

    with pytest.raises(Refused) as refusal:
        await batches.about("D-1").pays()

    assert refusal.value.code == "order_state"
    assert (await story.balances())["O-1/escrow:D-1"] == "30,000.00"


async def test_another_amount_than_the_consent_says_pays_nothing(story: Story) -> None:
    batches = await batches_of(story)
    await batches.owner_consents(D_2=1_999_999)

    outcome = await story.ending_of(await batches.begins())

    assert outcome.status == "refused"
    assert (await batches.refusal()).code == "basis_mismatch"
    assert await story.balances() == {"O-1/withdrawable": "60,000.00"}


# ---- orders that act before they are told ----


async def posted_untold(story: Story) -> Batches:
    """A worker has posted the batch and died before it told anybody."""
    batches = await batches_of(story, "90,000.00")
    await batches.owner_consents()
    await batches.is_posted()
    assert await batches.statuses() == PAID
    assert (await batches.state("D-1")).status == "awaiting_payment"
    return batches


async def test_the_payment_deadline_closes_no_order_that_a_batch_has_paid(story: Story) -> None:
    batches = await posted_untold(story)

    await story.hours_pass(24.1)

    await batches.knows("D-1")
    await batches.about("D-1").starts()
    assert await batches.statuses() == PAID | {"D-1": "in_progress"}


async def test_who_cancels_an_order_that_has_not_heard_of_its_payment_gets_its_money_back(story: Story) -> None:
    batches = await posted_untold(story)

    result = await batches.about("D-1").cancels(CONTRACTOR)

    assert (result.order_status, result.refunded_fen) == ("cancelled", 3_000_000)
    assert (await story.balances())["O-1/withdrawable"] == "60,000.00"


async def test_who_pays_an_order_that_has_not_heard_of_its_payment_is_told_so(story: Story) -> None:
    batches = await posted_untold(story)

    with pytest.raises(Refused) as refusal:
        await batches.about("D-1").pays()

    assert refusal.value.code == "order_state"
    assert await story.balances() == ALL_FROZEN | {"O-1/withdrawable": "30,000.00"}
    await story.starts()


# ---- whoever can write to Temporal ----


async def test_a_batch_without_a_consent_moves_nothing(story: Story) -> None:
    batches = await batches_of(story)

    outcome = await story.ending_of(await batches.begins())

    assert outcome.status == "refused"
    assert await story.balances() == {"O-1/withdrawable": "60,000.00"}


async def test_a_batch_pays_just_the_list_that_was_consented_to(story: Story) -> None:
    batches = await batches_of(story)
    await batches.owner_consents("D-1", "D-2")

    outcome = await story.ending_of(await batches.begins())

    assert (outcome.status, outcome.frozen_fen) == ("paid", 5_000_000)
    assert await batches.statuses() == WAITING | {"D-1": "awaiting_start", "D-2": "awaiting_start"}


async def test_nobody_pays_the_orders_of_another_owner(story: Story) -> None:
    batches = await batches_of(story)
    await batches.owner_consents(given_by=CONTRACTOR)

    outcome = await story.ending_of(await batches.begins())

    assert outcome.status == "refused"
    assert (await batches.refusal()).code == "not_the_party"


async def test_one_consent_pays_one_batch(story: Story) -> None:
    batches = await batches_of(story, "120,000.00")
    await batches.pays()
    before = await story.balances()

    again = await story.ending_of(await batches.begins())

    assert (again.status, again.frozen_fen) == ("paid", 6_000_000)  # as it was paid
    assert await story.balances() == before
    assert len(await story.events("batch_payment", BATCH)) == 1


async def test_a_limit_of_the_day_holds_for_whoever_writes_to_temporal(story: Story) -> None:
    await story.platform_has(limits={"payments_per_day_fen": 5_999_999})
    batches = await batches_of(story)
    await batches.owner_consents()

    outcome = await story.ending_of(await batches.begins())

    assert outcome.status == "refused"
    assert (await batches.refusal()).code == "limit_exceeded"


async def test_an_order_believes_no_batch_that_the_books_do_not_know(story: Story) -> None:
    batches = await batches_of(story)

    await batches.order("D-1").signal("paid_in_batch", {"batch_no": "B-404"})

    async def is_noted() -> bool:
        return any(note.name == "paid_in_batch" for note in (await batches.process("D-1")).noted)

    await story.until(is_noted, "the word of the batch is noted")
    assert (await batches.state("D-1")).status == "awaiting_payment"
    await batches.about("D-1").pays()


async def test_a_batch_believes_no_payment_that_its_channel_does_not_know(story: Story) -> None:
    batches = await batches_of(story)
    await batches.collects(method=QR)
    handle = story.stage.client.get_workflow_handle(batch_payment_workflow_id(story.platform_no, BATCH))

    await handle.signal("paid_directly", an_invented_payment())
    await handle.signal("look")
    await story.hours_pass(0.1)

    assert await batches.statuses() == WAITING
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING


def an_invented_payment() -> dict[str, Any]:
    """A payment that no channel took."""
    return {
        "consent_no": ":batch_payment:B-1:consent",
        "pay_in_no": "B-1:batch-pay",
        "collection_no": "B-1:batch-pay:collect:1",
        "method": QR.value,
        "payment_no": "20260303QR_WECHAT0000000001",
        "paid_fen": 6_000_000,
        "settles_on": "2026-03-04",
    }
