"""What looks after members is ended anywhere and begun anew: it goes on from the books; a cancel ends nothing."""

from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import WorkflowIDReusePolicy

from escrow.domain.collections.mandates import MandateStatus
from escrow.domain.members.code_checks import CodeCheck
from tests.story import Story
from tests.story_debits import MANDATE
from tests.story_ground import OWNER
from tests.terminating import terminated_at_rest
from tests.workflows.test_direct_debit import debtors
from tests.workflows.test_member_closing import begins_to_close, waits_to_close
from tests.workflows.verifying import begun, platform_has_own_money, standing, what_the_holder_sees
from workflows.account_verification import AccountVerification
from workflows.mandate import MandateProcess
from workflows.member_closing import MemberClosing
from workflows.messages import (
    PAYMENTS_TASK_QUEUE,
    AccountVerificationInput,
    MemberClosingInput,
    account_verification_workflow_id,
    member_closing_workflow_id,
)


async def is_ended(handle: WorkflowHandle[Any, Any]) -> None:
    await terminated_at_rest(handle, "an accident")


async def test_a_mandate_that_was_revoked_while_nobody_looked_after_it_is_told_to_the_bank(story: Story) -> None:
    members = await debtors(story)
    await is_ended(members.mandate_process())
    await members.revokes()

    handle = await members.looked_after()

    assert await story.ending_of(handle) == "revoked"
    mandate = await members.mandate()
    assert mandate.deregistered_at is not None
    again = await members.looked_after()  # told once more, it finds nothing to do
    assert await story.ending_of(again) == "revoked"
    assert (await members.mandate()).deregistered_at == mandate.deregistered_at


async def test_no_cancel_ends_what_looks_after_a_mandate_at_whichever_step(story: Story) -> None:
    members = await debtors(story)
    handle = members.mandate_process()
    await handle.cancel()
    await story.hours_pass(1)
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    await members.revokes()
    await handle.signal("look")
    await members.mandate_is(MandateStatus.REVOKED)
    assert await story.ending_of(handle) == "revoked"
    assert (await members.mandate(MANDATE)).deregistered_at is not None
    assert [note.name for note in await handle.query(MandateProcess.noted)] == ["temporal cancel"]


async def test_a_long_history_of_a_mandate_goes_on_in_a_new_run(story: Story) -> None:
    members = await debtors(story)
    await is_ended(members.mandate_process())
    handle = await members.looked_after(continue_after_events=12)
    for _ in range(3):
        await handle.signal("look")
        await story.hours_pass(0.01)

    current = members.mandate_process()
    assert (await current.describe()).run_id != handle.first_execution_run_id
    await members.revokes()
    await current.signal("look")
    assert await story.ending_of(current) == "revoked"


async def _verified_anew(story: Story) -> WorkflowHandle[Any, Any]:
    return await story.stage.client.start_workflow(
        AccountVerification.run,
        AccountVerificationInput(platform_no=story.platform_no, verification_no="V-1"),
        id=account_verification_workflow_id(story.platform_no, "V-1"),
        task_queue=PAYMENTS_TASK_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    )


async def test_a_try_that_was_counted_and_of_which_nobody_heard_is_compared_when_it_begins_anew(story: Story) -> None:
    await story.members_open()
    await platform_has_own_money(story)
    await is_ended(await begun(story, OWNER, "A-O1"))
    seen = await what_the_holder_sees(story)
    tries = story.stage.registry.verification_tries
    number = await tries.count(story.platform_no, "V-1", "T-1", **seen)

    assert await story.ending_of(await _verified_anew(story)) == "verified"

    assert (await tries.typed(story.platform_no, "V-1", number)).outcome is CodeCheck.ACCEPTED


async def test_a_verification_that_begins_anew_sends_nothing_again_and_expires_when_it_would_have(story: Story) -> None:
    await story.members_open()
    await platform_has_own_money(story)
    await is_ended(await begun(story, OWNER, "A-O1"))
    expires_at = (await standing(story)).expires_at
    await story.hours_pass(47)

    handle = await _verified_anew(story)
    await handle.cancel()

    assert await story.ending_of(handle, step=timedelta(minutes=10)) == "expired"
    assert (await standing(story)).expires_at == expires_at
    assert len([line for line in await story.texts() if "鉴权" in line]) == 1


async def test_a_closing_that_begins_anew_ends_when_it_would_have(story: Story) -> None:
    await story.members_open()
    closing = await begins_to_close(story, OWNER)
    await is_ended(await waits_to_close(story, closing))

    ref = MemberClosingInput(platform_no=story.platform_no, member_no=OWNER, request_no=closing.request_no)
    again = await story.stage.client.start_workflow(
        MemberClosing.run,
        ref,
        id=member_closing_workflow_id(story.platform_no, OWNER, closing.request_no),
        task_queue=PAYMENTS_TASK_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    )
    unknown = await story.stage.client.start_workflow(
        MemberClosing.run,
        ref.model_copy(update={"request_no": "CL-none"}),
        id="whatever",
        task_queue=PAYMENTS_TASK_QUEUE,
    )

    assert await story.ending_of(again) == "closed"
    assert await story.ending_of(unknown) == "unknown"
