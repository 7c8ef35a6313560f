"""Whoever may speak to Temporal's frontend: it has a workflow type and a worker of its own, and ours do its bidding.

Nothing of ours asks who calls. What such a thief can do is compared over all books and all that the bank was told.
"""

import asyncio
import copy
import itertools
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import asyncpg
from pydantic import BaseModel
from temporalio import workflow
from temporalio.client import ActivityFailureError, Client, WorkflowHandle
from temporalio.common import RetryPolicy, WorkflowIDConflictPolicy
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.failures import FailureMapping
from activities.orders import TakeOrderCommand
from escrow.domain.collections.direct_payments import DirectPaid
from escrow.domain.orders.commands import DeadlinePassed, Open, PartyCommand
from escrow.domain.orders.states import OrderCommand as Operation
from escrow.registry.accounts.rows import NewBankAccount
from escrow.registry.members.members import MemberKind
from escrow.stack.payloads import data_converter
from escrow.stack.processes import free_port
from escrow.stack.temporal import TemporalDevServer
from tests.story import Story
from tests.story_collections import QR, Cashier
from tests.story_ground import CONTRACTOR, OWNER
from tests.terminating import terminated_at_rest
from workflows.messages import ORDERS_TASK_QUEUE, PartyMessage

#: The thief's own queue, which none of our workers asks.
_THIEVES = "thieves"
_RUNS = itertools.count(1)
#: A server that is asked for hundreds of activities at once on a busy machine loses one now and then on its way to our
#: workers: that one times out without having begun, and a thief asks again.
_ANSWERED_WITHIN, _ASKED_AT_MOST = timedelta(seconds=60), 5
#: What the books say; the story's clock and the registry's sealed rows are none of a thief's business.
_TABLES = (
    "account", "request", "entry", "entry_line", "business_object", "event", "deadline", "consent", "basis_use",
    "claim", "counter", "limit_use", "bank_line",
)  # fmt: skip


@dataclass(frozen=True)
class Call:
    """One activity of ours by its name, with whatever request, on the queue where our workers do it.

    Args:
        more: what an activity takes beside its request.
    """

    activity: str
    request: Any
    task_queue: str = ORDERS_TASK_QUEUE
    more: list[Any] = field(default_factory=list)

    @property
    def arguments(self) -> list[Any]:
        """All that the activity takes."""
        return [*([] if self.request is None else [self.request]), *self.more]


@dataclass(frozen=True)
class Calls:
    """What a foreign workflow has done, one after the other or all at once."""

    calls: list[Call]
    at_once: bool = False


@workflow.defn(name="Foreign")
class Foreign:
    """A workflow type that is none of ours; it has activities of ours done on our queue, or just sits there."""

    @workflow.run
    async def run(self, todo: Calls) -> list[Any]:
        """Answers what came of each call; without any it never ends."""
        if not todo.calls:
            await workflow.wait_condition(lambda: False)
        if todo.at_once:
            return list(await asyncio.gather(*(self.done(call) for call in todo.calls)))
        return [await self.done(call) for call in todo.calls]

    async def done(self, call: Call) -> Any:
        """What the activity answers; None when it fails."""
        for _ in range(_ASKED_AT_MOST):
            try:
                return await workflow.execute_activity(
                    call.activity,
                    args=call.arguments,
                    task_queue=call.task_queue,
                    start_to_close_timeout=_ANSWERED_WITHIN,
                    retry_policy=RetryPolicy(maximum_attempts=1),
                )
            except ActivityError as failed:
                if not isinstance(failed.cause, TimeoutError):
                    break
        return None


class Thief:
    """A thief in one story."""

    def __init__(self, story: Story) -> None:
        self.story = story

    async def has_done(self, *calls: Call, workflow_id: str = "", at_once: bool = False) -> list[Any]:
        """Have activities of ours done by a foreign workflow; what each answered, None for one that failed.

        Args:
            workflow_id: under which id it does so; empty for some id of its own.
        """
        handle = await self._begins(Calls(list(calls), at_once), workflow_id or f"foreign/{next(_RUNS)}")
        with self.story.stage.env.auto_time_skipping_disabled():
            answers: list[Any] = await handle.result()
        return answers

    async def sits_at(self, workflow_id: str) -> WorkflowHandle[Any, Any]:
        """A foreign workflow takes an id and does nothing."""
        return await self._begins(Calls([]), workflow_id)

    async def _begins(self, todo: Calls, workflow_id: str) -> WorkflowHandle[Any, Any]:
        return await self.story.stage.client.start_workflow(
            Foreign.run,
            todo,
            id=workflow_id,
            task_queue=_THIEVES,
            id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
        )


@asynccontextmanager
async def thief_in(story: Story) -> AsyncIterator[Thief]:
    """A thief whose worker runs in this story."""
    async with Worker(
        story.stage.client,
        task_queue=_THIEVES,
        workflows=[Foreign],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        yield Thief(story)


class Alone:
    """Whoever has activities of ours done without any workflow."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.done: Counter[str] = Counter()

    async def has_done(self, *calls: Call) -> None:
        """Have these done at once; what came of each is counted by its activity, when one of ours has done it."""
        await asyncio.gather(*map(self._does, calls))

    async def _does(self, call: Call) -> None:
        for _ in range(_ASKED_AT_MOST):
            try:
                await self._client.execute_activity(
                    call.activity,
                    args=call.arguments,
                    id=f"alone/{next(_RUNS)}",
                    task_queue=call.task_queue,
                    start_to_close_timeout=_ANSWERED_WITHIN,
                    retry_policy=RetryPolicy(maximum_attempts=1),
                )
            except ActivityFailureError as failed:
                if isinstance(failed.cause, TimeoutError):
                    continue
                assert isinstance(failed.cause, ApplicationError), failed.cause  # noqa: PT017 - ours have refused it
            self.done[call.activity] += 1
            return
        raise AssertionError(f"nobody of ours answers {call}")


@asynccontextmanager
async def standing_alone(activities: Mapping[str, tuple[Callable[..., Any], str]]) -> AsyncIterator[Alone]:
    """Somebody with a server on which activities need no workflow; our workers poll it too, for these activities.

    The server that skips time knows no such activities. Books and bank are the same.

    Args:
        activities: with the queue of each, by their types.
    """
    with tempfile.TemporaryDirectory(prefix="alone-") as folder:
        server = TemporalDevServer(Path(folder), port=free_port(), ui_port=free_port())
        await server.start()
        try:
            client = await Client.connect(server.address, data_converter=data_converter)
            async with AsyncExitStack() as opened:
                for queue in {queue for _, queue in activities.values()}:
                    on_it = [do for do, its_queue in activities.values() if its_queue == queue]
                    worker = Worker(client, task_queue=queue, activities=on_it, interceptors=[FailureMapping()])
                    await opened.enter_async_context(worker)
                yield Alone(client)
        finally:
            await server.stop()


# ---- what a thief may find ----

ANOTHER_COMPANYS_ACCOUNT = NewBankAccount(
    account_id="A-C2", account_no="11050137360000000999", account_name="安居装饰有限公司", is_corporate=True,
    cnaps_code="105100000017",
)  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """A consent that a party gave and that nobody has brought to its order yet."""

    order_no: str
    operation: Operation
    message: PartyMessage


async def kept_back(story: Story, operation: Operation, by: str, milestone: int | None = None) -> Kept:
    """A party says something about the story's order in the platform's books, and the platform keeps it to itself."""
    message = await story.consents(operation, by, milestone=milestone)
    return Kept(story.signed.order_no, operation, message)


def taking(story: Story, order_no: str, command: PartyCommand | DeadlinePassed | Open) -> TakeOrderCommand:
    """The request that gives an order's command to the books."""
    return TakeOrderCommand(platform_no=story.platform_no, order_no=order_no, command=command)


def bringing(story: Story, kept: Kept, **changes: Any) -> TakeOrderCommand:
    """The honest request that brings a word to its order, or one with some of it changed."""
    order_no, operation = changes.pop("order_no", kept.order_no), changes.pop("operation", kept.operation)
    return taking(story, order_no, kept.message.model_copy(update=changes).to(operation))


def take(request: TakeOrderCommand) -> Call:
    """The activity that is asked so."""
    return Call("take_order_command", request.model_dump(mode="json"))


async def three_orders(story: Story) -> list[Kept]:
    """One order in inspection, one paid, one that waits for its payment; answers words that are kept back."""
    await story.members_open()
    await story.member_opens("C-2", MemberKind.COMPANY, ANOTHER_COMPANYS_ACCOUNT, mobile="13900000003")
    await story.owner_transfers("600,000.00")
    await story.order_opens(order_no="D-3")
    third = [await kept_back(story, Operation.PAY, OWNER), await kept_back(story, Operation.CANCEL, OWNER)]
    await story.order_opens(order_no="D-2", contractor_no="C-2")
    await story.pays()
    second = [await kept_back(story, Operation.START, "C-2"), await kept_back(story, Operation.CANCEL, "C-2")]
    await story.order_opens()
    await story.pays()
    await story.starts()
    await story.completes(2)
    first = [
        await kept_back(story, Operation.ACCEPT, OWNER, 2),
        await kept_back(story, Operation.RECTIFY, OWNER, 2),
        await kept_back(story, Operation.CANCEL, OWNER),
        await kept_back(story, Operation.CANCEL, CONTRACTOR),
        await kept_back(story, Operation.COMPLETE, CONTRACTOR, 3),
    ]
    return [*first, *second, *third]


async def collected_order(story: Story, thief: Thief) -> DirectPaid:
    """An order whose price a channel has taken; what would freeze it was ended, and the thief sits there."""
    await story.order_opens(order_no="D-4", price="900.00")
    cashier = Cashier(story)
    consent_no = await cashier.collects_for_order(story, number="D-4:pay:1")
    for process in (story.order, cashier.handle("D-4:pay:1")):
        await terminated_at_rest(process, "a thief")
        await thief.sits_at(process.id)
    await story.stage.sandbox.steer.pay(cashier.at_bank("D-4:pay:1"))
    [payment] = (await cashier.channel_says("D-4:pay:1")).payments
    return DirectPaid(
        consent_no=consent_no,
        pay_in_no="D-4:pay:1",
        collection_no="D-4:pay:1:collect:1",
        method=QR,
        payment_no=payment.payment_no,
        paid_fen=payment.amount_fen,
        settles_on=payment.settles_on,
    )


# ---- what a thief may change ----

#: Fields of a request from which nothing follows: notes, and what tells one kind of request from another.
SAYS_NOTHING = frozenset({"note", "seen_version", "name"})


def changed(request: BaseModel, others: Mapping[str, Sequence[Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The request with each of its fields changed, one at a time: the field's path, and the request as JSON.

    Args:
        others: what stands in these fields elsewhere, by field name; a text field that is not named here is an error,
            so that a field that is new is thought of.
    """
    whole = request.model_dump(mode="json")
    for path, value in _fields(request):
        for other in _other_values(path[-1], value, others):
            forged = request.model_validate_json(request.model_dump_json()).model_dump(mode="json")
            place = forged
            for name in path[:-1]:
                place = place[name]
            place[path[-1]] = other
            assert forged != whole
            yield ".".join(path), forged


def changed_in_pairs(request: BaseModel, others: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """The request with every two of its fields changed at once, to what stands in these fields elsewhere."""
    whole = request.model_dump(mode="json")
    likely = [
        (path, other)
        for path, value in _fields(request)
        for other in ([value + 1] if type(value) is int else _other_values(path[-1], value, others)[:2])
    ]
    for (one, first), (two, second) in itertools.combinations(likely, 2):
        if one != two:
            forged = copy.deepcopy(whole)
            for path, other in ((one, first), (two, second)):
                place = forged
                for name in path[:-1]:
                    place = place[name]
                place[path[-1]] = other
            yield forged


def _fields(request: BaseModel, within: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name in type(request).model_fields:
        value = getattr(request, name)
        if isinstance(value, BaseModel):
            yield from _fields(value, (*within, name))
        elif name not in SAYS_NOTHING:
            yield (*within, name), value


def _other_values(name: str, value: Any, others: Mapping[str, Sequence[Any]]) -> list[Any]:
    if isinstance(value, Enum):
        return [member.value for member in type(value) if member is not value]
    if isinstance(value, date):
        return [str(value + timedelta(days=days)) for days in (-400, -1, 1, 400)]
    if isinstance(value, int):
        return [*{value - 1, value + 1, 0, 1, 2, 3, -value, value * 10, 10**15} - {value}, None]
    found = [other for other in others[name] if other != value]
    return found if value is None else [*found, "", f"{value}x", f"{value}:1", "platform"]


# ---- what a thief may have changed ----


async def everything(story: Story) -> set[str]:
    """All that the books of all platforms say, and all that the bank was ever told to pay or to send."""
    connection = await asyncpg.connect(story.stage.database.superuser_dsn)
    try:
        rows = {
            f"{table}: {row[0]}"
            for table in _TABLES
            for row in await connection.fetch(f'SELECT t::text FROM "{table}" t')
        }
    finally:
        await connection.close()
    steer = story.stage.sandbox.steer
    payouts = {f"payout: {payout}" for payout in await steer.payouts()}
    texts = {f"text: {message}" for message in await steer.sms_outbox()}
    return rows | payouts | texts


def differences(before: set[str], after: set[str]) -> list[str]:
    """What is otherwise now, for a test to compare with nothing."""
    return [f"- {row}" for row in sorted(before - after)] + [f"+ {row}" for row in sorted(after - before)]
