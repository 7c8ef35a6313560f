"""The house to be measured: the whole stack as `escrow up` runs it, one platform with funded members, its HTTP API."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
from temporalio.client import Client

from escrow.channels.sandbox_bank.steering import SandboxSteering
from escrow.domain.platforms.config import PlatformConfig
from escrow.ledger.engine import Recorder
from escrow.ledger.personal_data import PersonalDataBox
from escrow.registry.platforms.file import PlatformFile
from escrow.registry.registry import Registry
from escrow.stack.payloads import data_converter
from escrow.stack.processes import Command, Member
from escrow.stack.up import ROOT, Ports, Stack

PLATFORM_NO: Final = "HOME"
#: Owners and contractors; as many of each, so that orders are spread over their accounts.
PAIRS: Final = 8
_FUNDS_FEN: Final = 100_000_000_00
_ARRIVAL_SECONDS: Final = 30


@dataclass(frozen=True, kw_only=True)
class House:
    """A running stack with an open platform, and the floor's worker beside it.

    `http` carries the platform's key, `client` speaks to Temporal.
    """

    stack: Stack
    http: httpx2.AsyncClient
    client: Client
    recorder: Recorder
    floor_worker: Member
    repeated_calls: list[str] = field(default_factory=list)

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        """POST to the API what must succeed; the answer. A 503 asks for the same call again, which is counted."""
        answer = await self.http.post(f"/v1{path}", json=body)
        while answer.status_code == httpx2.codes.SERVICE_UNAVAILABLE:
            self.repeated_calls.append(answer.json()["code"])
            answer = await self.http.post(f"/v1{path}", json=body)
        if not answer.is_success:
            raise RuntimeError(f"{path} was answered {answer.status_code}: {answer.text}")
        document: dict[str, Any] = answer.json()
        return document


@asynccontextmanager
async def open_house() -> AsyncIterator[House]:
    """Start everything in a temporary folder; end it with the block."""
    async with AsyncExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
        stack = await opened.enter_async_context(Stack(Path(folder), ports=Ports()))
        bank = SandboxSteering(stack.bank_url)
        opened.push_async_callback(bank.aclose)
        custody_account_no, key = await _open_platform(stack, bank)
        http = await opened.enter_async_context(
            httpx2.AsyncClient(
                base_url=stack.api_url,
                headers={"Authorization": f"Bearer {key}"},
                timeout=60,
                limits=httpx2.Limits(max_connections=200, max_keepalive_connections=200),
                trust_env=False,
            )
        )
        client = await Client.connect(stack.temporal.address, data_converter=data_converter)
        floor_worker = _floor_worker(stack)
        await floor_worker.start()
        opened.push_async_callback(floor_worker.stop)
        recorder = Recorder(stack.postgres.dsn, pool_size=20)
        opened.push_async_callback(recorder.close)
        house = House(stack=stack, http=http, client=client, recorder=recorder, floor_worker=floor_worker)
        for pair in range(PAIRS):
            await _open_pair(house, bank, custody_account_no, pair)
        yield house


def _floor_worker(stack: Stack) -> Member:
    """A process like our worker, for the floor's workflows; its first order waits for it."""

    async def started() -> bool:
        return True

    command = Command(
        argv=[sys.executable, "-m", "bench.floor"],
        log_path=stack.folder / "floor.log",
        environment={"TEMPORAL_ADDRESS": stack.temporal.address},
        folder=ROOT,
    )
    return Member("floor", command, is_ready=started)


async def _open_platform(stack: Stack, bank: SandboxSteering) -> tuple[str, str]:
    """Number of its custody account, and its key."""
    custody_account_no = await bank.open_custody_account(reference=PLATFORM_NO, title="Home")
    recorder = Recorder(stack.postgres.dsn)
    registry = Registry(
        recorder,
        PersonalDataBox.from_hex(
            data_key=stack.environment["ESCROW_DATA_KEY"], index_key=stack.environment["ESCROW_INDEX_KEY"]
        ),
    )
    # Who the members are is no part of what is measured.
    config = PlatformConfig(identity_required_for_withdrawal=False)
    file = PlatformFile(platform_no=PLATFORM_NO, name="Home", config=config)
    await registry.open_platform(file, custody_account_no=custody_account_no)
    key = (await registry.platforms.issue_key(PLATFORM_NO)).key
    await recorder.close()
    return custody_account_no, key


async def _open_pair(house: House, bank: SandboxSteering, custody_account_no: str, pair: int) -> None:
    """An owner with money, and a contractor with an account at another bank."""
    owner_no, contractor_no = f"O-{pair}", f"C-{pair}"
    owners_account, contractors_account = f"1100000000{pair:05d}", f"4425010000340000{pair:04d}"
    for member_no, account_no, cnaps_code in (
        (owner_no, owners_account, "102100099996"),
        (contractor_no, contractors_account, "105100000017"),
    ):
        name = f"Company {member_no}"
        await house.post("/members", member_no=member_no, kind="company", name=name, mobile="13900000000")
        await house.post(
            f"/members/{member_no}/bank-accounts",
            account_id=f"A-{member_no}",
            account_no=account_no,
            account_name=name,
            is_corporate=True,
            cnaps_code=cnaps_code,
        )
    await bank.transfer(
        custody_account_no=custody_account_no,
        amount_fen=_FUNDS_FEN,
        account_no=owners_account,
        account_name=f"Company {owner_no}",
    )
    async with asyncio.timeout(_ARRIVAL_SECONDS):
        available_fen = 0
        while available_fen < _FUNDS_FEN:
            await asyncio.sleep(0.05)  # recognised by the bank watch, which no call waits for
            available_fen = (await house.http.get(f"/v1/members/{owner_no}/balances")).json()["available_fen"]
