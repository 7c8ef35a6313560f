"""The environment for workflow tests in Python: an order lives a day in a moment, and books and bank live it too."""

from datetime import timedelta

from escrow.domain.milestones import decoration_stages, plan
from escrow.ledger.books_time import books_now
from escrow.ledger.members import MemberKind
from escrow.ledger.objects import get_object
from escrow.testing.environment import story_environment
from workflows.messages import ORDERS_TASK_QUEUE, MilestoneTerms, OrderContract, OrderInput, order_workflow_id
from workflows.order import DecorationOrder


async def test_an_order_that_nobody_pays_closes_after_a_day_of_all_clocks() -> None:
    async with story_environment() as story:
        members = story.registry.members
        for number, kind, name in (
            ("O-1", MemberKind.PERSON, "王小明"),
            ("C-1", MemberKind.COMPANY, "精工装饰有限公司"),
        ):
            await members.open(story.platform_no, member_no=number, kind=kind, name=name, mobile=None)
        milestones = plan(total_fen=18_600_000, stages=decoration_stages()).milestones
        contract = OrderContract(
            platform_no=story.platform_no,
            order_no="D-1",
            owner_no="O-1",
            contractor_no="C-1",
            commission_basis_points=500,
            total_fen=18_600_000,
            milestones=tuple(
                MilestoneTerms(number=one.no, name=one.name, kind=one.kind, amount_fen=one.amount_fen)
                for one in milestones
            ),
        )
        await story.client.start_workflow(
            DecorationOrder.run,
            OrderInput(contract=contract),
            id=order_workflow_id(story.platform_no, "D-1"),
            task_queue=ORDERS_TASK_QUEUE,
        )
        await story.env.sleep(timedelta(hours=25))

        order = await get_object(story.reader, story.platform_no, "order", "D-1")
        assert order is not None
        assert order.status == "closed_unpaid"
        assert timedelta(hours=24) <= await books_now(story.reader, story.platform_no) - story.begins_at
        at_bank = await story.servers.steering.clock(story.custody_account_no)
        assert timedelta(hours=24) <= at_bank - story.begins_at < timedelta(hours=26)
