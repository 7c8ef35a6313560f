"""Recordings of members, of money that channels collect, and of what is paid with it."""

import asyncio
from typing import Any

from temporalio.client import WorkflowHandle

from escrow.domain.transfers.moves import TransferKind
from escrow.registry.members.identity_checks import IdentitySubject
from escrow.registry.members.members import MemberKind
from tests.identities import CITIZEN_ID
from tests.story import Story
from tests.story_batches import BATCH, Batches
from tests.story_collections import QR, Cashier
from tests.story_debits import CODE, MANDATE, Debtors
from tests.story_ground import CONTRACTOR, OWNER
from tests.story_transfers import asked_for, start_transfer
from tests.workflows import verifying
from tests.workflows.test_collection import FAILED_LATER, PAID_OVER
from tests.workflows.test_direct_payment import NUMBER, REFUND_FAILS, paid_order, refund_ends, waiting_order
from tests.workflows.test_identity_check import TEST_NAME, begin_check
from tests.workflows.test_member_closing import begins_to_close, waits_to_close
from tests.workflows.test_suspense_return import sends_back, stranger_sends
from workflows import messages
from workflows.collection_messages import CollectionProcessState
from workflows.messages import direct_refund_workflow_id

Recorded = WorkflowHandle[Any, Any]


# ---- members and their accounts ----


async def identity_checked(story: Story) -> Recorded:
    """The register knows the member."""
    await story.stage.registry.members.open(story.platform_no, member_no=OWNER, kind=MemberKind.PERSON, name=TEST_NAME)
    handle: Recorded = await begin_check(story, OWNER, IdentitySubject(id_no=CITIZEN_ID), "IC-1")
    await story.ending_of(handle)
    return handle


async def account_verified(story: Story) -> Recorded:
    """A micro-deposit, another one after two minutes, a wrong try and a right one."""
    await story.members_open()
    await verifying.platform_has_own_money(story)
    handle = await verifying.begun(story, OWNER, "A-O1")
    await story.hours_pass(121 / 3600)
    await verifying.sent_again(story, handle, "S-1")
    for sending in (1, 2):
        await verifying.tried(story, handle, **await verifying.what_the_holder_sees(story, sending=sending))
    await story.ending_of(handle)
    await story.bank_lines_are_booked()
    return handle


async def account_verification_expired(story: Story) -> Recorded:
    """Nobody confirms the micro-deposit for forty-eight hours."""
    await story.members_open()
    await verifying.platform_has_own_money(story)
    handle = await verifying.begun(story, OWNER, "A-O1")
    await story.ending_of(handle)
    await story.bank_lines_are_booked()
    return handle


async def member_closed(story: Story) -> Recorded:
    """A member without anything closes its wallet."""
    await story.members_open()
    handle: Recorded = await waits_to_close(story, await begins_to_close(story, OWNER))
    await story.ending_of(handle)
    return handle


async def mandate_revoked(story: Story) -> Recorded:
    """A mandate that the bank took, and that its member does not want any more."""
    members = Debtors(story)
    await members.open()
    await members.signs()
    await members.revokes()
    await members.mandate_process().signal("changed")
    await story.ending_of(members.mandate_process())
    return members.mandate_process()


async def mandate_expired(story: Story) -> Recorded:
    """A mandate ends after its last day."""
    members = Debtors(story)
    await members.open()
    await members.signs(last_day=await story.last_day(2))
    await story.days_pass(4)
    await story.ending_of(members.mandate_process())
    return members.mandate_process()


# ---- top-ups ----


async def top_up_overpaid(story: Story) -> Recorded:
    """What was paid too much goes back through the channel; then late payments are looked for."""
    await story.members_open()
    cashier = Cashier(story)
    await cashier.opens(PAID_OVER)
    await cashier.awaits_payer()
    await cashier.payer_pays(notices=2)
    await cashier.stands("T-1", "paid")
    await story.until(lambda: _has_no_refund_under_way(story), "the rest goes back")
    return cashier.handle()


async def top_up_unpaid(story: Story) -> Recorded:
    """Nobody scans the code; the channel closes it."""
    await story.members_open()
    cashier = Cashier(story)
    await cashier.opens("100.00")
    await cashier.awaits_payer()
    await cashier.handle().cancel()
    await cashier.handle().signal("no-such-message", {})
    await story.hours_pass(1)
    await cashier.stands("T-1", "closed")
    return cashier.handle()


async def top_up_refused(story: Story) -> Recorded:
    """A member that closes its wallet is not topped up."""
    await story.members_open()
    await begins_to_close(story, OWNER)
    cashier = Cashier(story)
    await story.ending_of(await cashier.opens("100.00"))
    return cashier.handle()


async def top_up_begun_anew(story: Story) -> Recorded:
    """The history of a top-up grew long, so that a new run began; a return fails, and it is looked after to its end."""
    await story.members_open()
    cashier = Cashier(story)
    await cashier.opens("1,000.00", continue_after_events=25)
    await cashier.awaits_payer()
    await cashier.payer_pays()
    await cashier.stands("T-1", "paid")
    await cashier.payer_pays(FAILED_LATER)
    await story.until(lambda: _waits_in_suspense(story), "what the channel does not give back waits in suspense")
    await story.ending_of(cashier.handle())
    return cashier.handle()


async def debit_over_the_next_channel(story: Story) -> Recorded:
    """The first channel declines the debit, the next one is asked."""
    members = Debtors(story)
    await members.open()
    await members.signs()
    await story.stage.sandbox.steer.next_suffers("declined", "collection")
    await members.is_debited("1,000.00", mandate_no=MANDATE)
    await members.debited(attempt=2)
    await members.stands("T-1", "paid")
    return members.handle()


async def quick_payment(story: Story) -> Recorded:
    """A wrong code, another code, the right one."""
    members = Debtors(story)
    await members.open()
    await members.is_debited("1,000.00", account_id="A-O1")
    await members.awaits_payer()
    await members.types("000000")
    await story.stage.registry.collection_codes.count_sending(story.platform_no, "T-1", "S-1", is_awaited=True)
    await members.handle().execute_update("send_code", {"request_no": "S-1"})
    await members.types(CODE)
    await members.stands("T-1", "paid")
    return members.handle()


# ---- orders that channels pay ----


async def directly_paid_order(story: Story) -> Recorded:
    """A channel collects the price; a stage is done, then both sides cancel and the channel gives back the rest."""
    await paid_order(story)
    await story.starts()
    await story.cancels(OWNER)
    await story.cancels(CONTRACTOR)
    await refund_ends(story)
    await story.order_ends()
    return story.order


async def collection_for_an_order(story: Story) -> Recorded:
    """The collection of such an order, which asks the order what becomes of the payment."""
    cashier = await waiting_order(story)
    await cashier.payer_pays(number=NUMBER)
    await cashier.stands(NUMBER, "paid")
    return cashier.handle(NUMBER)


async def collection_for_an_order_that_does_not_run(story: Story) -> Recorded:
    """The same while the order has no process: it finds in the books that it is paid when it is begun anew."""
    cashier = await waiting_order(story)
    await story.order.terminate("an intruder")
    await cashier.payer_pays(number=NUMBER)
    await cashier.stands(NUMBER, "paid")

    async def is_noted() -> bool:
        state = await cashier.handle(NUMBER).query("state", result_type=CollectionProcessState)
        return any(note.name == "look" for note in state.noted)

    await story.until(is_noted, "the order was told in vain")
    return cashier.handle(NUMBER)


async def refund_that_the_channel_failed(story: Story) -> Recorded:
    """The channel takes the refund and fails it later: the owner has it in its sub-account, and is told."""
    await paid_order(story, REFUND_FAILS)
    await story.cancels(CONTRACTOR)
    await refund_ends(story)
    return story.stage.client.get_workflow_handle(direct_refund_workflow_id(story.platform_no, "D-1001"))


async def batch_from_the_balance(story: Story) -> Recorded:
    """Three orders are paid by one posting."""
    await story.members_open()
    await story.owner_transfers("60,000.00")
    batches = Batches(story)
    await batches.orders_open()
    await batches.pays()
    return _batch(story)


async def batch_refused(story: Story) -> Recorded:
    """The owner has too little for its batch."""
    await story.members_open()
    batches = Batches(story)
    await batches.orders_open()
    await batches.pays()
    return _batch(story)


async def batch_collected(story: Story) -> Recorded:
    """One collection pays three orders, one of which was cancelled meanwhile."""
    batches, cashier = await _collecting(story)
    await batches.about("D-2").cancels(OWNER)
    await _pay(batches, cashier)
    await story.ending_of(_batch(story))
    return _batch(story)


async def collection_for_a_batch(story: Story) -> Recorded:
    """The collection of such a batch, which gives back the share of an order that was cancelled."""
    batches, cashier = await _collecting(story)
    await batches.about("D-2").cancels(OWNER)
    await _pay(batches, cashier)
    await story.until(lambda: _has_no_refund_under_way(story), "the share is given back")
    return cashier.handle(f"{BATCH}:batch-pay")


# ---- money that moves otherwise ----


async def payment_without_a_guarantee(story: Story) -> Recorded:
    """The owner pays the contractor at once."""
    await story.members_open()
    await story.owner_transfers("100.00")
    return await _pays_at_once(story)


async def payment_refused(story: Story) -> Recorded:
    """The owner has nothing to pay with."""
    await story.members_open()
    return await _pays_at_once(story)


async def suspense_sent_back(story: Story) -> Recorded:
    """A stranger's money goes back to its card."""
    credit_no = await stranger_sends(story, "10,000.00")
    await sends_back(story, credit_no, "4,000.00")
    await story.withdrawal_ends("SR-1")
    return story.withdrawal("SR-1")


def _batch(story: Story) -> Recorded:
    return story.stage.client.get_workflow_handle(messages.batch_payment_workflow_id(story.platform_no, BATCH))


async def _collecting(story: Story) -> tuple[Batches, Cashier]:
    await story.members_open()
    batches = Batches(story)
    await batches.orders_open()
    return batches, await batches.collects(method=QR)


async def _pay(batches: Batches, cashier: Cashier) -> None:
    await cashier.payer_pays(number=f"{BATCH}:batch-pay")
    await cashier.stands(f"{BATCH}:batch-pay", "paid")
    await asyncio.gather(*(batches.knows(number) for number in ("D-1", "D-3")))


async def _has_no_refund_under_way(story: Story) -> bool:
    return not [account for account in await story.balances() if account.startswith(("refund", "suspense"))]


async def _waits_in_suspense(story: Story) -> bool:
    return any(account.startswith("suspense") for account in await story.balances())


async def _pays_at_once(story: Story) -> Recorded:
    await asked_for(story, TransferKind.PAYMENT, "P-1", subject_no=CONTRACTOR, member_no=OWNER, amount="100.00")
    handle = await start_transfer(story, TransferKind.PAYMENT, "P-1")
    await story.ending_of(handle)
    return handle


RECORDINGS = (
    identity_checked,
    account_verified,
    account_verification_expired,
    member_closed,
    mandate_revoked,
    mandate_expired,
    top_up_overpaid,
    top_up_unpaid,
    top_up_refused,
    top_up_begun_anew,
    debit_over_the_next_channel,
    quick_payment,
    directly_paid_order,
    collection_for_an_order,
    collection_for_an_order_that_does_not_run,
    refund_that_the_channel_failed,
    batch_from_the_balance,
    batch_refused,
    batch_collected,
    collection_for_a_batch,
    payment_without_a_guarantee,
    payment_refused,
    suspense_sent_back,
)
