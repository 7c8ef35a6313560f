"""A thief with full access to Temporal, where one of everything is under way, and a twin platform that it spares.

Activity types and command types are read from the code, their fields from their types. Each field of each honest
request is changed, one at a time and two at once, sent from a foreign workflow under the ids of all our processes, sent
again in another order and all at once, and without any workflow; results of our own activities are forged. What goes
on afterwards must be what goes on at the twin: balances, payees at the bank, texts, events, who waits for a person.
"""

import asyncio
import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from pydantic import BaseModel, create_model
from temporalio import activity
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.worker import Worker

from activities.bank_lines import LineRef
from activities.batch_payments import BatchNo
from activities.identity import CheckRef
from activities.mandates import MandateRef
from activities.member_closing import ClosingRef
from activities.orders import OrderRef, RemindOwner, TakeOrderCommand
from activities.payers import CollectionNo
from activities.quick_payments import PayersTry, PayersWish
from activities.returns import RefundNo
from activities.rounds import TakeUp
from activities.transfers import TransferRef
from activities.verification import VerificationRef
from activities.withdrawals import TakeWithdrawal, WithdrawalNo
from escrow.domain.collections import batch_commands, refund
from escrow.domain.collections import commands as collecting
from escrow.domain.members import closings, member
from escrow.domain.members import mandate as mandating
from escrow.domain.members import verification as verifying
from escrow.domain.orders import commands as ordering
from escrow.domain.orders.contract import opening_consent_no
from escrow.domain.transfers import commands as transferring
from escrow.domain.transfers.moves import TransferKind
from escrow.domain.withdrawals import commands as withdrawing
from escrow.stack.postgres import PostgresServer
from tests.accomplice import Accomplice
from tests.beginning import beginning
from tests.forging import answer_of, command_types, fields_of, made_up, parameters_of
from tests.postgres import new_database
from tests.sandbox import Sandbox
from tests.story import told
from tests.story_debits import MANDATE
from tests.story_ground import CONTRACTOR, OWNER
from tests.story_manifold import (
    CANCELLED,
    LEAVING,
    PAID,
    SILENT,
    TOGETHER,
    WISH,
    Manifold,
    begun_anew,
    described,
    goes_on,
    ids,
    manifold,
)
from tests.thieves import (
    Call,
    Thief,
    bringing,
    changed,
    changed_in_pairs,
    standing_alone,
    taking,
    thief_in,
)
from workflows.messages import ORDERS_TASK_QUEUE, PAYMENTS_TASK_QUEUE

#: How each type of command reaches the books: what a message may hold, or what an activity alone may say.
BY_MESSAGE = {ordering.PartyCommand, ordering.DeadlinePassed, ordering.Open}
BY_ACTIVITY_ALONE = {
    ordering.OwnerReminded, ordering.PaidDirectly, ordering.CallOperator, ordering.OperatorCame,
    withdrawing.Hold, withdrawing.BeginAttempt, withdrawing.BankSaid, withdrawing.EndAttempt, withdrawing.Queue,
    withdrawing.Paid, withdrawing.GiveBack, withdrawing.Announced, withdrawing.Overdue, withdrawing.CallOperator,
    collecting.Open, collecting.BeginAsking, collecting.ChannelShows, collecting.PayerHasActed, collecting.CodeSent,
    collecting.BookPayment, collecting.TakenByPaid, collecting.BookedElsewhere, collecting.End, collecting.HoldReturn,
    collecting.EndReturn, collecting.CallOperator, collecting.OperatorCame,
    batch_commands.PayFromBalance, batch_commands.OpenBatch, batch_commands.PaidByChannel, batch_commands.CloseBatch,
    refund.BeginRefund, refund.EndRefund, refund.OwnerTold, refund.CallOperatorToRefund,
    transferring.Pay, transferring.Assign, transferring.Reverse,
    closings.CompleteClosing, member.IdentityAnswered, member.IdentityUnanswered,
    mandating.BankTakesIt, mandating.BankRefusesIt, mandating.BankKnowsTheEnd, mandating.LastDayIsOver,
    verifying.WasSent, verifying.WasNotSent, verifying.CameBack, verifying.Judge, verifying.TimeIsOver,
}  # fmt: skip
#: What the API takes to the books itself, on the consent of a member; Temporal hears of it only by its number.
BY_CALLERS = {closings.BeginClosing, member.AskIdentity, mandating.Sign, mandating.Revoke, verifying.Ask}
#: So many calls a foreign workflow has done before the next one, under the next id, goes on.
_CALLS_EACH = 300
#: Of these an honest request begins processes of ours, which then go on; and so they come last.
_BEGINS_PROCESSES = {"make_round", "take_up"}
Arguments = Mapping[str, Any]
Activity = Callable[..., Any]


def honest(scene: Manifold) -> Mapping[str, Sequence[Arguments]]:
    """Requests that our own processes would make, or have made, by activity type; a type without a row fails."""
    story, home = scene.story, scene.story.platform_no
    verification = VerificationRef(platform_no=home, verification_no="V-1")
    closing = ClosingRef(platform_no=home, member_no=LEAVING, request_no="CL-1")
    mandate = MandateRef(platform_no=home, mandate_no=MANDATE)
    orders = [taking(story, "D-1001", ordering.DeadlinePassed(deadline="M2:inspection:1"))]
    orders += [taking(story, number, ordering.Open(order_no=number)) for number in ("D-2", "D-3")]
    orders += [bringing(story, kept) for kept in scene.words]
    collections = [CollectionNo(platform_no=home, pay_in_no=number) for number in ("T-1", f"{PAID}:pay:1")]
    refunds = [RefundNo(platform_no=home, order_no=CANCELLED)]
    withdrawals = [WithdrawalNo(platform_no=home, withdrawal_no=number) for number in ("W-1", "W-2", "SR-1")]
    return {
        "enter_order": [{"ref": OrderRef(platform_no=home, order_no="D-2")}],
        "take_order_command": [{"request": request} for request in orders],
        "remind_owner": [{"request": RemindOwner(platform_no=home, order_no=SILENT, milestone=2, round=1)}],
        "make_round": [{}],
        "take_up": [{"request": TakeUp(platform_no=home, object_no=SILENT)}],
        "books_time": [{"platform_no": home}],
        "take_withdrawal": [
            {"request": TakeWithdrawal(**withdrawals[0].model_dump(), overdue_at=2)},
            {"request": TakeWithdrawal(**withdrawals[1].model_dump())},
        ],
        "send_payout": [{"ref": ref} for ref in withdrawals],
        "ask_about_payout": [{"ref": ref} for ref in withdrawals],
        "announce_withdrawal": [{"ref": ref} for ref in withdrawals],
        "fetch_bank_lines": [{"platform_no": home}],
        "book_bank_line": [
            {"ref": LineRef(platform_no=home, bank_serial_no=number, kind="inbound")} for number in scene.line_nos
        ],
        "check_identity": [{"ref": CheckRef(platform_no=home, check_no="IC-1")}],
        "look_at_closing": [{"ref": closing}],
        "complete_closing": [{"ref": closing}],
        "send_verification": [{"ref": verification, "request_no": "V-1"}],
        "check_try": [{"ref": verification, "number": 1}],
        "look_at_verification": [{"ref": verification}],
        "end_verification": [{"ref": verification}],
        "look_after_collection": [{"ref": ref} for ref in collections],
        "give_back": [{"ref": ref} for ref in collections],
        "refund_order": [{"ref": ref} for ref in refunds],
        "tell_refund_credited": [{"ref": ref} for ref in refunds],
        "register_mandate": [{"ref": mandate}],
        "look_at_mandate": [{"ref": mandate}],
        "expire_mandate": [{"ref": mandate}],
        "deregister_mandate": [{"ref": mandate}],
        "check_payer_code": [{"typed": PayersTry(platform_no=home, pay_in_no="T-3", number=1)}],
        "send_payer_code": [{"wish": PayersWish(platform_no=home, pay_in_no="T-3", request_no=WISH)}],
        "take_batch": [{"ref": BatchNo(platform_no=home, batch_no="B-1")}],
        "make_transfer": [
            {"ref": TransferRef(platform_no=home, kind=kind, transfer_no=number)}
            for kind, number in (
                (TransferKind.PAYMENT, "P-1"),
                (TransferKind.ASSIGNMENT, "AS-1"),
                (TransferKind.REVERSAL, "RV-1"),
            )
        ],
    }  # fmt: skip


def elsewhere(scene: Manifold) -> Mapping[str, Sequence[Any]]:
    """What stands in fields of these names elsewhere; a text field that is new is an error until it has a row."""
    words = [kept.message.request_no for kept in scene.words]
    return {
        "platform_no": ["HOME-404"],
        "order_no": ["D-3", "D-1001", "D-2", *TOGETHER, "D-404"],
        "request_no": [words[0], words[5], opening_consent_no("D-1001"), "S-9", "CL-9"],
        "by": [CONTRACTOR, OWNER, "C-2", "O-404"],
        "milestone": [1, 2, 3, 99],
        "deadline": ["M2:work:0", "M3:work:0", "start", "payment", "warranty", "M2:inspection:2", "M2:reminder:1"],
        "withdrawal_no": ["SR-1", "W-1", "W-2", "P-1", "D-1001:M1:withdrawal:1"],
        "overdue_at": [1, 3],
        "bank_serial_no": [*scene.line_nos[:2], "20990101000001"],
        "kind": ["payout", "charge", "settlement", "micro_deposit"],
        "check_no": ["V-1", "CL-1"],
        "member_no": [OWNER, "C-2"],
        "verification_no": ["IC-1", "W-1"],
        "number": [2, 3],
        "pay_in_no": ["T-2", "T-3", f"{CANCELLED}:pay:1", "B-1:batch-pay", "D-1001"],
        "mandate_no": ["M-2", "T-1"],
        "batch_no": ["B-2", "D-2"],
        "transfer_no": ["RV-1", "AS-1", "P-1", "AS-0", "W-1"],
        "object_no": ["D-2", "W-2", "T-404"],
        "after": [["order", scene.story.platform_no, "D-1"]],
    }


def registered(scene: Manifold) -> Mapping[str, tuple[Activity, str]]:
    """Every activity that our worker does, with its queue."""
    ours = Accomplice(scene.story.stage, "anything").activities
    queues = {
        ORDERS_TASK_QUEUE: [*ours.on_orders_queue(), *ours.of_rounds(scene.story.stage.client)],
        PAYMENTS_TASK_QUEUE: ours.on_payments_queue(),
    }
    return {
        str(activity._Definition.must_from_callable(do).name): (do, queue)
        for queue, all in queues.items()
        for do in all
    }


def whole(do: Activity, arguments: Arguments) -> BaseModel:
    """All that an activity takes, as one request."""
    fields: dict[str, Any] = {name: (type(arguments[name]), ...) for name in parameters_of(do)}
    request: BaseModel = create_model("Arguments", **fields)(**arguments)
    return request


def call(name: str, queue: str, forged: Mapping[str, Any]) -> Call:
    """The activity asked for with these arguments."""
    first, *more = list(forged.values()) or [None]
    return Call(name, first, queue, more)


def forgeries(scene: Manifold) -> list[Call]:
    """Every honest request with every field changed, and every two; what another honest request says is none."""
    calls = []
    for name, (do, queue) in registered(scene).items():
        requests = [whole(do, arguments) for arguments in honest(scene)[name]]
        said = [request.model_dump(mode="json") for request in requests]
        for request in requests:
            forged = [one for _, one in changed(request, elsewhere(scene))]
            forged += changed_in_pairs(request, elsewhere(scene))
            calls += [call(name, queue, one) for one in forged if one not in said]
    return calls


def replays(scene: Manifold) -> list[Call]:
    """Every honest request, as its process makes it; but for words, which parties have kept back."""
    calls = [
        call(name, queue, whole(do, arguments).model_dump(mode="json"))
        for name, (do, queue) in registered(scene).items()
        for arguments in honest(scene)[name]
    ]
    words = [bringing(scene.story, kept).model_dump(mode="json") for kept in scene.words]
    return [one for one in calls if one.request not in words]


def inventions(scene: Manifold) -> list[Call]:
    """What an activity alone may say, said in place of a word, or beside an honest reference."""
    home, calls = scene.story.platform_no, []
    for kind in sorted(BY_ACTIVITY_ALONE, key=lambda kind: (kind.__module__, kind.__name__)):
        made = {name: made_up(hint, name) for name, hint in fields_of(kind).items()}
        fields = create_model("Made", **{name: (type(value), ...) for name, value in made.items()})(**made)  # type: ignore[call-overload]  # fields by name
        said = {"name": getattr(kind, "name", ""), **fields.model_dump(mode="json")}
        for order_no in ("D-1001", "D-2", "D-3", SILENT):
            request = {"platform_no": home, "order_no": order_no, "command": said}
            calls.append(Call("take_order_command", request))
        for name in ("look_after_collection", "give_back", "take_withdrawal", "send_payout", "refund_order"):
            reference = {**said, "platform_no": home, "pay_in_no": "T-1", "withdrawal_no": "W-1", "order_no": CANCELLED}
            calls.append(Call(name, {**reference, "overdue_at": 2}, PAYMENTS_TASK_QUEUE))
    return calls


async def results_forged(scene: Manifold) -> None:
    """Processes of ours run beside a worker of the thief's on our queues: what it takes it answers as it likes."""
    ours, answered = registered(scene), set[str]()

    @activity.defn(dynamic=True)
    async def forged(_: Sequence[RawValue]) -> Any:
        name = activity.info().activity_type
        answered.add(name)
        return made_up(answer_of(ours[name][0]))

    known = scene.story.stage.client
    client = await Client.connect(known.service_client.config.target_host, data_converter=known.data_converter)
    async with AsyncExitStack() as opened:
        for queue in (ORDERS_TASK_QUEUE, PAYMENTS_TASK_QUEUE):
            worker = Worker(client, task_queue=queue, activities=[forged])
            await opened.enter_async_context(worker)
        rounds = 0
        while rounds < 2 or len(answered) <= 5:  # on a slow machine more processes have to ask before it is heard
            await begun_anew(scene.story)
            await asyncio.sleep(1.5)
            rounds += 1


def test_every_command_type_is_thought_of() -> None:
    assert command_types() == BY_MESSAGE | BY_ACTIVITY_ALONE | BY_CALLERS
    assert set(TakeOrderCommand.model_fields["command"].annotation.__args__) == BY_MESSAGE  # type: ignore[union-attr]  # it is a union


async def test_whatever_a_thief_invents_all_goes_on_as_at_a_twin_that_it_spares(
    server: PostgresServer, shared_bank: Sandbox
) -> None:
    async with told(await new_database(server), shared_bank, begins_at=beginning()) as story:
        spared = await manifold(story)
        await goes_on(spared)
        expected = await described(spared)
    async with told(await new_database(server), shared_bank, begins_at=beginning()) as story, thief_in(story) as thief:
        scene = await manifold(story)
        assert registered(scene).keys() == honest(scene).keys()
        await attacked(scene, thief)
        await goes_on(scene)
        assert await described(scene) == expected


async def attacked(scene: Manifold, thief: Thief) -> None:
    """Everything is thrown at the books, from under the ids of all processes and from others."""
    calls = [*forgeries(scene), *inventions(scene)]
    rounds = [one for one in calls if one.activity in _BEGINS_PROCESSES]
    calls = [one for one in calls if one.activity not in _BEGINS_PROCESSES]
    under = itertools.cycle([*await ids(scene.story), "order/nobody/D-0", "rounds"])
    again = random.Random(7).sample(calls, len(calls) // 4)
    for todo, at_once in ((calls, False), (again, True)):
        for begin in range(0, len(todo), _CALLS_EACH):
            await thief.has_done(*todo[begin : begin + _CALLS_EACH], workflow_id=next(under), at_once=at_once)
    await results_forged(scene)
    repeated = [one for one in replays(scene) for _ in range(3)]
    async with standing_alone(registered(scene)) as alone:
        for begin in range(0, len(again), _CALLS_EACH):
            await alone.has_done(*again[begin : begin + _CALLS_EACH])
        await alone.has_done(*repeated)
        await thief.has_done(*repeated, at_once=True)
        await thief.has_done(*rounds, at_once=True)
        await alone.has_done(*rounds)
    assert alone.done.keys() == registered(scene).keys()
