"""`escrow skip`: days pass for one order, its withdrawals, its platform's accounting day and the bank, together.

Only forward, and from one event to the next: before the order's clock reaches a deadline, the accounting days up to
it are closed and the bank's clock shows that time, so that what then happens is dated as if the days had passed.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Annotated

import typer
from temporalio.client import Client

from escrow.channels.sandbox_bank.steering import SandboxSteering
from escrow.commands.books import opened_books
from escrow.commands.running import out, run
from escrow.commands.skip_clock import PASSES_BY_ITSELF, WorkflowClock
from escrow.domain.calendars import SHANGHAI
from escrow.domain.errors import Refused
from escrow.ledger.days import accounting_day, close_day
from escrow.ledger.engine import Reader
from escrow.ledger.platforms import custody_account_of
from escrow.ledger.posting import LedgerWriter
from escrow.stack.processes import StackError
from escrow.stack.temporal_client import connect_temporal

#: Real time that a workflow may take to become idle, and one skip to be done.
LIMIT_SECONDS = 20.0
#: Real time that a withdrawal may take by itself before its clock is moved too.
_PATIENCE_SECONDS = 6.0
#: A withdrawal that asks the bank again and again is moved by its longest pause.
_PAUSE = timedelta(minutes=5)
#: Books and bank are this much past a timer of the order before it fires: it may fire so much late.
_PAST_IT = timedelta(seconds=1)
_POLL_SECONDS = 0.1


class OrderSkip:
    """Lets days pass for one order.

    Args:
        temporal: client of a dev server that allows time skipping.
        reader, writer: the books in which accounting days are closed.
        sandbox: the bank whose clock moves along.
        tell: told what happens on the way, one line each.
    """

    def __init__(
        self,
        *,
        temporal: Client,
        reader: Reader,
        writer: LedgerWriter,
        sandbox: SandboxSteering,
        platform_no: str,
        order_no: str,
        tell: Callable[[str], None],
    ) -> None:
        self._temporal = temporal
        self._reader = reader
        self._writer = writer
        self._sandbox = sandbox
        self._platform_no = platform_no
        self._order = self._clock_of(f"order/{platform_no}/{order_no}")
        self._tell = tell

    async def skip(self, span: timedelta) -> datetime:
        """Let `span` pass and answer the order's time, in Shanghai.

        Raises:
            Refused: the order has ended or is unknown, or it or a withdrawal cannot be moved now; all clocks are left
                where the last event was.
        """
        seen = await self._order.idle()
        if not seen.running:
            raise Refused("order_state", f"{self._order.workflow_id} has ended; there is nothing to wait for.")
        target = seen.now + span
        while seen.running and seen.now < target:
            # The last seconds pass in real time, so no withdrawal is in the way of them.
            if seen.children and target - seen.now > PASSES_BY_ITSELF:
                for child in seen.children:
                    await self.withdrawal_ends(child, before=target)
                seen = await self._order.idle()
                continue
            moment = min(target, seen.next_timer_at or target)
            await self._everybody_else_to(min(target, moment + _PAST_IT))
            await self._order.forward(moment - seen.now)
            seen = await self._order.idle()
        await self._everybody_else_to(target)
        return target.astimezone(SHANGHAI)

    async def withdrawal_ends(self, workflow_id: str, *, before: datetime) -> None:
        """Wait for a withdrawal to end by itself; one that waits for a rail or for the bank is moved along.

        Raises:
            Refused: `withdrawal_under_way` when it does not end before that time.
        """
        clock, started = self._clock_of(workflow_id), asyncio.get_running_loop().time()
        while (seen := await clock.idle()).running:
            opens_at = _time(await clock.state(), "opens_at")
            bank_now = await self._sandbox.clock(await custody_account_of(self._reader, self._platform_no))
            queued = opens_at is not None and opens_at > bank_now
            if not queued and asyncio.get_running_loop().time() - started < _PATIENCE_SECONDS:
                await asyncio.sleep(_POLL_SECONDS)
                continue
            span = opens_at - bank_now + _PAST_IT if queued and opens_at is not None else _PAUSE
            moment = seen.now + span
            if moment > before:
                raise Refused(
                    "withdrawal_under_way",
                    f"{workflow_id} waits until {_local(moment)} and the order can only be moved when it has ended: "
                    "skip more days, or let it end.",
                )
            self._tell(f"{workflow_id} waits for the bank until {_local(moment)}")
            await self._everybody_else_to(bank_now + span)
            await clock.forward(span)

    async def _everybody_else_to(self, moment: datetime) -> None:
        """Close the accounting days before `moment` one by one, and move the bank's clock there."""
        today = moment.astimezone(SHANGHAI).date()
        while (day := await accounting_day(self._reader, self._platform_no)) < today:
            midnight = datetime.combine(day + timedelta(days=1), time(), SHANGHAI)
            await close_day(self._reader, self._writer, self._platform_no, day, occurred_at=midnight)
        custody_account_no = await custody_account_of(self._reader, self._platform_no)
        if moment > await self._sandbox.clock(custody_account_no):
            await self._sandbox.move_clock(custody_account_no, to=moment)

    def _clock_of(self, workflow_id: str) -> WorkflowClock:
        return WorkflowClock(self._temporal, workflow_id, limit_seconds=LIMIT_SECONDS)


def skip(
    order_no: Annotated[str, typer.Argument(help="The order's number.")],
    days: Annotated[int, typer.Option(min=1, max=3660, help="How many days pass.")],
    platform: Annotated[str, typer.Option(help="The platform's number.")] = "HOME",
) -> None:
    """Let days pass for one order of a sandbox stack: its clock, the accounting day and the bank's clock, forward.

    What falls due on the way happens: reminders, acceptance by silence, the release of the retention. Other orders
    keep their own time; the accounting day and the bank are shared with them.
    """
    run(_skip(platform, order_no, days))


async def _skip(platform_no: str, order_no: str, days: int) -> None:
    async with opened_books() as books:
        sandbox = SandboxSteering(books.settings.bank_url, timeout_seconds=books.settings.bank_answer_seconds)
        writer = await LedgerWriter.start(
            books.settings.database_url, answer_seconds=books.settings.ledger_answer_seconds
        )
        try:
            skipping = OrderSkip(
                temporal=await _temporal(),
                reader=books.reader,
                writer=writer,
                sandbox=sandbox,
                platform_no=platform_no,
                order_no=order_no,
                tell=out.print,
            )
            now = await skipping.skip(timedelta(days=days))
        finally:
            await writer.close()
            await sandbox.aclose()
    out.print(f"for {order_no}, the books of {platform_no} and the bank it is now {_local(now)}")


async def _temporal() -> Client:
    try:
        return await connect_temporal()
    except RuntimeError as error:  # the SDK has no class of its own for it
        raise StackError(
            "Temporal does not answer where TEMPORAL_ADDRESS says: start the stack with `escrow up`"
        ) from error


def _time(state: dict[str, object], key: str) -> datetime | None:
    value = state[key]
    return datetime.fromisoformat(value).astimezone(UTC) if isinstance(value, str) else None


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M} in Shanghai"
