"""The language in which workflow tests are told: members, money, an order, time that passes, balances.

Every sentence does what the API or the bank would do: commands are consents in the ledger followed by an update,
transfers are booked by the bank, money is counted in the books of both sides.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from temporalio.client import WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDReusePolicy

from activities.failures import from_temporal
from escrow.domain.errors import Refused
from escrow.domain.money.amounts import yuan
from escrow.domain.orders.contract import OrderContract, opening_consent_no
from escrow.domain.orders.milestones import Stage as Line
from escrow.domain.orders.milestones import decoration_stages, plan
from escrow.domain.orders.opening import ORDERS
from escrow.domain.orders.states import OrderCommand as Operation
from escrow.domain.orders.view import OrderView
from escrow.domain.platforms.config import PlatformConfig, Settlement
from escrow.domain.requests import PLATFORM_ITSELF
from escrow.ledger.books import known
from escrow.ledger.consents import NewConsent, record_consent
from tests.postgres import Database
from tests.sandbox import Sandbox
from tests.stage import Stage, staged
from tests.story_ground import CONTRACTOR, OWNER, REQUESTS, details_of
from tests.story_withdrawals import Withdrawing
from workflows.messages import (
    ORDERS_TASK_QUEUE,
    CommandResult,
    OperatorCommand,
    OrderInput,
    OrderOutcome,
    OrderProcessState,
    PartyMessage,
    order_workflow_id,
)
from workflows.order import DecorationOrder

PRICE = "186,000.00"

#: Stories about something else top up and withdraw on the same day.
TOP_UPS_AT_ONCE = PlatformConfig(top_up_settlement=Settlement.T_PLUS_0)


class Story(Withdrawing):
    """One platform and what happens on it. Member, order and withdrawal numbers are those of the glossary."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.contract: OrderContract | None = None

    async def order_opens(
        self,
        *,
        order_no: str = "D-1001",
        price: str = PRICE,
        lines: Sequence[Line] = decoration_stages(),
        contractor_no: str | None = CONTRACTOR,
        withdraw_automatically: bool = False,
        continue_after_events: int = 8_000,
        **config: Any,
    ) -> OrderContract:
        """Owner and contractor have signed: the order is opened and waits to be paid; later sentences are about it.

        Args:
            config: fields of the platform's configuration that are set before.
        """
        await self.order_is_asked_for(
            order_no=order_no,
            price=price,
            lines=lines,
            contractor_no=contractor_no,
            withdraw_automatically=withdraw_automatically,
            continue_after_events=continue_after_events,
            **config,
        )
        await self.until(lambda: self.is_entered("order", order_no), "the order is entered in the books")
        self.contract = (await known(self.stage.recorder, ORDERS, self.platform_no, order_no)).contract
        return self.contract

    async def order_is_asked_for(
        self,
        *,
        order_no: str = "D-1001",
        price: str = PRICE,
        lines: Sequence[Line] = decoration_stages(),
        contractor_no: str | None = CONTRACTOR,
        withdraw_automatically: bool = False,
        continue_after_events: int = 8_000,
        **config: Any,
    ) -> WorkflowHandle[Any, Any]:
        """The platform asks for an order, by which contract is recorded, and its process is started.

        Args:
            config: fields of the platform's configuration that are set before.
        """
        total_fen = yuan(price)
        version = await self.platform_has(**config)
        milestones = plan(total_fen=total_fen, stages=lines).milestones
        terms = {
            "order_no": order_no,
            "owner_no": OWNER,
            "contractor_no": contractor_no,
            "total_fen": total_fen,
            "milestones": [
                {"name": line.name, "kind": line.kind.value, "amount_fen": line.amount_fen, "share": None}
                for line in milestones
            ],
            "withdraw_automatically": withdraw_automatically,
            "inspection_days": None,
            "retention_days": None,
        }
        await self.opening_is_recorded(order_no, terms, config_version=version)
        order = OrderInput(platform_no=self.platform_no, order_no=order_no, continue_after_events=continue_after_events)
        return await self.start_order(order)

    async def order_is_refused(self, **terms: Any) -> Refused:
        """The platform asks for an order that the books do not open; why they do not."""
        process = await self.order_is_asked_for(**terms)
        try:
            await self.ending_of(process)
        except WorkflowFailureError as failure:
            refusal = from_temporal(failure.cause)
            assert isinstance(refusal, Refused)
            return refusal
        raise AssertionError("the order was opened")

    async def platform_has(self, **config: Any) -> int:
        """The platform's configuration is changed so far; answers its version."""
        configurations = self.stage.registry.platforms.configurations
        current = await configurations.current(self.platform_no)
        if config:
            changed = PlatformConfig.model_validate({**current.config.model_dump(), **config})
            await configurations.set_by_operator(self.platform_no, changed)
        return (await configurations.current(self.platform_no)).version

    async def opening_is_recorded(
        self, order_no: str, terms: dict[str, Any], *, config_version: int, asked: bool = True
    ) -> None:
        """The platform has said by which contract an order is to be opened."""
        await record_consent(
            self.stage.recorder,
            NewConsent(
                platform_no=self.platform_no,
                consent_no=opening_consent_no(order_no),
                object_kind="order",
                object_no=order_no,
                operation="open",
                given_by=PLATFORM_ITSELF,
                terms=terms,
                valid_for=timedelta(days=1),
                asked=asked,
                config_version=config_version,
            ),
        )

    async def start_order(self, order: OrderInput, *, workflow_id: str = "") -> WorkflowHandle[Any, Any]:
        """Start an order's process as it is."""
        return await self.stage.client.start_workflow(
            DecorationOrder.run,
            order,
            id=workflow_id or order_workflow_id(order.platform_no, order.order_no),
            task_queue=ORDERS_TASK_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        )

    async def paid_order(self, **terms: Any) -> OrderContract:
        """The usual beginning: members, money, an order that is paid."""
        await self.members_open()
        await self.owner_transfers(PRICE)
        contract = await self.order_opens(**terms)
        await self.pays()
        return contract

    async def pays(self, **more: Any) -> CommandResult:
        """The owner pays in full."""
        return await self.says(Operation.PAY, OWNER, **more)

    async def starts(self, **more: Any) -> CommandResult:
        """The contractor starts to work."""
        return await self.says(Operation.START, self.signed.contractor_no, **more)

    async def completes(self, milestone: int, **more: Any) -> CommandResult:
        """The contractor reports a stage complete."""
        return await self.says(Operation.COMPLETE, self.signed.contractor_no, milestone=milestone, **more)

    async def accepts(self, milestone: int, **more: Any) -> CommandResult:
        """The owner accepts a stage."""
        return await self.says(Operation.ACCEPT, OWNER, milestone=milestone, **more)

    async def rectifies(self, milestone: int, **more: Any) -> CommandResult:
        """The owner asks for a stage to be put right."""
        return await self.says(Operation.RECTIFY, OWNER, milestone=milestone, **more)

    async def cancels(self, by: str, **more: Any) -> CommandResult:
        """One side wants to cancel."""
        return await self.says(Operation.CANCEL, by, **more)

    async def says(
        self, operation: Operation, by: str, *, milestone: int | None = None, request_no: str = ""
    ) -> CommandResult:
        """Give a command as the API does: consent recorded, then the update; a refusal voids the consent.

        Raises:
            Refused: the order or the ledger said no.
        """
        message = await self.consents(operation, by, milestone=milestone, request_no=request_no, asked=True)
        try:
            result: CommandResult = await self.order.execute_update(
                operation.value, message, id=f"{message.request_no}-{next(REQUESTS)}", result_type=CommandResult
            )
        except WorkflowUpdateFailedError as error:
            refusal = from_temporal(error.cause)
            if refusal is None:
                raise
            raise refusal from error
        return result

    async def consents(
        self,
        operation: Operation,
        by: str,
        *,
        milestone: int | None = None,
        request_no: str = "",
        method: str = "",
        asked: bool = False,
    ) -> PartyMessage:
        """Record the consent to a command; answers the message that may quote it.

        Args:
            method: by which a channel collects the price that is paid; empty for the owner's balance.
            asked: whether the order is to take it up, even if no message ever reaches it.
        """
        contract = self.signed
        known_milestone = milestone if milestone is not None and milestone <= len(contract.milestones) else None
        validity = timedelta(days=1)
        if operation is Operation.CANCEL:
            validity += contract.periods.cancel_proposal_validity  # it is used when the other side agrees
        number = request_no or f"R-{next(REQUESTS)}"
        await record_consent(
            self.stage.recorder,
            NewConsent(
                platform_no=self.platform_no,
                consent_no=number,
                object_kind="order",
                object_no=contract.order_no,
                operation=operation.value,
                given_by=by,
                terms=contract.terms(operation, known_milestone, method=method),
                valid_for=validity,
                asked=asked,
            ),
        )
        return PartyMessage(request_no=number, by=by, milestone=milestone)

    async def signals(self, name: str, *payload: Any) -> None:
        """Somebody sends the order a signal."""
        await self.order.signal(name, args=list(payload))

    @property
    def order(self) -> WorkflowHandle[Any, Any]:
        """The workflow of the order."""
        contract = self.signed
        return self.stage.client.get_workflow_handle_for(
            DecorationOrder.run, order_workflow_id(self.platform_no, contract.order_no)
        )

    async def order_state(self) -> OrderProcessState:
        """What the order's process answers when asked."""
        state: OrderProcessState = await self.order.query("state", result_type=OrderProcessState)
        return state

    async def order_becomes(self, status: str) -> None:
        """Wait in real time until the order's process has seen its order in a status."""

        async def has_seen() -> bool:
            return (await self.order_view()).status == status

        await self.until(has_seen, f"the order's process sees it {status}")

    async def order_view(self) -> OrderView:
        """Where the order stands as its process has seen it."""
        seen = (await self.order_state()).order
        assert seen is not None
        return seen

    async def details(self) -> str:
        """What the Temporal UI shows of the order."""
        return await details_of(self.order)

    async def order_ends(self) -> OrderOutcome:
        """Days pass until the order has ended."""
        outcome: OrderOutcome = await self.ending_of(self.order, step=timedelta(days=1))
        return outcome

    async def operator_resumes(self, handle: WorkflowHandle[Any, Any]) -> None:
        """An operator has mended the cause."""
        await handle.execute_update("resume", OperatorCommand(operator="op-1"))

    @property
    def signed(self) -> OrderContract:
        """The contract of the order that the story is about."""
        assert self.contract is not None, "no order was opened in this story"
        return self.contract


@asynccontextmanager
async def told(
    database: Database, sandbox: Sandbox, config: PlatformConfig = TOP_UPS_AT_ONCE, *, begins_at: datetime
) -> AsyncIterator[Story]:
    """A story on fresh servers; at its end both books must be equal and no invariant broken.

    Args:
        begins_at: the moment that all clocks show at first.
    """
    async with staged(database, sandbox, config, begins_at) as stage:
        story = Story(stage)
        await story.watch_begins()
        yield story
        await story.books_are_equal()
        await story.books_are_sound()
