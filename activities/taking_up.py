"""Whatever process should run, runs: looked at by its id, started, told to look, or put in the place of a stranger.

Nobody is believed to run because it is on a list, or because an id is taken: a run counts when it is of our type, on
our task queue, was begun with the reference of the very object that its id names, and begins soon.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Protocol

from pydantic import BaseModel
from temporalio.client import Client
from temporalio.common import TypedSearchAttributes, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from escrow.stack.known_attributes import KnownAttributes
from escrow.stack.runs import Run, run_that_holds

#: Signal that lets a process look at the books anew.
LOOK = "look"
_ANSWER = timedelta(seconds=5)
#: How an input of ours is written; what is written otherwise is not even read.
_ENCODING = b"json/plain"
#: What reading an input raises that is not ours: not of its shape, out of range, or a reference to somewhere else.
_UNREADABLE = (ValueError, TypeError, ArithmeticError, RuntimeError)
#: Shown with a run that is ended for being none of these.
_NOT_OURS = "not ours: of another type or task queue, about something else, for later, paused, or for other workers"
#: A run that only begins later than this, by a delay or a schedule, just holds the id.
_BEGINS_WITHIN = timedelta(minutes=10)
#: What a long process carries from one run to the next, and how long one is: it is about the same object all the same.
_RUNS_OWN = frozenset({"noted", "continue_after_events"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Startable:
    """A process as it is started: by a reference to what it looks after.

    Args:
        task_timeout: how long one workflow task may take.
        runs_own: fields of the reference in which a run of this process may differ from it.
    """

    workflow: str
    task_queue: str
    workflow_id: str
    reference: BaseModel
    summary: str
    task_timeout: timedelta
    attributes: TypedSearchAttributes = TypedSearchAttributes.empty
    runs_own: Set[str] = _RUNS_OWN

    def is_begun_with(self, other: BaseModel) -> bool:
        """Whether a run with this input is one of this process."""
        own = set(self.runs_own)
        return other.model_dump(exclude=own) == self.reference.model_dump(exclude=own)


class ProcessOf(Protocol):
    """Which process looks after an object; None for a kind that has none."""

    def __call__(self, kind: str, platform_no: str, object_no: str, *, body: Mapping[str, Any]) -> Startable | None:
        """The process, with what operators see of it; `body` is empty where the object does not stand in the books."""


class Did(StrEnum):
    """What was done about a process; the values read as sentences."""

    NOTHING = "runs"
    TOLD = "runs, and was told to look"
    STARTED = "did not run, and was started"
    BEGUN_ANEW = "was ended and begun anew"
    STRANGER = "a stranger held its id, or had paused it: that was ended, and the process begun"


class TakingUp:
    """Brings processes to run.

    Args:
        client: speaks to the Temporal server.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known = KnownAttributes(client, answer=_ANSWER)

    async def tend(self, process: Startable, *, look: bool = False, anew: bool = False, why: str | None = None) -> Did:
        """See that a process runs.

        Args:
            look: tell the one that runs to look at the books.
            anew: end the one that runs and begin another.
            why: shown with a run that is ended.

        Raises:
            RPCError: Temporal does not answer, or refuses.
        """
        holder = await run_that_holds(self._client, process.workflow_id, answer=_ANSWER)
        if holder is None:
            return Did.STARTED if await self._start(process) else Did.TOLD
        is_ours = await self._is_run_of(process, holder)
        if is_ours and not anew:
            if look:
                await self._look(process.workflow_id)
            return Did.TOLD if look else Did.NOTHING
        await self._end(holder, why or _NOT_OURS)
        await self._start(process)
        return Did.BEGUN_ANEW if is_ours else Did.STRANGER

    async def _is_run_of(self, process: Startable, holder: Run) -> bool:
        """Whether a run is of this process, by its type, its task queue, and how it was begun, and can go on.

        How it was begun is in the first event alone, a page of one: as cheap as the description before it.
        """
        if (holder.workflow, holder.task_queue) != (process.workflow, process.task_queue):
            return False
        if holder.is_paused or holder.is_pinned:
            return False
        handle = self._client.get_workflow_handle(holder.workflow_id, run_id=holder.run_id)
        events = handle.fetch_history_events(page_size=1, rpc_timeout=_ANSWER)
        begun = (await anext(events)).workflow_execution_started_event_attributes
        if begun.first_workflow_task_backoff.ToTimedelta() > _BEGINS_WITHIN:
            return False
        given = begun.input.payloads
        if len(given) != 1 or given[0].metadata.get("encoding") != _ENCODING:
            return False
        try:
            (begun_with,) = await self._client.data_converter.decode(given, [type(process.reference)])
        except _UNREADABLE:
            return False
        return process.is_begun_with(begun_with)

    async def _end(self, holder: Run, why: str) -> None:
        handle = self._client.get_workflow_handle(holder.workflow_id, run_id=holder.run_id)
        try:
            await handle.terminate(reason=why, rpc_timeout=_ANSWER)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:  # it has ended meanwhile
                raise

    async def _start(self, process: Startable) -> bool:
        """Start a process; False when somebody was faster, who is told to look."""
        try:
            await self._client.start_workflow(
                process.workflow,
                process.reference,
                id=process.workflow_id,
                task_queue=process.task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                task_timeout=process.task_timeout,
                static_summary=process.summary,
                search_attributes=await self._known.among(process.attributes),
                rpc_timeout=_ANSWER,
            )
        except WorkflowAlreadyStartedError:
            await self._look(process.workflow_id)
            return False
        return True

    async def _look(self, workflow_id: str) -> None:
        try:
            await self._client.get_workflow_handle(workflow_id).signal(LOOK, rpc_timeout=_ANSWER)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:  # it has ended meanwhile
                raise
