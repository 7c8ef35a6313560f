"""How stories tell of payments, assignments and reversals: asked for as the API does, made by their process."""

from typing import Any

from temporalio.client import WorkflowHandle
from temporalio.common import WorkflowIDReusePolicy

from api.operations.payments import transfer_consent
from escrow.domain.errors import Refused
from escrow.domain.money.amounts import yuan
from escrow.domain.transfers.moves import TransferKind, transfer_consent_no
from escrow.ledger.consents import answer_of, record_consent
from tests.story import Story
from workflows.messages import PAYMENTS_TASK_QUEUE, TransferInput, transfer_workflow_id
from workflows.transfer import Transfer


async def asked_for(
    story: Story, kind: TransferKind, number: str, *, subject_no: str, member_no: str, amount: str
) -> None:
    """A transfer is recorded as its payer or the platform asks for it; no process has heard of it yet."""
    current = await story.stage.registry.platforms.configurations.current(story.platform_no)
    consent = transfer_consent(
        story.platform_no,
        kind,
        number,
        subject_no=subject_no,
        member_no=member_no,
        amount_fen=yuan(amount),
        config_version=current.version,
    )
    await record_consent(story.stage.recorder, consent)


async def start_transfer(
    story: Story, kind: TransferKind, number: str, *, task_queue: str = PAYMENTS_TASK_QUEUE
) -> WorkflowHandle[Any, Any]:
    """The process of a transfer is started, where a worker takes it or where none does."""
    return await story.stage.client.start_workflow(
        Transfer.run,
        TransferInput(platform_no=story.platform_no, kind=kind, transfer_no=number),
        id=transfer_workflow_id(story.platform_no, kind, number),
        task_queue=task_queue,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    )


def transfer_process(story: Story, kind: TransferKind, number: str) -> WorkflowHandle[Any, Any]:
    """The process of a transfer."""
    workflow_id = transfer_workflow_id(story.platform_no, kind, number)
    return story.stage.client.get_workflow_handle_for(Transfer.run, workflow_id)


async def transferred(
    story: Story, kind: TransferKind, number: str, subject_no: str, member_no: str, amount: str
) -> str:
    """A payment, an assignment or a reversal as the API has it made; how it ends."""
    await asked_for(story, kind, number, subject_no=subject_no, member_no=member_no, amount=amount)
    return await ending_of_transfer(story, await start_transfer(story, kind, number))


async def ending_of_transfer(story: Story, handle: WorkflowHandle[Any, Any]) -> str:
    """How a transfer ends, for which no time has to pass."""
    with story.stage.env.auto_time_skipping_disabled():
        return str(await handle.result())


async def refusal_of_transfer(story: Story, kind: TransferKind, number: str) -> Refused:
    """Why the books said no to it."""
    answered = await answer_of(story.stage.recorder, story.platform_no, transfer_consent_no(kind, number))
    assert answered.refusal is not None, f"{kind} {number} was not refused"
    return answered.refusal
