"""The platform's own money and its debts to the bank; and a holding of money that is asked for twice."""

from dataclasses import replace

from temporalio.testing import ActivityEnvironment

from activities.payments import HoldReceipt
from activities.withdrawal_permits import HoldMoney
from escrow.domain.platforms.config import PlatformConfig
from escrow.registry.platforms.file import OwnBankAccount, PlatformFile
from tests.stage import PLATFORM_NAME, PLATFORMS_ACCOUNT_NO, settings_for
from tests.story import Story
from worker import Activities
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
    assert (await story.in_the_books("withdrawal", "W-2")).body["refusal"] == "bank_charges_owed"

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
    history = await story.withdrawal().fetch_history()
    [payload] = [
        event.activity_task_scheduled_event_attributes.input.payloads[0]
        for event in history.events
        if event.activity_task_scheduled_event_attributes.activity_type.name == "hold_money"
    ]
    [request] = await story.stage.client.data_converter.decode([payload], [HoldMoney])
    file = PlatformFile(
        platform_no=story.platform_no,
        name=PLATFORM_NAME,
        contact_mobile="13900000001",
        own_bank_account=OwnBankAccount(account_id="OWN-1", account_no=PLATFORMS_ACCOUNT_NO, cnaps_code="307584007998"),
        config=PlatformConfig(withdrawal_fee_fen=100),
    )
    await story.stage.registry.open_platform(file, custody_account_no=story.stage.custody_account_no)

    environment = ActivityEnvironment()
    workflow_id = withdrawal_workflow_id(story.platform_no, "W-1")
    environment.info = replace(environment.info, workflow_id=workflow_id)
    stage = story.stage
    activities = Activities(settings_for(stage.database, stage.sandbox), stage.writer, stage.reader, stage.sandbox.bank)
    again: HoldReceipt = await environment.run(activities.payments.hold_money, request)

    assert again.account_id == (await story.in_the_books("withdrawal", "W-1")).body["account_id"]
    assert await story.balances() == balances
