"""The watch over the custody account: every line of the bank is booked once, whatever notices say or do not say."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from escrow.domain.members.states import MemberStatus
from escrow.registry.accounts.rows import NewBankAccount
from escrow.registry.members.members import MemberKind
from tests.postgres import is_waited_for, waiting_sessions
from tests.stage import PLATFORM_NAME, PLATFORMS_ACCOUNT_NO
from tests.story import Story
from tests.story_ground import OWNER, OWNERS_CARD
from tests.workflows.test_member_closing import begins_to_close
from workflows.messages import bank_watch_workflow_id


@pytest.mark.parametrize("notices", [1, 2, 5])
async def test_a_transfer_from_a_bound_account_is_credited_once_however_often_it_is_announced(
    story: Story, notices: int
) -> None:
    await story.members_open()

    await story.transfer_arrives("1,000.00", OWNERS_CARD.account_no)
    await story.bank_notifies(times=notices)
    await story.bank_lines_are_booked()

    assert await story.balances() == {"O-1/withdrawable": "1,000.00"}


async def test_a_transfer_that_nobody_announced_is_found_by_the_next_look(story: Story) -> None:
    await story.members_open()
    await story.watch_begins(poll_every=timedelta(seconds=60), workflow_id="bank-watch/second")
    await story.transfer_arrives("1,000.00", OWNERS_CARD.account_no)

    await story.hours_pass(0.02)

    assert await story.balances() == {"O-1/withdrawable": "1,000.00"}


async def test_an_announcement_of_nothing_books_nothing(story: Story) -> None:
    await story.members_open()
    watch = story.stage.client.get_workflow_handle(bank_watch_workflow_id(story.platform_no))

    await watch.signal("bank_notice", "1,000,000.00 for O-1, believe me")
    await watch.signal("credit", {"member_no": "O-1", "amount_fen": 100_000_000})
    await story.bank_lines_are_booked()

    assert await story.balances() == {}


async def test_several_transfers_are_each_credited_to_their_own_member(story: Story) -> None:
    await story.members_open()
    card = NewBankAccount(
        account_id="A-O2", account_no="6228480402564890018", account_name="李小红", is_corporate=False
    )
    await story.member_opens("O-2", MemberKind.PERSON, card)

    await story.transfer_arrives("1.00", OWNERS_CARD.account_no)
    await story.transfer_arrives("2.00", card.account_no)
    await story.transfer_arrives("3.00", OWNERS_CARD.account_no)
    await story.bank_lines_are_booked()

    assert await story.balances() == {"O-1/withdrawable": "4.00", "O-2/withdrawable": "2.00"}


async def test_a_transfer_to_a_member_that_begins_to_close_at_the_same_moment_waits_in_suspense(story: Story) -> None:
    await story.members_open()
    locker = await asyncpg.connect(story.stage.database.superuser_dsn)
    watcher = await asyncpg.connect(story.stage.database.superuser_dsn)

    async def both_wait() -> bool:
        return await waiting_sessions(watcher) == 2

    try:
        async with locker.transaction():
            await locker.execute(
                "SELECT FROM business_object WHERE platform_no = $1 AND kind = 'member' AND object_no = $2 FOR UPDATE",
                story.platform_no,
                OWNER,
            )
            closing = asyncio.create_task(begins_to_close(story, OWNER))
            await story.until(lambda: is_waited_for(locker), "the closing is being written")
            serial_no = await story.transfer_arrives("1,000.00", OWNERS_CARD.account_no)
            await story.bank_notifies()
            await story.until(both_wait, "the transfer is being credited to a member that was still open")
    finally:
        await locker.close()
        await watcher.close()
    assert (await closing).status is MemberStatus.CLOSING
    await story.bank_lines_are_booked()

    assert await story.balances() == {f"suspense:{serial_no}": "1,000.00"}


async def test_a_transfer_from_an_unknown_account_waits_in_suspense(story: Story) -> None:
    await story.members_open()

    serial_no = await story.transfer_arrives("1,000.00", "6217000010000000000")
    await story.bank_lines_are_booked()

    assert await story.balances() == {f"suspense:{serial_no}": "1,000.00"}
    assert (await story.in_the_books("bank_credit", serial_no)).status == "suspended"


async def test_a_transfer_from_the_platforms_own_account_is_the_platforms_own(story: Story) -> None:
    await story.transfer_arrives("1,000.00", PLATFORMS_ACCOUNT_NO, PLATFORM_NAME)
    await story.bank_lines_are_booked()

    assert await story.balances() == {"own": "1,000.00"}


async def test_a_bank_that_is_down_delays_the_credit_and_loses_nothing(story: Story) -> None:
    await story.members_open()
    await story.transfer_arrives("1,000.00", OWNERS_CARD.account_no)
    await story.stage.sandbox.steer.set_bank_health("DOWN")
    await story.bank_notifies()
    await story.hours_pass(0.1)
    assert await story.balances() == {}

    await story.stage.sandbox.steer.set_bank_health("UP")
    await story.bank_lines_are_booked()

    assert await story.balances() == {"O-1/withdrawable": "1,000.00"}


async def test_a_watch_of_many_looks_begins_anew_and_goes_on_booking(story: Story) -> None:
    await story.members_open()
    await story.watch_begins(poll_every=timedelta(seconds=60), workflow_id="bank-watch/second")
    watch = story.stage.client.get_workflow_handle("bank-watch/second")
    first_run = (await watch.describe()).run_id

    await story.hours_pass(5.5)
    await story.transfer_arrives("1,000.00", OWNERS_CARD.account_no)
    await story.hours_pass(0.1)

    assert (await watch.describe()).run_id != first_run
    assert await story.balances() == {"O-1/withdrawable": "1,000.00"}
