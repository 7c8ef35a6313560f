"""Sentences about batches: an owner pays a list of its orders together."""

from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowHandle
from temporalio.common import WorkflowIDReusePolicy
from temporalio.testing import ActivityEnvironment

from activities.batch_payments import BatchNo
from escrow.domain.collections.batch_payments import (
    BATCH_PAYMENT,
    PaidBy,
    Share,
    batch_consent_no,
    batch_pay_in_no,
    batch_terms,
)
from escrow.domain.collections.methods import CollectionMethod
from escrow.domain.collections.terms import COLLECT, collection_terms
from escrow.domain.errors import Refused
from escrow.domain.money.funding import FundingLeg
from escrow.domain.orders.contract import OrderContract
from escrow.domain.orders.opening import ORDERS
from escrow.domain.orders.view import OrderView
from escrow.ledger.books import known
from escrow.ledger.consents import NewConsent, get_consent, record_consent
from tests.stage import settings_for
from tests.story import Story
from tests.story_collections import Cashier
from tests.story_ground import OWNER
from worker import Activities
from workflows.batch_messages import BatchPaymentOutcome
from workflows.batch_payment import BatchPayment
from workflows.messages import (
    PAYMENTS_TASK_QUEUE,
    BatchRef,
    OrderProcessState,
    batch_payment_workflow_id,
    order_workflow_id,
)

BATCH = "B-1"
#: What the orders of a batch cost, unless a story says otherwise.
PRICES = {"D-1": "30,000.00", "D-2": "20,000.00", "D-3": "10,000.00"}


class Batches:
    """Orders of one owner that are paid together, in one story."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.contracts: dict[str, OrderContract] = {}

    async def orders_open(self, prices: dict[str, str] | None = None, **terms: Any) -> None:
        """Owner and contractor sign these orders."""
        for order_no, price in (prices or PRICES).items():
            self.contracts[order_no] = await self.story.order_opens(order_no=order_no, price=price, **terms)

    async def owner_consents(
        self,
        *order_nos: str,
        batch_no: str = BATCH,
        paid_by: PaidBy = "balance",
        given_by: str = OWNER,
        **changed_fen: int,
    ) -> None:
        """The owner consents to a batch.

        Args:
            changed_fen: what the consent says of an order's price, `D_1=5`, when it is something else.
        """
        contracts = [self.contracts[number] for number in order_nos or self.contracts]
        shares = [
            Share(
                order_no=contract.order_no,
                payee_no=contract.contractor_no,
                amount_fen=changed_fen.get(contract.order_no.replace("-", "_"), contract.total_fen),
                inspection_days=contract.inspection_days,
            )
            for contract in contracts
        ]
        await record_consent(
            self.story.stage.recorder,
            NewConsent(
                platform_no=self.story.platform_no,
                consent_no=batch_consent_no(batch_no),
                object_kind=BATCH_PAYMENT,
                object_no=batch_no,
                operation=BATCH_PAYMENT,
                given_by=given_by,
                terms=batch_terms(shares, paid_by=paid_by),
                valid_for=timedelta(days=1),
            ),
        )

    async def begins(self, batch_no: str = BATCH) -> WorkflowHandle[Any, BatchPaymentOutcome]:
        """The batch's process is started, consented to or not."""
        story = self.story
        return await story.stage.client.start_workflow(
            BatchPayment.run,
            BatchRef(platform_no=story.platform_no, batch_no=batch_no),
            id=batch_payment_workflow_id(story.platform_no, batch_no),
            task_queue=PAYMENTS_TASK_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        )

    async def pays(self, *order_nos: str, batch_no: str = BATCH) -> BatchPaymentOutcome:
        """The owner consents to a batch from its balance, which is carried out."""
        await self.owner_consents(*order_nos, batch_no=batch_no)
        handle = await self.begins(batch_no)
        outcome: BatchPaymentOutcome = await self.story.ending_of(handle)
        return outcome

    async def collects(self, *order_nos: str, method: CollectionMethod) -> Cashier:
        """The owner consents to a batch that a channel collects, and the payer is shown what to do."""
        await self.owner_consents(*order_nos, paid_by=method)
        cashier, number = Cashier(self.story), batch_pay_in_no(BATCH)
        total_fen = sum(self.contracts[order_no].total_fen for order_no in order_nos or self.contracts)
        how = collection_terms(method=method.value, amount_fen=total_fen)
        await cashier.asked_for(number, COLLECT, how, batch_no=BATCH, pays_by=batch_consent_no(BATCH))
        await self.begins()
        await cashier.awaits_payer(number)
        return cashier

    async def is_posted(self) -> None:
        """The batch is posted from the balance by a worker that then dies: nobody is told."""
        stage = self.story.stage
        activities = Activities(
            settings_for(stage.database, stage.sandbox), stage.writer, stage.recorder, stage.sandbox.bank
        )
        batch = BatchNo(platform_no=self.story.platform_no, batch_no=BATCH)
        await ActivityEnvironment().run(activities.batches.take_batch, batch)

    async def refusal(self, batch_no: str = BATCH) -> Refused:
        """How the books refused a batch; its consent is void, and nothing is entered."""
        consent = await get_consent(self.story.stage.recorder, self.story.platform_no, batch_consent_no(batch_no))
        assert consent is not None, f"nobody consented to {batch_no}"
        assert consent.voided_at is not None, f"{batch_no} was not refused"
        assert not await self.story.is_entered(BATCH_PAYMENT, batch_no)
        return Refused(**(consent.outcome or {})["refused"])

    @property
    def workflow(self) -> WorkflowHandle[Any, Any]:
        """The workflow of the batch."""
        return self.story.stage.client.get_workflow_handle_for(
            BatchPayment.run, batch_payment_workflow_id(self.story.platform_no, BATCH)
        )

    def order(self, order_no: str) -> WorkflowHandle[Any, Any]:
        """The workflow of one order."""
        return self.story.stage.client.get_workflow_handle(order_workflow_id(self.story.platform_no, order_no))

    async def process(self, order_no: str) -> OrderProcessState:
        """What an order's workflow says."""
        found: OrderProcessState = await self.order(order_no).query("state", result_type=OrderProcessState)
        return found

    async def state(self, order_no: str) -> OrderView:
        """Where an order stands, as its workflow has seen it."""
        seen = (await self.process(order_no)).order
        assert seen is not None
        return seen

    async def funding(self, order_no: str) -> tuple[FundingLeg, ...]:
        """What paid an order, by the books."""
        return (await known(self.story.stage.recorder, ORDERS, self.story.platform_no, order_no)).state.funding

    async def statuses(self) -> dict[str, str]:
        """Where each order stands in the books."""
        return {number: (await self.story.in_the_books("order", number)).status for number in self.contracts}

    async def knows(self, order_no: str) -> None:
        """An order's workflow has heard that it is paid."""

        async def does() -> bool:
            return (await self.state(order_no)).status == "awaiting_start"

        await self.story.until(does, f"{order_no} knows that it is paid")

    def about(self, order_no: str) -> Story:
        """The story, whose next sentences are about this order."""
        self.story.contract = self.contracts[order_no]
        return self.story


async def batches_of(story: Story, money: str = "60,000.00") -> Batches:
    """Three orders of one owner that has this much money."""
    await story.members_open()
    await story.owner_transfers(money)
    batches = Batches(story)
    await batches.orders_open()
    return batches
