"""Journeys run on a whole stack of real processes, as `escrow up` starts it: spoken to over HTTP and by hand."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from escrow.channels.sandbox_bank.client import SandboxBank
from escrow.commands.books import Books
from escrow.commands.verify import settled_differences
from escrow.ledger.engine import Recorder
from escrow.ledger.invariants import check_invariants
from escrow.ledger.personal_data import PersonalDataBox
from escrow.ledger.posting import LedgerWriter
from escrow.registry.registry import Registry
from escrow.sandbox.skipping import PlatformSkip
from escrow.settings import Settings, variable_of
from escrow.stack.temporal import temporal_executable
from escrow.stack.up import Stack
from tests.api.platforms import Platform, PlatformMaker
from tests.waiting import PATIENCE_SECONDS, within_reason
from workflows.messages import order_workflow_id


@dataclass(frozen=True, kw_only=True)
class Journey:
    """One platform on the running stack, spoken to over HTTP and by the `temporal` command line."""

    platform: Platform
    stack: Stack
    client: Client
    books: Books
    writer: LedgerWriter
    at_bank: SandboxBank

    async def days_pass(self, days: float) -> None:
        """Days pass for the platform, as `escrow skip` lets them."""
        skipping = PlatformSkip(
            temporal=self.client,
            recorder=self.books.recorder,
            writer=self.writer,
            sandbox=self.platform.bank,
            platform_no=self.platform.number,
            custody_account_no=self.platform.custody_account_no,
        )
        await skipping.by(timedelta(days=days))

    async def temporal(self, *arguments: str) -> str:
        """What the `temporal` command line answers; it must succeed."""
        process = await asyncio.create_subprocess_exec(
            temporal_executable(),
            *arguments,
            "--address",
            self.stack.temporal.address,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        answer, complaint = await within_reason(process.communicate(), f"temporal {' '.join(arguments)}")
        assert process.returncode == 0, complaint.decode()
        return answer.decode()

    async def signal(self, name: str, payload: str, order_no: str = "D-1001") -> None:
        """Send the order a signal by hand, as an operator would on the command line; `payload` is JSON."""
        workflow_id = order_workflow_id(self.platform.number, order_no)
        await self.temporal("workflow", "signal", "--workflow-id", workflow_id, "--name", name, "--input", payload)

    async def orders_found(self, query: str) -> list[str]:
        """Workflow ids that the server lists for a query over search attributes."""
        found = json.loads(await self.temporal("workflow", "list", "--query", query, "--output", "json"))
        return sorted(item["execution"]["workflowId"] for item in found)

    async def order(self, order_no: str = "D-1001") -> dict[str, Any]:
        """The order as the API tells it."""
        answer: dict[str, Any] = (await self.platform.get(f"/orders/{order_no}")).json()
        return answer

    async def books_are_sound_and_equal(self) -> None:
        """No invariant is broken, and the bank's own balance is the sum of our sub-accounts."""
        connection = await asyncpg.connect(self.stack.postgres.superuser_dsn)
        try:
            assert await check_invariants(connection, self.platform.number) == []
        finally:
            await connection.close()
        platform = self.platform
        found = await settled_differences(
            self.books, self.at_bank, platform.number, platform.custody_account_no, wait_seconds=PATIENCE_SECONDS
        )
        assert found == []


@pytest.fixture
async def journey(stack: Stack, platforms: PlatformMaker) -> AsyncIterator[Journey]:
    names = ("bank_url", "bank_key", "data_key", "index_key")
    settings = Settings.model_validate(
        {"DATABASE_URL": stack.postgres.dsn} | {name: stack.environment[variable_of(name)] for name in names}
    )
    recorder, writer = Recorder(stack.postgres.dsn), await LedgerWriter.start(stack.postgres.dsn)
    box = PersonalDataBox.from_hex(
        data_key=settings.data_key.get_secret_value(), index_key=settings.index_key.get_secret_value()
    )
    at_bank = SandboxBank(settings.bank_url, settings.bank_key.get_secret_value())
    journey = Journey(
        platform=await platforms.open(),
        stack=stack,
        client=await Client.connect(stack.temporal.address, data_converter=pydantic_data_converter),
        books=Books(settings=settings, recorder=recorder, registry=Registry(recorder, box)),
        writer=writer,
        at_bank=at_bank,
    )
    try:
        yield journey
        await journey.books_are_sound_and_equal()
    finally:
        await at_bank.aclose()
        await writer.close()
        await recorder.close()


@pytest.fixture
async def platform(platforms: PlatformMaker) -> Platform:
    return await platforms.open()
