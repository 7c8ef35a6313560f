"""Withdrawals in skipped time: every rail, every kind of answer, and none at all; paid once or given back."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from escrow.domain.money.accounts import Purpose
from escrow.domain.platforms.config import PlatformConfig, Settlement
from escrow.domain.time.calendars import SHANGHAI
from escrow.domain.withdrawals.rails import Rail
from escrow.ledger.balances import platform_balances
from escrow.registry.accounts.rows import NewBankAccount
from tests.stage import PLATFORM_NAME, PLATFORMS_ACCOUNT_NO, TUESDAY_MORNING
from tests.story import Story
from tests.workflows.conftest import STUCK, StoryAt, StoryUnder

SATURDAY_NOON = "2026-03-07T12:00:00+08:00"
COMPANY = "精工装饰工程有限公司"


def company_at(cnaps_code: str, account_no: str = "11050137360000000321") -> NewBankAccount:
    return NewBankAccount(
        account_id="A-C1", account_no=account_no, account_name=COMPANY, is_corporate=True, cnaps_code=cnaps_code
    )


AT_CUSTODY_BANK = company_at("307584007998")
AT_CCB = company_at("105100000017")
AT_A_CITY_BANK = company_at("313100000013")
IN_SHENZHEN = company_at("308584000013")
CARD = NewBankAccount(
    account_id="A-C1",
    account_no="6216261000000000018",
    account_name=COMPANY,
    is_corporate=False,
    cnaps_code="102100099996",
)


@pytest.mark.parametrize(
    ("rail", "account", "amount"),
    [
        (Rail.IN_BANK, AT_CUSTODY_BANK, "3,000,000.00"),
        (Rail.UNIONPAY, CARD, "50,000.00"),
        (Rail.IBPS, AT_CCB, "1,000,000.00"),
        (Rail.HVPS, AT_CCB, "1,000,000.01"),
        (Rail.SHENZHEN_LOCAL, IN_SHENZHEN, "50,000.00"),
    ],
)
async def test_a_rail_wins_a_payout_and_it_arrives(
    story_at: StoryAt, rail: Rail, account: NewBankAccount, amount: str
) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        await story.payee_has(amount, account)

        await story.withdraws(amount)
        outcome = await story.withdrawal_ends()

        assert (outcome.status, outcome.rail) == ("paid", rail)
        [(_, sent, state)] = await story.payouts_at_bank()
        assert (sent, state) == (amount.replace(",", ""), "SUCCESS")
        assert "C-1/withdrawable" not in await story.balances()
        stored = await story.in_the_books("withdrawal", "W-1")
        assert stored.status == "paid"
        assert stored.body["rail"] == rail
        assert len(stored.body["route"]) == 1 + len(Rail)


async def test_the_sixth_rail_wins_on_a_saturday(story_at: StoryAt) -> None:
    async with story_at(SATURDAY_NOON) as story:
        await story.payee_has("1,000,000.00", AT_A_CITY_BANK)

        await story.withdraws("1,000,000.00")
        outcome = await story.withdrawal_ends()

        assert (outcome.status, outcome.rail) == ("paid", Rail.BEPS)
        assert await story.payouts_at_bank() == [("SMALL_VALUE", "1000000.00", "SUCCESS")]


async def test_a_definite_no_leads_to_the_next_rail(story_at: StoryAt) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        await story.payee_has("20,000.00")
        await story.stage.sandbox.steer.next_suffers("declined")

        await story.withdraws("20,000.00")
        outcome = await story.withdrawal_ends()

        assert (outcome.status, outcome.rail) == ("paid", Rail.HVPS)
        attempts = (await story.in_the_books("withdrawal", "W-1")).body["attempts"]
        assert [(item["request_no"], item["rail"], item["outcome"]) for item in attempts] == [
            ("W-1:payout:1", "ibps", "failed"),
            ("W-1:payout:2", "hvps", "succeeded"),
        ]


async def test_an_accepted_payment_order_that_fails_later_leads_to_the_next_rail(story_at: StoryAt) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        await story.payee_has("20,000.00")
        await story.stage.sandbox.steer.next_suffers("failed_later")

        await story.withdraws("20,000.00")

        assert (await story.withdrawal_ends()).rail is Rail.HVPS
        assert [state for _, _, state in await story.payouts_at_bank()] == ["FAIL", "SUCCESS"]


async def test_an_unknown_payout_that_was_booked_is_found_by_asking_and_not_sent_again(story: Story) -> None:
    await story.payee_has("20,000.00")
    await story.stage.sandbox.steer.next_suffers("timeout_booked")

    await story.withdraws("20,000.00")

    assert (await story.withdrawal_ends()).status == "paid"
    assert await story.payouts_at_bank() == [("SUPER_ONLINE", "20000.00", "SUCCESS")]


async def test_an_unknown_payout_that_arrives_late_is_paid_once(story: Story) -> None:
    await story.payee_has("20,000.00")
    await story.stage.sandbox.steer.next_suffers("timeout_booked_late")

    await story.withdraws("20,000.00")

    assert (await story.withdrawal_ends()).status == "paid"
    assert await story.payouts_at_bank() == [("SUPER_ONLINE", "20000.00", "SUCCESS")]


async def test_a_payment_order_that_never_arrived_is_sent_anew_only_when_the_bank_has_ruled_it_out(
    story: Story,
) -> None:
    await story.payee_has("20,000.00")
    await story.stage.sandbox.steer.next_suffers("timeout_not_booked")

    await story.withdraws("20,000.00")
    outcome = await story.withdrawal_ends()

    assert outcome.status == "paid"
    attempts = (await story.in_the_books("withdrawal", "W-1")).body["attempts"]
    assert [(item["request_no"], item["outcome"]) for item in attempts] == [
        ("W-1:payout:1", "never_arrived"),
        ("W-1:payout:2", "succeeded"),
    ]
    assert len(await story.payouts_at_bank()) == 1


async def test_a_lost_notice_is_made_good_by_asking(story_at: StoryAt) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        await story.payee_has("20,000.00")
        await story.stage.sandbox.steer.next_suffers("stuck")
        await story.withdraws("20,000.00")
        await story.withdrawal_is("submitted")

        await story.stage.sandbox.steer.move_clock(story.stage.custody_account_no, by=STUCK)

        assert (await story.withdrawal_ends()).status == "paid"


async def test_a_notice_makes_the_withdrawal_ask_at_once(story_at: StoryAt) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        await story.payee_has("20,000.00")
        await story.stage.sandbox.steer.next_suffers("stuck")
        await story.withdraws("20,000.00")
        await story.withdrawal_is("submitted")
        await story.hours_pass(0.1)
        await story.stage.sandbox.steer.move_clock(story.stage.custody_account_no, by=STUCK)

        await story.withdrawal().signal("bank_notice", {"notice_id": "1", "kind": "payout"})

        await story.withdrawal_is("paid")


async def test_a_notice_that_comes_while_the_bank_is_being_asked_has_it_asked_again(story_at: StoryAt) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        await story.payee_has("20,000.00")
        steer, handle = story.stage.sandbox.steer, story.withdrawal()
        await steer.next_suffers("stuck")
        await story.withdraws("20,000.00")
        await story.withdrawal_is("submitted")
        await story.hours_pass(0.1)
        await steer.next_suffers("slow", "read")
        asked_before = await _activities_begun(handle)
        await handle.signal("bank_notice", {"notice_id": "1", "kind": "payout"})

        async def is_asking() -> bool:  # or has asked, where the machine is slower than the bank
            return await _activities_begun(handle) > asked_before

        await story.until(is_asking, "the bank is being asked")

        await steer.move_clock(story.stage.custody_account_no, by=STUCK)
        await handle.signal("bank_notice", {"notice_id": "2", "kind": "payout"})

        await story.withdrawal_is("paid")


async def test_a_payout_that_stays_unknown_for_a_day_is_shown_to_an_operator(story_at: StoryAt) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        await story.payee_has("20,000.00")
        await story.stage.sandbox.steer.next_suffers("stuck")
        await story.withdraws("20,000.00")
        await story.withdrawal_is("submitted")

        await story.hours_pass(24.2)

        assert (await story.withdrawal_state()).attention
        assert (await story.in_the_books("withdrawal", "W-1")).status == "needs_attention"
        await story.stage.sandbox.steer.move_clock(story.stage.custody_account_no, by=STUCK)
        await story.operator_resumes(story.withdrawal())
        await story.withdrawal_is("paid")


async def test_when_no_rail_carries_it_the_money_and_the_fee_go_back(story_under: StoryUnder) -> None:
    async with story_under(PlatformConfig(top_up_settlement=Settlement.T_PLUS_0, withdrawal_fee_fen=200)) as story:
        await story.payee_has("20,002.00")
        for _ in range(3):
            await story.stage.sandbox.steer.next_suffers("declined")

        await story.withdraws("20,000.00", fee_fen=200)
        outcome = await story.withdrawal_ends()

        assert outcome.status == "returned"
        assert await story.balances() == {"C-1/withdrawable": "20,002.00"}
        assert (await story.in_the_books("withdrawal", "W-1")).status == "failed"
        assert [state for _, _, state in await story.payouts_at_bank()] == ["FAIL"] * 3


async def test_the_fee_is_held_on_top_and_earned_when_the_payout_arrives(story_under: StoryUnder) -> None:
    async with story_under(PlatformConfig(top_up_settlement=Settlement.T_PLUS_0, withdrawal_fee_fen=2_000)) as story:
        await story.payee_has("20,020.00")

        await story.withdraws("20,000.00", fee_fen=2_000)
        await story.withdrawal_ends()
        await story.bank_lines_are_booked()

        # The bank charged 10.00 for the payout, which the platform makes good out of its fees.
        await story.balances_become({"fees": "10.00"})


async def test_more_than_the_balance_is_refused_and_leaves_the_number_free(story: Story) -> None:
    await story.payee_has("19,999.99")

    await story.withdraws("20,000.00")
    outcome = await story.withdrawal_ends()

    assert outcome.status == "refused"
    assert "balance" in str(outcome.reason)
    assert await story.refusal_of_withdrawal() == "insufficient_balance"
    assert await story.payouts_at_bank() == []


@pytest.mark.parametrize(
    ("amount", "misfortune", "texts"), [("50,000.00", "", 0), ("50,000.01", "", 1), ("50,000.01", "declined", 1)]
)
async def test_an_sms_is_sent_once_for_strictly_more_than_fifty_thousand_yuan(
    story: Story, amount: str, misfortune: str, texts: int
) -> None:
    await story.payee_has(amount)
    if misfortune:
        await story.stage.sandbox.steer.next_suffers(misfortune)

    await story.withdraws(amount)

    assert (await story.withdrawal_ends()).status == "paid"
    assert len(await story.texts()) == texts


async def test_an_sms_that_fails_never_holds_the_payout(story: Story) -> None:
    await story.payee_has("60,000.00")
    await story.stage.sandbox.steer.next_suffers("timeout_not_booked", "sms")

    await story.withdraws("60,000.00")

    assert (await story.withdrawal_ends()).status == "paid"
    assert len(await story.texts()) == 1
    assert (await story.in_the_books("withdrawal", "W-1")).body["sms"] == "sent"


async def test_what_only_the_large_value_rail_carries_waits_until_it_opens(story_at: StoryAt) -> None:
    async with story_at("2026-03-03T18:00:00+08:00") as story:
        await story.payee_has("1,000,000.01", AT_CCB)
        await story.withdraws("1,000,000.01")
        await story.withdrawal_is("queued")
        seen = (await story.withdrawal_state()).withdrawal
        assert seen is not None
        assert seen.opens_at == datetime(2026, 3, 3, 20, 30, tzinfo=SHANGHAI)
        stored = await story.in_the_books("withdrawal", "W-1")
        assert (stored.status, stored.body["opens_at"][:16]) == ("queued", "2026-03-03T20:30")
        assert await story.payouts_at_bank() == []

        await story.stage.sandbox.steer.move_clock(story.stage.custody_account_no, by=timedelta(hours=2, minutes=30))
        await story.hours_pass(2.5)

        assert (await story.withdrawal_ends()).rail is Rail.HVPS


async def test_the_platform_withdraws_its_own_money_to_its_own_account(story: Story) -> None:
    await story.transfer_arrives("5,000.00", PLATFORMS_ACCOUNT_NO, PLATFORM_NAME)
    await story.bank_lines_are_booked()
    assert await story.balances() == {"own": "5,000.00"}

    await story.withdraws("5,000.00", member_no="")

    assert (await story.withdrawal_ends()).rail is Rail.IN_BANK
    assert await story.balances() == {}


async def test_an_order_withdraws_for_its_contractor_after_each_release(story: Story) -> None:
    await story.paid_order(withdraw_automatically=True)
    await story.starts()
    await story.completes(2)
    await story.accepts(2)

    for number in (1, 2):
        outcome = await story.withdrawal_ends(f"D-1001:M{number}:withdrawal:1")
        assert (outcome.status, outcome.rail) == ("paid", Rail.IBPS)

    assert "C-1/withdrawable" not in await story.balances()
    assert [amount for _, amount, _ in await story.payouts_at_bank()] == ["53010.00", "53010.00"]


async def test_cancelling_the_workflow_in_temporal_does_not_stop_a_payout_under_way(story_at: StoryAt) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        await story.payee_has("20,000.00")
        await story.stage.sandbox.steer.next_suffers("stuck")
        await story.withdraws("20,000.00")
        await story.withdrawal_is("submitted")

        await story.withdrawal().cancel()
        await story.stage.sandbox.steer.move_clock(story.stage.custody_account_no, by=STUCK)

        assert (await story.withdrawal_ends()).status == "paid"


async def test_continuing_as_new_keeps_the_payment_order_under_way(story_at: StoryAt) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        await story.payee_has("60,000.00")
        await story.stage.sandbox.steer.next_suffers("stuck")
        await story.withdraws("60,000.00", continue_after_events=20)
        first_run = (await story.withdrawal().describe()).run_id
        await story.withdrawal_is("submitted")
        await story.hours_pass(2)
        assert (await story.withdrawal().describe()).run_id != first_run

        await story.stage.sandbox.steer.move_clock(story.stage.custody_account_no, by=STUCK)

        assert (await story.withdrawal_ends()).status == "paid"
        assert await story.payouts_at_bank() == [("SUPER_ONLINE", "60000.00", "SUCCESS")]
        assert len(await story.texts()) == 1


async def test_a_payout_that_succeeds_after_one_query_stays_within_its_budget_of_events(story_at: StoryAt) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        await story.payee_has("20,000.00")
        await story.withdraws("20,000.00")
        await story.until(story.bank_has_a_payout, "the payment order has reached the bank")
        await story.stage.sandbox.steer.move_clock(story.stage.custody_account_no, by=timedelta(seconds=10))
        assert (await story.withdrawal_ends()).status == "paid"

        history = await story.withdrawal().fetch_history()

        queries = [
            event
            for event in history.events
            if event.activity_task_scheduled_event_attributes.activity_type.name == "ask_about_payout"
        ]
        assert len(queries) == 1
        assert len(history.events) <= 25


async def test_what_the_bank_charges_is_owed_by_the_platform_and_never_members_money(story: Story) -> None:
    await story.payee_has("20,000.00")
    await story.withdraws("20,000.00")
    await story.withdrawal_ends()
    await story.bank_lines_are_booked()

    balances = await platform_balances(story.stage.recorder, story.platform_no)
    assert balances.fen_by_purpose[Purpose.BANK_CHARGES] == -1_000
    await story.transfer_arrives("100.00", PLATFORMS_ACCOUNT_NO, PLATFORM_NAME)
    await story.transfer_arrives("20,000.00", AT_CCB.account_no)
    await story.bank_lines_are_booked()
    await story.withdraws("20,000.00", withdrawal_no="W-2")
    await story.withdrawal_ends("W-2")
    await story.bank_lines_are_booked()

    await story.balances_become({"own": "80.00"})


async def _activities_begun(handle: WorkflowHandle[Any, Any]) -> int:
    events = [event async for event in handle.fetch_history_events()]
    return sum(event.HasField("activity_task_scheduled_event_attributes") for event in events)
