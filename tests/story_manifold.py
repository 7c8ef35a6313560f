"""A story in which one of everything is under way, and how it goes on: to compare what somebody did with nothing done.

Whatever runs is ended, so that nothing happens by itself between two looks at the books. Then every process is begun by
its reference, payers pay, days pass, and the whole is described without what two tellings never share.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from activities.quick_payments import PayersWish
from escrow.domain.transfers.moves import TransferKind
from escrow.ledger.charges import cover_bank_charges
from escrow.registry.members.identity_checks import IdentitySubject
from escrow.registry.members.members import MemberKind
from tests.accomplice import Accomplice
from tests.identities import CITIZEN_ID
from tests.identities import asked as identity_asked
from tests.story import Story
from tests.story_batches import Batches
from tests.story_collections import Cashier
from tests.story_debits import MANDATE, MOBILE, Debtors, card
from tests.story_ground import CONTRACTOR, OWNER
from tests.story_transfers import asked_for, transferred
from tests.terminating import terminated_at_rest
from tests.thieves import Kept, three_orders
from tests.workflows.test_member_closing import begins_to_close
from tests.workflows.test_suspense_return import STRANGERS_CARD, consents
from tests.workflows.verifying import begun, platform_has_own_money
from workflows.messages import PROCESSES

#: The payer by quick payment, who asks for another code; the one whose identity is asked about; the one who leaves.
DEBTOR, UNKNOWN, LEAVING = "O-7", "O-9", "O-8"
#: What else waits: paid by a channel, paid and cancelled, two in a batch, one in inspection until silence counts.
PAID, CANCELLED, TOGETHER, SILENT = "D-4", "D-5", ("D-6", "D-7"), "D-8"
WISH = "S-1"
#: So long the bank is stuck with what is under way.
_STUCK = timedelta(days=2, minutes=1)
#: Where everything stands in the end, whoever else had a hand in it.
ENDS: Mapping[tuple[str, str], str] = {
    ("order", "D-1001"): "in_progress",
    ("order", "D-2"): "awaiting_start",
    ("order", PAID): "awaiting_start",
    ("order", CANCELLED): "cancelled",
    ("order", TOGETHER[0]): "awaiting_start",
    ("order", TOGETHER[1]): "awaiting_start",
    ("order", SILENT): "in_progress",
    ("withdrawal", "W-1"): "paid",
    ("withdrawal", "W-2"): "paid",
    ("withdrawal", "SR-1"): "paid",
    ("pay_in", "T-1"): "paid",
    ("pay_in", "T-2"): "paid",
    ("pay_in", f"{PAID}:pay:1"): "paid",
    ("refund", CANCELLED): "refunded",
    ("payment", "P-1"): "done",
    ("assignment", "AS-1"): "done",
    ("reversal", "RV-1"): "done",
}


@dataclass(frozen=True, kw_only=True)
class Manifold:
    """A story with one of everything; `words` are what parties said and nobody brought to their orders."""

    story: Story
    words: list[Kept]
    credit_no: str
    line_nos: list[str]

    @property
    def cashier(self) -> Cashier:
        """Where payers pay."""
        return Cashier(self.story)


async def manifold(story: Story) -> Manifold:
    """One of everything is under way, and no process of it runs any more."""
    words = await three_orders(story)
    signed = story.signed
    await platform_has_own_money(story)
    credit_no = await story.transfer_arrives("400.00", STRANGERS_CARD)
    await story.bank_lines_are_booked()
    await _money_out(story, credit_no)
    await _members(story)
    await _money_in(story)
    await _more_orders(story)
    await _everything_is_ended(story)
    bank_lines = await story.stage.sandbox.bank.lines_after(story.stage.custody_account_no, 0)
    story.contract = signed
    return Manifold(
        story=story, words=words, credit_no=credit_no, line_nos=[line.bank_serial_no for line in bank_lines]
    )


async def _money_out(story: Story, credit_no: str) -> None:
    assert await transferred(story, TransferKind.ASSIGNMENT, "AS-0", credit_no, OWNER, "50.00") == "done"
    await asked_for(story, TransferKind.ASSIGNMENT, "AS-1", subject_no=credit_no, member_no=OWNER, amount="40.00")
    await asked_for(story, TransferKind.REVERSAL, "RV-1", subject_no="AS-0", member_no=OWNER, amount="20.00")
    await asked_for(story, TransferKind.PAYMENT, "P-1", subject_no=CONTRACTOR, member_no=OWNER, amount="10.00")
    await consents(story, credit_no, "100.00")
    await story.stage.sandbox.steer.next_suffers("stuck")
    await story.withdraws("200.00", withdrawal_no="W-1", member_no=OWNER)
    await story.withdrawal_is("submitted", "W-1")
    await story.consents_to_withdraw("300.00", withdrawal_no="W-2", member_no=OWNER)


async def _members(story: Story) -> None:
    registry = story.stage.registry
    await story.member_opens(DEBTOR, MemberKind.PERSON, card("A-O7"), mobile=MOBILE)
    await registry.members.open(story.platform_no, member_no=UNKNOWN, kind=MemberKind.PERSON, name="李雷", mobile=None)
    await identity_asked(registry, story.platform_no, UNKNOWN, IdentitySubject(id_no=CITIZEN_ID), "IC-1")
    await story.member_opens(LEAVING, MemberKind.PERSON, card("A-O8"), mobile="13900000008")
    await begins_to_close(story, LEAVING)
    await begun(story, OWNER, "A-O1")
    await Debtors(story).signs(member_no=DEBTOR, account_id="A-O7")


async def _money_in(story: Story) -> None:
    cashier = Cashier(story)
    await cashier.opens("900.00")
    await cashier.awaits_payer()
    await cashier.asks("50.00", number="T-2")
    await Debtors(story).is_debited("60.00", number="T-3", by=DEBTOR, account_id="A-O7")
    await cashier.awaits_payer("T-3")
    await story.stage.registry.collection_codes.count_sending(story.platform_no, "T-3", WISH, is_awaited=True)
    for order_no in (PAID, CANCELLED):
        await story.order_opens(order_no=order_no, price="900.00")
        await cashier.collects_for_order(story, number=f"{order_no}:pay:1")
        if order_no == CANCELLED:
            await cashier.payer_pays(number=f"{order_no}:pay:1")
            await cashier.stands(f"{order_no}:pay:1", "paid")
            await story.cancels(OWNER)
    await terminated_at_rest(cashier.handle(f"{PAID}:pay:1"), "a thief")
    await story.stage.sandbox.steer.pay(f"{story.platform_no}/{PAID}:pay:1:collect:1")


async def _more_orders(story: Story) -> None:
    batches = Batches(story)
    await batches.orders_open(dict.fromkeys(TOGETHER, "1,000.00"))
    await batches.owner_consents()
    await story.order_opens(order_no=SILENT, price="2,000.00")
    await story.pays()
    await story.starts()
    await story.completes(2)


async def _objects(story: Story) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(story.stage.database.superuser_dsn)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(
            "SELECT kind, object_no, status FROM business_object WHERE platform_no = $1"
            " UNION SELECT object_kind, object_no, 'asked' FROM consent WHERE platform_no = $1 AND answered_at IS NULL"
            " UNION SELECT 'account_verification', verification_no, status FROM account_verification"
            " WHERE platform_no = $1",
            story.platform_no,
        )
    finally:
        await connection.close()
    return rows


async def _unfinished(story: Story) -> list[tuple[str, str]]:
    """Whatever has a process, by kind and number."""
    named = {(row["kind"], row["object_no"]) for row in await _objects(story)}
    named |= {("member_closing", f"{LEAVING}/CL-1"), ("identity_check", "IC-1"), ("mandate", MANDATE)}
    return sorted(key for key in named if key[0] in PROCESSES)


async def ids(story: Story) -> list[str]:
    """The ids of all processes."""
    return [PROCESSES[kind].workflow_id(story.platform_no, number) for kind, number in await _unfinished(story)]


async def _everything_is_ended(story: Story) -> None:
    for workflow_id in await ids(story):
        try:
            await terminated_at_rest(story.stage.client.get_workflow_handle(workflow_id), "a thief")
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise


async def _begun(story: Story, kind: str, number: str) -> None:
    process = PROCESSES[kind]
    await story.stage.client.start_workflow(
        process.workflow,
        process.reference(story.platform_no, number),
        id=process.workflow_id(story.platform_no, number),
        task_queue=process.task_queue,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
    )


async def begun_anew(story: Story) -> None:
    """Every process is begun by its reference, in the place of whatever holds its id."""
    for kind, number in await _unfinished(story):
        await _begun(story, kind, number)


async def goes_on(scene: Manifold) -> None:
    """Every process is begun anew, what was asked for is done, and days pass until all has come to its end."""
    story = scene.story
    page = Accomplice(story.stage, "the cashier page")
    wish = PayersWish(platform_no=story.platform_no, pay_in_no="T-3", request_no=WISH)
    await page.runs(page.activities.quick_payments.send_payer_code, wish)
    await begun_anew(story)
    await scene.cashier.awaits_payer("T-2")
    for number in ("T-1", "T-2"):
        await scene.cashier.payer_pays(number=number)
        await scene.cashier.stands(number, "paid")
    await story.accepts(2)

    async def as_in_the_end() -> bool:
        found = {
            (row["kind"], row["object_no"]): row["status"] for row in await _objects(story) if row["status"] != "asked"
        }
        return all(found.get(key) == status for key, status in ENDS.items() if key != ("withdrawal", "W-1"))

    async def missing() -> object:
        found = {tuple(row.values()) for row in await _objects(story)}
        return {(*key, status) for key, status in ENDS.items()} - found

    await story.until(as_in_the_end, "everything goes on", seen=missing)

    await story.days_pass(9)
    await story.bank_lines_are_booked()


async def described(scene: Manifold) -> list[str]:
    """What the books and the bank say, without moments, serial numbers and what the bank draws by lot."""
    story, said = scene.story, Counter[str]()
    # The watch makes charges good as it comes by, one by one or several at once.
    assert await cover_bank_charges(story.stage.recorder, story.stage.writer, story.platform_no) == 0
    connection = await asyncpg.connect(story.stage.database.superuser_dsn)
    try:
        for table, columns in _SAID.items():
            query = f"SELECT {columns} FROM {table} WHERE platform_no = $1"
            for row in await connection.fetch(query, story.platform_no):
                said[f"{table}: {' '.join(map(str, row.values()))}"] += 1
    finally:
        await connection.close()
    del said["entry: bank_charge_covered"]
    for account, balance in (await story.balances()).items():
        said[f"balance: {account} {balance if account != 'own' else ''}"] += 1
    steer = story.stage.sandbox.steer
    for payout in await steer.payouts():
        if payout["reqSeq"].startswith(f"{story.platform_no}/"):
            said[f"payout: {payout['reqSeq']} {payout['channel']} {payout['amt']} {payout['state']}"] += 1
    for line in await story.stage.sandbox.bank.lines_after(story.stage.custody_account_no, 0):
        drawn_by_lot = line.kind.startswith("micro_deposit")
        to = f"{line.counterparty_account_no[:7]}…{line.counterparty_account_no[-4:]} {line.counterparty_name}"
        said[f"bank line: {line.kind} {'' if drawn_by_lot else line.amount_fen} {to}"] += 1
    for message in await steer.sms_outbox():
        if message.req_seq.startswith(f"{story.platform_no}/"):
            said[f"text: {message.mobile} {message.req_seq} {message.text[:12]}"] += 1
    shared = Counter[str]()
    for text, number in said.items():
        shared[_shared(text, story.platform_no)] += number
    return sorted(f"{number} × {text}" for text, number in shared.items())


_SAID: Mapping[str, str] = {
    "business_object": "kind, object_no, status, body ->> 'attention'",
    "event": "kind, object_no, event_type",
    "deadline": "object_kind, object_no, name",
    "attention": "object_kind, object_no, reason",
    "basis_use": "kind",
    "entry": "recipe",
    "bank_line": "kind, entry_id IS NOT NULL",
}


def _shared(line: str, platform_no: str) -> str:
    """A line as another telling of the same story has it."""
    return re.sub(r"\d{8,}\w*", "#", re.sub(r"\bR-\d+\b", "R-#", line.replace(platform_no, "HOME")))
