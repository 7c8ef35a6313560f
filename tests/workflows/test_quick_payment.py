"""Quick payments: the payer's bank sends a code; who types it in time has paid, once, and never by guessing."""

import re
from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError

from escrow.domain.collections.terms import sends_none
from escrow.domain.errors import Refused
from tests.story import Story
from tests.story_debits import CODE, QUICK, Debtors
from tests.story_ground import OWNER
from tests.workflows.conftest import StoryAt
from tests.workflows.test_collection import (
    DECLINED,
    FAILED_LATER,
    PAID_LATE,
    PAID_OVER,
    PAID_SHORT,
    PAID_TWICE,
    TIMEOUT_BOOKED,
    ends,
    members_money,
)
from tests.workflows.test_direct_payment import refund_ends

CARD = "A-O1"


async def payers(story: Story) -> Debtors:
    """An owner with a card that the bank knows."""
    members = Debtors(story)
    await members.open()
    return members


async def asked(story: Story, amount: str = "1,000.00") -> Debtors:
    """A top-up that waits for its payer's code."""
    members = await payers(story)
    await members.is_debited(amount, account_id=CARD)
    await members.awaits_payer()
    return members


async def test_the_right_code_pays_and_the_channel_settles_a_day_later_less_nothing(story: Story) -> None:
    members = await asked(story)
    shown = (await story.in_the_books("pay_in", "T-1")).body["interaction"]
    assert (shown["kind"], shown["url"], shown["qr_content"]) == ("sms_code", "", "")
    assert shown["code_expires_at"]

    assert await members.types("000000") == "wrong"
    assert await members.types(CODE) == "accepted"
    await members.stands("T-1", "paid")
    balances = await story.balances()
    assert balances["channel_due:quick"] == "-1,000.00"
    assert members_money(balances) == {f"{OWNER}/pending": "1,000.00"}

    await members.channel_settles(QUICK)
    balances = await story.balances()
    assert "channel_due:quick" not in balances
    assert balances["bank_charges"] == "-3.50"


async def test_the_third_wrong_code_ends_it_and_no_more_is_compared(story: Story) -> None:
    members = await asked(story)
    assert [await members.types(code) for code in ("000000", "000001", "000002")] == ["wrong", "wrong", "exhausted"]

    with pytest.raises(Refused, match="spent"):
        await members.types(CODE)
    await members.stands("T-1", "failed")
    assert await story.balances() == {}
    with pytest.raises(WorkflowUpdateFailedError):
        await members.handle().execute_update("compare_code", {"number": 1})


async def test_a_code_is_good_for_two_minutes_and_another_one_is_sent(story_at: StoryAt) -> None:
    async with story_at("2026-03-03T10:00:00+08:00") as story:
        members = await asked(story)
        before = (await story.in_the_books("pay_in", "T-1")).body["interaction"]["code_expires_at"]
        await story.time_passes(timedelta(seconds=121))
        assert await members.types(CODE, request_no="R-late") == "expired"

        with pytest.raises(WorkflowUpdateFailedError):  # nobody has wished for that one
            await members.handle().execute_update("send_code", {"request_no": "S-0"})
        await story.stage.registry.collection_codes.count_sending(story.platform_no, "T-1", "S-1", is_awaited=True)
        await members.handle().execute_update("send_code", {"request_no": "S-1"})
        after = (await story.in_the_books("pay_in", "T-1")).body["interaction"]["code_expires_at"]
        assert after > before
        assert await members.types(CODE, request_no="R-again") == "accepted"
        await members.stands("T-1", "paid")


async def test_why_the_bank_sends_no_other_code_is_kept_and_it_is_not_asked_again(story: Story) -> None:
    members = await asked(story)
    for _ in range(4):  # whoever had these sent, it was not through our books
        await story.stage.sandbox.bank.collections.send_code_again(members.at_bank("T-1"))
    codes = story.stage.registry.collection_codes
    await codes.count_sending(story.platform_no, "T-1", "S-1", is_awaited=True)
    assert await codes.declined(story.platform_no, "T-1", "S-1") == ""

    with pytest.raises(WorkflowUpdateFailedError):
        await members.handle().execute_update("send_code", {"request_no": "S-1"})

    assert await codes.declined(story.platform_no, "T-1", "S-1") == "codes_exhausted"
    assert sends_none("codes_exhausted").code == "sms_code_limit"
    await story.stage.sandbox.steer.set_bank_health("DOWN")
    with pytest.raises(WorkflowUpdateFailedError):
        await members.handle().execute_update("send_code", {"request_no": "S-1"})
    await story.stage.sandbox.steer.set_bank_health("UP")
    assert await codes.declined(story.platform_no, "T-1", "S-404") is None


async def test_an_opening_without_an_answer_is_asked_about_and_its_code_pays(story: Story) -> None:
    members = await asked(story, TIMEOUT_BOOKED)
    assert (await members.state()).collection_no == "T-1:collect:1"
    assert await members.types(CODE) == "accepted"
    await members.stands("T-1", "paid")
    assert members_money(await story.balances()) == {f"{OWNER}/pending": TIMEOUT_BOOKED}


@pytest.mark.parametrize(
    ("amount", "status", "left"),
    [
        (PAID_TWICE, "paid", {f"{OWNER}/pending": PAID_TWICE}),
        (PAID_OVER, "paid", {f"{OWNER}/pending": PAID_OVER}),
        (PAID_SHORT, "closed", {}),
        (FAILED_LATER, "failed", {}),
    ],
)
async def test_what_was_not_asked_for_goes_back(story: Story, amount: str, status: str, left: dict[str, str]) -> None:
    members = await asked(story, amount)
    assert await members.types(CODE) == "accepted"
    outcome = await ends(members)
    assert (outcome.status, outcome.suspended_fen) == (status, 0)
    assert members_money(await story.balances()) == left


async def test_nobody_types_a_code_and_a_late_payment_is_credited_all_the_same(story: Story) -> None:
    members = await asked(story, PAID_LATE)
    await story.hours_pass(0.6)
    outcome = await ends(members)
    assert outcome.status == "paid"
    assert members_money(await story.balances()) == {f"{OWNER}/pending": PAID_LATE}


async def test_a_payment_that_the_bank_declines_asks_for_no_code(story: Story) -> None:
    members = await payers(story)
    await members.is_debited(DECLINED, account_id=CARD)
    await members.stands("T-1", "failed")
    assert await story.texts() == []
    assert await story.balances() == {}


async def test_an_order_is_paid_by_quick_payment_and_goes_back_the_same_way(story: Story) -> None:
    members = await payers(story)
    number = "D-1001:pay:1"
    await story.order_opens(price="40,000.00")
    await members.pays_order(number, account_id=CARD)
    await members.awaits_payer(number)
    assert await members.types(CODE, number=number) == "accepted"
    await members.stands(number, "paid")
    await story.order_becomes("awaiting_start")

    await story.cancels(OWNER)
    assert await refund_ends(story) == "refunded"
    assert await story.balances() == {}
    channel_says = await story.stage.sandbox.bank.collections.query(members.at_bank(number))
    assert channel_says.refunded_fen == 4_000_000


async def test_neither_code_nor_card_is_in_the_history(story: Story) -> None:
    members = await asked(story)
    await members.types("135790")
    await members.types(CODE)
    await members.stands("T-1", "paid")
    account = await story.stage.registry.bank_accounts.get(story.platform_no, OWNER, CARD)
    history = b"".join([event.SerializeToString() async for event in members.handle().fetch_history_events()])
    assert b"T-1" in history
    for secret in (CARD, account.account_no, account.account_name, "13552535506"):
        assert secret.encode() not in history
    assert (
        re.search(rb"(?<![0-9A-Za-z.])135790(?![0-9A-Za-z])", history) is None
    )  # fractions of seconds are such numbers
