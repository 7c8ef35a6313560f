"""Real servers on which a story is played: PostgreSQL, the bank, a Temporal server that skips time, our workers."""

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from escrow.domain.platform_config import PlatformConfig
from escrow.ledger.engine import Reader
from escrow.ledger.platform_file import OwnBankAccount, PlatformFile
from escrow.ledger.posting import LedgerWriter
from escrow.ledger.registry import Registry
from escrow.settings import Settings
from escrow.testing.environment import StoryClock, time_skipping_server
from tests.postgres import Database
from tests.sandbox import Sandbox
from worker import Activities, workers

#: A Tuesday on which every rail is open.
TUESDAY_MORNING = "2026-03-03T10:00:00+08:00"
PLATFORM_NAME = "好家装修平台有限公司"
PLATFORMS_ACCOUNT_NO = "755900001234567890"
DATA_KEY, INDEX_KEY = "11" * 32, "22" * 32
_PLATFORMS = itertools.count(1)


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
        clock = StoryClock(reader, sandbox.steer, platform_no=platform_no, custody_account_no=custody_account_no)
        env = await opened.enter_async_context(
            await WorkflowEnvironment.start_time_skipping(
                test_server_existing_path=time_skipping_server(),
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
