"""Recordings of members' processes to which nobody answers for long, and of runs that end since they grew long."""

from typing import Any

from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from activities.rounds import TakeUp
from escrow.registry.members.identity_checks import IdentitySubject
from escrow.registry.members.members import MemberKind
from tests.identities import CITIZEN_ID
from tests.story import Story
from tests.story_debits import Debtors
from tests.story_ground import OWNER, details_of
from tests.terminating import terminated_at_rest
from tests.workflows.test_identity_check import TEST_NAME, begin_check
from workflows.member_closing import MemberClosing
from workflows.messages import ORDERS_TASK_QUEUE, PAYMENTS_TASK_QUEUE, MemberClosingInput
from workflows.rounds import ROUNDS_WORKFLOW_ID, Rounds, RoundsInput

Recorded = WorkflowHandle[Any, Any]


# ---- nobody answers ----


async def identity_checked_late(story: Story) -> Recorded:
    """The register is away for hours; the process is cancelled in vain, told to look, and resumed by an operator."""
    await story.stage.registry.members.open(story.platform_no, member_no=OWNER, kind=MemberKind.PERSON, name=TEST_NAME)
    await story.stage.sandbox.steer.set_service_health("REGISTER", "DOWN")
    handle: Recorded = await begin_check(story, OWNER, IdentitySubject(id_no=CITIZEN_ID), "IC-1")
    await _asked_in_vain(story, handle)
    await story.stage.sandbox.steer.set_service_health("REGISTER", "UP")
    await story.operator_resumes(handle)
    await story.ending_of(handle)
    return handle


async def mandate_ended_late(story: Story) -> Recorded:
    """A revoked mandate that the bank cannot be told of for hours."""
    members = Debtors(story)
    await members.open()
    await members.signs()
    await story.stage.sandbox.steer.set_bank_health("DOWN")
    await members.revokes()
    handle = members.mandate_process()
    await handle.signal("look")
    await _asked_in_vain(story, handle)
    await story.stage.sandbox.steer.set_bank_health("UP")
    await story.operator_resumes(handle)
    await story.ending_of(handle)
    return handle


async def member_that_was_never_closing(story: Story) -> Recorded:
    """Nobody asked for the closing that it is about."""
    await story.members_open()
    handle = await story.stage.client.start_workflow(
        MemberClosing.run,
        MemberClosingInput(platform_no=story.platform_no, member_no=OWNER, request_no="CL-none"),
        id="whatever",
        task_queue=PAYMENTS_TASK_QUEUE,
    )
    await story.ending_of(handle)
    return handle


# ---- begun anew ----


async def mandate_continued_as_new(story: Story) -> Recorded:
    """A long history of a mandate that is told to look: the run that ended so."""
    members = Debtors(story)
    await members.open()
    await members.signs()
    await terminated_at_rest(members.mandate_process(), "an accident")
    first = await members.looked_after(continue_after_events=12)
    return await _told_to_look_until_another_run_begins(story, first)


async def rounds_continued_as_new(story: Story) -> Recorded:
    """Rounds that an operator and others have look at once, and of which a long history ends."""
    await story.paid_order()
    first = await story.stage.client.start_workflow(
        Rounds.run, RoundsInput(continue_after_events=20), id=ROUNDS_WORKFLOW_ID, task_queue=ORDERS_TASK_QUEUE
    )
    await first.execute_update("resume", TakeUp(platform_no=story.platform_no, object_no="D-1001"))
    return await _told_to_look_until_another_run_begins(story, first)


async def _asked_in_vain(story: Story, handle: Recorded) -> None:
    """Hours pass without an answer; a cancellation ends nothing, a look changes nothing; an operator is called."""
    await story.hours_pass(0.3)
    await handle.cancel()
    await handle.signal("look")

    async def is_called() -> bool:
        await story.hours_pass(0.02)
        return "NEEDS ATTENTION" in await details_of(handle)

    await story.until(is_called, f"an operator is called to {handle.id}")


async def _told_to_look_until_another_run_begins(story: Story, first: Recorded) -> Recorded:
    current = story.stage.client.get_workflow_handle(first.id)

    async def goes_on() -> bool:
        await current.signal("look")
        await story.hours_pass(0.01)
        return (await current.describe()).run_id != first.first_execution_run_id

    await story.until(goes_on, "it continues as new")
    assert (await current.describe()).status is WorkflowExecutionStatus.RUNNING
    return story.stage.client.get_workflow_handle(first.id, run_id=first.first_execution_run_id)


RECORDINGS = (
    identity_checked_late,
    mandate_ended_late,
    member_that_was_never_closing,
    mandate_continued_as_new,
    rounds_continued_as_new,
)
