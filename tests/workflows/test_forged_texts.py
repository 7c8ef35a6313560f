"""Text messages speak in the bank's name: they say what the books say, not what a workflow was started with."""

import asyncio

import pytest

from activities.orders import RemindOwner
from activities.withdrawals import WithdrawalNo
from escrow.domain.errors import Refused
from tests.accomplice import Accomplice
from tests.story import Story
from tests.terminating import terminated_at_rest
from tests.thieves import Call, thief_in
from workflows.messages import ORDERS_TASK_QUEUE

LURE = "如有疑问请转账至安全账户"


async def test_a_withdrawal_that_nobody_asked_for_is_not_announced(story: Story) -> None:
    await story.members_open()
    thief = Accomplice(story.stage, "anything")
    number = WithdrawalNo(platform_no=story.platform_no, withdrawal_no="W-1;pay-to:evil.example")

    await story.start_withdrawal(number.withdrawal_no)
    with pytest.raises(Refused, match="not_found"):
        await thief.runs(thief.activities.withdrawals.announce_withdrawal, number)
    await asyncio.sleep(1)

    assert await story.texts() == []


async def test_an_owner_is_reminded_of_the_signed_stage_only(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    await terminated_at_rest(story.order, "a thief")
    forged = story.signed.model_dump(mode="json")
    forged["milestones"][1]["name"] = LURE

    await story.stage.client.start_workflow(
        "DecorationOrder",
        {"platform_no": story.platform_no, "order_no": "D-1001", "contract": forged, "name": LURE},
        id=story.order.id,
        task_queue=ORDERS_TASK_QUEUE,
    )
    await story.days_pass(6.5)

    [text] = await story.texts()
    assert "水电验收" in text
    assert LURE not in text


async def test_an_owner_is_reminded_once_of_a_stage_that_waits_for_it_and_when_it_is_time(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    async with thief_in(story) as thief:
        honest = RemindOwner(platform_no=story.platform_no, order_no="D-1001", milestone=2, round=1)
        wrong = [honest.model_copy(update={"milestone": number}) for number in (-1, 0, 1, 3, 5, 6, 99)]
        wrong += [honest.model_copy(update={"round": number}) for number in (-1, 0, 2)]
        wrong += [honest.model_copy(update={"order_no": "D-404"})]
        calls = [Call("remind_owner", request.model_dump(mode="json")) for request in (honest, *wrong)]
        await thief.has_done(*calls, *calls)
        assert await story.texts() == []
        await story.days_pass(6.5)
        assert len(await story.texts()) == 1
        await thief.has_done(*calls, *calls, at_once=True)
        assert len(await story.texts()) == 1
