"""A thief with full access to Temporal: ends an order or a withdrawal and starts it again with what was never agreed.

The thief has a terminal, not the database. Whatever is invented, money moves only as the books and the bank allow.
"""

from typing import Any

import pytest

from escrow.domain.errors import Refused
from escrow.domain.platforms.config import PlatformConfig, Settlement
from escrow.registry.accounts.rows import NewBankAccount
from tests.story import Story
from tests.story_ground import CONTRACTOR, OWNER
from tests.terminating import terminated_at_rest
from tests.workflows.conftest import StoryUnder
from workflows.messages import (
    ORDERS_TASK_QUEUE,
    order_workflow_id,
)

ANOTHER_OF_THE_CONTRACTOR = NewBankAccount(
    account_id="A-C2", account_no="11050137360000000999", account_name="精工装饰工程有限公司", is_corporate=True,
    cnaps_code="105100000017",
)  # fmt: skip


# ---- orders ----


INVENTED: dict[str, Any] = {
    "contract": {
        "contractor_no": OWNER,
        "owner_no": CONTRACTOR,
        "total_fen": 1,
        "commission_basis_points": 0,
        "milestones": [{"number": 1, "name": "x", "kind": "start", "amount_fen": 18_600_000}],
        "periods": {"inspection_period": "PT1S", "retention_period": "PT1S"},
    },
    "state": {
        "status": "awaiting_start",
        "paid_fen": 0,
        "released_fen": 0,
        "commission_fen": 0,
        "funding": [{"source": "withdrawable", "amount_fen": 18_600_000}],
        "milestones": [{"number": number, "status": "in_inspection", "round": 1} for number in range(1, 6)],
        "proposal": {"by": CONTRACTOR, "request_no": "R-0", "lapses_at": "2099-01-01T00:00:00Z"},
        "step_due_at": "2020-01-01T00:00:00Z",
    },
}


async def begun_again(story: Story, **invented: Any) -> None:
    """The order's process is ended and begins again with what was never agreed."""
    await terminated_at_rest(story.order, "a thief")
    await story.stage.client.start_workflow(
        "DecorationOrder",
        (invented or INVENTED) | {"platform_no": story.platform_no, "order_no": story.signed.order_no},
        id=order_workflow_id(story.platform_no, story.signed.order_no),
        task_queue=ORDERS_TASK_QUEUE,
    )


async def test_an_order_goes_on_as_signed_whatever_it_is_begun_again_with(story: Story) -> None:
    await story.paid_order()
    await begun_again(story)
    await story.starts()
    assert (await story.balances())["C-1/withdrawable"] == "53,010.00", "the deposit alone, less the signed commission"
    await story.completes(2)
    await begun_again(story)
    assert (await story.cancels(OWNER)).order_status == "in_progress", "one side alone cancels nothing that has begun"
    for other in (1, 3, 4, 5):
        with pytest.raises(Refused):
            await story.accepts(other)
    await story.days_pass(6.9)
    assert (await story.balances())["O-1/escrow:D-1001"] == "130,200.00", "silence counts after the signed period"
    await story.accepts(2)
    assert (await story.balances())["C-1/withdrawable"] == "106,020.00"
    await begun_again(story)
    await story.completes(3)
    await story.accepts(3)
    await story.completes(4)
    await story.accepts(4)
    await begun_again(story)
    await story.days_pass(89)
    assert (await story.in_the_books("order", "D-1001")).status == "in_warranty", "the signed retention period"
    await story.days_pass(1.1)

    assert await story.balances() == {"C-1/withdrawable": "176,700.00", "fees": "9,300.00"}


async def test_a_rectification_leaves_what_was_left_of_the_signed_period(story: Story) -> None:
    await story.paid_order()
    await story.starts()
    await story.completes(2)
    await story.days_pass(3)
    await story.rectifies(2)
    await begun_again(story)
    await story.completes(2)
    await begun_again(story)

    await story.days_pass(3.9)
    assert (await story.balances())["O-1/escrow:D-1001"] == "130,200.00"
    await story.days_pass(0.2)
    assert (await story.balances())["C-1/withdrawable"] == "106,020.00"


@pytest.mark.parametrize("basis_points", [0, 10_000])
async def test_the_commission_is_the_signed_one(story: Story, basis_points: int) -> None:
    signed = await story.paid_order()
    await story.starts()
    await story.completes(2)
    forged = signed.model_copy(update={"commission_basis_points": basis_points}).model_dump(mode="json")

    await begun_again(story, contract=forged, state={"released_fen": 0, "commission_fen": 0}, **forged)
    result = await story.accepts(2)

    assert (result.released_fen, result.commission_fen) == (5_301_000, 279_000)
    balances = await story.balances()
    assert (balances["C-1/withdrawable"], balances["fees"]) == ("106,020.00", "5,580.00")


async def test_money_of_tomorrow_cannot_be_made_money_of_today_by_a_refund(story_under: StoryUnder) -> None:
    async with story_under(PlatformConfig(top_up_settlement=Settlement.T_PLUS_1)) as story:
        await story.members_open()
        await story.owner_transfers("186,000.00")
        before = await story.balances()
        await story.order_opens()
        await story.pays()

        await begun_again(story)
        await story.cancels(OWNER)

        assert await story.balances() == before
