"""A thief who moves the clock of a workflow: silence is acceptance only when the signed time has really passed."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from activities.mandates import MandateRef
from activities.member_closing import ClosingRef
from activities.orders import RemindOwner
from escrow.domain.errors import Refused
from escrow.domain.orders.commands import DeadlinePassed
from tests.accomplice import Accomplice
from tests.story import Story
from tests.story_ground import OWNER
from tests.terminating import terminated_at_rest
from tests.thieves import Call, Thief, differences, everything, take, taking, thief_in
from tests.workflows.test_direct_debit import debtors
from tests.workflows.test_member_closing import begins_to_close


@pytest.fixture
async def thief(story: Story) -> AsyncIterator[Thief]:
    async with thief_in(story) as thief:
        yield thief


async def left_of(thief: Thief, *deadlines: str) -> list[timedelta | None]:
    """A foreign workflow says, by whatever clock it has, that deadlines of the order have passed; what is left of each.

    None for one that the books refuse, or that has passed.
    """
    calls = [take(taking(thief.story, "D-1001", DeadlinePassed(deadline=name))) for name in deadlines]
    answers: list[dict[str, Any]] = await thief.has_done(*calls, workflow_id="foreign/clock")
    return [TypeAdapter(timedelta | None).validate_python(answer["remaining"]) for answer in answers]


async def test_days_that_a_workflow_has_skipped_are_no_silence(story: Story, thief: Thief) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    before = await everything(story)

    [left] = await left_of(thief, "M2:inspection:1")

    assert left is not None
    assert timedelta(days=6.9) < left <= timedelta(days=7)
    assert differences(before, await everything(story)) == []


async def test_a_warranty_that_a_workflow_has_skipped_is_not_over(story: Story, thief: Thief) -> None:
    await story.paid_order()
    await story.starts()
    for milestone in (2, 3, 4):
        await story.completes(milestone)
        await story.accepts(milestone)
    before = await everything(story)

    [left] = await left_of(thief, "warranty")

    assert left is not None
    assert timedelta(days=89.9) < left <= timedelta(days=90)
    assert differences(before, await everything(story)) == []


async def test_an_order_does_not_end_with_money_inside(story: Story, thief: Thief) -> None:
    await story.paid_order()
    before = await everything(story)

    early = await left_of(thief, "payment", "start", "warranty", "M2:work:0")
    await story.days_pass(29)
    still_early = await left_of(thief, "payment", "start", "warranty", "M2:work:0")

    assert differences(before, await everything(story)) == []
    assert [left is None for left in early] == [True, False, True, True]
    assert early[1] is not None
    assert still_early[1] is not None
    assert early[1] > timedelta(days=29.9)
    assert timedelta(days=0.9) < still_early[1] < timedelta(days=1.1)


async def test_a_signed_time_that_has_passed_is_silence_once_the_owner_was_reminded(story: Story, thief: Thief) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    await terminated_at_rest(story.order, "a thief")  # who from now on does all that its process would do
    reminder = RemindOwner(platform_no=story.platform_no, order_no="D-1001", milestone=2, round=1)
    remind = Call("remind_owner", reminder.model_dump(mode="json"))
    await story.days_pass(5.9)
    before = await everything(story)

    await thief.has_done(remind, remind)
    assert differences(before, await everything(story)) == [], "nobody is reminded before it is time"
    await story.days_pass(1.2)
    assert await left_of(thief, "M2:inspection:1") == [timedelta(0)], "unheard silence does not count"
    await thief.has_done(remind, remind, at_once=True)
    [left] = await left_of(thief, "M2:inspection:1")
    assert left is not None
    assert left > timedelta(hours=23), "who is reminded late has the whole time that a reminder gives"
    assert (await story.balances())["O-1/escrow:D-1001"] == "130,200.00"
    await story.days_pass(1.1)
    assert await left_of(thief, "M2:inspection:1") == [None]

    assert (await story.balances())["C-1/withdrawable"] == "106,020.00"
    assert len(await story.texts()) == 1


async def test_a_member_is_not_closed_before_its_day_has_come(story: Story) -> None:
    await story.members_open()
    closing = await begins_to_close(story, OWNER)
    thief = Accomplice(story.stage, "member-closing")
    ref = ClosingRef(platform_no=story.platform_no, member_no=OWNER, request_no=closing.request_no)

    with pytest.raises(Refused) as refusal:
        await thief.runs(thief.activities.closings.complete_closing, ref)

    assert refusal.value.code == "too_early"


async def test_a_mandate_does_not_end_before_its_last_day_is_over(story: Story) -> None:
    last_day = (await story.now()).date() + timedelta(days=100)
    await debtors(story, last_day=last_day)
    thief = Accomplice(story.stage, f"mandate/{story.platform_no}/M-1")
    ref = MandateRef(platform_no=story.platform_no, mandate_no="M-1")

    with pytest.raises(Refused) as refusal:
        await thief.runs(thief.activities.mandates.expire_mandate, ref)

    assert refusal.value.code == "too_early"
