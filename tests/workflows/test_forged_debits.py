"""Whoever writes to Temporal debits nobody beyond what stands in the books, and credits no one else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from activities.debits import DebitOrder
from activities.pay_ins import BookPayment, CollectionRef
from temporalio import workflow
from temporalio.client import WorkflowFailureError
from temporalio.common import RetryPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.steps import Step
from escrow.domain.collections.methods import payment_booking_no
from escrow.domain.collections.pay_ins import pay_in_operation_hash, pay_in_terms
from escrow.domain.members.states import MemberEvent
from escrow.domain.money.amounts import yuan
from escrow.domain.money.journal import Basis
from escrow.registry.members.members import MemberKind
from tests.identities import asked, subject_of
from tests.story import Story
from tests.story_debits import DEBIT, MANDATE, MOBILE, QUICK, Debtors, card
from tests.story_ground import CONTRACTOR, OWNER
from workflows.messages import PAYMENTS_TASK_QUEUE
from workflows.pay_in_messages import pay_in_workflow_id

_OTHER = "O-2"


@workflow.defn(name="Rogue")
class Rogue:
    """A workflow of a thief: has one activity done under whatever id it was started with."""

    @workflow.run
    async def run(self, activity: str, request: Any) -> Any:
        return await workflow.execute_activity(
            activity,
            request,
            task_queue=PAYMENTS_TASK_QUEUE,
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(maximum_attempts=2),
        )


@asynccontextmanager
async def rogue(story: Story) -> AsyncIterator[None]:
    """A thief's own worker polls."""
    client = story.stage.client
    async with Worker(client, task_queue="rogue", workflows=[Rogue], workflow_runner=UnsandboxedWorkflowRunner()):
        yield


async def refusal_of(story: Story, activity: str, request: Any, number: str = "T-1") -> str:
    """The code with which an activity refuses what a thief's workflow under a top-up's id asks; empty if it does it."""
    try:
        with story.stage.env.auto_time_skipping_disabled():  # or the consent expires while the thief is at it
            await story.stage.client.execute_workflow(
                Rogue.run,
                args=[activity, request],
                id=pay_in_workflow_id(story.platform_no, number),
                task_queue="rogue",
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            )
    except WorkflowFailureError as failure:
        cause = failure.cause
        assert isinstance(cause, ActivityError)
        assert isinstance(cause.cause, ApplicationError)
        return str(cause.cause.details[0]["code"])
    return ""


async def two_debtors(story: Story) -> Debtors:
    """Two members with a mandate each."""
    members = Debtors(story)
    await members.open()
    await story.member_opens(_OTHER, MemberKind.PERSON, card("A-O2", "621700"), mobile=MOBILE)
    await members.signs(per_debit_fen=10_000_000)
    await members.signs("M-2", _OTHER, account_id="A-O2")
    return members


async def nothing_at_bank(story: Story, members: Debtors, *numbers: str) -> None:
    """No debit of any number ever left."""
    for number in numbers:
        answer = await story.stage.sandbox.bank.collections.query(
            members.at_bank(number), custody_account_no=story.stage.custody_account_no
        )
        assert answer.status == "not_found"


async def test_a_debit_that_was_never_consented_to_is_not_made(story: Story) -> None:
    members = await two_debtors(story)
    scanned = await members.consents_to("T-2", "1.00", account_id="A-O1")  # to another method
    cheaper = await members.consents_to("T-3", "1.00", mandate_no=MANDATE)
    for number, basis in (
        ("T-1", Basis(kind="consent", reference="never-given", operation_hash="x")),
        ("T-2", scanned),
        ("T-3", cheaper),
    ):
        handle = await members.begins("1,000.00", basis, number=number, mandate_no=MANDATE)
        assert (await story.ending_of(handle)).status == "failed"
    await nothing_at_bank(story, members, "T-1", "T-2", "T-3")
    assert await story.balances() == {}


@pytest.mark.parametrize(
    ("how", "amount", "code"),
    [
        ({"mandate_no": "M-2"}, "1.00", "mandate_unknown"),
        ({"mandate_no": "M-9"}, "1.00", "not_found"),
        ({"mandate_no": MANDATE}, "100,000.01", "mandate_cap_exceeded"),
        ({"account_id": "A-O2"}, "1.00", "account_not_bound"),
    ],
)
async def test_a_consent_alone_does_not_make_what_was_not_signed(
    story: Story, how: dict[str, str], amount: str, code: str
) -> None:
    members = await two_debtors(story)
    await members.asks(amount, **how)
    await members.stands("T-1", "failed")
    assert (await members.state()).reason_code == code
    await nothing_at_bank(story, members, "T-1")
    assert await story.balances() == {}


async def test_a_revoked_mandate_is_not_debited_though_the_bank_was_not_told(story: Story) -> None:
    members = await two_debtors(story)
    await members.mandate_process().terminate("a thief")
    await members.revokes()
    at_bank = await story.stage.sandbox.bank.collections.query_mandate(f"{story.platform_no}/{MANDATE}:mandate")
    assert at_bank.status == "active"
    await members.asks("1.00", mandate_no=MANDATE)
    await members.stands("T-1", "failed")
    assert (await members.state()).reason_code == "mandate_not_in_force"


async def test_a_member_whom_the_register_no_longer_knows_is_debited_no_more(story: Story) -> None:
    members = await two_debtors(story)
    registry = story.stage.registry
    check_no = await asked(registry, story.platform_no, OWNER, subject_of(MemberKind.PERSON))
    await registry.identity_checks.answered(
        story.platform_no,
        check_no,
        event=MemberEvent.IDENTITY_NOT_MATCHED,
        outcome={"result": "mismatch", "source": "test", "as_of": "2026-03-03"},
        occurred_at=await story.now(),
    )
    await members.asks("1.00", mandate_no=MANDATE)
    await members.stands("T-1", "failed")
    assert (await members.state()).reason_code == "identity_required"
    await nothing_at_bank(story, members, "T-1")


async def test_the_same_money_is_not_debited_a_second_time_by_another_workflow(story: Story) -> None:
    members = await two_debtors(story)
    consent = await members.consents_to("T-1", "1,000.00", mandate_no=MANDATE)
    handle = await members.begins("1,000.00", consent, mandate_no=MANDATE)
    await members.debited()
    await members.stands("T-1", "paid")
    await handle.terminate("a thief")
    first = await members.consents_to("T-2", "1,000.00", mandate_no=MANDATE)
    second_handle = await members.begins("1,000.00", first, number="T-2", mandate_no=MANDATE)
    await story.until(lambda: story.is_entered("pay_in", "T-2"), "T-2 is entered")
    await second_handle.terminate("a thief")

    def debit(number: str, attempt: int, consent_no: str, **changes: Any) -> DebitOrder:
        usual = {
            "collection": CollectionRef(
                platform_no=story.platform_no, pay_in_no=number, request_no=f"{number}:collect:{attempt}"
            ),
            "member_no": OWNER,
            "mandate_no": MANDATE,
            "amount_fen": yuan("1,000.00"),
            "consent_no": consent_no,
            "subject": "?",
            "expires_at": first_expiry,
            "channel": "UNIONPAY_DEBIT",
        }
        return DebitOrder.model_validate({**usual, **changes})

    first_expiry = await members.expiry()
    async with rogue(story):
        # The consent of what was paid is used up.
        assert await refusal_of(story, "submit_debit", debit("T-1", 2, consent.reference)) == "basis_used"
        # One whose money is not credited yet: what is under way stands in the way, however often it is asked for.
        codes = [
            await refusal_of(story, "submit_debit", debit("T-2", attempt, first.reference), "T-2")
            for attempt in (1, 8, 9)
        ]
        assert codes[1:] == ["debit_under_way", "debit_under_way"]
        assert await refusal_of(story, "submit_debit", debit("T-2", 1, first.reference), "T-3") == "wrong_workflow"
        other = debit("T-2", 1, first.reference, member_no=_OTHER, mandate_no="M-2")
        assert await refusal_of(story, "submit_debit", other, "T-2") == "basis_mismatch"
    for attempt in (8, 9):
        answer = await story.stage.sandbox.bank.collections.query(
            members.at_bank("T-2", attempt), custody_account_no=story.stage.custody_account_no
        )
        assert answer.status == "not_found"


async def test_what_one_member_was_debited_is_credited_to_no_other(story: Story) -> None:
    members = await two_debtors(story)
    consent = await members.consents_to("T-1", "1,000.00", mandate_no=MANDATE)
    handle = await members.begins("1,000.00", consent, mandate_no=MANDATE)
    bank = story.stage.sandbox.bank.collections

    await members.bank_ends()
    await handle.terminate("a thief")
    (payment,) = (await bank.query(members.at_bank())).payments
    terms = pay_in_terms(method=DEBIT.value, amount_fen=yuan("1,000.00"), mandate_no=MANDATE)
    hashed = pay_in_operation_hash(platform_no=story.platform_no, pay_in_no="T-1", by=OWNER, terms=terms)
    before = await story.balances()
    request = BookPayment(
        step=Step(
            platform_no=story.platform_no,
            object_kind="pay_in",
            object_no="T-1",
            request_no=payment_booking_no(payment.payment_no),
            event_type="pay_in.paid",
            status="paid",
            document={},
            occurred_at=await story.now(),
            bases=(Basis(kind="consent", reference=consent.reference, operation_hash=hashed),),
        ),
        collection=CollectionRef(platform_no=story.platform_no, pay_in_no="T-1", request_no="T-1:collect:1"),
        method=DEBIT,
        payment=payment,
        member_no=CONTRACTOR,
        asked_fen=yuan("1,000.00"),
    )
    async with rogue(story):
        assert await refusal_of(story, "book_payment", request) == "basis_mismatch"
    assert await story.balances() == before


@pytest.mark.parametrize("method", [DEBIT, QUICK])
async def test_no_member_is_debited_by_the_plain_way_of_collecting(story: Story, method: Any) -> None:
    members = await two_debtors(story)
    handle = await members.asks("1.00", mandate_no=MANDATE)
    await members.debited()
    await members.stands("T-1", "paid")
    await handle.terminate("a thief")
    request = {
        "collection": {"platform_no": story.platform_no, "pay_in_no": "T-1", "request_no": "T-1:collect:5"},
        "method": method.value,
        "amount_fen": 100,
        "subject": "?",
        "expires_at": (await members.expiry()).isoformat(),
        "return_url": "",
    }
    async with rogue(story):
        assert await refusal_of(story, "create_collection", request) == "basis_missing"
