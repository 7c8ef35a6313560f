"""Recordings of withdrawals, so that together they go every way that the workflow of a withdrawal knows."""

from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowHandle

from escrow.domain.withdrawals.rails import Rail
from escrow.ledger.books_time import books_now, move_story
from escrow.registry.members.members import MemberKind
from tests.story import Story
from tests.story_ground import CONTRACTOR, CONTRACTORS_ACCOUNT
from workflows.messages import PAYMENTS_TASK_QUEUE, WithdrawalRef, withdrawal_workflow_id
from workflows.withdrawal import Withdrawal

Recorded = WorkflowHandle[Any, Any]
_STUCK, _MORE_THAN_A_DAY = timedelta(minutes=11), timedelta(hours=25)
_MORE_THAN_TRIED_TWICE = 10


async def withdrawal_found_by_asking(story: Story) -> Recorded:
    """The payment order was booked and its answer lost; an SMS was sent."""
    await story.payee_has("60,000.00")
    await story.stage.sandbox.steer.next_suffers("timeout_booked")
    await story.withdraws("60,000.00")
    await story.withdrawal_ends()
    return story.withdrawal()


async def withdrawal_over_the_third_rail(story: Story) -> Recorded:
    """Declined, then never arrived twice, then paid."""
    await story.payee_has("20,000.00")
    for misfortune in ("declined", "timeout_not_booked", "timeout_not_booked"):
        await story.stage.sandbox.steer.next_suffers(misfortune)
    await story.withdraws("20,000.00")
    await story.withdrawal_ends()
    return story.withdrawal()


async def withdrawal_returned(story: Story) -> Recorded:
    """Declined by every rail: the money is given back."""
    await story.payee_has("20,000.00")
    for _ in range(3):
        await story.stage.sandbox.steer.next_suffers("declined")
    await story.withdraws("20,000.00")
    await story.withdrawal_ends()
    return story.withdrawal()


async def withdrawal_refused(story: Story) -> Recorded:
    """More than there is; a message that it does not take came before it was begun."""
    await story.payee_has("19,999.99")
    await story.consents_to_withdraw("20,000.00", withdrawal_no="W-1")
    await story.stage.client.start_workflow(
        Withdrawal.run,
        WithdrawalRef(platform_no=story.platform_no, withdrawal_no="W-1"),
        id=withdrawal_workflow_id(story.platform_no, "W-1"),
        task_queue=PAYMENTS_TASK_QUEUE,
        start_signal="bless",
    )
    await story.withdrawal_ends()
    return story.withdrawal()


async def withdrawal_queued(story: Story) -> Recorded:
    """Too much for any rail but the large-value one, which is made to open again after a disturbance."""
    await story.payee_has("1,000,000.01")
    await story.stage.sandbox.steer.set_rail_health(Rail.HVPS, "DOWN")
    await story.withdraws("1,000,000.01")
    await story.withdrawal_is("queued")
    await story.withdrawal().signal("look")
    await story.withdrawal().cancel()
    await story.stage.sandbox.steer.set_rail_health(Rail.HVPS, "UP")
    await story.withdrawal_ends()
    return story.withdrawal()


async def withdrawal_of_one_without_a_mobile(story: Story) -> Recorded:
    """A large one, of which nobody can be told: that is noted, and so is a message that it does not take."""
    await story.member_opens(CONTRACTOR, MemberKind.COMPANY, CONTRACTORS_ACCOUNT)
    await story.transfer_arrives("60,000.00", CONTRACTORS_ACCOUNT.account_no, CONTRACTORS_ACCOUNT.account_name)
    await story.bank_lines_are_booked()
    await story.stage.sandbox.steer.next_suffers("stuck")
    await story.withdraws("60,000.00")
    await story.withdrawal_is("submitted")
    await story.withdrawal().signal("bless")
    await story.stage.sandbox.steer.move_clock(story.stage.custody_account_no, by=_STUCK)
    await story.withdrawal_ends()
    return story.withdrawal()


async def withdrawal_announced_after_its_end(story: Story) -> Recorded:
    """A large one, of which nobody hears for a while: the text is tried again until it is sent."""
    await story.payee_has("60,000.00")
    for _ in range(_MORE_THAN_TRIED_TWICE):
        await story.stage.sandbox.steer.next_suffers("timeout_not_booked", "sms")
    await story.withdraws("60,000.00")
    await story.withdrawal_ends()
    return story.withdrawal()


async def withdrawal_while_the_bank_is_away(story: Story) -> Recorded:
    """The bank does not say which rails are open, and later for a day not what became of the payment order."""
    await story.payee_has("20,000.00")
    steer = story.stage.sandbox.steer
    await steer.set_bank_health("DOWN")
    await story.withdraws("20,000.00")
    await story.until(lambda: _is_in_trouble(story), "the rails cannot be asked about")
    await story.hours_pass(0.01)
    await steer.next_suffers("stuck")
    await steer.set_bank_health("UP")
    await story.withdrawal().signal("look")
    await story.withdrawal_is("submitted")
    await steer.set_bank_health("DOWN")
    await story.withdrawal().signal("bank_notice", {"notice_id": "1", "kind": "payout"})
    await story.until(lambda: _is_in_trouble(story), "the bank cannot be asked")
    recorder = story.stage.recorder
    await move_story(recorder, story.platform_no, await books_now(recorder, story.platform_no) + _MORE_THAN_A_DAY)
    await story.withdrawal().signal("look")
    await story.withdrawal_is("needs_attention")
    await story.hours_pass(0.2)
    await steer.set_bank_health("UP")
    await steer.move_clock(story.stage.custody_account_no, by=_STUCK)
    await story.operator_resumes(story.withdrawal())
    await story.withdrawal_ends()
    return story.withdrawal()


async def withdrawal_in_a_year_without_a_calendar(story: Story) -> Recorded:
    """Nobody knows the working days: an operator is called, resumes it in vain, then nobody comes; still running."""
    await story.payee_has("1,000,000.01")
    await story.withdraws("1,000,000.01")
    await story.until(lambda: _needs_attention(story), "an operator is called")
    await story.operator_resumes(story.withdrawal())
    await story.until(lambda: _needs_attention(story), "an operator is called again")
    await story.hours_pass(1.1)
    return story.withdrawal()


async def withdrawal_continued_as_new(story: Story) -> Recorded:
    """The first run of a withdrawal of which nobody knows what became of its payment order."""
    await story.payee_has("20,000.00")
    await story.stage.sandbox.steer.next_suffers("stuck")
    await story.withdraws("20,000.00", continue_after_events=20)
    first_run = (await story.withdrawal().describe()).run_id
    await story.withdrawal_is("submitted")
    await story.hours_pass(2)

    async def goes_on() -> bool:
        return bool((await story.withdrawal().describe()).run_id != first_run)

    await story.until(goes_on, "it continues as new")
    await story.stage.sandbox.steer.move_clock(story.stage.custody_account_no, by=_STUCK)
    await story.withdrawal_ends()
    return story.stage.client.get_workflow_handle(story.withdrawal().id, run_id=first_run)


async def _is_in_trouble(story: Story) -> bool:
    return bool((await story.withdrawal_state()).trouble)


async def _needs_attention(story: Story) -> bool:
    return bool((await story.withdrawal_state()).attention)


RECORDINGS = (
    withdrawal_found_by_asking,
    withdrawal_over_the_third_rail,
    withdrawal_returned,
    withdrawal_refused,
    withdrawal_queued,
    withdrawal_of_one_without_a_mobile,
    withdrawal_announced_after_its_end,
    withdrawal_while_the_bank_is_away,
    withdrawal_in_a_year_without_a_calendar,
    withdrawal_continued_as_new,
)
#: Stories that begin at another moment than the others.
BEGINS_AT = {withdrawal_in_a_year_without_a_calendar.__name__: "2028-03-07T10:00:00+08:00"}
