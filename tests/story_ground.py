"""The ground on which stories are told: one platform, its members, the bank, time that passes, both books."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from typing import Any

import asyncpg
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from escrow.domain.money.accounts import Purpose
from escrow.domain.money.amounts import format_fen, yuan
from escrow.domain.time.calendars import SHANGHAI
from escrow.ledger.balances import list_accounts, platform_balances
from escrow.ledger.bank_lines import BankLines, StoredBankLine
from escrow.ledger.books_time import books_now
from escrow.ledger.days import accounting_day, close_day
from escrow.ledger.invariants import check_invariants
from escrow.ledger.objects import BusinessObject, Event, get_object, object_events
from escrow.ledger.personal_data import PersonalDataBox
from escrow.registry.accounts.rows import NewBankAccount
from escrow.registry.members.members import MemberKind
from tests.identities import verify
from tests.stage import DATA_KEY, INDEX_KEY, Stage
from tests.waiting import until
from workflows.bank_watch import BankWatch
from workflows.messages import (
    PAYMENTS_TASK_QUEUE,
    BankNoticeSignal,
    BankWatchInput,
    bank_watch_workflow_id,
)

OWNER, CONTRACTOR = "O-1", "C-1"

OWNERS_CARD = NewBankAccount(
    account_id="A-O1", account_no="6216261000000000018", account_name="王小明", is_corporate=False,
    cnaps_code="102100099996",
)  # fmt: skip
CONTRACTORS_ACCOUNT = NewBankAccount(
    account_id="A-C1", account_no="11050137360000000321", account_name="精工装饰工程有限公司", is_corporate=True,
    cnaps_code="105100000017",
)  # fmt: skip


#: Numbers requests within a session.
REQUESTS = itertools.count(1)
_STEPS_AT_MOST = 500
_LONGEST_STEP = timedelta(hours=6)
#: Longer than any story: here the watch is woken by notices only, as a bank that never loses one would.
_WATCH_NEVER_POLLS = timedelta(days=10_000)
_TOLD_AGAIN_AFTER_SECONDS = 5.0


class Ground:
    """One platform on running servers."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.platform_no = stage.platform_no
        self.notice_no = 0

    # ---- the platform, its members and the bank ----

    async def members_open(self) -> None:
        """Owner and contractor open sub-accounts and bind a bank account each."""
        await self.member_opens(OWNER, MemberKind.PERSON, OWNERS_CARD, mobile="13552535506")
        await self.member_opens(CONTRACTOR, MemberKind.COMPANY, CONTRACTORS_ACCOUNT, mobile="13900000002")

    async def member_opens(
        self, member_no: str, kind: MemberKind, account: NewBankAccount, mobile: str | None = None
    ) -> None:
        """One member opens a sub-account under the name of a bank account, is verified, and binds it."""
        registry = self.stage.registry
        await registry.members.open(
            self.platform_no, member_no=member_no, kind=kind, name=account.account_name, mobile=mobile
        )
        await verify(registry, self.platform_no, member_no)
        await registry.bank_accounts.bind(self.platform_no, member_no, account)

    async def watch_begins(self, *, poll_every: timedelta = _WATCH_NEVER_POLLS, workflow_id: str = "") -> None:
        """The worker's watch over the custody account, or with an id of its own a second one beside it."""
        await self.stage.client.start_workflow(
            BankWatch.run,
            BankWatchInput(platform_no=self.platform_no, poll_every=poll_every),
            id=workflow_id or bank_watch_workflow_id(self.platform_no),
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
        bank, lines, told_at = self.stage.sandbox.bank, self._bank_lines(), -_TOLD_AGAIN_AFTER_SECONDS

        async def all_booked() -> bool:
            nonlocal told_at
            if time.monotonic() - told_at > _TOLD_AGAIN_AFTER_SECONDS:  # as a bank does whose notice was lost
                await self.bank_notifies()
                told_at = time.monotonic()
            last = await lines.last_line_no(self.platform_no)
            fresh = await bank.lines_after(self.stage.custody_account_no, last)
            waiting = [line for line in await lines.unposted(self.platform_no) if line.kind != "payout"]
            return not fresh and not waiting

        await self.until(all_booked, "the watch books the bank's lines")

    # ---- time ----

    async def days_pass(self, days: float) -> None:
        """So many days pass on the Temporal server; whatever falls due happens at its hour."""
        await self.time_passes(timedelta(days=days))

    async def hours_pass(self, hours: float) -> None:
        """So many hours pass."""
        await self.time_passes(timedelta(hours=hours))

    async def time_passes(self, span: timedelta) -> None:
        """So much time passes, on the server and in the story."""
        await self.stage.clock.skip(span)

    async def now(self) -> datetime:
        """What time it is in the story: by the books, on the server and at the bank."""
        await self.stage.clock.follow()
        return await books_now(self.stage.recorder, self.platform_no)

    async def last_day(self, days: int) -> date:
        """The day in Shanghai so many days from now, as the last one of something."""
        return (await self.now()).astimezone(SHANGHAI).date() + timedelta(days=days)

    async def day_is_closed(self) -> None:
        """The accounting day is closed, its pending money matures."""
        recorder, writer = self.stage.recorder, self.stage.writer
        day = await accounting_day(recorder, self.platform_no)
        await close_day(recorder, writer, self.platform_no, day)

    async def ended_days_are_closed(self) -> None:
        """Every accounting day before today is closed, as when the closing of days was late."""
        now = await self.now()
        yesterday = now.astimezone(SHANGHAI).date() - timedelta(days=1)
        await close_day(self.stage.recorder, self.stage.writer, self.platform_no, yesterday)

    async def ending_of(self, handle: WorkflowHandle[Any, Any], *, step: timedelta = timedelta(seconds=0.2)) -> Any:
        """Time passes in growing steps until a workflow has closed; answers its result.

        Args:
            step: the first one; short, since what the server does not skip takes as long as it says.

        Raises:
            WorkflowFailureError: it ended with a failure.
        """
        await self.until(lambda: _runs_or_ran(handle), f"{handle.id} is started")
        # Not by `result()` alone: the server's long poll would time out by the skipped clock.
        for _ in range(_STEPS_AT_MOST):
            if (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING:
                with self.stage.env.auto_time_skipping_disabled():
                    return await handle.result()
            await self.time_passes(step)
            await asyncio.sleep(0.01)  # the bank's clock runs in real time
            step = min(step * 2, max(step, _LONGEST_STEP))
        raise AssertionError(f"{handle.id} does not end")

    async def until(
        self, condition: Callable[[], Awaitable[bool]], what: str, *, seen: Callable[[], Any] | None = None
    ) -> None:
        """Wait in real time until something has happened that needs no skipped time; the arguments are `waiting`'s."""
        await until(condition, what, seen=seen or self._seen)

    async def _seen(self) -> str:
        return f"balances {await self.balances()}, at {await self.now()}"

    # ---- what the books say ----

    async def balances(self) -> dict[str, str]:
        """Every sub-account that holds money, in yuan; the custody account is compared with the bank at the end."""
        accounts = await list_accounts(self.stage.recorder, self.platform_no, limit=1000)
        return {
            str(item.account): format_fen(item.balance_fen)
            for item in accounts
            if item.balance_fen and item.account.purpose is not Purpose.CUSTODY
        }

    async def balances_become(self, expected: dict[str, str]) -> None:
        """Wait in real time until every sub-account that holds money is as expected."""

        async def as_expected() -> bool:
            return await self.balances() == expected

        await self.until(as_expected, f"the balances become {expected}")

    async def in_the_books(self, kind: str, object_no: str) -> BusinessObject:
        """An order or withdrawal as the ledger has it."""
        found = await get_object(self.stage.recorder, self.platform_no, kind, object_no)
        assert found is not None, f"no {kind} {object_no}"
        return found

    async def events(self, kind: str, object_no: str) -> list[Event]:
        """Events of one object."""
        return await object_events(self.stage.recorder, self.platform_no, kind, object_no)

    async def texts(self) -> list[str]:
        """Text messages that the bank sent for this platform, oldest first."""
        sent = await self.stage.sandbox.steer.sms_outbox()
        return [message.text for message in sent if message.req_seq.startswith(f"{self.platform_no}/")]

    async def books_are_equal(self) -> None:
        """The bank's own balance of the custody account is the sum of our sub-accounts."""

        async def balance_fen() -> int:
            return await self.stage.sandbox.bank.balance_fen(self.stage.custody_account_no)

        async def seen_at_rest() -> tuple[int, int, list[StoredBankLine]] | None:
            at_bank_fen = await balance_fen()
            await self.bank_lines_are_booked()
            unposted = await self.unposted_lines()
            ours = await platform_balances(self.stage.recorder, self.platform_no)
            # What the bank settles between these questions would look like a difference.
            return (at_bank_fen, ours.custody_at_bank_fen, unposted) if await balance_fen() == at_bank_fen else None

        at_bank_fen, by_books_fen, unposted = await until(seen_at_rest, "the bank moves nothing while it is asked")
        assert not unposted, "bank lines that nobody has posted"
        assert by_books_fen == at_bank_fen

    async def books_are_sound(self) -> None:
        """No invariant of the ledger is broken."""
        connection = await asyncpg.connect(self.stage.database.dsn)
        try:
            broken = [str(violation) for violation in await check_invariants(connection, self.platform_no)]
        finally:
            await connection.close()
        assert not broken, broken

    async def unposted_lines(self) -> list[StoredBankLine]:
        """Lines of the bank that no entry of ours has posted."""
        return await self._bank_lines().unposted(self.platform_no)

    def _bank_lines(self) -> BankLines:
        return BankLines(self.stage.recorder, PersonalDataBox.from_hex(data_key=DATA_KEY, index_key=INDEX_KEY))

    async def is_entered(self, kind: str, object_no: str) -> bool:
        return await get_object(self.stage.recorder, self.platform_no, kind, object_no) is not None


async def _runs_or_ran(handle: WorkflowHandle[Any, Any]) -> bool:
    try:
        await handle.describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True


async def details_of(handle: WorkflowHandle[Any, Any]) -> str:
    """What the Temporal UI shows as a workflow's current details."""
    metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    details: str = metadata.current_details
    return details


def reuse_policy(server_has_forgotten: bool) -> WorkflowIDReusePolicy:
    """What the API starts workflows with, or what it amounts to once the closed one is no longer kept."""
    if server_has_forgotten:
        return WorkflowIDReusePolicy.ALLOW_DUPLICATE
    return WorkflowIDReusePolicy.REJECT_DUPLICATE
