"""One collection pays a batch: orders that still wait are frozen, the shares of the others go back alone."""

from tests.story import Story
from tests.story_batches import BATCH, Batches
from tests.story_collections import QR, Cashier
from tests.story_ground import CONTRACTOR, OWNER
from workflows.messages import batch_payment_workflow_id, direct_refund_workflow_id

NUMBER = f"{BATCH}:batch-pay"
CHANNEL_DUE = "channel_due:qr_wechat"


async def collecting(story: Story) -> tuple[Batches, Cashier]:
    """Three orders of one owner, whose total a channel is to collect."""
    await story.members_open()
    batches = Batches(story)
    await batches.orders_open()
    return batches, await batches.collects(method=QR)


async def paid(story: Story, batches: Batches, cashier: Cashier, *order_nos: str) -> None:
    """The payer scans and pays; these orders know it."""
    await cashier.payer_pays(number=NUMBER)
    await cashier.stands(NUMBER, "paid")
    for order_no in order_nos or batches.contracts:
        await batches.knows(order_no)


async def refund_ends(story: Story, order_no: str) -> str:
    """The refund of one order through the channel ends so."""
    handle = story.stage.client.get_workflow_handle(direct_refund_workflow_id(story.platform_no, order_no))
    return str(await story.ending_of(handle))


async def test_one_payment_is_frozen_for_all_orders(story: Story) -> None:
    batches, cashier = await collecting(story)

    await paid(story, batches, cashier)

    assert await story.balances() == {
        "O-1/escrow:D-1": "30,000.00",
        "O-1/escrow:D-2": "20,000.00",
        "O-1/escrow:D-3": "10,000.00",
        CHANNEL_DUE: "-60,000.00",
    }
    legs = {number: await batches.funding(number) for number in batches.contracts}
    assert {leg.source for funding in legs.values() for leg in funding} == {legs["D-1"][0].source}
    assert [funding[0].amount_fen for funding in legs.values()] == [3_000_000, 2_000_000, 1_000_000]
    outcome = await story.ending_of(
        story.stage.client.get_workflow_handle(batch_payment_workflow_id(story.platform_no, BATCH))
    )
    assert (outcome["status"], outcome["frozen_fen"]) == ("paid", 6_000_000)


async def test_an_order_cancelled_meanwhile_has_only_its_share_returned(story: Story) -> None:
    batches, cashier = await collecting(story)
    await batches.about("D-2").cancels(OWNER)

    await paid(story, batches, cashier, "D-1", "D-3")
    await story.balances_become(
        {"O-1/escrow:D-1": "30,000.00", "O-1/escrow:D-3": "10,000.00", CHANNEL_DUE: "-40,000.00"}
    )

    outcomes = {
        order["order_no"]: order["outcome"]
        for order in (await story.in_the_books("batch_payment", BATCH)).body["orders"]
    }
    assert outcomes == {"D-1": "frozen", "D-2": "returned", "D-3": "frozen"}
    channel_says = await story.stage.sandbox.bank.collections.query(f"{story.platform_no}/{NUMBER}:collect:1")
    assert channel_says.refunded_fen == 2_000_000


async def test_an_order_paid_from_the_balance_meanwhile_has_its_share_returned_too(story: Story) -> None:
    batches, cashier = await collecting(story)
    await story.owner_transfers("30,000.00")
    await batches.about("D-1").pays()

    await paid(story, batches, cashier, "D-2", "D-3")

    await story.balances_become(
        {
            "O-1/escrow:D-1": "30,000.00",
            "O-1/escrow:D-2": "20,000.00",
            "O-1/escrow:D-3": "10,000.00",
            CHANNEL_DUE: "-30,000.00",
        }
    )


async def test_a_payment_for_orders_that_all_ended_goes_back_whole(story: Story) -> None:
    batches, cashier = await collecting(story)
    for number in batches.contracts:
        await batches.about(number).cancels(CONTRACTOR)

    await cashier.payer_pays(number=NUMBER)
    outcome = await story.ending_of(cashier.handle(NUMBER))

    assert (outcome.status, outcome.credited_fen, outcome.suspended_fen) == ("closed", 0, 0)
    assert await story.balances() == {}


async def test_each_order_is_refunded_alone_through_the_channel(story: Story) -> None:
    batches, cashier = await collecting(story)
    await paid(story, batches, cashier)

    await batches.about("D-1").cancels(OWNER)
    await batches.about("D-3").cancels(CONTRACTOR)
    assert await refund_ends(story, "D-1") == "refunded"
    assert await refund_ends(story, "D-3") == "refunded"
    await batches.about("D-2").starts()

    channel_says = await story.stage.sandbox.bank.collections.query(f"{story.platform_no}/{NUMBER}:collect:1")
    assert channel_says.refunded_fen == 4_000_000
    balances = await story.balances()
    assert (balances["O-1/escrow:D-2"], balances[CHANNEL_DUE]) == ("14,000.00", "-20,000.00")
    assert not [account for account in balances if account.startswith(("refund", "suspense"))]


async def test_an_unpaid_batch_closes_and_its_orders_close_by_themselves(story: Story) -> None:
    batches, cashier = await collecting(story)

    await story.hours_pass(0.6)
    await cashier.stands(NUMBER, "closed")
    await story.ending_of(cashier.handle(NUMBER))
    handle = story.stage.client.get_workflow_handle(batch_payment_workflow_id(story.platform_no, BATCH))
    outcome = await story.ending_of(handle)

    assert outcome["status"] == "closed"
    assert await batches.statuses() == dict.fromkeys(batches.contracts, "closed_unpaid")
    assert (await story.in_the_books("batch_payment", BATCH)).status == "closed"
    assert await story.balances() == {}


async def test_what_was_paid_above_the_total_goes_back(story: Story) -> None:
    batches, cashier = await collecting(story)

    await cashier.payer_pays("60,000.50", number=NUMBER)
    await cashier.stands(NUMBER, "paid")

    async def has_gone_back() -> bool:
        return (await story.balances())[CHANNEL_DUE] == "-60,000.00"

    await story.until(has_gone_back, "the excess has gone back")
    for order_no in batches.contracts:
        await batches.knows(order_no)
