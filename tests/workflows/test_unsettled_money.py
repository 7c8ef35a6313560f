"""Money that a channel has not settled is nobody's to withdraw: no order, no payment and no platform makes it so."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta

from escrow.domain.platforms.config import PlatformConfig, Settlement
from escrow.domain.transfers.moves import TransferKind
from escrow.ledger.days import accounting_day
from tests.story import Story
from tests.story_collections import Cashier
from tests.story_ground import OWNER
from tests.story_transfers import transferred
from tests.workflows.conftest import StoryUnder
from tests.workflows.test_direct_payment import paid_order

PRICE = "186,000.00"


@asynccontextmanager
async def story_of(begins: StoryUnder, **config: object) -> AsyncIterator[Story]:
    """A story on a platform of this configuration, with top-ups by transfer at once."""
    configured = PlatformConfig.model_validate({"top_up_settlement": Settlement.T_PLUS_0, **config})
    async with begins(configured) as story:
        yield story


async def today_of(story: Story) -> date:
    return await accounting_day(story.stage.recorder, story.platform_no)


async def test_an_order_that_is_paid_from_it_on_the_day_of_its_settlement_keeps_it_pending(
    story_under: StoryUnder,
) -> None:
    async with story_of(story_under) as story:
        await story.members_open()
        cashier = Cashier(story)
        await cashier.opens(PRICE)
        await cashier.awaits_payer()
        await cashier.payer_pays()
        await cashier.stands("T-1", "paid")
        await story.day_is_closed()  # midnight has passed; the channel settles in the morning
        tomorrow = await today_of(story)
        assert (await story.balances())[f"O-1/pending:{tomorrow}"] == PRICE

        await story.order_opens()
        await story.pays()
        await story.starts()

        balances = await story.balances()
        assert balances[f"C-1/pending:{tomorrow}"] == "53,010.00"
        assert "C-1/withdrawable" not in balances


async def test_transferred_money_that_only_waits_for_the_day_to_end_is_released_at_once(
    story_under: StoryUnder,
) -> None:
    async with story_of(story_under, top_up_settlement=Settlement.T_PLUS_1) as story:
        await story.paid_order()
        await story.starts()
        assert (await story.balances())["C-1/withdrawable"] == "53,010.00"


async def test_a_self_operated_platform_has_it_pending_until_its_day_is_closed(story_under: StoryUnder) -> None:
    async with story_of(story_under, business_model="self_operated", commission_basis_points=0) as story:
        await story.members_open()
        await story.order_opens(contractor_no=None)
        cashier = Cashier(story)
        await cashier.collects_for_order(story)
        await cashier.payer_pays(number="D-1001:pay:1")
        await cashier.stands("D-1001:pay:1", "paid")
        await story.starts()
        settles_on = await today_of(story) + timedelta(days=1)
        balances = await story.balances()
        assert balances[f"pending:{settles_on}"] == "55,800.00"
        assert "own" not in balances

        await cashier.channel_settles()
        while await today_of(story) <= settles_on:
            await story.day_is_closed()
        balances = await story.balances()
        assert "own" in balances
        assert f"pending:{settles_on}" not in balances


async def test_a_payment_to_the_platform_keeps_it_pending(story_under: StoryUnder) -> None:
    async with story_of(story_under, business_model="self_operated", commission_basis_points=0) as story:
        await story.members_open()
        cashier = Cashier(story)
        await cashier.opens("1,000.00")
        await cashier.awaits_payer()
        await cashier.payer_pays()
        await cashier.stands("T-1", "paid")
        assert await transferred(story, TransferKind.PAYMENT, "PM-1", "", OWNER, "400.00") == "done"
        settles_on = await today_of(story) + timedelta(days=1)
        balances = await story.balances()
        assert balances[f"pending:{settles_on}"] == "400.00"
        assert "own" not in balances


async def test_money_of_a_channel_that_is_assigned_waits_for_its_settlement(story_under: StoryUnder) -> None:
    async with story_of(story_under) as story:
        await paid_order(story)
        cashier = Cashier(story)
        await cashier.payer_pays("900.12", number="D-1001:pay:1")  # a second payment, which cannot be given back
        await story.ending_of(cashier.handle("D-1001:pay:1"))
        (waiting,) = (account for account in await story.balances() if account.startswith("suspense:"))
        number = waiting.removeprefix("suspense:")
        assert await transferred(story, TransferKind.ASSIGNMENT, "AS-1", number, OWNER, "900.12") == "done"

        days = [account.removeprefix("O-1/pending:") for account in await story.balances() if "O-1/pending" in account]
        assert [date.fromisoformat(day) > await today_of(story) for day in days] == [True]
