"""Sentences about money that channels collect: top-ups, payers, settlements."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowHandle
from temporalio.common import WorkflowIDReusePolicy

from escrow.domain.collections.methods import CollectionAnswer, CollectionMethod
from escrow.domain.collections.terms import (
    COLLECT,
    TOP_UP,
    collect_consent_no,
    collecting_terms,
    collection_terms,
    opening_consent_no,
)
from escrow.domain.collections.view import CollectionView
from escrow.domain.money.amounts import yuan
from escrow.domain.orders.states import OrderCommand as Operation
from escrow.ledger.consents import NewConsent, asked_for, record_consent
from tests.story import Story
from tests.story_ground import OWNER, Ground
from workflows.collection import CollectionProcess
from workflows.collection_messages import CollectionProcessState
from workflows.messages import PAYMENTS_TASK_QUEUE, BankNoticeSignal, CollectionRef, collection_workflow_id

QR = CollectionMethod.QR_WECHAT


def last_asked(body: Mapping[str, Any]) -> int:
    """Which of a collection's orders to collect its channel may have got; the first where there is none."""
    return max((int(item["number"]) for item in body["asked"] if item["outcome"] == "asked"), default=1)


class Cashier:
    """Tops members up through channels, on one ground; payers pay what it opens."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground

    async def opens(
        self, amount: str, *, number: str = "T-1", method: CollectionMethod = QR, continue_after_events: int = 8_000
    ) -> WorkflowHandle[Any, Any]:
        """The owner consents to a top-up, which begins."""
        await self.asks(amount, number=number, method=method)
        return await self.begins(number, continue_after_events=continue_after_events)

    async def asks(self, amount: str, *, number: str = "T-1", method: CollectionMethod = QR) -> None:
        """The owner consents to a top-up."""
        await self.asked_for(number, TOP_UP, collection_terms(method=method.value, amount_fen=yuan(amount)))

    async def asked_for(
        self, number: str, operation: str, how: dict[str, Any], *, by: str = OWNER, minutes: int = 30, **pays: str
    ) -> None:
        """A member asks for a collection, as the API records it.

        Args:
            how: what is collected how, as `collection_terms` says it.
            pays: what is paid, as `collecting_terms` takes it.
        """
        consent_no = opening_consent_no(number) if operation == TOP_UP else collect_consent_no(number)
        await record_consent(
            self.ground.stage.recorder,
            NewConsent(
                platform_no=self.ground.platform_no,
                consent_no=consent_no,
                object_kind="pay_in",
                object_no=number,
                operation=operation,
                given_by=by,
                terms=collecting_terms(how, subject="装修款", expires_in_minutes=minutes, **pays),
                valid_for=timedelta(days=3),
                asked=True,
            ),
        )

    async def begins(self, number: str = "T-1", *, continue_after_events: int = 8_000) -> WorkflowHandle[Any, Any]:
        """The process of a collection begins, whatever was asked for."""
        ground = self.ground
        return await ground.stage.client.start_workflow(
            CollectionProcess.run,
            CollectionRef(
                platform_no=ground.platform_no, pay_in_no=number, continue_after_events=continue_after_events
            ),
            id=collection_workflow_id(ground.platform_no, number),
            task_queue=PAYMENTS_TASK_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        )

    async def collects_for_order(self, story: Story, *, number: str = "D-1001:pay:1") -> str:
        """A channel is asked to collect the price of the story's order; answers the number of the consent to pay it."""
        consent_no = await self.asks_for_order(story, number=number)
        await self.begins(number)
        await self.awaits_payer(number)
        return consent_no

    async def asks_for_order(self, story: Story, *, number: str = "D-1001:pay:1", by: str = OWNER) -> str:
        """Somebody consents to pay the story's order through a channel; answers the number of that consent."""
        contract = story.signed
        command = await story.consents(Operation.PAY, by, method=QR.value)
        how = collection_terms(method=QR.value, amount_fen=contract.total_fen)
        day = 24 * 60
        await self.asked_for(
            number, COLLECT, how, by=by, minutes=day, order_no=contract.order_no, pays_by=command.request_no
        )
        return command.request_no

    async def refusal_comes(self, number: str) -> str:
        """The process of what was asked for begins, and the books say no; by which code."""
        assert (await self.ground.ending_of(await self.begins(number))).status is None
        return await self.refusal_of(number)

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
        shown = self.at_bank(number, await self.attempt(number))
        await self.ground.stage.sandbox.steer.pay(shown, amount_fen=None if amount is None else yuan(amount))
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

    async def attempt(self, number: str = "T-1") -> int:
        """Which of the orders to collect the channel got last; the first may have been lost on its way."""
        if not await self.ground.is_entered("pay_in", number):
            return 1
        return last_asked((await self.ground.in_the_books("pay_in", number)).body)

    def at_bank(self, number: str = "T-1", attempt: int = 1) -> str:
        """The bank's number of a collection."""
        return f"{self.ground.platform_no}/{number}:collect:{attempt}"

    async def state(self, number: str = "T-1") -> CollectionView:
        """Where the collection stands, as its process has seen it."""
        found: CollectionProcessState = await self.handle(number).query("state", result_type=CollectionProcessState)
        assert found.collection is not None, f"{number} is not opened"
        return found.collection

    async def refusal_of(self, number: str = "T-1") -> str:
        """Code by which the books refused what was asked for; its consent is void, and nothing is entered."""
        stage = self.ground.stage
        consent = await asked_for(stage.recorder, self.ground.platform_no, "pay_in", number)
        assert consent is not None, f"nobody asked for {number}"
        assert consent.voided_at is not None, f"{number} was not refused"
        assert not await self.ground.is_entered("pay_in", number)
        code: str = (consent.outcome or {})["refused"]["code"]
        return code

    def handle(self, number: str = "T-1") -> WorkflowHandle[Any, Any]:
        """The workflow of a top-up."""
        return self.ground.stage.client.get_workflow_handle_for(
            CollectionProcess.run, collection_workflow_id(self.ground.platform_no, number)
        )
