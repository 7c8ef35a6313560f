"""Somebody else's workflow that holds the id of a process of ours, and answers whatever that one is asked to do."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowHandle
from temporalio.common import RawValue, WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

#: Stands in whatever is answered: nobody must ever be told it.
MARK = "a squatter says so"
SQUATTERS = "squatters"


def _refused(code: str, **details: Any) -> ApplicationError:
    facts = {"code": code, "message": MARK, "details": {"reason": MARK, **details}}
    return ApplicationError(MARK, facts, type="Refused", non_retryable=True)


def _raw(data: bytes, encoding: bytes = b"json/plain") -> RawValue:
    return RawValue(Payload(metadata={"encoding": encoding}, data=data))


#: What is answered: lies that look like ours, and what is no answer at all.
ANSWERS: Sequence[Callable[[], Any]] = (
    lambda: {"request_no": MARK, "operation": "start", "order_status": "settled", "released_fen": 10**12},
    lambda: {"status": "verified", "reason": MARK, "outcome": "accepted", "said": [MARK], "after": None},
    lambda: "accepted",
    lambda: _refused("not_the_party"),
    lambda: _refused("sms_code_limit", per=MARK),
    lambda: _refused("verification_not_sent"),
    lambda: _refused(MARK),
    lambda: None,
    lambda: 7,
    lambda: [{"status": 7}],
    lambda: {"order_status": ["settled"], "status": {"is": MARK}, "said": MARK},
    lambda: _raw(b'{"not": JSON'),
    lambda: _raw(b"\xff\xfe", b"nobody/knows"),
    lambda: ApplicationError(MARK, MARK, type="Refused"),
    lambda: ApplicationError(MARK, {"code": 7, "message": None}, type="Refused"),
    lambda: ApplicationError(MARK, _raw(b"{{{"), type="Refused"),
    lambda: ApplicationError(MARK, type="Refused"),
)


@workflow.defn(dynamic=True)
class Squatter:
    """Answers every update, each time otherwise; never ends, whatever its type is called."""

    def __init__(self) -> None:
        self.answered = 0

    @workflow.run
    async def run(self, _: Sequence[RawValue]) -> None:
        """Sits there."""
        await workflow.wait_condition(lambda: False)

    @workflow.update(dynamic=True)
    def answer(self, _: str, __: Sequence[RawValue]) -> Any:
        """The next of all answers."""
        said = ANSWERS[self.answered % len(ANSWERS)]()
        self.answered += 1
        if isinstance(said, ApplicationError):
            raise said
        return said

    @workflow.signal(dynamic=True)
    def hear(self, _: str, __: Sequence[RawValue]) -> None:
        """Whatever it is told."""

    @workflow.query(name="answered")
    def how_often(self) -> int:
        """How many updates it has answered."""
        return self.answered


class Squatters:
    """Whoever lets them sit somewhere; all that sit are ended by `leave`."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue
        self._sitting: list[WorkflowHandle[Any, Any]] = []

    async def sit_at(self, workflow_id: str, *, workflow: str = "Squatter") -> WorkflowHandle[Any, Any]:
        """One holds an id from now on, in place of what ran there.

        Args:
            workflow: of which type it says that it is.
        """
        handle = await self._client.start_workflow(
            workflow,
            id=workflow_id,
            task_queue=self._task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
        )
        self._sitting.append(self._client.get_workflow_handle(workflow_id, run_id=handle.result_run_id))
        return self._sitting[-1]

    async def leave(self) -> None:
        """They are ended, as far as nobody has ended them."""
        for handle in self._sitting:
            try:
                await handle.terminate("it has sat long enough")
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise


@asynccontextmanager
async def squatters(client: Client, task_queue: str = SQUATTERS) -> AsyncIterator[Squatters]:
    """Squatters whose worker runs within; they leave at the end."""
    async with Worker(client, task_queue=task_queue, workflows=[Squatter], workflow_runner=UnsandboxedWorkflowRunner()):
        them = Squatters(client, task_queue)
        yield them
        await them.leave()
