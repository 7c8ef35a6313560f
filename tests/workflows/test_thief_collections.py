"""A thief who writes to Temporal, and what channels collect: booked once, for whom it is, and given back once.

The thief has a worker too, and so can have any activity run with any request under any workflow id.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from activities.pay_ins import BookPayment, CollectionRef
from activities.signed_order import signed_order
from temporalio.testing import ActivityEnvironment

from activities.returns import BookReturn, ReturnPayment
from activities.steps import Step
from escrow.domain.collections.direct_payments import DirectPaid
from escrow.domain.collections.methods import ChannelPayment, payment_booking_no
from escrow.domain.collections.pay_ins import pay_in_operation_hash, pay_in_terms
from escrow.domain.errors import Refused
from escrow.domain.money.journal import Basis, DeadlineChange
from tests.stage import Stage, settings_for
from tests.story import Story
from tests.story_collections import QR, Cashier
from tests.story_ground import CONTRACTOR, OWNER, details_of
from tests.workflows.test_direct_payment import NUMBER, paid_order
from worker import Activities
from workflows import order_state as states
from workflows.direct_refund import DirectRefundProcess
from workflows.member_closing import MemberClosing
from workflows.messages import (
    PAYMENTS_TASK_QUEUE,
    DirectRefundInput,
    MemberClosingInput,
    OrderInput,
    direct_refund_workflow_id,
)
from workflows.pay_in_messages import ORDER_HAS_ANSWERED, OrderAnswer, pay_in_workflow_id

NOTHING = (Basis(kind="none"),)
PAID_TWICE = "900.15"


class Accomplice:
    """A worker of the thief's: runs activities of ours with requests of its own."""

    def __init__(self, stage: Stage, workflow_id: str) -> None:
        self.activities = Activities(
            settings_for(stage.database, stage.sandbox), stage.writer, stage.reader, stage.sandbox.bank
        )
        self.environment = ActivityEnvironment()
        self.environment.info = replace(self.environment.info, workflow_id=workflow_id)

    async def runs(self, activity: Callable[..., Awaitable[Any]], *requests: Any) -> Any:
        """Have one activity run."""
        return await self.environment.run(activity, *requests)


def collection(story: Story, number: str = "T-1") -> CollectionRef:
    """The collection of a top-up."""
    return CollectionRef(platform_no=story.platform_no, pay_in_no=number, request_no=f"{number}:collect:1")


def step_of(story: Story, request_no: str, number: str = "T-1", bases: tuple[Basis, ...] = NOTHING) -> Step:
    """A step of a top-up as a workflow might ask for it."""
    return Step(
        platform_no=story.platform_no,
        object_kind="pay_in",
        object_no=number,
        request_no=request_no,
        event_type="pay_in.paid",
        status="paid",
        document={},
        occurred_at=story.stage.begins_at,
        bases=bases,
    )


def booking(
    story: Story, payment: ChannelPayment, *, request_no: str = "", bases: tuple[Basis, ...] = NOTHING, **more: Any
) -> BookPayment:
    """A booking of a payment of T-1; into suspense unless it says for whom."""
    step = step_of(story, request_no or payment_booking_no(payment.payment_no), bases=bases)
    return BookPayment(step=step, collection=collection(story), method=QR, payment=payment, **more)


def returned(story: Story, payment_no: str, amount_fen: int) -> ReturnPayment:
    """A return through the collection of T-1."""
    return ReturnPayment(
        collection=collection(story), refund_no="T-1:return:1", payment_no=payment_no, amount_fen=amount_fen
    )


def a_step_of_return(story: Story, what: ReturnPayment, part: str) -> BookReturn:
    """Its step in the ledger."""
    return BookReturn(step=step_of(story, f"{what.refund_no}:{part}"), returned=what, method=QR)


async def payments_of(story: Story, number: str = "T-1") -> list[ChannelPayment]:
    """What the channel took."""
    answer = await story.stage.sandbox.bank.collections.query(f"{story.platform_no}/{number}:collect:1")
    return list(answer.payments)


async def paid_top_up(story: Story, amount: str = "900.00") -> Accomplice:
    """T-1 was paid and credited; its workflow is ended by the thief, whose worker takes its place."""
    await story.members_open()
    cashier = Cashier(story)
    await cashier.opens(amount)
    await cashier.awaits_payer()
    await cashier.payer_pays()
    await cashier.stands("T-1", "paid")
    await cashier.handle().terminate("a thief")
    return Accomplice(story.stage, pay_in_workflow_id(story.platform_no, "T-1"))


async def test_a_payment_is_booked_once_under_whatever_number_it_is_asked_for(story: Story) -> None:
    thief = await paid_top_up(story)
    [payment] = await payments_of(story)
    before = await story.balances()

    with pytest.raises(Refused) as refusal:
        await thief.runs(thief.activities.pay_ins.book_payment, booking(story, payment, request_no="T-1:again"))

    assert refusal.value.code == "payment_differs"
    assert await story.balances() == before


async def test_what_somebody_else_paid_is_not_given_back_to_this_payer(story: Story) -> None:
    thief = await paid_top_up(story)
    strangers = await story.transfer_arrives("900.00", "6222020000000000000")
    await story.bank_lines_are_booked()
    before = await story.balances()
    what = returned(story, strangers, 90_000)

    with pytest.raises(Refused) as refusal:
        await thief.runs(thief.activities.returns.hold_return, a_step_of_return(story, what, "hold"))
    assert refusal.value.code == "payment_differs"
    with pytest.raises(Refused):
        await thief.runs(thief.activities.returns.refund_payment, what)

    assert await story.balances() == before


async def test_a_payment_goes_back_once_and_under_the_number_that_holds_it(story: Story) -> None:
    await story.members_open()
    cashier = Cashier(story)
    await cashier.opens(PAID_TWICE)
    await cashier.awaits_payer()
    await cashier.handle().terminate("a thief")
    thief = Accomplice(story.stage, pay_in_workflow_id(story.platform_no, "T-1"))
    await story.stage.sandbox.steer.pay(f"{story.platform_no}/T-1:collect:1")
    first, second = await _both_payments(story)
    do, pay_ins, returns = thief.runs, thief.activities.pay_ins, thief.activities.returns
    terms = pay_in_terms(method=QR.value, amount_fen=90_015)
    expected = pay_in_operation_hash(platform_no=story.platform_no, pay_in_no="T-1", by=OWNER, terms=terms)
    consent = (Basis(kind="consent", reference="T-1-consent", operation_hash=expected),)
    await do(pay_ins.book_payment, booking(story, first, bases=consent, member_no=OWNER, asked_fen=90_015))
    await do(pay_ins.book_payment, booking(story, second))
    mine = returned(story, second.payment_no, 90_015)
    another = mine.model_copy(update={"refund_no": "T-1:return:2"})

    await do(returns.hold_return, a_step_of_return(story, mine, "hold"))
    await do(returns.refund_payment, mine)
    with pytest.raises(Refused):
        await do(returns.refund_payment, another)
    with pytest.raises(Refused):
        await do(returns.settle_return, a_step_of_return(story, another, "end"))
    settled = a_step_of_return(story, mine, "end")
    await story.until(lambda: _is_given_back(story, 90_015), "the channel gives the payment back")
    await do(returns.settle_return, settled)
    await do(returns.settle_return, settled)
    with pytest.raises(Refused):
        await do(returns.refund_payment, mine)

    await asyncio.sleep(0.5)
    channel_says = await story.stage.sandbox.bank.collections.query(f"{story.platform_no}/T-1:collect:1")
    assert channel_says.refunded_fen == 90_015
    balances = await story.balances()
    assert balances.pop("channel_due:qr_wechat") == "-900.15"
    assert list(balances.values()) == ["900.15"]


async def _both_payments(story: Story) -> list[ChannelPayment]:
    async def both() -> bool:
        return len(await payments_of(story)) == 2

    await story.until(both, "the payer has paid twice")
    return await payments_of(story)


async def _is_given_back(story: Story, amount_fen: int) -> bool:
    answer = await story.stage.sandbox.bank.collections.query_refund(
        f"{story.platform_no}/T-1:return:1", custody_account_no=story.stage.custody_account_no
    )
    return answer.status == "succeeded"


async def test_a_payer_is_shown_what_the_channel_says_and_no_address_of_a_thiefs(story: Story) -> None:
    await story.members_open()
    cashier = Cashier(story)
    await cashier.opens("900.00")
    await cashier.awaits_payer()
    shown = (await story.in_the_books("pay_in", "T-1")).body["interaction"]
    await cashier.handle().terminate("a thief")
    thief = Accomplice(story.stage, pay_in_workflow_id(story.platform_no, "T-1"))
    phishing = {"interaction": {**shown, "kind": "redirect", "url": "https://thief.example", "qr_content": "thief"}}

    for number in ("T-1:asked:2", "T-1:again"):
        step = step_of(story, number).model_copy(update={"status": "awaiting_payer", "document": phishing})
        await thief.runs(thief.activities.pay_ins.record_pay_in, step)
        assert (await story.in_the_books("pay_in", "T-1")).body["interaction"] in (shown, None)


async def test_no_other_step_says_what_a_payer_is_shown(story: Story) -> None:
    thief = Accomplice(story.stage, pay_in_workflow_id(story.platform_no, "T-1"))
    step = step_of(story, "T-1:x").model_copy(update={"document": {"interaction": {"url": "https://thief.example"}}})

    posting = thief.environment.run(step.posting, content={})

    assert posting.changes[0].body == {}


async def test_an_object_arms_no_clock_of_another(story: Story) -> None:
    thief = await paid_top_up(story)
    await story.order_opens()
    clock = DeadlineChange(object_kind="order", object_no="D-1001", name="start", due_at=story.stage.begins_at)
    step = step_of(story, "T-1:clock").model_copy(update={"deadlines": (clock,)})

    with pytest.raises(Refused) as refusal:
        await thief.runs(thief.activities.pay_ins.record_pay_in, step)

    assert refusal.value.code == "wrong_workflow"


# ---- orders that a channel paid ----


async def test_no_refund_of_one_order_is_another_orders(story: Story) -> None:
    await paid_order(story)
    direct, victim = (await story.order_state()).direct, story.signed
    assert direct is not None
    idler = await _something_idle_runs_as(story, direct_refund_workflow_id(story.platform_no, "D-1001"))
    await story.cancels(CONTRACTOR)
    await idler.terminate("a thief")
    await _thiefs_order_is_paid_and_cancelled(story, direct)
    before = await story.balances()

    refund = await _refund_begins(story, "D-2", victim.total_fen, direct)

    async def is_shown() -> bool:
        return "NEEDS ATTENTION" in await details_of(refund)

    await story.until(is_shown, "an operator is asked for")
    assert await story.balances() == before
    assert (await signed_order(story.stage.reader, story.platform_no, "D-2")).direct is None
    await refund.terminate("an operator")
    honest = await _refund_begins(story, "D-1001", victim.total_fen, direct)
    await story.ending_of(honest)


async def _something_idle_runs_as(story: Story, workflow_id: str) -> Any:
    """A workflow that does nothing for years takes the place of another."""
    return await story.stage.client.start_workflow(
        MemberClosing.run,
        MemberClosingInput(
            platform_no=story.platform_no,
            member_no=OWNER,
            request_no="R-none",
            closes_at=story.stage.begins_at + timedelta(days=3650),
        ),
        id=workflow_id,
        task_queue=PAYMENTS_TASK_QUEUE,
    )


async def _thiefs_order_is_paid_and_cancelled(story: Story, direct: DirectPaid) -> None:
    """An order of the thief's own, which claims to have been paid by the other order's payment."""
    contract = await story.order_opens(order_no="D-2", price="100.00")
    await story.owner_transfers("100.00")
    state = states.opening_state(contract)
    state.direct, state.step_due_at = direct, await story.now() + timedelta(days=1)
    await story.order.terminate("a thief")
    await story.start_order(OrderInput(contract=contract, state=state), server_has_forgotten=True)
    await story.pays()
    await story.cancels(OWNER)


async def _refund_begins(story: Story, order_no: str, amount_fen: int, direct: DirectPaid) -> Any:
    return await story.stage.client.start_workflow(
        DirectRefundProcess.run,
        DirectRefundInput(
            platform_no=story.platform_no, order_no=order_no, owner_no=OWNER, amount_fen=amount_fen, direct=direct
        ),
        id=direct_refund_workflow_id(story.platform_no, order_no),
        task_queue=PAYMENTS_TASK_QUEUE,
    )


async def test_an_order_that_never_took_a_payment_cannot_be_said_to_have_taken_it(story: Story) -> None:
    await story.members_open()
    await story.order_opens()
    cashier = Cashier(story)
    await cashier.collects_for_order(story, number=NUMBER)
    await story.order.terminate("a thief")
    idler = await _something_idle_runs_as(story, story.order.id)
    await story.stage.sandbox.steer.pay(f"{story.platform_no}/{NUMBER}:collect:1")
    [payment] = await payments_of(story, NUMBER)

    await cashier.handle(NUMBER).signal(ORDER_HAS_ANSWERED, OrderAnswer(payment_no=payment.payment_no))
    await cashier.channel_notifies(number=NUMBER)
    outcome = await story.ending_of(cashier.handle(NUMBER))
    await idler.terminate("an operator")

    assert (outcome.status, outcome.suspended_fen) == ("closed", 0)
    channel_says = await story.stage.sandbox.bank.collections.query(f"{story.platform_no}/{NUMBER}:collect:1")
    assert channel_says.refunded_fen == channel_says.paid_fen == 18_600_000
