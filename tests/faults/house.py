"""The whole house as real processes, with gates on the wires of its worker and its API, and a look into all books."""

import asyncio
import dataclasses
import itertools
import json
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.contrib.pydantic import pydantic_data_converter

from escrow.channels.sandbox_bank.client import SandboxBank
from escrow.channels.sandbox_bank.steering import SandboxSteering
from escrow.commands.books import Books
from escrow.commands.verify import settled_differences
from escrow.ledger.engine import Recorder
from escrow.ledger.invariants import check_invariants
from escrow.ledger.personal_data import PersonalDataBox
from escrow.registry.registry import Registry
from escrow.settings import Settings, variable_of
from escrow.stack.processes import Member
from escrow.stack.up import Ports, Stack, answers
from tests.api.platforms import Platform, PlatformMaker
from tests.beginning import beginning
from tests.faults.gates import BankGate, LedgerGate
from tests.telling import told
from tests.waiting import PATIENCE_SECONDS
from workflows.messages import (
    PAYMENTS_TASK_QUEUE,
    BankNoticeSignal,
    BankWatchInput,
    bank_watch_workflow_id,
    withdrawal_workflow_id,
)

#: Bank time after which an unknown number is closed, and real times of its misfortunes; short, since tests wait.
_BANK_OPTIONS = ("--closing-grace-seconds", "2", "--slow-seconds", "2", "--late-seconds", "9.5")
#: The worker gives the bank so many seconds to answer; a call that a gate keeps longer counts as lost.
_BANK_ANSWER_SECONDS = "9"
_NOTICES = itertools.count(1)


class House:
    """PostgreSQL, Temporal, bank, API and one worker; `worker` reaches ledger and bank through gates, `api` the ledger.

    Everything the tests themselves look at, they look at directly.
    """

    def __init__(self, folder: Path) -> None:
        self.stack = Stack(folder, ports=Ports())
        postgres = self.stack.postgres
        self.ledger_gate = LedgerGate(postgres.socket_folder, postgres.dsn)
        self.api_ledger_gate = LedgerGate(postgres.socket_folder, postgres.dsn)
        self.bank_gate = BankGate(self.stack.ports.bank)
        self.bank = _changed(self.stack.bank, f"{self.stack.bank_url}/sandbox/health", arguments=_BANK_OPTIONS)
        self.api = _changed(
            self.stack.api, f"{self.stack.api_url}/health", environment={"DATABASE_URL": self.api_ledger_gate.dsn}
        )
        self.worker = _changed(
            self.stack.worker,
            f"http://127.0.0.1:{self.stack.worker.command.environment['ESCROW_METRICS_PORT']}/metrics",
            environment={
                "DATABASE_URL": self.ledger_gate.dsn,
                "ESCROW_BANK_URL": self.bank_gate.url,
                "ESCROW_BANK_ANSWER_SECONDS": _BANK_ANSWER_SECONDS,
            },
        )
        self.stack.bank, self.stack.api, self.stack.workers = self.bank, self.api, [self.worker]
        environment = self.stack.environment
        settings = Settings.model_validate(
            {"DATABASE_URL": postgres.dsn}
            | {name: environment[variable_of(name)] for name in ("bank_url", "bank_key", "data_key", "index_key")}
        )
        self.recorder = Recorder(postgres.dsn)
        box = PersonalDataBox.from_hex(
            data_key=settings.data_key.get_secret_value(), index_key=settings.index_key.get_secret_value()
        )
        self.books = Books(settings=settings, recorder=self.recorder, registry=Registry(self.recorder, box))
        self.at_bank = SandboxBank(settings.bank_url, settings.bank_key.get_secret_value())
        self.steer = SandboxSteering(settings.bank_url)
        self.platforms = PlatformMaker(self.stack, beginning())

    async def kill_worker(self) -> None:
        """SIGKILL of the worker's process; what its gates kept is lost."""
        await self.worker.kill()
        await asyncio.gather(self.ledger_gate.cut(), self.bank_gate.cut())

    async def mend(self) -> None:
        """All gates are open, all processes run, and no misfortune waits at the bank."""
        for gate in (self.ledger_gate, self.api_ledger_gate, self.bank_gate):
            if gate.keeps_something:
                await gate.cut()
        for server in (self.stack.postgres, self.stack.temporal, self.bank, self.api, self.worker):
            await server.start()
        await self.steer.reset()

    async def temporal(self) -> Client:
        """A client of the Temporal server."""
        return await Client.connect(self.stack.temporal.address, data_converter=pydantic_data_converter)

    async def wake_withdrawal(self, platform: Platform, withdrawal_no: str) -> None:
        """A notice of the bank reaches a withdrawal; one that has just ended needs none."""
        handle = (await self.temporal()).get_workflow_handle(withdrawal_workflow_id(platform.number, withdrawal_no))
        await told(handle, "bank_notice", _notice("payout"))

    async def wake_bank_watch(self, platform: Platform) -> None:
        """A notice of the bank reaches the watch over the custody account."""
        await (await self.temporal()).start_workflow(
            "BankWatch",
            BankWatchInput(platform_no=platform.number),
            id=bank_watch_workflow_id(platform.number),
            task_queue=PAYMENTS_TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal="bank_notice",
            start_signal_args=[_notice("custody_line")],
        )

    async def requests_of(self, platform: Platform, *object_nos: str) -> set[str]:
        """Request numbers that the ledger took for these objects."""
        async with self.superuser() as connection:
            rows = await connection.fetch(
                "SELECT request_no FROM request WHERE platform_no = $1 AND split_part(request_no, ':', 1) = ANY ($2)",
                platform.number,
                list(object_nos),
            )
        return {row["request_no"] for row in rows}

    async def answers_of(self, platform: Platform, object_no: str) -> dict[str, dict[str, Any] | None]:
        """What the ledger answered to each request number that it took for an object."""
        async with self.superuser() as connection:
            rows = await connection.fetch(
                "SELECT request_no, answer FROM request"
                " WHERE platform_no = $1 AND starts_with(request_no, $2 || ':') ORDER BY request_no",
                platform.number,
                object_no,
            )
        return {row["request_no"]: row["answer"] and json.loads(row["answer"]) for row in rows}

    async def taken(self, numbers: list[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of these (platform, request number) pairs that the ledger has taken."""
        async with self.superuser() as connection:
            rows = await connection.fetch(
                "SELECT platform_no, request_no FROM request WHERE (platform_no, request_no) IN"
                " (SELECT * FROM unnest($1::text[], $2::text[]))",
                [platform_no for platform_no, _ in numbers],
                [request_no for _, request_no in numbers],
            )
        return {(row["platform_no"], row["request_no"]) for row in rows}

    async def payouts_booked(self, platform: Platform) -> dict[str, int]:
        """How often the bank paid each withdrawal, by its number; refused and failed payouts do not count."""
        booked: dict[str, int] = {}
        for payout in await self.steer.payouts():
            if payout["acctNo"] == platform.custody_account_no and payout["state"] == "SUCCESS":
                withdrawal_no = payout["reqSeq"].removeprefix(f"{platform.number}/").partition(":payout:")[0]
                booked[withdrawal_no] = booked.get(withdrawal_no, 0) + 1
        return booked

    async def texts(self, platform: Platform) -> list[str]:
        """Request numbers of all text messages sent for the platform, in alphabetical order."""
        prefix = f"{platform.number}/"
        sent = [text.req_seq for text in await self.steer.sms_outbox()]
        return sorted(number.removeprefix(prefix) for number in sent if number.startswith(prefix))

    async def require_sound_books(self, *platforms: Platform) -> None:
        """No invariant is broken, and both books are equal once the last lines of the bank are booked."""
        async with self.superuser() as connection:
            assert await check_invariants(connection) == []
        for platform in platforms:
            await self.wake_bank_watch(platform)
            found = await settled_differences(
                self.books, self.at_bank, platform.number, platform.custody_account_no, wait_seconds=PATIENCE_SECONDS
            )
            assert found == []

    @asynccontextmanager
    async def superuser(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection of the tests' own."""
        connection = await asyncpg.connect(self.stack.postgres.superuser_dsn)
        try:
            yield connection
        finally:
            await connection.close()

    async def close(self) -> None:
        """Close the tests' own connections."""
        await self.platforms.close()
        await self.steer.aclose()
        await self.at_bank.aclose()
        await self.recorder.close()


@asynccontextmanager
async def running_house() -> AsyncIterator[House]:
    """A house on a temporary folder, ended with the block."""
    async with AsyncExitStack() as opened:
        house = House(Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="house-"))))
        for gate in (house.ledger_gate, house.api_ledger_gate, house.bank_gate):
            await gate.open()
            opened.push_async_callback(gate.close)
        opened.push_async_callback(house.close)
        await opened.enter_async_context(house.stack)
        yield house


def _changed(
    member: Member, ready_url: str, *, environment: Mapping[str, str] | None = None, arguments: tuple[str, ...] = ()
) -> Member:
    command = dataclasses.replace(
        member.command,
        argv=[*member.command.argv, *arguments],
        environment={**member.command.environment, **(environment or {})},
    )
    return Member(member.name, command, is_ready=lambda: answers(ready_url))


def _notice(kind: str) -> BankNoticeSignal:
    return BankNoticeSignal(notice_id=f"test-{next(_NOTICES)}", kind=kind)
