"""A request to cancel in each task of every recorded history: no process ends by it, fails, or leaves out a step."""

from collections import Counter
from pathlib import Path

import pytest
from temporalio import workflow

from tests.histories.cancelling import Arrives, Life, life_of, what_a_cancel_does
from tests.histories.recording import FOLDER
from tests.histories.test_replay import HISTORIES, type_of, workflow_types
from workflows.supervision import Supervision


async def _wrong(life: Life) -> list[str]:
    return [
        f"cancelled in task {place}, {arrives}: {why}"
        for place, arrives in life.places()
        if (why := await what_a_cancel_does(life, place, arrives))
    ]


async def _life(path: Path) -> Life:
    return await life_of(path, list(workflow_types().values()))


async def test_no_request_to_cancel_ends_a_process_or_makes_it_leave_out_a_step(
    tables: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("ERROR")  # each request is noted, and each note logged
    wrong: dict[str, list[str]] = {}
    requests: Counter[str] = Counter()
    for path in HISTORIES:
        life = await _life(path)
        requests[type_of(path)] += len(list(life.places()))
        if found := await _wrong(life):
            wrong[str(path.relative_to(FOLDER))] = found

    tables.append(
        "\n".join(f"{name:20} {count:5} requests to cancel, one in each run" for name, count in requests.items())
    )
    assert wrong == {}
    assert set(requests) == set(workflow_types())


async def _unshielded(self: Supervision, call: object) -> object:
    """What somebody does who forgets the shield."""
    return await call  # type: ignore[misc]  # whatever is given


async def _interrupted(self: Supervision, condition: object, *, at_most: object, summary: str) -> bool:
    """What somebody does who waits without Supervision."""
    try:
        await workflow.wait_condition(condition, timeout=at_most, timeout_summary=summary)  # type: ignore[arg-type]  # whatever is given
    except TimeoutError:
        return False
    return True


@pytest.mark.filterwarnings("ignore:.*Workflow finished while update handlers")
@pytest.mark.parametrize("name", ["settled_order", "withdrawal_queued", "top_up_unpaid", "bank_watch"])
@pytest.mark.parametrize(("method", "planted"), [("uncancelled", _unshielded), ("until", _interrupted)])
async def test_a_workflow_that_lets_a_cancel_through_is_found(
    monkeypatch: pytest.MonkeyPatch, name: str, method: str, planted: object
) -> None:
    life = await _life(FOLDER / f"{name}.json")
    assert await what_a_cancel_does(life, len(life.steps) // 2, Arrives.ALONE) is None
    monkeypatch.setattr(Supervision, method, planted)

    assert "cancel" in " ".join(await _wrong(life))
