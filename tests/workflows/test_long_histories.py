"""Each kind of process whose history grows long goes on in a new run: nothing that was asked of it or noted is lost."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import WorkflowIDReusePolicy

from escrow.domain.collections.batch_payments import BATCH_PAYMENT, batch_consent_no, batch_pay_in_no
from escrow.domain.collections.terms import COLLECT, collection_terms
from escrow.domain.members.code_checks import CodeCheck
from escrow.domain.transfers.moves import TransferKind
from escrow.registry.members.identity_checks import IdentitySubject
from escrow.registry.members.members import MemberKind
from tests.identities import CITIZEN_ID, asked
from tests.story import Story
from tests.story_batches import BATCH, PRICES, Batches
from tests.story_collections import QR, Cashier
from tests.story_ground import CONTRACTOR, OWNER
from tests.terminating import terminated_at_rest
from tests.workflows.test_direct_payment import NUMBER, refund_ends, waiting_order
from tests.workflows.test_identity_check import TEST_NAME
from tests.workflows.test_member_closing import begins_to_close
from tests.workflows.verifying import begun, platform_has_own_money, standing, tried, what_the_holder_sees
from workflows.messages import ORDERS_TASK_QUEUE, PROCESSES, LongLived, NotedMessage
from workflows.rounds import ROUNDS_WORKFLOW_ID, Rounds, RoundsInput

#: The shortest that a history may be made; the first steps of any process are longer.
_SHORT = 10
#: The server of the stories lets nothing begin anew that was to be cancelled; so the note is of something else.
_NOTE = NotedMessage(at=datetime(2026, 3, 3, tzinfo=UTC), name="bless", reason="takes no such message")


class Kept:
    """One process with short histories, and the run that it began with."""

    def __init__(self, story: Story, kind: str, number: str, *, platform_no: str | None = None) -> None:
        platform_no = platform_no or story.platform_no
        self.story = story
        self.process = PROCESSES[kind]
        self.reference = self.process.reference(platform_no, number)
        self.handle: WorkflowHandle[Any, Any] = story.stage.client.get_workflow_handle(
            self.process.workflow_id(platform_no, number)
        )
        self.first_run: str | None = None

    async def begins(self) -> None:
        """It begins, with a note of a run before it."""
        assert isinstance(self.reference, LongLived)
        first = await self.story.stage.client.start_workflow(
            self.process.workflow,
            self.reference.model_copy(update={"continue_after_events": _SHORT, "noted": (_NOTE,)}),
            id=self.handle.id,
            task_queue=self.process.task_queue,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        )
        self.first_run = first.first_execution_run_id

    async def begins_anew(self) -> None:
        """Another run goes on."""
        await self.story.until(self._has_begun_anew, f"{self.handle.id} begins anew")

    async def _has_begun_anew(self) -> bool:
        return (await self.handle.describe()).run_id != self.first_run

    async def looks(self, times: int) -> None:
        """It is told to look so many times."""
        for _ in range(times):
            await self.handle.signal("look")
            await self.story.hours_pass(0.01)

    async def notes(self) -> set[str]:
        """What its present run shows to operators of what was not carried out."""
        if self.process.workflow in ("BatchPayment", "DirectRefund"):
            state = await self.handle.query("state")
            return {note["name"] for note in state["noted"]}
        return {note.name for note in await self.handle.query("noted", result_type=tuple[NotedMessage, ...])}


async def test_a_batch_that_is_collected(story: Story) -> None:
    await story.members_open()
    batches, cashier, number = Batches(story), Cashier(story), batch_pay_in_no(BATCH)
    await batches.orders_open()
    await batches.owner_consents(paid_by=QR)
    how = collection_terms(method=QR.value, amount_fen=sum(item.total_fen for item in batches.contracts.values()))
    await cashier.asked_for(number, COLLECT, how, batch_no=BATCH, pays_by=batch_consent_no(BATCH))
    batch = Kept(story, BATCH_PAYMENT, BATCH)
    await batch.begins()
    await cashier.awaits_payer(number)
    await batch.looks(3)
    await batch.begins_anew()
    assert await batch.notes() >= {_NOTE.name}

    await cashier.payer_pays(number=number)
    assert (await story.ending_of(batch.handle))["status"] == "paid"
    assert {f"O-1/escrow:{order_no}" for order_no in PRICES} <= (await story.balances()).keys()


async def test_a_refund_whose_channel_is_away_from_the_beginning(story: Story) -> None:
    price = "186,900.04"  # given back late
    cashier = await waiting_order(story, price)
    await cashier.payer_pays("186,900.04", number=NUMBER)
    await story.order_becomes("awaiting_start")
    await story.cancels(CONTRACTOR)
    refund = Kept(story, "refund", "D-1001")

    async def is_asked() -> bool:
        return bool((await story.in_the_books("refund", "D-1001")).body.get("begun_at"))

    await story.until(is_asked, "the channel is asked")
    await story.stage.sandbox.steer.set_bank_health("DOWN")
    await terminated_at_rest(refund.handle, "an accident")
    await refund.begins()
    await story.hours_pass(0.1)
    await refund.begins_anew()
    assert await refund.notes() == {_NOTE.name}

    await story.stage.sandbox.steer.set_bank_health("UP")
    await story.hours_pass(49)
    assert await refund_ends(story) == "refunded"
    assert await story.balances() == {}


async def test_an_identity_check_whose_register_is_down(story: Story) -> None:
    await story.stage.registry.members.open(story.platform_no, member_no="O-9", kind=MemberKind.PERSON, name=TEST_NAME)
    await asked(story.stage.registry, story.platform_no, "O-9", IdentitySubject(id_no=CITIZEN_ID), "IC-1")
    await story.stage.sandbox.steer.set_service_health("REGISTER", "DOWN")
    check = Kept(story, "identity_check", "IC-1")
    await check.begins()
    await story.hours_pass(0.1)
    await check.begins_anew()
    assert await check.notes() == {_NOTE.name}

    await story.stage.sandbox.steer.set_service_health("REGISTER", "UP")
    assert await story.ending_of(check.handle) == "verified"


async def test_a_verification_and_a_try_that_the_bank_has_not_compared_yet(story: Story) -> None:
    await story.members_open()
    await platform_has_own_money(story)
    await terminated_at_rest(await begun(story, OWNER, "A-O1"), "an accident")
    verification = Kept(story, "account_verification", "V-1")
    await verification.begins()
    await verification.looks(3)
    await verification.begins_anew()
    assert await verification.notes() == {_NOTE.name}

    seen = await what_the_holder_sees(story)
    await story.stage.sandbox.steer.set_bank_health("DOWN")
    asks = asyncio.create_task(tried(story, verification.handle, **seen))

    async def is_asked() -> bool:
        return bool((await verification.handle.describe()).raw_description.pending_activities)

    await story.until(is_asked, "the bank is asked")
    present = (await verification.handle.describe()).run_id
    for _ in range(8):
        await verification.handle.signal("look")
    await asyncio.sleep(1)
    assert (await verification.handle.describe()).run_id == present, "whoever asks is answered first"
    await story.stage.sandbox.steer.set_bank_health("UP")
    assert await asks is CodeCheck.ACCEPTED
    assert (await standing(story)).status == "verified"
    assert await story.ending_of(verification.handle) == "verified"


async def test_a_closing_whose_day_has_come_on_temporals_clock_and_not_in_the_books(story: Story) -> None:
    await story.members_open()
    ends = await begins_to_close(story, OWNER)
    closing = Kept(story, "member_closing", f"{OWNER}/{ends.request_no}")
    await closing.begins()
    await story.stage.env.sleep(ends.closes_at - await story.now() + timedelta(minutes=10))
    await closing.begins_anew()
    assert await closing.notes() == {_NOTE.name}
    assert await story.ending_of(closing.handle) == "closed"


async def test_a_transfer_to_which_the_books_have_no_answer_while_its_platform_is_not_open(story: Story) -> None:
    transfer = Kept(story, TransferKind.PAYMENT, "P-1", platform_no=f"{story.platform_no}-LATER")
    await transfer.begins()
    await story.hours_pass(1.1)
    await transfer.begins_anew()
    assert await transfer.notes() == {_NOTE.name}
    await story.hours_pass(0.1)
    assert (await transfer.handle.describe()).status is WorkflowExecutionStatus.RUNNING


async def test_the_rounds(story: Story) -> None:
    rounds = await story.stage.client.start_workflow(
        Rounds.run,
        RoundsInput(continue_after_events=20),
        id=ROUNDS_WORKFLOW_ID,
        task_queue=ORDERS_TASK_QUEUE,
    )
    await story.hours_pass(0.1)
    current = story.stage.client.get_workflow_handle(ROUNDS_WORKFLOW_ID)
    assert (await current.describe()).run_id != rounds.first_execution_run_id
