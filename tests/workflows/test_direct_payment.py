"""Direct payment: a channel collects the price, the order freezes it once, and refunds go back through the channel."""

from datetime import timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.returns import RefundNo
from escrow.domain.collections.methods import RefundStatus
from escrow.domain.errors import Refused
from tests.stage import TUESDAY_MORNING, settings_for
from tests.story import Story
from tests.story_collections import QR, Cashier
from tests.story_ground import CONTRACTOR
from tests.workflows.conftest import StoryAt
from worker import Activities
from workflows.messages import direct_refund_workflow_id

NUMBER = "D-1001:pay:1"
#: Refunded alone, this price is accepted by the channel and then fails.
REFUND_FAILS = "186,900.12"


async def waiting_order(story: Story, price: str = "186,000.00") -> Cashier:
    """An order whose price a channel is to collect."""
    await story.members_open()
    await story.order_opens(price=price)
    cashier = Cashier(story)
    await cashier.collects_for_order(story, number=NUMBER)
    return cashier


async def paid_order(story: Story, price: str = "186,000.00") -> Cashier:
    """An order that was paid through a channel."""
    cashier = await waiting_order(story, price)
    # A price whose last digits would steer the collection too is paid by an amount of its own.
    await cashier.payer_pays(price, number=NUMBER)
    await cashier.stands(NUMBER, "paid")
    await story.order_becomes("awaiting_start")
    return cashier


async def refund_ends(story: Story) -> str:
    """The channel, whose clock is real, has done with the refund, and its workflow ends so."""
    refund_no = f"{story.platform_no}/D-1001:refund:1"

    async def has_ended() -> bool:
        answer = await story.stage.sandbox.bank.collections.query_refund(
            refund_no, custody_account_no=story.stage.custody_account_no
        )
        return answer.status in (RefundStatus.SUCCEEDED, RefundStatus.FAILED) or answer.final

    await story.until(has_ended, "the channel ends the refund")
    handle = story.stage.client.get_workflow_handle(direct_refund_workflow_id(story.platform_no, "D-1001"))
    return str(await story.ending_of(handle))


async def test_an_order_is_paid_by_scanning_and_runs_to_its_end(story: Story) -> None:
    cashier = await paid_order(story)
    state = await story.order_view()
    assert (state.status, state.paid_fen) == ("awaiting_start", 18_600_000)
    assert (await story.balances()) == {"O-1/escrow:D-1001": "186,000.00", "channel_due:qr_wechat": "-186,000.00"}

    await cashier.channel_settles()
    await story.starts()
    for milestone in (2, 3, 4):
        await story.completes(milestone)
        await story.accepts(milestone)
    outcome = await story.order_ends()

    assert (outcome.status, outcome.refunded_fen) == ("settled", 0)
    await story.ended_days_are_closed()
    # The channel's fee of 0.38 % came before there was any commission to make it good from.
    assert await story.balances() == {"C-1/withdrawable": "176,700.00", "fees": "9,300.00", "bank_charges": "-706.80"}


async def test_a_cancelled_order_is_refunded_through_the_channel(story: Story) -> None:
    cashier = await paid_order(story)

    await story.cancels(CONTRACTOR)
    assert await refund_ends(story) == "refunded"

    assert await story.balances() == {}
    assert (await story.in_the_books("refund", "D-1001")).status == "refunded"
    channel_says = await story.stage.sandbox.bank.collections.query(f"{story.platform_no}/{NUMBER}:collect:1")
    assert channel_says.refunded_fen == 18_600_000
    await cashier.channel_settles()


@pytest.mark.parametrize("lost", ["timeout_not_booked", "timeout_booked_late"])
async def test_a_refund_that_never_arrived_or_late_goes_back_once(story: Story, lost: str) -> None:
    await paid_order(story)
    await story.stage.sandbox.steer.next_suffers(lost, "refund")

    await story.cancels(CONTRACTOR)
    assert await refund_ends(story) == "refunded"

    assert await story.balances() == {}
    channel_says = await story.stage.sandbox.bank.collections.query(f"{story.platform_no}/{NUMBER}:collect:1")
    assert channel_says.refunded_fen == 18_600_000


async def test_what_the_channel_does_not_give_back_is_the_owners(story: Story) -> None:
    await paid_order(story, REFUND_FAILS)

    await story.cancels(CONTRACTOR)
    assert await refund_ends(story) == "credited"

    balances = await story.balances()
    assert balances.pop("channel_due:qr_wechat") == f"-{REFUND_FAILS}"
    assert list(balances.values()) == [REFUND_FAILS]
    assert next(iter(balances)).startswith("O-1/")
    (text,) = await story.texts()
    assert "D-1001" in text
    assert f"退款{REFUND_FAILS}元无法原路退回，已记入您的子账户" in text


async def test_past_the_channels_refund_period_the_owner_has_it_in_its_sub_account_and_is_told(
    story_at: StoryAt,
) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        cashier = await paid_order(story)
        await cashier.channel_settles()
        await story.stage.sandbox.steer.move_clock(story.stage.custody_account_no, by=timedelta(days=500))

        await story.cancels(CONTRACTOR)
        assert await refund_ends(story) == "credited"

        # It is settled on the day after the payment by the books, which are behind the channel here.
        assert await story.balances() == {"O-1/pending:2026-03-04": "186,000.00", "bank_charges": "-706.80"}
        (text,) = await story.texts()
        assert "订单D-1001的退款186,000.00元无法原路退回" in text


async def test_an_owner_is_told_once_although_the_first_text_had_no_answer(story: Story) -> None:
    await paid_order(story, REFUND_FAILS)
    await story.stage.sandbox.steer.next_suffers("timeout_booked", "sms")

    await story.cancels(CONTRACTOR)

    assert await refund_ends(story) == "credited"
    assert len(await story.texts()) == 1


async def test_nobody_is_told_of_a_refund_that_the_books_do_not_have(story: Story) -> None:
    await paid_order(story)
    settings = settings_for(story.stage.database, story.stage.sandbox)
    activities = Activities(settings, story.stage.writer, story.stage.recorder, story.stage.sandbox.bank)
    refund = RefundNo(platform_no=story.platform_no, order_no="D-1001")

    with pytest.raises(Refused, match="not_found"):
        await ActivityEnvironment().run(activities.returns.tell_refund_credited, refund)

    assert await story.texts() == []


async def test_a_payment_for_an_order_that_was_cancelled_goes_back(story: Story) -> None:
    cashier = await waiting_order(story)
    await story.cancels(CONTRACTOR)

    await cashier.payer_pays(number=NUMBER)
    outcome = await story.ending_of(cashier.handle(NUMBER))

    assert (outcome.status, outcome.credited_fen, outcome.suspended_fen) == ("closed", 0, 0)
    assert await story.balances() == {}


async def test_an_order_that_was_paid_from_the_balance_meanwhile_takes_no_second_price(story: Story) -> None:
    cashier = await waiting_order(story)
    await story.owner_transfers("186,000.00")
    await story.pays()

    await cashier.payer_pays(number=NUMBER)
    outcome = await story.ending_of(cashier.handle(NUMBER))

    assert (outcome.credited_fen, outcome.suspended_fen) == (0, 0)
    assert (await story.order_view()).paid_fen == 18_600_000
    assert await story.balances() == {"O-1/escrow:D-1001": "186,000.00"}


async def test_an_unpaid_order_closes_its_collection_and_a_late_payment_goes_back(story: Story) -> None:
    cashier = await waiting_order(story, "186,900.14")  # paid a second after it was closed
    await story.hours_pass(25)
    assert (await story.order_ends()).status == "closed_unpaid"

    outcome = await story.ending_of(cashier.handle(NUMBER))

    assert (outcome.credited_fen, outcome.suspended_fen) == (0, 0)
    assert await story.balances() == {}
    channel_says = await story.stage.sandbox.bank.collections.query(f"{story.platform_no}/{NUMBER}:collect:1")
    assert (channel_says.status, channel_says.paid_fen) == ("closed", 18_690_014)
    assert channel_says.refunded_fen == 18_690_014


async def test_nobody_pays_an_order_by_saying_so(story: Story) -> None:
    await waiting_order(story)

    await story.signals(
        "paid_directly",
        {
            "consent_no": "R-1",
            "pay_in_no": NUMBER,
            "collection_no": f"{NUMBER}:collect:1",
            "method": QR.value,
            "payment_no": "20260303QR_WECHAT0000000001",
            "paid_fen": 18_600_000,
            "settles_on": "2026-03-04",
        },
    )
    await story.hours_pass(1)

    assert (await story.order_view()).status == "awaiting_payment"
    assert await story.balances() == {}


async def test_money_that_its_channel_has_not_settled_is_released_as_pending(story: Story) -> None:
    await paid_order(story)
    await story.starts()

    balances = await story.balances()
    (pending,) = (account for account in balances if account.startswith("C-1/"))
    assert pending.startswith("C-1/pending:")
