"""What ran under older code must go on under this code: every recorded history is replayed."""

import base64
import importlib
import inspect
import json
import pkgutil
import re
from datetime import timedelta
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import Parse
from temporalio import workflow
from temporalio.api.history.v1 import History
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

import workflows
from escrow.domain.orders.states import OrderCommand
from escrow.stack.workflow_runner import ContextFreeSandbox
from tests.histories.reached import Reached, missed
from tests.histories.recording import FOLDER, RECORDINGS
from tests.identities import CITIZEN_ID, CREDIT_CODE
from tests.stage import PLATFORMS_ACCOUNT_NO
from tests.story_debits import CODE, MOBILE, card
from tests.story_ground import CONTRACTORS_ACCOUNT, OWNERS_CARD
from tests.workflows.test_suspense_return import STRANGERS_CARD
from workflows import order_books
from workflows.order_books import OrderBooks
from workflows.supervision import Supervision
from workflows.withdrawal import Withdrawal

#: Those of the first release stay for ever: what began under it still runs. But for what the books decide now: such a
#: process is ended and started again by its number, and finds there where it stands.
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


#: What no replay runs: validators and queries answer who speaks now, and are tested with the running workflow.
LIVE_ONLY = frozenset(
    {
        *(f"check_{operation}" for operation in (*OrderCommand, "resume", "compare_code", "send_code")),
        "check",
        "is_behind",
        "require_attention",
        "require_code_awaited",
        "state_now",
        "noted",
    }
)
#: Functions of which no history goes every way, by why: every other one is gone through in every way.
NOT_IN_A_HISTORY = {
    "it runs outside of workflows: when modules are imported, or with whoever starts or finds a process": {
        *(f"messages.{kind}_workflow_id" for kind in ("bank_watch", "identity_check", "member_closing", "mandate")),
        *(f"messages.{name}" for name in ("account_verification_workflow_id", "transfer_workflow_id")),
        *(f"messages.{name}" for name in ("_transfer", "as_document")),
        *(f"search_attributes.{name}" for name in ("of_order", "of_members_money", "of_batch", "of_member")),
        *(f"taking_up.{name}" for name in ("_of_order", "_of_withdrawal", "process_of", "the_rounds", "watch_of")),
    },
    "stories begin their processes without search attributes, and then none is shown": {
        "search_attributes.show_search_attributes",
    },
    "it says what is seen, and whoever asks it has seen something": {
        "batch_payment.refresh",
        "order_display.order_details",
        "collection_display.collection_details",
        "withdrawal_display.withdrawal_details",
    },
    "whom it asks was there and took it, or did not stay away long enough, when the stories were recorded": {
        "account_verification.look_into_the_books",
        "account_verification.first_sending",
        "bank_watch.look",
        "books_clock._read",
        "direct_refund.ask",
        "direct_refund.pause",
        "mandate.refresh",
        *(f"collection.{name}" for name in ("payer_or_time", "until_tried_again", "look_after", "give_back")),
        *(f"collection.{name}" for name in ("step", "fails", "adopt", "run")),
        "rounds.go_round",
        "uncancelled.why_unfinished",
    },
    "nobody spoke to a recorded process of the kind: to have it look, to resume it, or to cancel what it waits for": {
        *(f"account_verification.{name}" for name in ("look", "resume", "refresh")),
        *(f"batch_payment.{name}" for name in ("resume", "now")),
        *(f"books_clock.{name}" for name in ("begin", "look", "until", "pause")),
        *(f"direct_refund.{name}" for name in ("told_to_look", "look", "resume", "now")),
        *(f"member_closing.{name}" for name in ("look", "resume", "refresh")),
        *(f"collection.{name}" for name in ("look", "resume", "go_stale")),
        *(f"transfer.{name}" for name in ("look", "resume", "refresh")),
        "uncancelled.uncancelled",
    },
    "no recorded history of the kind grew so long, or ended so": {
        "account_verification.typed_or_over",
        "bank_watch.run",
        "direct_refund.run",
        "mandate.run",
        "supervision.finished",
    },
}


async def test_together_the_histories_go_every_way_through_the_workflows_but_those_that_are_named() -> None:
    modules = [Path(workflows.__path__[0]) / f"{module.name}.py" for module in pkgutil.iter_modules(workflows.__path__)]
    reached = Reached(modules)
    with reached.traced():
        for path in HISTORIES:
            await replayer().replay_workflow(WorkflowHistory.from_json(path.stem, path.read_text()))
        # A look that was answered late: by then something newer had been seen. And what has no process in this version.
        await replayer().replay_workflow(answered_otherwise("order_looked_at", "enter_order", view__version=1))
        strange = {"starts": [["letter", "L-1"]]}
        await replayer().replay_workflow(answered_otherwise("settled_order", "take_order_command", **strange))

    gaps: dict[str, list[str]] = {}
    for path in modules:
        for gap in missed(path, reached.arcs[str(path)], live_only=LIVE_ONLY):
            gaps.setdefault(f"{path.stem}.{gap.function}", []).append(gap.what)
    named = set().union(*NOT_IN_A_HISTORY.values())
    assert {function: what for function, what in gaps.items() if function not in named} == {}
    assert named - set(gaps) == set(), "the histories go every way through these: name them no more"


def answered_otherwise(name: str, activity: str, **changes: Any) -> WorkflowHistory:
    """A history in which the last local activity of a kind answered something else; `view__version` is inside."""
    history = WorkflowHistory.from_json(name, (FOLDER / f"{name}.json").read_text())
    answers = [
        marker.details["result"].payloads[0]
        for event in history.events
        if (marker := event.marker_recorded_event_attributes).marker_name == "core_local_activity"
        and json.loads(marker.details["data"].payloads[0].data)["activity_type"] == activity
    ]
    answered = json.loads(answers[-1].data)
    for path, value in changes.items():
        *inside, field = path.split("__")
        reduce(getitem, inside, answered)[field] = value
    answers[-1].data = json.dumps(answered).encode()
    return history


async def nothing(*_: Any, **__: Any) -> Any:
    """What somebody who forgot a step does instead."""


@pytest.mark.parametrize(
    ("name", "part", "method"),
    [
        ("order_that_waits_for_the_ledger", Supervision, "operator"),
        ("order_whose_owner_has_no_mobile", Supervision, "operator"),
        ("order_looked_at", OrderBooks, "go_stale"),
        ("overdue_order_with_automatic_withdrawals", order_books, "wake"),
        ("withdrawal_while_the_bank_is_away", Withdrawal, "overdue"),
        ("withdrawal_found_by_asking", Withdrawal, "announce"),
        ("withdrawal_continued_as_new", Supervision, "begin_anew_if_long"),
    ],
)
async def test_a_workflow_that_forgets_a_step_does_not_replay_what_took_it(
    monkeypatch: pytest.MonkeyPatch, name: str, part: object, method: str
) -> None:
    history = WorkflowHistory.from_json(name, (FOLDER / f"{name}.json").read_text())
    # Outside of the sandbox, which would read the true code anew.
    unsandboxed = Replayer(
        workflows=list(workflow_types().values()),
        workflow_runner=UnsandboxedWorkflowRunner(),
        data_converter=pydantic_data_converter,
    )
    await unsandboxed.replay_workflow(history)
    forgotten = nothing if inspect.iscoroutinefunction(getattr(part, method)) else lambda _: None
    monkeypatch.setattr(part, method, forgotten)

    with pytest.raises(NondeterminismError):
        await unsandboxed.replay_workflow(history)


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

    # Six days until the owner is reminded, and one more.
    assert timedelta(days=6) // timedelta(minutes=1) in timers
    assert timedelta(days=1) // timedelta(minutes=1) in timers
    assert timedelta(days=90) // timedelta(minutes=1) in timers
    first, last = history.events[0].event_time.ToDatetime(), history.events[-1].event_time.ToDatetime()
    assert last - first > timedelta(days=97)
