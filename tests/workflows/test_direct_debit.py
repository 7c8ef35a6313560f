"""Direct debits: made once, over the next channel only after a definite no, and never beyond what was signed."""

from typing import Any

import pytest

from tests.api.payers import NAME
from tests.stage import PLATFORM_NAME, PLATFORMS_ACCOUNT_NO
from tests.story import Story
from tests.story_debits import MANDATE, Debtors
from tests.story_ground import CONTRACTOR, OWNER
from tests.workflows.test_collection import DECLINED, TIMEOUT_BOOKED, ends, members_money
from tests.workflows.test_direct_payment import refund_ends

_UNIONPAY, _NETS = "UNIONPAY_DEBIT", "NETS_DEBIT"


async def debtors(story: Story, **mandate: Any) -> Debtors:
    """An owner with a mandate on a card of ICBC."""
    members = Debtors(story)
    await members.open()
    await members.signs(**mandate)
    return members


async def owner_has(story: Story, amount: str) -> None:
    """The owner has this much and nobody else anything; withdrawable when the bank has settled it already."""
    held = members_money(await story.balances())
    assert list(held.values()) == [amount]
    assert next(iter(held)) in (f"{OWNER}/pending", f"{OWNER}/withdrawable")


async def test_a_debit_is_pending_until_settled_and_its_channels_charge_is_booked(story: Story) -> None:
    members = await debtors(story)
    await members.is_debited("1,000.00", mandate_no=MANDATE)
    await members.debited()
    await members.stands("T-1", "paid")

    body = (await story.in_the_books("pay_in", "T-1")).body
    assert body["debit_channel"] == _UNIONPAY
    assert body["debit_route"][0].startswith("OWN_BANK: it does not reach ICBC")
    await owner_has(story, "1,000.00")

    await story.bank_lines_are_booked()
    balances = await story.balances()
    assert "channel_due:direct_debit" not in balances
    assert balances["bank_charges"] == "-1.00"
    await owner_has(story, "1,000.00")


@pytest.mark.parametrize("scenario", ["declined", "failed_later"])
async def test_the_next_channel_is_asked_after_a_definite_failure(story: Story, scenario: str) -> None:
    members = await debtors(story)
    await story.stage.sandbox.steer.next_suffers(scenario, "collection")

    await members.is_debited("1,000.00", mandate_no=MANDATE)
    if scenario == "failed_later":
        await members.debited()
    await members.debited(attempt=2)
    await members.stands("T-1", "paid")

    state = await members.state()
    assert (state.collection_no, state.debit_channel) == ("T-1:collect:2", _NETS)
    assert any(sentence.startswith(f"{_UNIONPAY}: this debit has definitely failed") for sentence in state.debit_route)
    first, second = [await story.stage.sandbox.bank.collections.query(members.at_bank("T-1", n)) for n in (1, 2)]
    assert (first.status, second.status, second.payments[0].fee_fen) == ("failed", "paid", 300)


async def test_what_a_failed_debit_brings_all_the_same_goes_back(story: Story) -> None:
    members = await debtors(story)
    steer = story.stage.sandbox.steer
    await story.transfer_arrives("50.00", PLATFORMS_ACCOUNT_NO, PLATFORM_NAME)
    await steer.next_suffers("declined", "collection")
    await members.is_debited("1,000.00", mandate_no=MANDATE)
    await members.debited(attempt=2)
    await members.stands("T-1", "paid")

    await steer.pay(members.at_bank("T-1", 1), amount_fen=100_000)  # the bank books what it said had failed
    outcome = await ends(members)

    assert (outcome.status, outcome.credited_fen, outcome.suspended_fen) == ("paid", 100_000, 0)
    first = await story.stage.sandbox.bank.collections.query(members.at_bank("T-1", 1))
    assert (first.paid_fen, first.refunded_fen) == (100_000, 100_000)
    await story.bank_lines_are_booked()
    held = members_money(await story.balances())
    assert sorted(held.values()) == ["1,000.00", "46.00"]  # less the charges of both debits


async def test_a_debit_without_an_answer_is_asked_about_and_not_sent_to_another_channel(story: Story) -> None:
    members = await debtors(story)
    await members.is_debited(TIMEOUT_BOOKED, mandate_no=MANDATE)
    await members.debited()
    await members.stands("T-1", "paid")

    state = await members.state()
    assert (state.collection_no, state.debit_channel) == ("T-1:collect:1", _UNIONPAY)
    await owner_has(story, TIMEOUT_BOOKED)


async def test_a_debit_that_never_arrived_is_made_over_the_same_channel(story: Story) -> None:
    members = await debtors(story)
    await story.stage.sandbox.steer.next_suffers("timeout_not_booked", "collection")
    handle = await members.is_debited("1,000.00", mandate_no=MANDATE)

    outcome = await story.ending_of(handle)

    assert outcome.status == "paid"
    state = await members.state()
    assert (state.collection_no, state.debit_channel) == ("T-1:collect:2", _UNIONPAY)
    await owner_has(story, "1,000.00")


async def test_a_channel_that_is_down_is_passed_over(story: Story) -> None:
    members = await debtors(story)
    steer = story.stage.sandbox.steer
    await steer.set_debit_channel_health(_UNIONPAY, "DOWN")
    try:
        await members.is_debited("1,000.00", mandate_no=MANDATE)
        await members.debited()
        await members.stands("T-1", "paid")
    finally:
        await steer.reset()
    assert (await members.state()).debit_channel == _NETS


async def test_a_debit_that_every_channel_refuses_moves_nothing(story: Story) -> None:
    members = await debtors(story)
    handle = await members.is_debited(DECLINED, mandate_no=MANDATE)

    outcome = await story.ending_of(handle)

    assert (outcome.status, outcome.credited_fen) == ("failed", 0)
    assert outcome.reason
    assert await story.balances() == {}
    # What failed does not count against the cap of the day.
    await members.is_debited("200,000.00", number="T-2", mandate_no=MANDATE)
    await members.debited("T-2")
    await members.stands("T-2", "paid")


async def test_an_order_is_paid_by_debit_and_goes_back_the_same_way(story: Story) -> None:
    members = await debtors(story)
    # The bank takes its charge at once, and refunds from what is on the account: the platform makes the charge good.
    await story.transfer_arrives("5.00", PLATFORMS_ACCOUNT_NO, PLATFORM_NAME)
    await story.order_opens(price="186,000.00")
    await members.pays_order(mandate_no=MANDATE)
    await members.debited("D-1001:pay:1")
    await members.stands("D-1001:pay:1", "paid")
    await story.order_becomes("awaiting_start")

    await story.cancels(CONTRACTOR)
    assert await refund_ends(story) == "refunded"

    channel_says = await story.stage.sandbox.bank.collections.query(members.at_bank("D-1001:pay:1"))
    assert channel_says.refunded_fen == 18_600_000
    await story.bank_lines_are_booked()
    assert members_money(await story.balances()) == {"own": "2.00"}


async def test_an_order_that_was_cancelled_meanwhile_gets_nothing_and_the_debit_goes_back(story: Story) -> None:
    members = await debtors(story)
    await story.transfer_arrives("5.00", PLATFORMS_ACCOUNT_NO, PLATFORM_NAME)
    await story.order_opens(price="1,000.00")
    await members.pays_order(mandate_no=MANDATE)
    await members.stands("D-1001:pay:1", "processing")
    await story.cancels(CONTRACTOR)

    outcome = await ends(members, "D-1001:pay:1")

    assert (outcome.status, outcome.credited_fen, outcome.suspended_fen) == ("closed", 0, 0)
    await story.bank_lines_are_booked()
    assert members_money(await story.balances()) == {"own": "4.00"}


async def test_nobody_is_debited_for_an_order_that_waits_for_no_payment(story: Story) -> None:
    members = await debtors(story)
    await story.order_opens(price="1,000.00")
    await story.cancels(CONTRACTOR)
    await members.pays_order(mandate_no=MANDATE)

    outcome = await ends(members, "D-1001:pay:1")

    assert outcome.status is None
    assert await members.refusal_of("D-1001:pay:1") == "order_state"
    assert await story.balances() == {}


async def test_a_mandate_ends_by_itself_after_its_last_day_and_the_bank_is_told(story: Story) -> None:
    members = await debtors(story, last_day=await story.last_day(2))
    await story.days_pass(4)
    assert await story.ending_of(members.mandate_process()) == "expired"

    mandate = await members.mandate()
    assert mandate.deregistered_at is not None
    at_bank = await story.stage.sandbox.bank.collections.query_mandate(f"{story.platform_no}/{MANDATE}:mandate")
    assert at_bank.status == "revoked"
    await members.is_debited("1.00", mandate_no=MANDATE)
    await members.stands("T-1", "failed")
    assert await members.reason_code() == "mandate_not_in_force"


async def test_no_name_and_no_number_of_a_card_is_in_a_history(story: Story) -> None:
    members = await debtors(story)
    await members.is_debited("1,000.00", mandate_no=MANDATE)
    await members.debited()
    await members.stands("T-1", "paid")
    account = await story.stage.registry.bank_accounts.get(story.platform_no, OWNER, "A-O1")
    for handle in (members.handle(), members.mandate_process()):
        history = b"".join([event.SerializeToString() async for event in handle.fetch_history_events()])
        assert handle.id.split("/")[-1].encode() in history
        assert account.account_no.encode() not in history
        assert NAME.encode() not in history
