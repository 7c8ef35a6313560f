"""A text that follows money is due by the books: it is tried for a day, after the end too, and by whatever process."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from escrow.domain.platforms.sms_texts import NOT_SENT_IN_TIME, TRIED_FOR
from escrow.ledger.books_time import books_now, move_story
from escrow.ledger.objects import get_object
from escrow.ledger.progress import LATE_AFTER, ObjectKey, late_objects, objects_numbered, unfinished_objects
from tests.sandbox import texts_are_lost
from tests.story import Story
from tests.story_ground import CONTRACTOR
from tests.terminating import terminated_at_rest
from tests.workflows.test_direct_payment import REFUND_FAILS, paid_order
from tests.workflows.test_long_histories import Kept
from workflows.messages import ORDERS_TASK_QUEUE, direct_refund_workflow_id
from workflows.rounds import ROUNDS_WORKFLOW_ID, Rounds, RoundsInput


@dataclass(frozen=True, kw_only=True)
class _Case:
    """Something that has ended and that somebody is to be told of.

    Args:
        ends: brings it to its end.
        told: what its document says of somebody who was told, of one who is still to be, and of one who could not be.
    """

    kind: str
    number: str
    ends: Callable[[Story], Awaitable[None]]
    process: Callable[[Story], WorkflowHandle[Any, Any]]
    status: str
    told: dict[str, tuple[str, Any]]


async def _withdrawn(story: Story) -> None:
    await story.payee_has("60,000.00")
    await texts_are_lost(story.stage.sandbox.steer)
    await story.withdraws("60,000.00")


async def _refunded(story: Story) -> None:
    await paid_order(story, REFUND_FAILS)
    await texts_are_lost(story.stage.sandbox.steer)
    await story.cancels(CONTRACTOR)


def _refund(story: Story) -> WorkflowHandle[Any, Any]:
    return story.stage.client.get_workflow_handle(direct_refund_workflow_id(story.platform_no, "D-1001"))


_CASES = (
    _Case(
        kind="withdrawal",
        number="W-1",
        ends=_withdrawn,
        process=lambda story: story.withdrawal(),
        status="paid",
        told={"yes": ("sms", "sent"), "not yet": ("sms", "due"), "no": ("sms", "failed")},
    ),
    _Case(
        kind="refund",
        number="D-1001",
        ends=_refunded,
        process=_refund,
        status="credited",
        told={"yes": ("told", True), "not yet": ("told", False), "no": ("untold", NOT_SENT_IN_TIME)},
    ),
)
of_each_kind = pytest.mark.parametrize("case", _CASES, ids=lambda case: case.kind)


@of_each_kind
async def test_a_text_that_was_lost_is_sent_after_the_end_of_what_it_is_about(story: Story, case: _Case) -> None:
    await _has_ended(story, case)
    await story.stage.sandbox.steer.reset()

    await case.process(story).signal("look")

    await _is_told(story, case, "yes")
    assert len(await story.texts()) == 1
    assert await _unfinished(story, case) == []


@of_each_kind
async def test_a_round_has_somebody_told_whose_process_was_ended(story: Story, case: _Case) -> None:
    await _has_ended(story, case)
    await terminated_at_rest(case.process(story), "an accident")
    assert await _unfinished(story, case) == [case.number]
    assert [named.has_ended for named in await _named(story, case)] == [False]
    await story.stage.sandbox.steer.reset()

    await _rounds_begin(story)

    await _is_told(story, case, "yes")
    assert len(await story.texts()) == 1
    assert [named.has_ended for named in await _named(story, case)] == [True]


@of_each_kind
async def test_a_process_that_tries_for_long_begins_anew_and_goes_on_trying(story: Story, case: _Case) -> None:
    await _has_ended(story, case)
    await terminated_at_rest(case.process(story), "an accident")
    process = Kept(story, case.kind, case.number)
    await process.begins()
    await process.begins_anew()
    await _is_told(story, case, "not yet")
    await story.stage.sandbox.steer.reset()

    await process.handle.signal("look")

    await _is_told(story, case, "yes")
    assert len(await story.texts()) == 1


@of_each_kind
async def test_after_a_day_a_text_is_given_up_and_the_books_say_why(story: Story, case: _Case) -> None:
    await _has_ended(story, case)
    await terminated_at_rest(case.process(story), "an accident")
    recorder, platform_no = story.stage.recorder, story.platform_no
    await move_story(recorder, platform_no, await books_now(recorder, platform_no) + TRIED_FOR + LATE_AFTER)
    assert await _late(story) == [case.number]
    await story.stage.sandbox.steer.reset()

    await _rounds_begin(story)

    await _is_told(story, case, "no")
    assert await story.texts() == []
    assert await _unfinished(story, case) == []
    [*_, event] = await story.events(case.kind, case.number)
    assert NOT_SENT_IN_TIME in event.body.values()


async def _rounds_begin(story: Story) -> None:
    await story.stage.client.start_workflow(
        Rounds.run, RoundsInput(), id=ROUNDS_WORKFLOW_ID, task_queue=ORDERS_TASK_QUEUE
    )


async def _has_ended(story: Story, case: _Case) -> None:
    await case.ends(story)

    async def has_ended() -> bool:
        found = await get_object(story.stage.recorder, story.platform_no, case.kind, case.number)
        return found is not None and found.status == case.status

    await story.until(has_ended, f"{case.kind} {case.number} is {case.status}")
    await _is_told(story, case, "not yet")
    assert await story.texts() == []


async def _is_told(story: Story, case: _Case, answer: str) -> None:
    name, value = case.told[answer]

    async def is_so() -> bool:
        return bool((await story.in_the_books(case.kind, case.number)).body[name] == value)

    await story.until(is_so, f"{case.kind} {case.number}: {name} is {value}")


async def _late(story: Story) -> list[str]:
    return [late.key.object_no for late in await late_objects(story.stage.recorder, story.platform_no, limit=10)]


async def _unfinished(story: Story, case: _Case) -> list[str]:
    found: list[ObjectKey] = await unfinished_objects(
        story.stage.recorder, [case.kind], platform_no=story.platform_no, limit=10
    )
    return [key.object_no for key in found]


async def _named(story: Story, case: _Case) -> list[Any]:
    found = await objects_numbered(story.stage.recorder, case.number, story.platform_no)
    return [named for named in found if named.key.kind == case.kind]
