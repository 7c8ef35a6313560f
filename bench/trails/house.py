"""A checkout's own stack with an open platform, known by nothing but its commands and its HTTP API.

What is measured goes through the API that is recorded. Everything else, above all asking how things stand, goes through
a second API process that is not: looking must leave no trail.
"""

import asyncio
import json
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

from bench.trails.recorder import Recorder
from escrow.stack.processes import Command, Member, free_port
from escrow.stack.up import answers

OWNER: Final = "O-1"
CONTRACTOR: Final = "C-1"

#: The `escrow` command of the checkout in which it is run, whichever one is installed.
_ESCROW: Final = (sys.executable, "-c", "from escrow.cli import main; main()")
_PLATFORM: Final = {
    "platform_no": "HOME",
    "name": "Home",
    # Who the members are is no part of what is measured.
    "config": {"identity_required_for_withdrawal": False},
}
_OWNERS_ACCOUNT: Final = "110000000000001"
_CONTRACTORS_ACCOUNT: Final = "44250100003400001111"
_ANOTHER_BANK: Final = "105100000017"  # than the one that keeps custody
_FUNDS_YUAN: Final = "1,000,000.00"
_FUNDS_FEN: Final = 1_000_000_00
_PATIENCE_SECONDS: Final = 120
_PAUSE_SECONDS: Final = 0.02
#: Recorded processes are slow, and the stack ends them in order.
_STOPS_WITHIN_SECONDS: Final = 90


class Refused(Exception):
    """A command or a call of the checkout that must succeed did not; the message is its answer."""


@dataclass(frozen=True, kw_only=True)
class House:
    """A running checkout; `recorded` and `unseen` are its two APIs, with the platform's key."""

    recorder: Recorder
    recorded: httpx2.AsyncClient
    unseen: httpx2.AsyncClient

    async def prepare(self, path: str, **body: Any) -> None:
        """POST past the recording.

        Raises:
            Refused: it did not succeed.
        """
        await asked(self.unseen, "POST", path, body)

    async def measured(self, path: str, **body: Any) -> dict[str, Any]:
        """POST to the API that is recorded; the answer.

        Raises:
            Refused: it did not succeed.
        """
        return await asked(self.recorded, "POST", path, body)

    async def seen(self, path: str, **wanted: Any) -> None:
        """Wait until what the API shows has these values.

        Raises:
            TimeoutError: it does not come.
        """
        async with asyncio.timeout(_PATIENCE_SECONDS):
            shown = await asked(self.unseen, "GET", path)
            while not wanted.items() <= shown.items():
                await asyncio.sleep(_PAUSE_SECONDS)  # the API of no release tells us by itself
                shown = await asked(self.unseen, "GET", path)


async def asked(
    api: httpx2.AsyncClient, method: str, path: str, body: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Answer of the API to what must succeed.

    Raises:
        Refused: it did not.
    """
    answer = await api.request(method, f"/v1{path}", json=body)
    # 202 is a yes that waits for a member.
    if answer.status_code not in (httpx2.codes.OK, httpx2.codes.CREATED):
        raise Refused(f"{method} {path} was answered {answer.status_code}: {answer.text}")
    document: dict[str, Any] = answer.json()
    return document


@asynccontextmanager
async def open_house(checkout: Path) -> AsyncIterator[House]:
    """Start the checkout's stack in a temporary folder, recorded, with a funded owner; end it with the block.

    Raises:
        StackError: it did not start.
        Refused: it did not let the platform be opened.
    """
    async with AsyncExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="trails-")))
        (folder / "trails").mkdir()
        recorder = Recorder(checkout, folder / "trails")
        api_port, unseen_port = free_port(), free_port()
        data = folder / "stack"
        await _started(opened, _stack(checkout, recorder, data, api_port))
        await _started(opened, _unseen_api(checkout, data, unseen_port))
        custody_account_no, key = await _open_platform(checkout, folder, data)
        recorded, unseen = [
            await opened.enter_async_context(
                httpx2.AsyncClient(
                    base_url=f"http://127.0.0.1:{port}",
                    headers={"Authorization": f"Bearer {key}"},
                    timeout=_PATIENCE_SECONDS,
                    trust_env=False,
                )
            )
            for port in (api_port, unseen_port)
        ]
        house = House(recorder=recorder, recorded=recorded, unseen=unseen)
        await _open_members(house)
        transfer = ("transfer", custody_account_no, _FUNDS_YUAN, "--from-account", _OWNERS_ACCOUNT)
        await _run(checkout, data, "sandbox", *transfer, "--from-name", f"Company {OWNER}")
        await house.seen(f"/members/{OWNER}/balances", available_fen=_FUNDS_FEN)
        yield house


async def _started(opened: AsyncExitStack, member: Member) -> None:
    opened.push_async_callback(member.stop)
    await member.start()


def _stack(checkout: Path, recorder: Recorder, data: Path, api_port: int) -> Member:
    """`escrow up`, whose children inherit what lets them be recorded."""
    ports = {"temporal": free_port(), "temporal-ui": free_port(), "bank": free_port(), "api": api_port}
    options = [f"--{name}-port={port}" for name, port in ports.items()]

    async def is_up() -> bool:
        # Written at once when all members are up, but not opened and written at once.
        environment = data / "environment"
        return environment.exists() and environment.stat().st_size > 0 and len(recorder.programs()) > 1

    command = Command(
        argv=[*_ESCROW, "up", "--no-links", f"--data={data}", *options],
        log_path=data.with_suffix(".log"),
        environment=recorder.environment,
        folder=checkout,
        stop_seconds=_STOPS_WITHIN_SECONDS,
    )
    return Member(f"the stack of {checkout}", command, is_ready=is_up, restart=False)


def _unseen_api(checkout: Path, data: Path, port: int) -> Member:
    settings = dict(line.split("=", 1) for line in (data / "environment").read_text().splitlines())
    command = Command(
        argv=[sys.executable, "-m", "api"],
        log_path=data.with_name("unseen-api.log"),
        environment={**settings, "ESCROW_API_PORT": str(port)},
        folder=checkout,
    )
    return Member("the second API", command, is_ready=lambda: answers(f"http://127.0.0.1:{port}/health"), restart=False)


async def _open_platform(checkout: Path, folder: Path, data: Path) -> tuple[str, str]:
    """Number of its custody account, and its key."""
    file = folder / "platform.yaml"
    file.write_text(json.dumps(_PLATFORM))  # which is YAML, too
    shown = await _run(checkout, data, "platform", "open", str(file))
    found = re.search(r"custody account (\w+).*shown this once: (\S+)", shown, re.DOTALL)
    if found is None:
        raise Refused(f"no custody account and key in what `escrow platform open` said: {shown}")
    return found[1], found[2]


async def _run(checkout: Path, data: Path, *command: str) -> str:
    """What a command of the checkout says."""
    process = await asyncio.create_subprocess_exec(
        *_ESCROW,
        f"--stack={data}",
        *command,
        cwd=checkout,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode()
    if process.returncode != 0:
        raise Refused(f"`escrow {' '.join(command)}` ended with {process.returncode}: {said}")
    return said


async def _open_members(house: House) -> None:
    """An owner, and a contractor with an account at another bank."""
    for member_no in (OWNER, CONTRACTOR):
        name = f"Company {member_no}"
        await house.prepare("/members", member_no=member_no, kind="company", name=name, mobile="13900000000")
    for member_no, account_no in ((OWNER, _OWNERS_ACCOUNT), (CONTRACTOR, _CONTRACTORS_ACCOUNT)):
        await house.prepare(
            f"/members/{member_no}/bank-accounts",
            account_id=f"A-{member_no}",
            account_no=account_no,
            account_name=f"Company {member_no}",
            is_corporate=True,
            cnaps_code=_ANOTHER_BANK,
        )
