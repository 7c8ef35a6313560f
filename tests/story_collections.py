"""Sentences about money that channels collect: top-ups, payers, settlements."""

from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowHandle

from escrow.domain.collections.methods import CollectionAnswer, CollectionMethod
from escrow.domain.collections.pay_ins import pay_in_terms
from escrow.domain.money.amounts import yuan
from escrow.domain.money.journal import Basis
from escrow.domain.orders.states import OrderCommand as Operation
from escrow.ledger.consents import NewConsent, get_consent, record_consent
from tests.story import Story
from tests.story_ground import OWNER, Ground
from workflows.messages import PAYMENTS_TASK_QUEUE, BankNoticeSignal
from workflows.pay_in import PayIn
from workflows.pay_in_messages import PayInInput, PayInState, pay_in_workflow_id

QR = CollectionMethod.QR_WECHAT


class Cashier:
    """Tops members up through channels, on one ground; payers pay what it opens."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground

    async def opens(
        self, amount: str, *, number: str = "T-1", method: CollectionMethod = QR, consented: str = "", **more: Any
    ) -> WorkflowHandle[Any, Any]:
        """The owner consents to a top-up, which begins.

        Args:
            consented: what the consent says, when it is something else than the amount.
        """
        ground, stage = self.ground, self.ground.stage
        consent = NewConsent(
            platform_no=ground.platform_no,
            consent_no=f"{number}-consent",
            object_kind="pay_in",
            object_no=number,
            operation="top_up",
            given_by=OWNER,
            terms=pay_in_terms(method=method.value, amount_fen=yuan(consented or amount)),
            valid_for=timedelta(days=1),
        )
        await record_consent(stage.reader, consent)
        return await stage.client.start_workflow(
            PayIn.run,
            PayInInput(
                platform_no=ground.platform_no,
                pay_in_no=number,
                member_no=OWNER,
                method=method,
                amount_fen=yuan(amount),
                subject="装修款",
                expires_at=await ground.now() + timedelta(minutes=30),
                consent=Basis(kind="consent", reference=consent.consent_no),
                **more,
            ),
            id=pay_in_workflow_id(ground.platform_no, number),
            task_queue=PAYMENTS_TASK_QUEUE,
        )

    async def collects_for_order(self, story: Story, *, number: str = "D-1001:pay:1") -> str:
        """The owner consents to pay the story's order, and a channel is asked to collect its price.

        Returns:
            The number of the consent.
        """
        contract, stage = story.signed, story.stage
        command = await story.consents(Operation.PAY, OWNER, method=QR.value)
        consent = await get_consent(stage.reader, story.platform_no, command.request_no)
        assert consent is not None
        waits = (await story.order_view()).deadlines
        await stage.client.start_workflow(
            PayIn.run,
            PayInInput(
                platform_no=story.platform_no,
                pay_in_no=number,
                member_no=OWNER,
                method=QR,
                amount_fen=contract.total_fen,
                subject="装修款",
                expires_at=waits[0].due_at if waits else await story.now() + timedelta(minutes=30),
                consent=Basis(kind="consent", reference=command.request_no, operation_hash=consent.operation_hash),
                order_no=contract.order_no,
            ),
            id=pay_in_workflow_id(story.platform_no, number),
            task_queue=PAYMENTS_TASK_QUEUE,
        )
        await self.awaits_payer(number)
        return command.request_no

    async def awaits_payer(self, number: str = "T-1") -> None:
        """The collection is open at its channel."""
        await self.stands(number, "awaiting_payer")

    async def stands(self, number: str, status: str) -> None:
        """The books have the top-up in this status."""

        async def does() -> bool:
            if not await self.ground.is_entered("pay_in", number):
                return False
            return (await self.ground.in_the_books("pay_in", number)).status == status

        await self.ground.until(does, f"{number} is {status}")

    async def payer_pays(self, amount: str | None = None, *, number: str = "T-1", notices: int = 1) -> None:
        """The payer scans the code and pays; the channel tells the top-up, perhaps several times or never."""
        channel_no = f"{self.ground.platform_no}/{number}:collect:1"
        await self.ground.stage.sandbox.steer.pay(channel_no, amount_fen=None if amount is None else yuan(amount))
        await self.channel_notifies(number=number, times=notices)

    async def channel_notifies(self, *, number: str = "T-1", times: int = 1) -> None:
        """The channel tells the top-up that something happened."""
        for _ in range(times):
            self.ground.notice_no += 1
            notice = BankNoticeSignal(notice_id=str(self.ground.notice_no), kind="collection")
            await self.handle(number).signal("bank_notice", notice)

    async def channel_settles(self, method: CollectionMethod = QR) -> None:
        """The channel settles what it collected, and the watch books the lines."""
        await self.ground.stage.sandbox.steer.settle_now(method)
        await self.ground.bank_lines_are_booked()

    async def channel_says(self, number: str = "T-1", attempt: int = 1) -> CollectionAnswer:
        """How a collection stands at its channel."""
        stage = self.ground.stage
        return await stage.sandbox.bank.collections.query(
            self.at_bank(number, attempt), custody_account_no=stage.custody_account_no
        )

    def at_bank(self, number: str = "T-1", attempt: int = 1) -> str:
        """The bank's number of a collection."""
        return f"{self.ground.platform_no}/{number}:collect:{attempt}"

    async def state(self, number: str = "T-1") -> PayInState:
        """What the top-up answers when asked."""
        found: PayInState = await self.handle(number).query("state", result_type=PayInState)
        return found

    def handle(self, number: str = "T-1") -> WorkflowHandle[Any, Any]:
        """The workflow of a top-up."""
        return self.ground.stage.client.get_workflow_handle_for(
            PayIn.run, pay_in_workflow_id(self.ground.platform_no, number)
        )
