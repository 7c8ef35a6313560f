"""A recorded history lived through once more, with a request to cancel at one place of it. No server takes part.

A replay shows what a worker gives to the workflow, activation by activation, and what the workflow answers. The same
is given to a fresh instance of the workflow, and at one place the request besides. From there on it must answer as it
did without: the same steps at the same places, and the same end. A timer that the request interrupts may be another
one then, of the same summary and for the same moment; what an operator sees may differ, and so do the notes that a
next run inherits.
"""

import asyncio
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails

#: Commands that no step of the business consists of.
_SHOWN = frozenset({"start_timer", "cancel_timer", "upsert_workflow_search_attributes", "modify_workflow_properties"})
_SAME_MOMENT = timedelta(seconds=1)


class Arrives(StrEnum):
    """How a request to cancel reaches the workflow: with what else a task brings, or in a task of its own after it."""

    FIRST = "first"
    LAST = "last"
    ALONE = "alone"


@dataclass(frozen=True)
class Life:
    """What a worker gave to one workflow, and what that answered."""

    details: WorkflowInstanceDetails
    steps: list[tuple[Any, Any]] = field(default_factory=list)

    def places(self) -> Iterator[tuple[int, Arrives]]:
        """Wherever a request to cancel can arrive: not before the start, and not after the end."""
        for place in range(len(self.steps)):
            for arrives in Arrives:
                is_last = place == len(self.steps) - 1
                if not (place == 0 and arrives is Arrives.FIRST) and not (is_last and arrives is Arrives.ALONE):
                    yield place, arrives


class _Recorder(UnsandboxedWorkflowRunner):
    """Keeps what passes between a worker and the one workflow that it runs."""

    def __init__(self) -> None:
        self.lives: list[Life] = []

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = super().create_instance(det)
        life, activate = Life(det), instance.activate
        self.lives.append(life)

        def recorded(act: Any) -> Any:
            given = deepcopy(act)
            answer = activate(act)
            life.steps.append((given, deepcopy(answer)))
            return answer

        instance.activate = recorded  # type: ignore[method-assign]  # on this instance alone
        return instance


async def life_of(path: Path, workflows: list[type]) -> Life:
    """The life of one recorded history."""
    recorder = _Recorder()
    replayer = Replayer(workflows=workflows, workflow_runner=recorder, data_converter=pydantic_data_converter)
    await replayer.replay_workflow(WorkflowHistory.from_json(path.stem, path.read_text()))
    (life,) = recorder.lives
    return life


async def what_a_cancel_does(life: Life, place: int, arrives: Arrives) -> str | None:
    """What is otherwise when a request to cancel arrives at this place; None when nothing is."""
    instance = UnsandboxedWorkflowRunner().create_instance(life.details)
    return await asyncio.to_thread(_lived_again, instance, life, place, arrives)  # it is an event loop of its own


def _lived_again(instance: WorkflowInstance, life: Life, place: int, arrives: Arrives) -> str | None:
    lived, lives = _Course(), _Course()
    for number, (given, answer) in enumerate(life.steps):
        activation = deepcopy(given)
        if wrong := lives.retimed(activation, lived):
            return f"{wrong} in task {number}"
        if number == place and arrives is not Arrives.ALONE:
            job = activation.jobs.add()
            job.cancel_workflow.reason = "somebody"
            if arrives is Arrives.FIRST:
                jobs = [deepcopy(item) for item in (job, *activation.jobs[:-1])]
                del activation.jobs[:]
                activation.jobs.extend(jobs)
        lived.goes_on(given, answer)
        lives.goes_on(activation, instance.activate(activation))
        if number == place and arrives is Arrives.ALONE:
            alone = type(given)(run_id=given.run_id, timestamp=given.timestamp, history_length=given.history_length)
            alone.jobs.add().cancel_workflow.reason = "somebody"
            lives.goes_on(alone, instance.activate(alone))
        if wrong := lives.differs(lived):
            return f"{wrong} in task {number}"
    return None


class _Course:
    """What a workflow has commanded so far, and the timers that run: what for and until when, by their numbers."""

    def __init__(self) -> None:
        self._steps: list[str] = []
        self._timers: dict[int, tuple[str, datetime]] = {}

    def goes_on(self, activation: Any, completion: Any) -> None:
        """It was given something and answered."""
        now = activation.timestamp.ToDatetime()
        for job in activation.jobs:
            if job.HasField("fire_timer"):
                self._timers.pop(job.fire_timer.seq, None)
        if completion.HasField("failed"):
            self._steps.append(f"the task failed: {completion.failed.failure.message}")
        for command in completion.successful.commands:
            kind = command.WhichOneof("variant")
            if kind == "start_timer":
                due = now + command.start_timer.start_to_fire_timeout.ToTimedelta()
                self._timers[command.start_timer.seq] = (str(command.user_metadata.summary.data), due)
            elif kind == "cancel_timer":
                self._timers.pop(command.cancel_timer.seq, None)
            elif kind == "continue_as_new_workflow_execution":
                self._steps.append(kind)
            elif kind not in _SHOWN:
                self._steps.append(f"{kind} {getattr(command, kind)}")

    def retimed(self, activation: Any, lived: "_Course") -> str | None:
        """Let the timer fire that runs here in place of the one that fired there; says why where none does."""
        for job in activation.jobs:
            if not job.HasField("fire_timer"):
                continue
            summary, due = lived._timers[job.fire_timer.seq]
            same = [
                number
                for number, (other, at) in self._timers.items()
                if other == summary and abs(at - due) < _SAME_MOMENT
            ]
            if not same:
                return f"nothing is waited for that was: {summary} until {due}"
            job.fire_timer.seq = job.fire_timer.seq if job.fire_timer.seq in same else same[0]
        return None

    def differs(self, lived: "_Course") -> str | None:
        """In what it differs from the course that was lived; None where it does not."""
        for mine, other in zip(self._steps, lived._steps, strict=False):
            if mine != other:
                return f"{mine} instead of {other}"
        if len(self._steps) != len(lived._steps):
            longer, what = (self, "more") if len(self._steps) > len(lived._steps) else (lived, "less")
            return f"{what}: {longer._steps[min(len(self._steps), len(lived._steps))]}"
        return None
