"""The life of a decoration order in skipped time."""

from tests.story import Story


async def test_an_order_goes_from_payment_to_the_end_of_its_warranty(story: Story) -> None:
    await story.members_open()
    await story.owner_transfers("186,000.00")
    await story.order_opens()
    assert await story.balances() == {"O-1/withdrawable": "186,000.00"}

    await story.pays()
    assert await story.balances() == {"O-1/escrow:D-1001": "186,000.00"}

    await story.starts()
    await story.completes(2)
    await story.accepts(2)
    await story.completes(3)
    await story.days_pass(8)
    await story.completes(4)
    await story.accepts(4)
    outcome = await story.order_ends()

    assert outcome.status == "settled"
    assert await story.balances() == {"C-1/withdrawable": "176,700.00", "fees": "9,300.00"}
