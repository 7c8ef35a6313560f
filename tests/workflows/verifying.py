"""What happens in a verification, told as the API does it: consent, question, workflow, counted tries."""

import itertools
import re
from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError

from activities.failures import from_temporal
from activities.verification import Standing
from escrow.domain.members.code_checks import CodeCheck
from escrow.domain.members.verification_rules import VerificationMethod
from escrow.domain.money.journal import Basis
from escrow.ledger.consents import NewConsent, record_consent
from escrow.registry.accounts.verification_rows import AccountVerification as Kept
from tests.stage import PLATFORM_NAME, PLATFORMS_ACCOUNT_NO
from tests.story import Story
from workflows.account_verification import AccountVerification
from workflows.messages import PAYMENTS_TASK_QUEUE, AccountVerificationInput, account_verification_workflow_id
from workflows.verification_messages import SendAgain, Try

_TRIES = itertools.count(1)


async def platform_has_own_money(story: Story, amount: str = "100.00") -> None:
    """The platform transfers money from its own bank account to its own sub-account."""
    await story.transfer_arrives(amount, PLATFORMS_ACCOUNT_NO, PLATFORM_NAME)
    await story.bank_lines_are_booked()


async def begun(
    story: Story,
    member_no: str,
    account_id: str,
    number: str = "V-1",
    method: VerificationMethod = VerificationMethod.MICRO_DEPOSIT,
    mobile: str = "",
) -> WorkflowHandle[Any, Any]:
    """Begin a verification and wait until something was sent or refused."""
    verifications = story.stage.registry.verifications
    consent = NewConsent(
        platform_no=story.platform_no,
        consent_no=number,
        object_kind="account_verification",
        object_no=number,
        operation="verify_account",
        given_by=member_no,
        terms={"account_id": account_id, "mobile": verifications.fingerprint(story.platform_no, mobile)},
        valid_for=timedelta(days=1),
    )
    await record_consent(story.stage.recorder, consent)
    basis = Basis(kind="consent", reference=number, operation_hash=consent.operation_hash)
    await verifications.ask(story.platform_no, member_no, account_id, number, method, mobile=mobile, consent=basis)
    handle = await story.stage.client.start_workflow(
        AccountVerification.run,
        AccountVerificationInput(platform_no=story.platform_no, verification_no=number),
        id=account_verification_workflow_id(story.platform_no, number),
        task_queue=PAYMENTS_TASK_QUEUE,
    )

    async def has_begun() -> bool:
        return (await standing(story, number)).status != "asked"

    await story.until(has_begun, "something is sent or refused")
    return handle


async def standing(story: Story, number: str = "V-1") -> Kept:
    """The verification as the ledger has it."""
    return await story.stage.registry.verifications.get(story.platform_no, number)


async def sent_again(story: Story, handle: WorkflowHandle[Any, Any], request_no: str, number: str = "V-1") -> Standing:
    """Have it sent again.

    Raises:
        Refused: a rule said no.
    """
    await story.stage.registry.verification_sendings.open(
        story.platform_no, number, request_no, occurred_at=await story.now()
    )
    return await _updated(handle, "send_again", SendAgain(request_no=request_no))


async def tried(story: Story, handle: WorkflowHandle[Any, Any], number: str = "V-1", **typed: Any) -> CodeCheck:
    """Try an amount with its reference, or a code: how it compared.

    Raises:
        Refused: no more tries, or nothing is waited for.
    """
    tries = story.stage.registry.verification_tries
    one = await tries.count(story.platform_no, number, f"T-{next(_TRIES)}", **typed)
    await _updated(handle, "confirm", Try(number=one))
    outcome = (await tries.typed(story.platform_no, number, one)).outcome
    assert outcome is not None
    return outcome


async def what_the_holder_sees(story: Story, number: str = "V-1", sending: int = 1) -> dict[str, Any]:
    """Amount and reference of a micro-deposit, as its receiver knows them."""
    request_no = f"{story.platform_no}/{number}:micro_deposit:{sending}"
    answer = await story.stage.sandbox.bank.verification.query_micro_deposit(request_no)
    amount_fen = await story.stage.sandbox.steer.micro_deposit_fen(request_no)
    return {"amount_fen": amount_fen, "reference": answer.reference}


async def newest_code(story: Story, number: str = "V-1") -> str:
    """The code that was sent last for a UnionPay check."""
    sent = await story.stage.sandbox.steer.sms_outbox()
    mine = [message for message in sent if message.req_seq.startswith(f"{story.platform_no}/{number}:unionpay:")]
    code: str = re.findall(r"验证码(\d{6})", mine[-1].text)[0]
    return code


async def _updated(handle: WorkflowHandle[Any, Any], name: str, command: Any) -> Standing:
    try:
        answer: Standing = await handle.execute_update(name, command, result_type=Standing)
    except WorkflowUpdateFailedError as error:
        refusal = from_temporal(error.cause)
        if refusal is None:
            raise
        raise refusal from error
    return answer
