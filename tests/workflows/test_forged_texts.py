"""Text messages speak in the bank's name: they say what the books say, not what a workflow was started with."""

import asyncio

import pytest

from activities.withdrawals import WithdrawalNo
from escrow.domain.errors import Refused
from tests.accomplice import Accomplice
from tests.story import Story
from workflows.messages import OrderInput

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
    signed = await story.paid_order()
    await story.starts()
    await story.completes(2)
    state = await story.order_view()
    second = signed.milestones[1].model_copy(update={"name": LURE})
    forged = signed.model_copy(update={"milestones": (signed.milestones[0], second, *signed.milestones[2:])})
    await story.order.terminate("a thief")

    await story.start_order(OrderInput(contract=forged, state=state), server_has_forgotten=True)
    await story.days_pass(6.5)

    assert await story.texts() == []
