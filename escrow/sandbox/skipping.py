"""Time passes for one platform of a sandbox stack: its books, the bank's clock of its custody account, its workflows.

Only forward, and from one due moment to the next: the books and the bank show a moment, accounting days that ended on
the way are closed, the Temporal clocks of the platform's workflows are moved along, and whatever waits is told to look
at the books' time. So what falls due happens in its order and is dated as if the time had passed. Other platforms keep
their own time.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, time, timedelta

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from escrow.channels.sandbox_bank.steering import SandboxSteering
from escrow.domain.errors import Refused
from escrow.domain.time.calendars import SHANGHAI, CalendarSource, CalendarUnknown, calendar_source
from escrow.ledger.books_time import books_now, move_story
from escrow.ledger.days import accounting_day, close_day
from escrow.ledger.engine import Recorder, connect
from escrow.ledger.posting import LedgerWriter
from escrow.registry.platforms.platforms import custody_account_of
from escrow.sandbox.workflow_clock import Sight, WorkflowClock
from escrow.settings import Settings

#: Signal that lets a workflow read the books' time anew.
LOOK = "look"
#: First part of the ids of a platform's workflows; the platform's number is the second.
KINDS = (
    "order",
    "withdrawal",
    "payment",
    "assignment",
    "reversal",
    "pay_in",
    "batch_payment",
    "refund",
    "identity-check",
    "account-verification",
    "mandate",
    "member-closing",
)
#: The watch over the custody account looks every minute whatever the time: nothing waits for its timer.
_WATCH = "bank-watch"
#: Real time in which a platform's workflows should have done what fell due.
_LIMIT_SECONDS = 60.0
#: Real time in which the bank should have delivered its notices; longer, and nobody takes them.
_NOTICES_SECONDS = 10.0
#: Books and bank are this much past what falls due, so that no clock that is a little behind calls it early.
_PAST_IT = timedelta(seconds=1)
#: Clocks that differ by less were never moved apart.
_AS_ONE = timedelta(minutes=1)
_POLL_SECONDS = 0.02


@asynccontextmanager
async def platform_skip(
    settings: Settings,
    recorder: Recorder,
    temporal: Client,
    platform_no: str,
    *,
    tell: Callable[[str], None] = lambda line: None,
) -> AsyncIterator["PlatformSkip"]:
    """What lets time pass for a platform of a sandbox stack, one skip at a time, in whichever process.

    Raises:
        Refused: `not_found`, the platform is not open; `skip_under_way`.
    """
    custody_account_no = await custody_account_of(recorder, platform_no)
    async with AsyncExitStack() as opened:
        await opened.enter_async_context(_alone(settings.database_url, platform_no))
        sandbox = SandboxSteering(settings.bank_url, timeout_seconds=settings.bank_answer_seconds)
        opened.push_async_callback(sandbox.aclose)
        writer = await LedgerWriter.start(settings.database_url, answer_seconds=settings.ledger_answer_seconds)
        opened.push_async_callback(writer.close)
        yield PlatformSkip(
            temporal=temporal,
            recorder=recorder,
            writer=writer,
            sandbox=sandbox,
            platform_no=platform_no,
            custody_account_no=custody_account_no,
            tell=tell,
        )


@asynccontextmanager
async def _alone(dsn: str, platform_no: str) -> AsyncIterator[None]:
    """Hold a lock on a connection of its own, so that a long skip takes none from others and ends with its process."""
    connection = await connect(dsn)
    try:
        if not await connection.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", f"skip/{platform_no}"):
            raise Refused("skip_under_way", f"Time is passing for {platform_no} already; repeat when it has.")
        yield
    finally:
        await connection.close()


class PlatformSkip:
    """Lets time pass for one platform.

    Args:
        temporal: client of a dev server that allows time skipping.
        recorder, writer: the books, which must be a sandbox's.
        sandbox: the bank.
        custody_account_no: the platform's at the bank, whose clock moves along.
        tell: told what happens on the way, one line each.
    """

    def __init__(
        self,
        *,
        temporal: Client,
        recorder: Recorder,
        writer: LedgerWriter,
        sandbox: SandboxSteering,
        platform_no: str,
        custody_account_no: str,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._temporal = temporal
        self._recorder = recorder
        self._writer = writer
        self._sandbox = sandbox
        self._platform_no = platform_no
        self._custody_account_no = custody_account_no
        self._tell = tell

    async def now(self) -> datetime:
        """The platform's time by its books, in Shanghai."""
        return (await books_now(self._recorder, self._platform_no)).astimezone(SHANGHAI)

    async def by(self, span: timedelta) -> datetime:
        """Let `span` pass; raises and answers as `until`."""
        return await self.until(await self.now() + span)

    async def when_due(self, workflow_id: str) -> datetime:
        """The moment after which what one workflow waits for has happened; nothing passes.

        Raises:
            Refused: `nothing_due`, it waits for nothing that time brings; `workflow_busy`.
            BankUnreachable: the bank sandbox does not answer.
        """
        kind, _, number = workflow_id.split("/", 2)
        sights = await self._settled()
        if workflow_id not in sights:
            raise Refused("nothing_due", f"There is no {kind} {number} under way; there is nothing to wait for.")
        left = _left(sights[workflow_id])
        # What only pauses between two questions waits for the bank.
        due_at = await self._due_at(await self.now(), []) if left is None else await self.now() + left
        if due_at is None:
            raise Refused(
                "nothing_due", f"The {kind} {number} waits for somebody and not for a time; nothing is skipped."
            )
        return due_at + _PAST_IT

    async def until(self, target: datetime) -> datetime:
        """Let time pass until a moment, timezone-aware; answers the time after it, in Shanghai.

        Raises:
            Refused: `no_sandbox`, the books are none; `calendar_unknown`, nobody knows the working days of its year;
                `workflow_busy`, `no_time_skipping` or `clock_overshot`, a workflow cannot be moved now: all clocks are
                left where the last event was.
            BankUnreachable: the bank sandbox does not answer.
        """
        if calendar_source(target.astimezone(SHANGHAI).year) is CalendarSource.UNKNOWN:
            raise CalendarUnknown(target.astimezone(SHANGHAI).date())
        await self._catch_up_with_bank()
        behind: dict[str, timedelta] = {}
        told: set[str] = set()
        sights = await self._settled()
        while (now := await self.now()) < target:
            due_at = await self._due_at(now, [_left(sight, behind.get(key)) for key, sight in sights.items()])
            moment = target if due_at is None else min(target, due_at + _PAST_IT)
            await self._books_and_bank_to(moment)
            await self._notices_delivered()
            for workflow_id, sight in sights.items():
                behind[workflow_id] = behind.get(workflow_id, timedelta()) + (moment - now)
                left = _left(sight)
                if moment >= target or (left is not None and left <= behind[workflow_id]):
                    await self._catches_up(workflow_id, sight, behind.pop(workflow_id))
                    told.add(workflow_id)
            sights = await self._settled()
        for workflow_id in sights.keys() - told:  # begun while time passed, and perhaps before its last stretch
            await self._looks(workflow_id)
        return await self.now()

    async def _catch_up_with_bank(self) -> None:
        """A sandbox of the first release let days pass at the bank alone; its books are there from now on too."""
        at_bank = await self._sandbox.clock(self._custody_account_no)
        if at_bank - await self.now() > _AS_ONE:
            await move_story(self._recorder, self._platform_no, at_bank)

    async def _due_at(self, now: datetime, lefts: Iterable[timedelta | None]) -> datetime | None:
        """When the next thing falls due, by the books: after the shortest of these times, or at the bank."""
        due_at = [now + left for left in lefts if left is not None]
        at_bank = (await self._sandbox.outlook(self._custody_account_no)).next_due_at
        return min([*due_at, *([] if at_bank is None else [max(at_bank, now)])], default=None)

    async def _books_and_bank_to(self, moment: datetime) -> None:
        """Books and bank show `moment`; the accounting days that end before it are closed at their midnights."""
        while (day := await accounting_day(self._recorder, self._platform_no)) < moment.astimezone(SHANGHAI).date():
            midnight = datetime.combine(day + timedelta(days=1), time(), SHANGHAI)
            await self._clocks_to(midnight)
            await close_day(self._recorder, self._writer, self._platform_no, day)
        await self._clocks_to(moment)

    async def _clocks_to(self, moment: datetime) -> None:
        await move_story(self._recorder, self._platform_no, moment)
        await self._sandbox.move_clock_up_to(self._custody_account_no, moment)

    async def _notices_delivered(self) -> None:
        """The bank has told what fell due, or nobody takes its notices."""
        give_up_at = asyncio.get_running_loop().time() + _NOTICES_SECONDS
        while (await self._sandbox.outlook(self._custody_account_no)).notices_waiting:
            if asyncio.get_running_loop().time() > give_up_at:
                self._tell("the bank's notices are not taken; it sends them again later")
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _catches_up(self, workflow_id: str, sight: Sight, behind: timedelta) -> None:
        """Temporal's clock of a workflow is moved along where its server can, and it looks at the books' time."""
        if not sight.children:  # the server would wait for them
            await self._clock_of(workflow_id).forward(sight, behind)
        await self._looks(workflow_id)

    async def _looks(self, workflow_id: str) -> None:
        try:
            await self._temporal.get_workflow_handle(workflow_id).signal(LOOK)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:  # it has ended meanwhile
                raise

    async def _settled(self) -> dict[str, Sight]:
        """The platform's running workflows, once all of them only wait.

        Raises:
            Refused: `workflow_busy`.
        """
        give_up_at = asyncio.get_running_loop().time() + _LIMIT_SECONDS
        while True:
            sights = await self._sights()
            busy = {workflow_id: sight.busy for workflow_id, sight in sights.items() if sight.busy}
            if not busy:
                return {item: sight for item, sight in sights.items() if not item.startswith(f"{_WATCH}/")}
            if asyncio.get_running_loop().time() > give_up_at:
                told = "; ".join(f"{workflow_id}: {what}" for workflow_id, what in busy.items())
                raise Refused("workflow_busy", f"No time can pass while these are busy; try again later: {told}")
            await asyncio.sleep(_POLL_SECONDS)

    async def _sights(self) -> dict[str, Sight]:
        """The platform's running workflows as they stand, children that no list shows yet among them."""
        sights: dict[str, Sight] = {}
        waiting = [item async for item in self._listed()]
        while waiting:
            workflow_id = waiting.pop()
            if workflow_id in sights:
                continue
            try:
                sight = await self._clock_of(workflow_id).look()
            except Refused:
                continue  # listed, and gone by now
            if sight.running:
                sights[workflow_id] = sight
                waiting += sight.children
        return sights

    async def _listed(self) -> AsyncIterator[str]:
        ids = [f"WorkflowId STARTS_WITH '{kind}/{self._platform_no}/'" for kind in KINDS]
        ids.append(f"WorkflowId = '{_WATCH}/{self._platform_no}'")
        async for found in self._temporal.list_workflows(f"ExecutionStatus = 'Running' AND ({' OR '.join(ids)})"):
            yield found.id

    def _clock_of(self, workflow_id: str) -> WorkflowClock:
        return WorkflowClock(self._temporal, workflow_id, limit_seconds=_LIMIT_SECONDS)


def _left(sight: Sight, behind: timedelta | None = None) -> timedelta | None:
    """How long it is until something falls due at a workflow that is so far behind the books; None for never."""
    if sight.next_due_at is None:
        return None
    return max(sight.next_due_at - sight.now - (behind or timedelta()), timedelta())
