"""One whole story gives the same pages, answers, events and statements as before.

The story (`as_before/story.py`) is played over HTTP on a whole stack, and every answer is compared with the recording
in `as_before.json`. What is chance is left out (`as_before/chance.py`), and moments may wander by a quarter of an hour.

What differs on purpose stands in `CHANGED_ON_PURPOSE`; an entry that explains nothing any more fails too. When a
change is there to stay, write the recording anew, empty the list, and read the difference that git shows:

    ESCROW_WRITE_AS_BEFORE=1 pytest tests/journeys/test_as_before.py
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from escrow.testing.client import Escrow
from escrow.testing.stacks import StackUnderTest
from tests.journeys.as_before.chance import Json, without_chance
from tests.journeys.as_before.comparing import against_list, differences, told
from tests.journeys.as_before.file import read, write
from tests.journeys.as_before.people import platform_on
from tests.journeys.as_before.recording import Recorder
from tests.journeys.as_before.story import Story

#: (name of the answer, path in it as the failure shows it) with the reason; a `*` stands for anything.
CHANGED_ON_PURPOSE: dict[tuple[str, str], str] = {
    ("*", "$.body.sequence_no"): "that an owner was reminded, a text sent or a withdrawal asked for is an event",
    ("all: orders", "$.body.orders[*].sequence_no"): "the same",
    ("all: withdrawals", "$.body.withdrawals[*]*"): "a refused withdrawal is no object; those after it move up",
    ("refused: *", "$.body.detail*"): "a refusal after the end names what is possible, and a balance what is missing",
    ("all: events", "$.body.events.order D-1[*]*"): "the reminder, after which its later events move down",
    (
        "all: events",
        "$.body.events.order *[*].body.milestones[*].inspected_for",
    ): "how long a round of inspection lasts",
    (
        "all: events",
        "$.body.events.withdrawal *",
    ): "events say what changed; what follows a release is there from then on",
    (
        "all: events",
        "$.body.events.pay_in *",
    ): "events say what changed; what is asked of a channel stands in the books",
    ("all: events", "$.body.events.assignment *"): "a refused one is no object; its answer is kept with its number",
    ("all: events", "$.body.events.refund *"): "a refund through a channel is under way from its beginning",
}

_FILE = Path(__file__).with_name("as_before.json")
_WRITE = "ESCROW_WRITE_AS_BEFORE"


@pytest.fixture
async def recorder(escrow_stack: StackUnderTest) -> AsyncIterator[Recorder]:
    recorder = Recorder(await platform_on(escrow_stack.api_url, escrow_stack.bank_url))
    yield recorder
    await recorder.aclose()


@pytest.fixture
async def escrow(recorder: Recorder) -> AsyncIterator[Escrow]:
    escrow = Escrow(recorder.platform)
    yield escrow
    await escrow.aclose()


async def test_the_story_goes_as_before(escrow_stack: StackUnderTest, recorder: Recorder, escrow: Escrow) -> None:
    try:
        await Story(recorder, escrow).tell()
    except (AssertionError, LookupError, TypeError) as failure:
        heard = recorder.recording()
        before = {name: answer for name, answer in read(_FILE).items() if name in heard}
        found, _ = against_list(differences(before, heard, put_off=recorder.put_off), CHANGED_ON_PURPOSE)
        raise AssertionError(f"The story stopped: {failure!r}\n\nNot as before until then:\n{told(found)}") from failure
    assert await escrow_stack.what_is_wrong(recorder.platform) == []
    now = recorder.recording()
    if os.environ.get(_WRITE):
        write(_FILE, now)
    found, idle = against_list(differences(read(_FILE), now, put_off=recorder.put_off), CHANGED_ON_PURPOSE)
    if found or idle:
        explained_nothing = "".join(f"\nNothing differs any more at {entry}; take it from the list." for entry in idle)
        pytest.fail(f"Not as before:\n{told(found)}{explained_nothing}", pytrace=False)


def answered(body: Json, status: int = 200) -> dict[str, Json]:
    return {"an answer": {"request": "POST /v1/orders", "status": status, "body": body}}


@pytest.mark.parametrize(
    ("before", "now", "shown"),
    [
        ({"fen": 100}, {"fen": 101}, ("$.body.fen", "100", "101")),
        ({"fen": 1}, {"fen": True}, ("$.body.fen", "1", "true")),
        ({}, {"fen": 100}, ("$.body.fen", "nothing", "100")),
        ({"fen": None}, {}, ("$.body.fen", "null", "nothing")),
        ({"list": [1, 2, 3]}, {"list": [1, 3]}, ("$.body.list[1]", "2", "nothing")),
        ({"list": [1, 3]}, {"list": [1, 2, 3]}, ("$.body.list[1]", "nothing", "2")),
        ({"list": [{"no": 1}, {"no": 2}]}, {"list": [{"no": 1}, {"no": 3}]}, ("$.body.list[1].no", "2", "3")),
        (
            "by 2026-06-02 10:00.",
            "by 2026-06-02 10:16.",
            ("$.body", '"by 2026-06-02 10:00."', '"by 2026-06-02 10:16."'),
        ),
        ("2026-06-02T10:00Z", "2026-06-02T10:00+08:00", ("$.body", '"2026-06-02T10:00Z"', '"2026-06-02T10:00+08:00"')),
        ("P7DT0H0M", "P6DT23H0M", ("$.body", '"P7DT0H0M"', '"P6DT23H0M"')),
    ],
)
def test_a_difference_is_named_with_its_place(before: Json, now: Json, shown: tuple[str, str, str]) -> None:
    [found] = differences(answered(before), answered(now))
    assert (found.path, found.before, found.now) == shown
    assert told([found]).splitlines()[0] == "an answer: POST /v1/orders"


def test_moments_wander_a_little_and_what_was_put_off_is_there_already() -> None:
    before, now = answered("at 2026-06-02 23:59, P7DT0H0M", 201), answered("at 2026-06-03 00:01, P6DT23H59M", 200)
    assert [one.path for one in differences(before, now)] == ["$.status"]
    assert differences(before, now, put_off={"an answer"}) == []


def test_an_answer_that_is_not_heard_any_more_is_missed() -> None:
    assert [one.path for one in differences(answered([]), {})] == ["$.request", "$.status", "$.body"]


def test_what_changed_on_purpose_is_listed_and_a_list_that_is_too_long_is_told() -> None:
    found = differences(answered({"a": 1, "b": [{"c": 1}]}), answered({"a": 2, "b": [{"c": 2}]}))
    assert against_list(found, {("an answer", "$.body.a"): "a is one more"}) == (found[1:], [])
    assert against_list(found, {("*", "$.body.*"): "all is one more"}) == ([], [])
    assert against_list(found, {("an answer", "$.body.b[*].d"): "d is one more"}) == (
        found,
        [("an answer", "$.body.b[*].d")],
    )


def test_what_is_chance_is_left_out_wherever_it_stands() -> None:
    heard = {
        "line": {"bank_serial_no": "20260602001", "cursor": "17.3", "entry_id": 12, "account": "O-1/withdrawable"},
        "text": "suspense:20260602001 of P-77 at 2026-06-02T10:00:59.123456Z, 验证码123456",
        "left": "P6DT23H59M59.987S",
        "url": "http://127.0.0.1:8080/pages/s3cret?lang=en",
        "cursor": "",
    }
    assert without_chance(heard, platform_no="P-77") == {
        "line": {
            "bank_serial_no": "<given>",
            "cursor": "<cursor>",
            "entry_id": "<entry_id>",
            "account": "O-1/withdrawable",
        },
        "text": "suspense:<given> of HOME at 2026-06-02T10:00Z, 验证码<code>",
        "left": "P7DT0H0M",
        "url": "<address>",
        "cursor": "",
    }


def test_a_recording_comes_back_from_its_file(tmp_path: Path) -> None:
    lines = [
        {"no": number, "is_new": number == 1, "round": 1, "of": {"x": [None, "质保金" * 90]}} for number in (1, 2, 3)
    ]
    recording = answered({"lines": lines, "unlike": [{"a": 1}, {"b": 1}], "truth": [{"a": 1}, {"a": True}], "": []})
    write(tmp_path / "a.json", recording)
    assert differences(recording, read(tmp_path / "a.json")) == []
    assert (tmp_path / "a.json").read_text().count("round") == 1
