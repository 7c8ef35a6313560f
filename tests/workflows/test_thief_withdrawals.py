"""Whoever may write to Temporal starts, ends, repeats and answers for withdrawals as it likes: each is paid once.

The thief has a terminal, not the database. An input names a withdrawal and no more; whose money goes where, over which
rail and whether at all, the books and the bank say.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from activities.withdrawals import TakeWithdrawal, WithdrawalNo
from escrow.domain.errors import Refused
from escrow.domain.money.amounts import yuan
from escrow.domain.platforms.config import Limits, PlatformConfig, Settlement
from escrow.domain.platforms.functions import FunctionSwitches
from escrow.domain.withdrawals.rails import Rail
from escrow.domain.withdrawals.states import WithdrawalStatus
from escrow.domain.withdrawals.view import WithdrawalView
from escrow.registry.accounts.rows import NewBankAccount
from escrow.registry.members.members import MemberKind
from tests.accomplice import Accomplice
from tests.stage import PLATFORM_NAME, PLATFORMS_ACCOUNT_NO, TUESDAY_MORNING
from tests.story import Story
from tests.story_ground import CONTRACTOR, CONTRACTORS_ACCOUNT, OWNER
from tests.terminating import terminated_at_rest
from tests.workflows.conftest import STUCK, StoryAt, StoryUnder
from tests.workflows.test_suspense_return import paid_to

ANOTHER_OF_THE_CONTRACTOR = NewBankAccount(
    account_id="A-C2", account_no="11050137360000000999", account_name="精工装饰工程有限公司", is_corporate=True,
    cnaps_code="105100000017", make_default=True,
)  # fmt: skip


# ---- what nobody asked for ----


async def test_without_a_consent_nothing_is_held_or_sent(story: Story) -> None:
    await story.payee_has("20,000.00")

    await story.start_withdrawal("W-666")

    assert (await story.withdrawal_ends("W-666")).status == "refused"
    assert not await story.is_entered("withdrawal", "W-666")
    assert await story.balances() == {"C-1/withdrawable": "20,000.00"}


async def test_a_consent_moves_the_amount_that_it_names_and_no_other(story: Story) -> None:
    await story.payee_has("20,000.00")
    await story.consents_to_withdraw("100.00", withdrawal_no="W-666")

    await story.start_withdrawal("W-666")

    assert (await story.withdrawal_ends("W-666")).status == "paid"
    assert await story.payouts_at_bank() == [("SUPER_ONLINE", "100.00", "SUCCESS")]
    assert (await story.balances())["C-1/withdrawable"] == "19,900.00"


async def test_a_release_of_an_order_without_standing_instruction_is_no_basis(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    before = await story.balances()

    await story.start_withdrawal("D-1001:M1:withdrawal:1")

    assert (await story.withdrawal_ends("D-1001:M1:withdrawal:1")).status == "refused"
    assert await story.balances() == before


async def test_a_standing_order_withdraws_releases_and_no_refunds(story: Story) -> None:
    await story.paid_order(withdraw_automatically=True)
    await story.cancels(OWNER)
    before = await story.balances()

    for number in range(1, 6):
        await story.start_withdrawal(f"D-1001:M{number}:withdrawal:1")
        assert (await story.withdrawal_ends(f"D-1001:M{number}:withdrawal:1")).status == "refused"

    assert await story.balances() == before


async def test_what_is_not_held_is_neither_sent_nor_asked_about(story: Story) -> None:
    await story.payee_has("20,000.00")
    await story.consents_to_withdraw("20,000.01", withdrawal_no="W-666")
    thief, number = thief_at(story, "W-666")
    taken = await thief.runs(thief.activities.withdrawals.take_withdrawal, TakeWithdrawal(**number.model_dump()))
    assert taken.view is None

    for activity in (thief.activities.withdrawals.send_payout, thief.activities.withdrawals.ask_about_payout):
        with pytest.raises(Refused, match="not_found"):
            await thief.runs(activity, number)

    assert await story.payouts_at_bank() == []
    assert await story.balances() == {"C-1/withdrawable": "20,000.00"}


# ---- rules that a caller of the API meets too ----


async def test_limits_functions_fees_and_states_of_members_are_met_by_whoever_writes_to_temporal(
    story_under: StoryUnder,
) -> None:
    config = PlatformConfig(
        top_up_settlement=Settlement.T_PLUS_0,
        withdrawal_fee_fen=100,
        limits=Limits(withdrawal_fen=yuan("5,000.00"), withdrawals_per_day_fen=yuan("8,000.00")),
    )
    async with story_under(config) as story:
        await story.payee_has("20,000.00")
        await refused(story, "5,000.01", "limit_exceeded", fee_fen=100)
        await refused(story, "1.00", "fee_differs", fee_fen=99)
        await refused(story, "1.00", "account_not_bound", fee_fen=100, account_id="A-none")
        await refused(story, "1.00", "member_unknown", fee_fen=100, member_no="C-none")
        await story.withdraws("5,000.00", fee_fen=100)
        assert (await story.withdrawal_ends()).status == "paid"
        await refused(story, "3,000.01", "limit_exceeded", fee_fen=100)
        await story.stage.registry.members.open(
            story.platform_no, member_no="C-2", kind=MemberKind.PERSON, name="李四", mobile=None
        )
        await refused(story, "1.00", "identity_required", fee_fen=100, member_no="C-2")
        await story.platform_has(functions=FunctionSwitches(withdrawal=False))
        await refused(story, "1.00", "function_off", fee_fen=100)


async def test_what_failed_uses_nothing_of_the_limit_of_its_day(story_under: StoryUnder) -> None:
    config = PlatformConfig(
        top_up_settlement=Settlement.T_PLUS_0, limits=Limits(withdrawals_per_day_fen=yuan("20,000.00"))
    )
    async with story_under(config) as story:
        await story.payee_has("20,000.00")
        for _ in range(3):
            await story.stage.sandbox.steer.next_suffers("declined")
        await story.withdraws("20,000.00")
        assert (await story.withdrawal_ends()).status == "returned"

        await story.withdraws("20,000.00", withdrawal_no="W-2")

        assert (await story.withdrawal_ends("W-2")).status == "paid"


async def test_two_at_once_never_use_the_same_money_or_more_than_the_limit(story_under: StoryUnder) -> None:
    config = PlatformConfig(
        top_up_settlement=Settlement.T_PLUS_0, limits=Limits(withdrawals_per_day_fen=yuan("12,000.00"))
    )
    async with story_under(config) as story:
        await story.payee_has("20,000.00")
        numbers = [f"W-{number}" for number in range(8)]

        await asyncio.gather(*(story.withdraws("4,000.00", withdrawal_no=number) for number in numbers))
        ended = [(await story.withdrawal_ends(number)).status for number in numbers]

        assert sorted(ended) == ["paid"] * 3 + ["refused"] * 5
        assert (await story.balances())["C-1/withdrawable"] == "8,000.00"


# ---- the platform's own money ----


async def test_the_platforms_own_money_is_not_held_on_its_key_alone(story: Story) -> None:
    await own_money(story, "20,000.00")
    await story.consents_to_withdraw(
        "20,000.00", withdrawal_no="W-666", member_no="", account_id="OWN-1", method="platform_key"
    )

    await story.start_withdrawal("W-666")

    assert (await story.withdrawal_ends("W-666")).status == "refused"
    assert await story.refusal_of_withdrawal("W-666") == "authorisation_required"
    assert await story.balances() == {"own": "20,000.00"}
    assert await story.payouts_at_bank() == []


async def test_a_contact_persons_code_for_one_withdrawal_of_the_platform_takes_no_other_money(story: Story) -> None:
    await own_money(story, "20,000.00")
    await story.consents_to_withdraw("100.00", withdrawal_no="W-1", member_no="")

    for number in ("W-1", "W-666"):
        await story.start_withdrawal(number)

    assert (await story.withdrawal_ends("W-1")).status == "paid"
    assert (await story.withdrawal_ends("W-666")).status == "refused"
    assert (await story.balances())["own"] == "19,900.00"


# ---- what is under way ----


async def with_a_payout_under_way(story: Story) -> None:
    """The contractor withdraws; the bank has the payment order and is not done with it; the process is ended."""
    await story.payee_has("60,000.00")
    await story.stage.sandbox.steer.next_suffers("stuck")
    await story.withdraws("20,000.00")
    await story.withdrawal_is("submitted")
    await terminated_at_rest(story.withdrawal(), "a thief")


async def test_a_payout_under_way_is_never_followed_by_another_and_not_given_back(story: Story) -> None:
    await with_a_payout_under_way(story)
    before = await story.balances()

    await story.start_withdrawal()
    for _ in range(10):
        await story.hours_pass(1)
        await asyncio.sleep(0.2)

    assert await story.payouts_at_bank() == [("SUPER_ONLINE", "20000.00", "PROCESSING")]
    assert await story.balances() == before


@pytest.mark.parametrize("activity", ["send_payout", "ask_about_payout", "take_withdrawal", "announce_withdrawal"])
async def test_an_activity_that_anybody_repeats_at_will_sends_and_moves_nothing_more(
    story: Story, activity: str
) -> None:
    await with_a_payout_under_way(story)
    before = await story.balances()
    thief, number = thief_at(story, "W-1")
    run: Callable[..., Awaitable[Any]] = getattr(thief.activities.withdrawals, activity)
    request = TakeWithdrawal(**number.model_dump(), overdue_at=3) if activity == "take_withdrawal" else number

    await asyncio.gather(*(thief.runs(run, request) for _ in range(10)))

    assert await story.payouts_at_bank() == [("SUPER_ONLINE", "20000.00", "PROCESSING")]
    assert await story.balances() == before
    assert (await story.in_the_books("withdrawal", "W-1")).body["attention"] == ""
    assert await story.texts() == []


async def test_one_payment_order_leaves_however_many_send_it_at_once(story: Story) -> None:
    await story.payee_has("60,000.00")
    await story.stage.sandbox.steer.set_bank_health("DOWN")
    await story.withdraws("20,000.00")
    await story.withdrawal_is("held")
    await terminated_at_rest(story.withdrawal(), "a thief")
    await story.stage.sandbox.steer.set_bank_health("UP")
    thief, number = thief_at(story, "W-1")

    await asyncio.gather(*(thief.runs(thief.activities.withdrawals.send_payout, number) for _ in range(10)))

    assert [amount for _, amount, _ in await story.payouts_at_bank()] == ["20000.00"]
    await story.start_withdrawal()
    assert (await story.withdrawal_ends()).status == "paid"


async def test_a_second_process_of_a_withdrawal_under_another_id_pays_nothing_twice(story: Story) -> None:
    await story.payee_has("60,000.00")
    await story.consents_to_withdraw("20,000.00", withdrawal_no="W-666")

    stranger = await story.start_withdrawal("W-666", workflow_id="withdrawal/somebody/else")
    await story.start_withdrawal("W-666")

    assert (await story.ending_of(stranger)).status == "paid"
    assert (await story.withdrawal_ends("W-666")).status == "paid"
    assert [amount for _, amount, _ in await story.payouts_at_bank()] == ["20000.00"]


async def test_the_number_of_an_ended_withdrawal_is_never_paid_again(story: Story) -> None:
    await story.payee_has("60,000.00")
    await story.withdraws("20,000.00")
    await story.withdrawal_ends()
    before = await story.balances()

    again = await story.start_withdrawal()

    assert (await story.ending_of(again)).status == "paid"
    assert len(await story.payouts_at_bank()) == 1
    assert await story.balances() == before


async def test_a_payout_goes_to_the_account_for_which_it_was_held(story: Story) -> None:
    await story.payee_has("60,000.00", CONTRACTORS_ACCOUNT)
    await story.stage.sandbox.steer.set_bank_health("DOWN")
    await story.withdraws("20,000.00")
    await story.withdrawal_is("held")
    await story.stage.registry.bank_accounts.bind(story.platform_no, CONTRACTOR, ANOTHER_OF_THE_CONTRACTOR)
    await story.stage.sandbox.steer.set_bank_health("UP")

    outcome = await story.withdrawal_ends()

    assert outcome.status == "paid"
    assert await paid_to(story, str(outcome.bank_serial_no)) == CONTRACTORS_ACCOUNT.account_no


async def test_an_activity_that_somebody_else_answers_is_believed_by_its_process_alone(story_at: StoryAt) -> None:
    async with story_at(TUESDAY_MORNING) as story:
        await story.payee_has("60,000.00")
        await story.stage.sandbox.steer.next_suffers("stuck")
        await story.withdraws("20,000.00")
        await story.withdrawal_is("submitted")
        await story.stage.sandbox.steer.next_suffers("timeout_booked", "read")
        await story.withdrawal().signal("bank_notice", {"notice_id": "1", "kind": "payout"})

        async def the_bank_is_asked() -> bool:
            return bool((await story.withdrawal().describe()).raw_description.pending_activities)

        await story.until(the_bank_is_asked, "the withdrawal asks the bank")
        [pending] = (await story.withdrawal().describe()).raw_description.pending_activities
        invented = WithdrawalView(
            version=99,
            status=WithdrawalStatus.PAID,
            principal_fen=yuan("20,000.00"),
            member_no=CONTRACTOR,
            rail=Rail.IBPS,
            seen_at=await story.now(),
        )
        asked = story.stage.client.get_async_activity_handle(
            workflow_id=story.withdrawal().id, run_id=None, activity_id=pending.activity_id
        )
        await asked.complete(invented)

        assert (await story.withdrawal_ends()).status == "paid"
        assert (await story.in_the_books("withdrawal", "W-1")).status == "submitted"
        assert (await story.balances())["C-1/payout:W-1"] == "20,000.00"
        await story.stage.sandbox.steer.move_clock(story.stage.custody_account_no, by=STUCK)
        await story.start_withdrawal()
        assert (await story.withdrawal_ends()).status == "paid"
        assert "C-1/payout:W-1" not in await story.balances()


async def test_money_is_held_once_however_many_ask_for_it_at_once(story: Story) -> None:
    await story.payee_has("60,000.00")
    await story.consents_to_withdraw("20,000.00", withdrawal_no="W-1")
    thief, number = thief_at(story, "W-1")
    request = TakeWithdrawal(**number.model_dump())

    await asyncio.gather(*(thief.runs(thief.activities.withdrawals.take_withdrawal, request) for _ in range(10)))

    assert await story.balances() == {"C-1/withdrawable": "40,000.00", "C-1/payout:W-1": "20,000.00"}
    await story.start_withdrawal()
    assert (await story.withdrawal_ends()).status == "paid"


# ---- parts ----


async def refused(story: Story, amount: str, code: str, **terms: Any) -> None:
    """What is asked for with a recorded consent is refused by the books with this code, and nothing is entered."""
    number = f"W-{code}-{amount.replace(',', '').replace('.', '')}"
    await story.withdraws(amount, withdrawal_no=number, **terms)
    assert (await story.withdrawal_ends(number)).status == "refused"
    assert await story.refusal_of_withdrawal(number) == code


async def own_money(story: Story, amount: str) -> None:
    """The platform has transferred this much of its own to the custody account."""
    await story.transfer_arrives(amount, PLATFORMS_ACCOUNT_NO, PLATFORM_NAME)
    await story.bank_lines_are_booked()


def thief_at(story: Story, withdrawal_no: str) -> tuple[Accomplice, WithdrawalNo]:
    """A worker of the thief's, under no process of ours, and the withdrawal that it names."""
    number = WithdrawalNo(platform_no=story.platform_no, withdrawal_no=withdrawal_no)
    return Accomplice(story.stage, "somebody/else"), number
