"""The language in which workflow tests are told: members, money, an order, time that passes, balances.

Every sentence does what the API or the bank would do: commands are consents in the ledger followed by an update,
transfers are booked by the bank, money is counted in the books of both sides.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import WorkflowExecutionStatus, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDReusePolicy

from activities.failures import from_temporal
from escrow.domain.accounts import Purpose
from escrow.domain.journal import Basis
from escrow.domain.milestones import Stage as Line
from escrow.domain.milestones import decoration_stages, plan
from escrow.domain.money import format_fen, yuan
from escrow.domain.order_operations import milestone_terms, pay_terms
from escrow.domain.order_states import OrderCommand as Operation
from escrow.domain.platform_config import PlatformConfig
from escrow.ledger.balances import list_accounts, platform_balances
from escrow.ledger.bank_accounts import NewBankAccount
from escrow.ledger.bank_lines import BankLines
from escrow.ledger.consents import NewConsent, record_consent, void_consent
from escrow.ledger.members import MemberKind
from escrow.ledger.objects import BusinessObject, Event, get_object, object_events
from escrow.ledger.personal_data import PersonalDataBox
from escrow.stack.postgres import PostgresServer
from tests.sandbox import Sandbox
from tests.stage import DATA_KEY, INDEX_KEY, Stage, staged
from workflows.bank_watch import BankWatch
from workflows.messages import (
    ORDERS_TASK_QUEUE,
    PAYMENTS_TASK_QUEUE,
    BankNoticeSignal,
    BankWatchInput,
    CommandResult,
    MilestoneTerms,
    OperatorCommand,
    OrderCommand,
    OrderContract,
    OrderInput,
    OrderOutcome,
    OrderPeriods,
    OrderState,
    WithdrawalInput,
    WithdrawalOutcome,
    WithdrawalState,
    bank_watch_workflow_id,
    order_workflow_id,
    withdrawal_workflow_id,
)
from workflows.order import DecorationOrder
from workflows.withdrawal import Withdrawal

OWNER, CONTRACTOR = "O-1", "C-1"
PRICE = "186,000.00"

OWNERS_CARD = NewBankAccount(
    account_id="A-O1", account_no="6216261000000000018", account_name="王小明", is_corporate=False,
    cnaps_code="102100099996",
)  # fmt: skip
CONTRACTORS_ACCOUNT = NewBankAccount(
    account_id="A-C1", account_no="11050137360000000321", account_name="精工装饰工程有限公司", is_corporate=True,
    cnaps_code="105100000017",
)  # fmt: skip

_PATIENCE_SECONDS = 20.0
_STEPS_AT_MOST = 500
_REQUESTS = itertools.count(1)
#: Longer than any story: here the watch is woken by notices only, as a bank that never loses one would.
_WATCH_NEVER_POLLS = timedelta(days=10_000)


class Story:
    """One platform and what happens on it. Member, order and withdrawal numbers are those of the glossary."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.platform_no = stage.platform_no
        self.contract: OrderContract | None = None
        self.notice_no = 0

    # ---- the platform, its members and the bank ----

    async def members_open(self) -> None:
        """Owner and contractor open sub-accounts and bind a bank account each."""
        await self.member_opens(OWNER, MemberKind.PERSON, OWNERS_CARD, mobile="13552535506")
        await self.member_opens(CONTRACTOR, MemberKind.COMPANY, CONTRACTORS_ACCOUNT, mobile="13900000002")

    async def member_opens(
        self, member_no: str, kind: MemberKind, account: NewBankAccount, mobile: str | None = None
    ) -> None:
        """One member opens a sub-account under the name of a bank account, and binds it."""
        registry = self.stage.registry
        await registry.members.open(
            self.platform_no, member_no=member_no, kind=kind, name=account.account_name, mobile=mobile
        )
        await registry.bank_accounts.bind(self.platform_no, member_no, account)

    async def watch_begins(self, *, poll_every: timedelta = _WATCH_NEVER_POLLS) -> None:
        """The worker's watch over the custody account."""
        await self.stage.client.start_workflow(
            BankWatch.run,
            BankWatchInput(platform_no=self.platform_no, poll_every=poll_every),
            id=bank_watch_workflow_id(self.platform_no),
            task_queue=PAYMENTS_TASK_QUEUE,
        )

    async def owner_transfers(self, amount: str) -> None:
        """The owner transfers money from the bound card; it is credited when this returns."""
        await self.transfer_arrives(amount, OWNERS_CARD.account_no, OWNERS_CARD.account_name)
        await self.bank_lines_are_booked()

    async def transfer_arrives(self, amount: str, account_no: str, account_name: str = "某人") -> str:
        """Somebody transfers money into the custody account; answers the bank's serial number."""
        line = await self.stage.sandbox.steer.transfer(
            custody_account_no=self.stage.custody_account_no,
            amount_fen=yuan(amount),
            account_no=account_no,
            account_name=account_name,
        )
        return line.bank_serial_no

    async def bank_notifies(self, *, times: int = 1) -> None:
        """The bank tells the watch that something happened, perhaps more than once."""
        handle = self.stage.client.get_workflow_handle(bank_watch_workflow_id(self.platform_no))
        for _ in range(times):
            self.notice_no += 1
            await handle.signal("bank_notice", BankNoticeSignal(notice_id=str(self.notice_no), kind="custody_line"))

    async def bank_lines_are_booked(self) -> None:
        """The watch is told and has booked every line of the bank that is its to book."""
        await self.bank_notifies()
        bank, lines = self.stage.sandbox.bank, self._bank_lines()

        async def all_booked() -> bool:
            last = await lines.last_line_no(self.platform_no)
            fresh = await bank.lines_after(self.stage.custody_account_no, last)
            waiting = [line for line in await lines.unposted(self.platform_no) if line.kind != "payout"]
            return not fresh and not waiting

        await self.until(all_booked, "the watch books the bank's lines")

    # ---- the order ----

    async def order_opens(
        self,
        *,
        order_no: str = "D-1001",
        price: str = PRICE,
        lines: Sequence[Line] = decoration_stages(),
        continue_after_events: int = 8_000,
        periods: OrderPeriods = OrderPeriods(),
        **terms: Any,
    ) -> OrderContract:
        """Owner and contractor have signed: the order is opened and waits to be paid; later sentences are about it."""
        total_fen = yuan(price)
        milestones = plan(total_fen=total_fen, stages=lines).milestones
        self.contract = OrderContract(
            platform_no=self.platform_no,
            order_no=order_no,
            owner_no=OWNER,
            total_fen=total_fen,
            milestones=tuple(
                MilestoneTerms(number=line.no, name=line.name, kind=line.kind, amount_fen=line.amount_fen)
                for line in milestones
            ),
            periods=periods,
            **({"contractor_no": CONTRACTOR, "commission_basis_points": 500} | terms),
        )
        await self.start_order(OrderInput(contract=self.contract, continue_after_events=continue_after_events))
        await self.until(lambda: self._is_entered("order", order_no), "the order is entered in the books")
        return self.contract

    async def start_order(self, order: OrderInput, *, workflow_id: str | None = None) -> WorkflowHandle[Any, Any]:
        """Start an order's workflow as it is."""
        contract = order.contract
        return await self.stage.client.start_workflow(
            DecorationOrder.run,
            order,
            id=workflow_id or order_workflow_id(contract.platform_no, contract.order_no),
            task_queue=ORDERS_TASK_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
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
        return await self.says(Operation.START, CONTRACTOR, **more)

    async def completes(self, milestone: int, **more: Any) -> CommandResult:
        """The contractor reports a stage complete."""
        return await self.says(Operation.COMPLETE, CONTRACTOR, milestone=milestone, **more)

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
        command = await self.consents(operation, by, milestone=milestone, request_no=request_no)
        try:
            return await self.order.execute_update(
                operation.value, command, id=f"{command.request_no}-{next(_REQUESTS)}", result_type=CommandResult
            )
        except WorkflowUpdateFailedError as error:
            refusal = from_temporal(error.cause)
            assert refusal is not None, error.cause
            await void_consent(self.stage.reader, self.platform_no, command.request_no)
            raise refusal from error

    async def consents(
        self, operation: Operation, by: str, *, milestone: int | None = None, request_no: str = ""
    ) -> OrderCommand:
        """Record the consent to a command without giving it; answers the command that may stand on it."""
        contract = self._contract
        terms: dict[str, Any] = {}
        if operation is Operation.PAY:
            days = contract.periods.inspection_period // timedelta(days=1)
            terms = pay_terms(total_fen=contract.total_fen, inspection_days=days)
        elif milestone is not None and milestone <= len(contract.milestones):
            terms = milestone_terms(milestone=milestone, amount_fen=contract.milestones[milestone - 1].amount_fen)
        number = request_no or f"R-{next(_REQUESTS)}"
        await record_consent(
            self.stage.reader,
            NewConsent(
                platform_no=self.platform_no,
                consent_no=number,
                object_kind="order",
                object_no=contract.order_no,
                operation=operation.value,
                given_by=by,
                terms=terms,
                expires_at=datetime.now(UTC) + timedelta(days=1),
            ),
        )
        return OrderCommand(request_no=number, by=by, milestone=milestone)

    async def signals(self, name: str, *payload: Any) -> None:
        """Somebody sends the order a signal."""
        await self.order.signal(name, args=list(payload))

    @property
    def order(self) -> WorkflowHandle[Any, Any]:
        """The workflow of the order."""
        contract = self._contract
        return self.stage.client.get_workflow_handle_for(
            DecorationOrder.run, order_workflow_id(self.platform_no, contract.order_no)
        )

    async def order_state(self) -> OrderState:
        """What the order answers when asked."""
        return await self.order.query("state", result_type=OrderState)

    async def order_ends(self) -> OrderOutcome:
        """Days pass until the order has ended."""
        await self._time_passes_until_closed(self.order, step=timedelta(days=1))
        outcome: OrderOutcome = await self.order.result()
        return outcome

    async def operator_resumes(self, handle: WorkflowHandle[Any, Any]) -> None:
        """An operator has mended the cause."""
        await handle.execute_update("resume", OperatorCommand(operator="op-1"))

    # ---- withdrawals ----

    async def withdraws(
        self,
        amount: str,
        *,
        withdrawal_no: str = "W-1",
        member_no: str = CONTRACTOR,
        account_id: str = "",
        **terms: Any,
    ) -> WorkflowHandle[Any, Any]:
        """A member asks for a withdrawal as the API does: the consent first, then the workflow."""
        basis = await self.consents_to_withdraw(
            amount, withdrawal_no=withdrawal_no, member_no=member_no, account_id=account_id
        )
        return await self.start_withdrawal(
            WithdrawalInput(
                platform_no=self.platform_no,
                withdrawal_no=withdrawal_no,
                member_no=member_no,
                account_id=account_id,
                principal_fen=yuan(amount),
                basis=basis,
                **terms,
            )
        )

    async def consents_to_withdraw(
        self, amount: str, *, withdrawal_no: str, member_no: str = CONTRACTOR, account_id: str = ""
    ) -> Basis:
        """Record the consent to a withdrawal."""
        consent = NewConsent(
            platform_no=self.platform_no,
            consent_no=f"R-{next(_REQUESTS)}",
            object_kind="withdrawal",
            object_no=withdrawal_no,
            operation="withdraw",
            given_by=member_no or "platform",
            terms={"account_id": account_id, "principal_fen": yuan(amount)},
            expires_at=datetime.now(UTC) + timedelta(days=1),
        )
        await record_consent(self.stage.reader, consent)
        return Basis(kind="consent", reference=consent.consent_no, operation_hash=consent.operation_hash)

    async def start_withdrawal(
        self, withdrawal: WithdrawalInput, *, workflow_id: str | None = None
    ) -> WorkflowHandle[Any, Any]:
        """Start a withdrawal's workflow as it is."""
        return await self.stage.client.start_workflow(
            Withdrawal.run,
            withdrawal,
            id=workflow_id or withdrawal_workflow_id(withdrawal.platform_no, withdrawal.withdrawal_no),
            task_queue=PAYMENTS_TASK_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        )

    def withdrawal(self, withdrawal_no: str = "W-1") -> WorkflowHandle[Any, Any]:
        """The workflow of a withdrawal."""
        return self.stage.client.get_workflow_handle_for(
            Withdrawal.run, withdrawal_workflow_id(self.platform_no, withdrawal_no)
        )

    async def withdrawal_ends(self, withdrawal_no: str = "W-1") -> WithdrawalOutcome:
        """Seconds, then longer and longer times pass until the withdrawal has ended."""
        await self._time_passes_until_closed(self.withdrawal(withdrawal_no), step=timedelta(seconds=5))
        outcome: WithdrawalOutcome = await self.withdrawal(withdrawal_no).result()
        return outcome

    async def withdrawal_state(self, withdrawal_no: str = "W-1") -> WithdrawalState:
        """What the withdrawal answers when asked."""
        return await self.withdrawal(withdrawal_no).query("state", result_type=WithdrawalState)

    # ---- time ----

    async def days_pass(self, days: float) -> None:
        """So many days pass on the Temporal server; whatever falls due happens at its hour."""
        await self.stage.env.sleep(timedelta(days=days))

    async def hours_pass(self, hours: float) -> None:
        """So many hours pass."""
        await self.stage.env.sleep(timedelta(hours=hours))

    async def _time_passes_until_closed(self, handle: WorkflowHandle[Any, Any], *, step: timedelta) -> None:
        # Not by `result()` alone: the server's long poll would time out by the skipped clock.
        for _ in range(_STEPS_AT_MOST):
            if (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING:
                return
            await self.stage.env.sleep(step)
            await asyncio.sleep(0.01)  # the bank's clock runs in real time
            step = min(step * 1.2, max(step, timedelta(hours=1)))
        raise AssertionError(f"{handle.id} does not end")

    async def until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        """Wait in real time until something has happened that needs no skipped time."""
        give_up_at = time.monotonic() + _PATIENCE_SECONDS
        while not await condition():
            assert time.monotonic() < give_up_at, f"did not happen: {what}"
            await asyncio.sleep(0.03)

    # ---- what the books say ----

    async def balances(self) -> dict[str, str]:
        """Every sub-account that holds money, in yuan; the custody account is compared with the bank at the end."""
        accounts = await list_accounts(self.stage.reader, self.platform_no, limit=1000)
        return {
            str(item.account): format_fen(item.balance_fen)
            for item in accounts
            if item.balance_fen and item.account.purpose is not Purpose.CUSTODY
        }

    async def in_the_books(self, kind: str, object_no: str) -> BusinessObject:
        """An order or withdrawal as the ledger has it."""
        found = await get_object(self.stage.reader, self.platform_no, kind, object_no)
        assert found is not None, f"no {kind} {object_no}"
        return found

    async def events(self, kind: str, object_no: str) -> list[Event]:
        """Events of one object."""
        return await object_events(self.stage.reader, self.platform_no, kind, object_no)

    async def texts(self) -> list[str]:
        """Text messages that the bank sent for this platform, oldest first."""
        sent = await self.stage.sandbox.steer.sms_outbox()
        return [message.text for message in sent if message.req_seq.startswith(f"{self.platform_no}/")]

    async def books_are_equal(self) -> None:
        """The bank's own balance of the custody account is the sum of our sub-accounts."""
        await self.bank_lines_are_booked()
        assert not await self._bank_lines().unposted(self.platform_no), "bank lines that nobody has posted"
        at_bank_fen = await self.stage.sandbox.bank.balance_fen(self.stage.custody_account_no)
        ours = await platform_balances(self.stage.reader, self.platform_no)
        assert ours.custody_at_bank_fen == at_bank_fen

    def _bank_lines(self) -> BankLines:
        return BankLines(self.stage.reader, PersonalDataBox.from_hex(data_key=DATA_KEY, index_key=INDEX_KEY))

    @property
    def _contract(self) -> OrderContract:
        assert self.contract is not None, "no order was opened in this story"
        return self.contract

    async def _is_entered(self, kind: str, object_no: str) -> bool:
        return await get_object(self.stage.reader, self.platform_no, kind, object_no) is not None


@asynccontextmanager
async def told(
    server: PostgresServer, sandbox: Sandbox, config: PlatformConfig = PlatformConfig()
) -> AsyncIterator[Story]:
    """A story on fresh servers; at its end both books must be equal and no invariant broken."""
    async with staged(server, sandbox, config) as stage:
        story = Story(stage)
        await story.watch_begins()
        yield story
        await story.books_are_equal()
