"""What ran under older code must go on under this code: every recorded history is replayed."""

from datetime import timedelta
from pathlib import Path

import pytest
from google.protobuf.json_format import Parse
from temporalio.api.history.v1 import History
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from escrow.stack.workflow_runner import ContextFreeSandbox
from tests.histories.recording import RECORDINGS
from workflows.bank_watch import BankWatch
from workflows.order import DecorationOrder
from workflows.withdrawal import Withdrawal

HISTORIES = sorted(Path(__file__).parent.glob("*.json"))


def replayer() -> Replayer:
    return Replayer(
        workflows=[DecorationOrder, Withdrawal, BankWatch],
        workflow_runner=ContextFreeSandbox(),
        data_converter=pydantic_data_converter,
    )


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_recorded_history_is_replayed_by_the_present_workflows(path: Path) -> None:
    history = WorkflowHistory.from_json(path.stem, path.read_text())

    assert len(history.events) > 10
    await replayer().replay_workflow(history)


async def test_a_history_that_went_another_way_is_reported() -> None:
    history = WorkflowHistory.from_json("settled_order", (Path(__file__).parent / "settled_order.json").read_text())
    scheduled = next(e for e in history.events if e.HasField("activity_task_scheduled_event_attributes"))
    scheduled.activity_task_scheduled_event_attributes.activity_type.name = "freeze_price"

    with pytest.raises(NondeterminismError):
        await replayer().replay_workflow(history)


def test_every_recording_is_kept() -> None:
    assert set(RECORDINGS) <= {path.stem for path in HISTORIES}


def test_the_recordings_ran_through_the_real_seven_and_ninety_days() -> None:
    history = Parse((Path(__file__).parent / "settled_order.json").read_text(), History())
    timers = {
        round(event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta() / timedelta(minutes=1))
        for event in history.events
        if event.HasField("timer_started_event_attributes")
    }

    assert timedelta(days=7) // timedelta(minutes=1) in timers
    assert timedelta(days=90) // timedelta(minutes=1) in timers
    first, last = history.events[0].event_time.ToDatetime(), history.events[-1].event_time.ToDatetime()
    assert last - first > timedelta(days=97)
