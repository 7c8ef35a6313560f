"""The platform's own money and its debts to the bank; and a holding of money that is asked for twice."""

from activities.withdrawals import TakeWithdrawal
from tests.accomplice import Accomplice
from tests.stage import PLATFORM_NAME, PLATFORMS_ACCOUNT_NO
from tests.story import Story
from workflows.messages import withdrawal_workflow_id


async def test_a_platform_that_owes_bank_charges_pays_them_before_it_withdraws_anything(story: Story) -> None:
    await story.payee_has("20,000.00")
    await story.withdraws("20,000.00")
    await story.withdrawal_ends()
    await story.bank_lines_are_booked()
    await story.balances_become({"bank_charges": "-10.00"})

    await story.transfer_arrives("4.00", PLATFORMS_ACCOUNT_NO, PLATFORM_NAME)
    await story.bank_lines_are_booked()
    await story.balances_become({"bank_charges": "-6.00"})
    await story.withdraws("1.00", withdrawal_no="W-2", member_no="")
    assert (await story.withdrawal_ends("W-2")).status == "refused"
    assert await story.refusal_of_withdrawal("W-2") == "bank_charges_owed"

    await story.transfer_arrives("100.00", PLATFORMS_ACCOUNT_NO, PLATFORM_NAME)
    await story.bank_lines_are_booked()
    await story.balances_become({"own": "94.00"})
    await story.withdraws("94.00", withdrawal_no="W-3", member_no="")
    assert (await story.withdrawal_ends("W-3")).status == "paid"
    assert await story.balances() == {}


async def test_money_held_once_stays_held_when_the_worker_asks_again_after_the_fee_has_changed(story: Story) -> None:
    await story.payee_has("20,000.00")
    await story.withdraws("20,000.00")
    await story.withdrawal_ends()
    balances = await story.balances()
    await story.platform_has(withdrawal_fee_fen=100)
    worker = Accomplice(story.stage, withdrawal_workflow_id(story.platform_no, "W-1"))

    again = await worker.runs(
        worker.activities.withdrawals.take_withdrawal,
        TakeWithdrawal(platform_no=story.platform_no, withdrawal_no="W-1"),
    )

    assert (again.view.status, again.refusal) == ("paid", None)
    assert await story.balances() == balances


async def test_what_was_asked_for_keeps_the_fee_of_the_day_on_which_it_was(story: Story) -> None:
    await story.payee_has("20,000.00")
    version = await story.platform_has(withdrawal_fee_fen=100)
    await story.consents_to_withdraw("1,000.00", withdrawal_no="W-1", fee_fen=100, config_version=version)
    await story.platform_has(withdrawal_fee_fen=300)

    await story.start_withdrawal()

    assert (await story.withdrawal_ends()).status == "paid"
    assert (await story.balances())["C-1/withdrawable"] == "18,999.00"
