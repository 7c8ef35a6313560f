"""What ran under older code must go on under this code: every recorded history is replayed."""

import base64
import importlib
import pkgutil
import re
from datetime import timedelta
from pathlib import Path

import pytest
from google.protobuf.json_format import Parse
from temporalio import workflow
from temporalio.api.history.v1 import History
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

import workflows
from escrow.stack.workflow_runner import ContextFreeSandbox
from tests.histories.recording import FOLDER, RECORDINGS
from tests.identities import CITIZEN_ID, CREDIT_CODE
from tests.stage import PLATFORMS_ACCOUNT_NO
from tests.story_debits import CODE, MOBILE, card
from tests.story_ground import CONTRACTORS_ACCOUNT, OWNERS_CARD
from tests.workflows.test_suspense_return import STRANGERS_CARD

#: Those of the first release stay for ever: what began under it still runs. But for withdrawals, which the books decide
#: now: such a process is ended and started again by its number (`test_withdrawal_process.py`), and finds there where it
#: stands (`test_books_of_the_first_release_go_on`).
HISTORIES = sorted(FOLDER.rglob("*.json"))


#: Whom the stories are about; none of it belongs into a history.
PERSONAL = (
    *(account.account_no for account in (OWNERS_CARD, CONTRACTORS_ACCOUNT, card("A-O1"))),
    *(account.account_name for account in (OWNERS_CARD, CONTRACTORS_ACCOUNT, card("A-O1"))),
    *(STRANGERS_CARD, PLATFORMS_ACCOUNT_NO, CITIZEN_ID, CREDIT_CODE, MOBILE, "13900000002", f'"{CODE}"', '"000000"'),
)


def workflow_types() -> dict[str, type]:
    """Every workflow that there is, by its type."""
    found: dict[str, type] = {}
    for module in pkgutil.iter_modules(workflows.__path__):
        for value in vars(importlib.import_module(f"workflows.{module.name}")).values():
            if isinstance(value, type) and (name := getattr(workflow._Definition.from_class(value), "name", None)):
                found[name] = value
    return found


def type_of(path: Path) -> str:
    """The workflow's type that a history belongs to."""
    started = Parse(path.read_text(), History()).events[0].workflow_execution_started_event_attributes
    return started.workflow_type.name


def replayer() -> Replayer:
    return Replayer(
        workflows=list(workflow_types().values()),
        workflow_runner=ContextFreeSandbox(),
        data_converter=pydantic_data_converter,
    )


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: str(path.relative_to(FOLDER).with_suffix("")))
async def test_a_recorded_history_is_replayed_by_the_present_workflows(path: Path) -> None:
    history = WorkflowHistory.from_json(path.stem, path.read_text())

    assert any(event.HasField("workflow_task_completed_event_attributes") for event in history.events)
    await replayer().replay_workflow(history)


async def test_a_history_that_went_another_way_is_reported() -> None:
    history = WorkflowHistory.from_json("settled_order", (FOLDER / "settled_order.json").read_text())
    scheduled = next(e for e in history.events if e.HasField("activity_task_scheduled_event_attributes"))
    scheduled.activity_task_scheduled_event_attributes.activity_type.name = "freeze_price"

    with pytest.raises(NondeterminismError):
        await replayer().replay_workflow(history)


def test_every_recording_is_kept_and_every_workflow_has_one() -> None:
    assert set(RECORDINGS) <= {path.stem for path in HISTORIES}
    assert {type_of(path) for path in HISTORIES} == set(workflow_types())


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: str(path.relative_to(FOLDER).with_suffix("")))
def test_no_history_tells_who_it_is_about(path: Path) -> None:
    payloads = [
        base64.b64decode(data).decode() for data in re.findall(r'"data": "([A-Za-z0-9+/=]*)"', path.read_text())
    ]
    text = "\n".join([path.read_text(), *payloads])
    assert "HOME" in text, "what stands in a history is not seen"
    assert [personal for personal in PERSONAL if personal in text] == []


def test_the_recordings_ran_through_the_real_seven_and_ninety_days() -> None:
    history = Parse((FOLDER / "settled_order.json").read_text(), History())
    timers = {
        round(event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta() / timedelta(minutes=1))
        for event in history.events
        if event.HasField("timer_started_event_attributes")
    }

    assert timedelta(days=7) // timedelta(minutes=1) in timers
    assert timedelta(days=90) // timedelta(minutes=1) in timers
    first, last = history.events[0].event_time.ToDatetime(), history.events[-1].event_time.ToDatetime()
    assert last - first > timedelta(days=97)
