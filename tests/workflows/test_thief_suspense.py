"""A thief with the platform's key: what a channel collected for one member is not another's, however it was booked."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from activities.payers import CollectionNo
from escrow.domain.endings import FINAL_STATUSES
from escrow.domain.errors import Refused
from escrow.domain.transfers.moves import TransferKind
from tests.accomplice import Accomplice
from tests.story import Story
from tests.story_collections import Cashier
from tests.story_ground import CONTRACTOR, CONTRACTORS_ACCOUNT, OWNER, OWNERS_CARD
from tests.story_transfers import refusal_of_transfer, transferred
from tests.terminating import terminated_at_rest
from tests.workflows.conftest import StoryUnder
from tests.workflows.test_direct_payment import NUMBER, paid_order
from tests.workflows.test_suspense_return import STRANGERS_CARD, sends_back, stranger_sends
from tests.workflows.test_unsettled_money import story_of

#: What a channel does not give back; it waits in suspense.
KEPT = "900.12"


async def _a_payment_that_nobody_asked_for(story: Story) -> None:
    await paid_order(story)
    cashier = Cashier(story)
    await cashier.payer_pays(KEPT, number=NUMBER)
    await story.ending_of(cashier.handle(NUMBER))


async def _what_exceeds_a_price(story: Story) -> None:
    await story.members_open()
    await story.order_opens()
    cashier = Cashier(story)
    await cashier.collects_for_order(story)
    await cashier.payer_pays("186,900.12", number=NUMBER)
    await story.ending_of(cashier.handle(NUMBER))


async def _what_exceeds_a_top_up(story: Story) -> None:
    await story.members_open()
    cashier = Cashier(story)
    await cashier.opens("100.00")
    await cashier.awaits_payer()
    await cashier.payer_pays("1,000.12")
    await story.ending_of(cashier.handle())


async def _what_only_a_settlement_brought(story: Story) -> None:
    """The thief ends the top-up before its payer pays, and waits until nobody looks after it any more."""
    await story.members_open()
    cashier = Cashier(story)
    await cashier.opens(KEPT)
    await cashier.awaits_payer()
    await terminated_at_rest(cashier.handle(), "a thief")
    await story.days_pass(30)
    await story.stage.sandbox.steer.pay(cashier.at_bank(attempt=await cashier.attempt()), amount_fen=90_012)
    await cashier.channel_settles()


async def _is_taken_up(story: Story) -> None:
    """Its process is begun anew, as the rounds do where there are any, and ends it."""
    cashier = Cashier(story)
    await cashier.begins()

    async def has_ended() -> bool:
        return (await story.in_the_books("pay_in", "T-1")).status in FINAL_STATUSES["pay_in"]

    await story.until(has_ended, "the top-up has ended")


async def suspended(story: Story) -> str:
    """Number of the one credit in suspense, which is all there."""
    ((account, balance),) = (item for item in (await story.balances()).items() if item[0].startswith("suspense:"))
    assert balance == KEPT
    return account.removeprefix("suspense:")


@pytest.mark.parametrize(
    "waits",
    [
        _a_payment_that_nobody_asked_for,
        _what_exceeds_a_price,
        _what_exceeds_a_top_up,
        _what_only_a_settlement_brought,
    ],
)
async def test_what_a_channel_collected_is_assigned_to_its_own_member_only(
    story: Story, waits: Callable[[Story], Awaitable[None]]
) -> None:
    await waits(story)
    number = await suspended(story)

    assert await transferred(story, TransferKind.ASSIGNMENT, "AS-1", number, CONTRACTOR, KEPT) == "refused"
    assert (await refusal_of_transfer(story, TransferKind.ASSIGNMENT, "AS-1")).code == "two_operators_required"
    assert await suspended(story) == number
    assert await transferred(story, TransferKind.ASSIGNMENT, "AS-2", number, OWNER, KEPT) == "done"
    if waits is _what_only_a_settlement_brought:
        await _is_taken_up(story)


async def test_nobody_says_afterwards_whom_a_channel_collected_for(story: Story) -> None:
    await _what_exceeds_a_top_up(story)
    number = await suspended(story)
    thief = Accomplice(story.stage, f"bank_credit/{story.platform_no}/{number}")
    for name in (number, NUMBER):
        claims = CollectionNo.model_validate(
            {"platform_no": story.platform_no, "pay_in_no": name, "collected_for": CONTRACTOR, "member_no": CONTRACTOR}
        )
        await thief.runs(thief.activities.collections.look_after_collection, claims)

    assert await transferred(story, TransferKind.ASSIGNMENT, "AS-1", number, CONTRACTOR, KEPT) == "refused"


async def test_two_operators_send_it_on_to_an_account_of_its_member_when_it_is_settled(story_under: StoryUnder) -> None:
    async with story_of(story_under) as story:
        await _what_exceeds_a_top_up(story)
        number, payouts = await suspended(story), story.stage.registry.suspense_payouts
        asked: dict[str, Any] = {"credit_no": number, "amount_fen": 90_000, "operator_no": "zhang"}
        with pytest.raises(Refused, match="suspense_source_unknown"):
            await payouts.propose(story.platform_no, "SR-1", **asked)
        with pytest.raises(Refused, match="suspense_payee_fixed"):
            await payouts.propose(
                story.platform_no,
                "SR-1",
                **asked,
                account_no=STRANGERS_CARD,
                account_name=CONTRACTORS_ACCOUNT.account_name,
            )

        assert await _decided_and_sent(story, "SR-1", asked) == "refused"
        await Cashier(story).channel_settles()
        await story.day_is_closed()
        await story.day_is_closed()
        assert await _decided_and_sent(story, "SR-2", asked) == "paid"

        payee = await payouts.payee(story.platform_no, "SR-2", credit_no=number, cnaps_code="", payee_is_named=True)
        assert (payee.account_no, payee.account_name) == (STRANGERS_CARD, OWNERS_CARD.account_name)
        assert (await story.balances())[f"suspense:{number}"] == "0.12"


async def _decided_and_sent(story: Story, return_no: str, asked: dict[str, Any]) -> str:
    """Two operators name a card of the member's; how its payout ends."""
    payouts = story.stage.registry.suspense_payouts
    await payouts.propose(story.platform_no, return_no, **asked, account_no=STRANGERS_CARD)
    await payouts.confirm(story.platform_no, return_no, operator_no="li")
    await story.start_withdrawal(return_no)
    return str((await story.withdrawal_ends(return_no)).status)


async def test_where_the_books_know_nobody_two_operators_name_the_holder_too(story: Story) -> None:
    number, payouts = "20260303QR0000000009", story.stage.registry.suspense_payouts
    asked: dict[str, Any] = {
        "credit_no": number,
        "amount_fen": 100,
        "operator_no": "zhang",
        "account_no": STRANGERS_CARD,
    }
    with pytest.raises(Refused, match="suspense_source_unknown"):
        await payouts.propose(story.platform_no, "SR-1", **asked)
    await payouts.propose(story.platform_no, "SR-1", **asked, account_name="王小明")
    with pytest.raises(Refused, match="request_no_reused"):
        await payouts.propose(story.platform_no, "SR-1", **asked, account_name="李小红")
    await payouts.confirm(story.platform_no, "SR-1", operator_no="li")

    payee = await payouts.payee(story.platform_no, "SR-1", credit_no=number, cnaps_code="", payee_is_named=True)

    assert payee.account_name == "王小明"


@pytest.mark.parametrize("may", [True, False])
async def test_a_platforms_key_sends_back_only_what_it_may(story_under: StoryUnder, may: bool) -> None:
    async with story_of(story_under, suspense_returned_by_platform=may) as story:
        number = await stranger_sends(story, "500.00")
        await sends_back(story, number, "400.00")
        assert (await story.withdrawal_ends("SR-1")).status == ("paid" if may else "refused")
