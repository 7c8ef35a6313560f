"""Top-ups through channels: credited once as asked, pending until settled; whatever else was paid goes back."""

from datetime import timedelta

import pytest

from escrow.channels.collections import CollectionOrder
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.collections.terms import PAYER_ACTS_ELSEWHERE, opening_consent_no
from escrow.domain.money.amounts import yuan
from escrow.ledger.attention import call_person, waiting_for_a_person
from escrow.ledger.consents import void_consent
from escrow.ledger.progress import ObjectKey
from tests.stage import PLATFORM_NAME, PLATFORMS_ACCOUNT_NO
from tests.story import Story
from tests.story_collections import Cashier
from tests.story_ground import OWNER
from tests.workflows.test_member_closing import begins_to_close
from workflows.collection_messages import CollectionOutcome

#: Amounts whose last digits steer the bank; what they mean stands in its README.
TIMEOUT_BOOKED, TIMEOUT_NOT_BOOKED, DECLINED = "900.01", "900.02", "900.03"
FAILED_LATER, PAID_LATE, PAID_TWICE, PAID_SHORT, PAID_OVER = "900.12", "900.14", "900.15", "900.16", "900.17"


def members_money(balances: dict[str, str]) -> dict[str, str]:
    """What members have and what waits, pending money without its day."""
    return {
        account.split(":")[0]: amount
        for account, amount in balances.items()
        if not account.startswith(("channel_due", "bank_charges"))
    }


async def ends(cashier: Cashier, number: str = "T-1") -> CollectionOutcome:
    """Days pass until nobody looks after the top-up any more."""
    outcome: CollectionOutcome = await cashier.ground.ending_of(cashier.handle(number))
    return outcome


async def test_a_scanned_top_up_is_pending_until_its_channel_settles_it_less_the_fee(story: Story) -> None:
    await story.members_open()
    cashier = Cashier(story)
    await cashier.opens("1,000.00")
    await cashier.awaits_payer()
    assert (await story.in_the_books("pay_in", "T-1")).body["interaction"]["qr_content"].startswith("http")

    await cashier.payer_pays()
    await cashier.stands("T-1", "paid")
    balances = await story.balances()
    assert balances["channel_due:qr_wechat"] == "-1,000.00"
    (pending,) = (account for account in balances if account.startswith("O-1/pending:"))
    assert balances[pending] == "1,000.00"

    await cashier.channel_settles()
    assert await story.balances() == {pending: "1,000.00", "bank_charges": "-3.80"}
    while pending in await story.balances():
        await story.day_is_closed()
    assert await story.balances() == {"O-1/withdrawable": "1,000.00", "bank_charges": "-3.80"}


async def test_the_platform_makes_the_fee_good(story: Story) -> None:
    await story.members_open()
    await story.transfer_arrives("5.00", PLATFORMS_ACCOUNT_NO, PLATFORM_NAME)
    await story.bank_lines_are_booked()
    cashier = Cashier(story)
    await cashier.opens("1,000.00", method=CollectionMethod.ACQUIRING)
    await cashier.awaits_payer()
    await cashier.payer_pays()
    await cashier.stands("T-1", "paid")

    await cashier.channel_settles(CollectionMethod.ACQUIRING)

    async def is_made_good() -> bool:
        balances = await story.balances()
        return "bank_charges" not in balances and "channel_due:acquiring" not in balances

    await story.until(is_made_good, "the fee is made good")  # soon after the settlement is booked
    assert members_money(await story.balances()) == {"own": "3.00", "O-1/pending": "1,000.00"}


@pytest.mark.parametrize("method", sorted(PAYER_ACTS_ELSEWHERE))
async def test_each_method_asks_the_payer_for_its_own_action(story: Story, method: CollectionMethod) -> None:
    await story.members_open()
    cashier = Cashier(story)
    await cashier.opens("100.00", method=method)
    await cashier.awaits_payer()
    shown = (await story.in_the_books("pay_in", "T-1")).body["interaction"]
    asked_for = {"redirect": "url", "qr": "qr_content", "app": "app_parameters"}[shown["kind"]]
    assert shown[asked_for]

    await cashier.payer_pays()
    await cashier.stands("T-1", "paid")
    await cashier.channel_settles(method)

    balances = await story.balances()
    assert members_money(balances) == {"O-1/pending": "100.00"}
    assert f"channel_due:{method}" not in balances


async def test_a_payment_announced_many_times_is_credited_once(story: Story) -> None:
    await story.members_open()
    cashier = Cashier(story)
    await cashier.opens("100.00")
    await cashier.awaits_payer()
    await cashier.channel_notifies(times=3)

    await cashier.payer_pays(notices=5)
    await ends(cashier)

    assert members_money(await story.balances()) == {"O-1/pending": "100.00"}


async def test_a_payment_that_nobody_announced_is_found(story: Story) -> None:
    await story.members_open()
    cashier = Cashier(story)
    await cashier.opens("100.00")
    await cashier.awaits_payer()

    await cashier.payer_pays(notices=0)
    outcome = await ends(cashier)

    assert (outcome.status, outcome.credited_fen) == ("paid", 10_000)
    assert members_money(await story.balances()) == {"O-1/pending": "100.00"}


@pytest.mark.parametrize("amount", [TIMEOUT_BOOKED, TIMEOUT_NOT_BOOKED])
async def test_an_order_to_collect_without_an_answer_is_asked_about_before_it_is_sent_anew(
    story: Story, amount: str
) -> None:
    await story.members_open()
    cashier = Cashier(story)
    await cashier.opens(amount)

    if amount == TIMEOUT_BOOKED:
        await cashier.awaits_payer()
        await cashier.payer_pays()
        await cashier.stands("T-1", "paid")
        assert members_money(await story.balances()) == {"O-1/pending": amount}
    else:
        outcome = await ends(cashier)
        assert outcome.status == "failed"
        assert await story.balances() == {}
        assert (await cashier.state()).collection_no == "T-1:collect:2"


@pytest.mark.parametrize("amount", [DECLINED, FAILED_LATER])
async def test_a_collection_that_fails_credits_nothing(story: Story, amount: str) -> None:
    await story.members_open()
    cashier = Cashier(story)
    await cashier.opens(amount)
    if amount == FAILED_LATER:
        await cashier.awaits_payer()
        await cashier.payer_pays()
    await cashier.stands("T-1", "failed")

    assert (await ends(cashier)).reason
    assert await story.balances() == {}


async def test_an_unpaid_collection_is_closed_in_time(story: Story) -> None:
    await story.members_open()
    cashier = Cashier(story)
    await cashier.opens("100.00")
    await cashier.awaits_payer()

    await story.hours_pass(0.6)

    await cashier.stands("T-1", "closed")
    channel_says = await story.stage.sandbox.bank.collections.query(f"{story.platform_no}/T-1:collect:1")
    assert channel_says.status == "closed"


async def test_a_payment_after_closing_is_credited_all_the_same(story: Story) -> None:
    await story.members_open()
    cashier = Cashier(story)
    await cashier.opens(PAID_LATE)
    await cashier.awaits_payer()
    await story.hours_pass(0.6)

    outcome = await ends(cashier)

    assert outcome.status == "paid"
    assert members_money(await story.balances()) == {"O-1/pending": PAID_LATE}


@pytest.mark.parametrize(
    ("asked", "credited"), [(PAID_TWICE, {"O-1/pending": PAID_TWICE}), (PAID_OVER, {"O-1/pending": PAID_OVER})]
)
async def test_what_was_paid_beyond_the_asked_amount_goes_back(
    story: Story, asked: str, credited: dict[str, str]
) -> None:
    await story.members_open()
    cashier = Cashier(story)
    await cashier.opens(asked)
    await cashier.awaits_payer()

    await cashier.payer_pays()
    outcome = await ends(cashier)
    await cashier.channel_settles()

    assert outcome.suspended_fen == 0
    balances = await story.balances()
    assert members_money(balances) == credited
    assert "channel_due:qr_wechat" not in balances


async def test_less_than_asked_is_not_credited_and_goes_back(story: Story) -> None:
    await story.members_open()
    cashier = Cashier(story)
    await cashier.opens(PAID_SHORT)
    await cashier.awaits_payer()

    await cashier.payer_pays()
    outcome = await ends(cashier)

    assert (outcome.status, outcome.suspended_fen) == ("closed", 0)
    assert "less than asked" in (outcome.reason or "")
    assert await story.balances() == {}


async def test_a_return_that_never_arrived_is_asked_for_anew(story: Story) -> None:
    await story.members_open()
    cashier = Cashier(story)
    await cashier.opens(PAID_SHORT)
    await cashier.awaits_payer()
    await story.stage.sandbox.steer.next_suffers("timeout_not_booked", "refund")

    await cashier.payer_pays()
    outcome = await ends(cashier)

    assert (outcome.status, outcome.suspended_fen) == ("closed", 0)
    returns = (await story.in_the_books("pay_in", "T-1")).body["returns"]
    assert [item["outcome"] for item in returns] == ["lost", "returned"]
    assert await story.balances() == {}
    assert (await cashier.channel_says()).refunded_fen == yuan(PAID_SHORT) - 100


async def test_what_cannot_be_returned_waits_in_suspense(story: Story) -> None:
    await story.members_open()
    cashier = Cashier(story)
    await cashier.opens("1,000.00")
    await cashier.awaits_payer()
    await cashier.payer_pays()
    await cashier.stands("T-1", "paid")

    await cashier.payer_pays(FAILED_LATER)  # the refund of just this amount fails
    outcome = await ends(cashier)

    assert outcome.suspended_fen == 90_012
    key = ObjectKey(platform_no=story.platform_no, kind="pay_in", object_no="T-1")
    await call_person(story.stage.recorder, key, "whose is it?")
    (called,) = await waiting_for_a_person(story.stage.recorder, story.platform_no, limit=2)
    assert called.held_fen == 90_012
    assert members_money(await story.balances()) == {"O-1/pending": "1,000.00", "suspense": FAILED_LATER}


async def test_nothing_is_collected_that_nobody_asked_for(story: Story) -> None:
    await story.members_open()
    cashier = Cashier(story)
    await cashier.begins("T-404")

    outcome = await ends(cashier, "T-404")

    assert (outcome.status, outcome.credited_fen) == (None, 0)
    assert not await story.is_entered("pay_in", "T-404")


async def test_a_top_up_whose_history_grew_long_goes_on_in_a_new_run(story: Story) -> None:
    await story.members_open()
    cashier = Cashier(story)
    first = await cashier.opens("1,000.00", continue_after_events=25)
    await cashier.awaits_payer()
    await story.hours_pass(0.2)
    await cashier.payer_pays()
    await cashier.stands("T-1", "paid")

    outcome = await ends(cashier)

    assert (await cashier.handle().describe()).run_id != first.first_execution_run_id
    assert (outcome.status, outcome.credited_fen) == ("paid", 100_000)
    assert members_money(await story.balances()) == {"O-1/pending": "1,000.00"}


async def test_a_member_who_may_not_receive_is_not_topped_up(story: Story) -> None:
    await story.members_open()
    await begins_to_close(story, OWNER)
    cashier = Cashier(story)
    await cashier.opens("1,000.00")

    outcome = await ends(cashier)

    assert outcome.status is None
    assert await cashier.refusal_of() == "member_state"


async def test_a_consent_voided_before_the_payment_lets_it_go_back(story: Story) -> None:
    await story.members_open()
    cashier = Cashier(story)
    await cashier.opens("1,000.00")
    await cashier.awaits_payer()
    await void_consent(story.stage.recorder, story.platform_no, opening_consent_no("T-1"))

    await cashier.payer_pays()
    outcome = await ends(cashier)

    assert (outcome.status, outcome.credited_fen, outcome.suspended_fen) == ("closed", 0, 0)
    assert await story.balances() == {}


async def test_a_payment_that_no_top_up_looks_after_waits_in_suspense_from_its_settlement(story: Story) -> None:
    channel, steer = story.stage.sandbox.bank.collections, story.stage.sandbox.steer
    number = f"{story.platform_no}/X-1:collect:1"
    await channel.create(
        CollectionOrder(
            request_no=number,
            custody_account_no=story.stage.custody_account_no,
            method=CollectionMethod.QR_ALIPAY,
            amount_fen=50_000,
            subject="?",
            expires_at=await story.now() + timedelta(minutes=30),
        )
    )
    await steer.pay(number)
    await Cashier(story).channel_settles(CollectionMethod.QR_ALIPAY)

    assert members_money(await story.balances()) == {"suspense": "500.00"}
    assert "channel_due:qr_alipay" not in await story.balances()


async def test_a_top_up_may_bear_the_number_of_an_order(story: Story) -> None:
    await story.members_open()
    await story.order_opens()
    cashier = Cashier(story)

    await cashier.opens("100.00", number="D-1001")

    await cashier.awaits_payer("D-1001")
