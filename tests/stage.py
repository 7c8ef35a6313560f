"""Real servers on which a story is played: PostgreSQL, the bank, a Temporal server that skips time, our workers."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from escrow.domain.platforms.config import PlatformConfig
from escrow.ledger.engine import Recorder
from escrow.ledger.posting import LedgerWriter
from escrow.registry.platforms.file import OwnBankAccount, PlatformFile
from escrow.registry.registry import Registry
from escrow.settings import Settings
from escrow.testing.environment import StoryClock, StoryServers, story_environment
from tests.postgres import Database
from tests.sandbox import Sandbox

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
    recorder: Recorder
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
    servers = StoryServers(settings=settings_for(database, sandbox), bank=sandbox.bank, steering=sandbox.steer)
    file = PlatformFile(
        platform_no=f"HOME{next(_PLATFORMS)}",
        name=PLATFORM_NAME,
        contact_mobile="13900000001",
        own_bank_account=OwnBankAccount(account_id="OWN-1", account_no=PLATFORMS_ACCOUNT_NO, cnaps_code="307584007998"),
        config=config,
    )
    async with story_environment(servers, file=file, begins_at=begins_at) as told:
        yield Stage(
            platform_no=told.platform_no,
            custody_account_no=told.custody_account_no,
            begins_at=told.begins_at,
            database=database,
            env=told.env,
            clock=told.clock,
            recorder=told.recorder,
            writer=told.writer,
            registry=told.registry,
            sandbox=sandbox,
        )
