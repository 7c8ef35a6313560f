"""A checkout's own stack with an open platform, known by nothing but its commands and its HTTP API.

So this release and an older one are driven alike, each by its own code.
"""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

from escrow.stack.processes import Command, Member, free_port

PLATFORM_NO: Final = "HOME"

#: The `escrow` command of the checkout in which it is run, whichever one is installed.
_ESCROW: Final = (sys.executable, "-c", "from escrow.cli import main; main()")
_PLATFORM: Final = {
    "platform_no": PLATFORM_NO,
    "name": "Home",
    # Who the members are is no part of what is measured.
    "config": {"identity_required_for_withdrawal": False},
}
_ANOTHER_BANK: Final = "105100000017"  # than the one that keeps custody
_PATIENCE_SECONDS: Final = 120
_PAUSE_SECONDS: Final = 0.02
#: Slow processes, and the stack ends them in order.
_STOPS_WITHIN_SECONDS: Final = 90


class Refused(Exception):
    """A command or a call of the checkout that must succeed did not; the message is its answer."""


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """A running checkout.

    Args:
        root: its code.
        settings: the variables that lead to its servers.
        stack: its `escrow up`, of which all its processes are descendants.
        custody_account_no: account of its platform.
        key: that of its platform.
    """

    root: Path
    data: Path
    api_url: str
    settings: Mapping[str, str]
    stack: Member
    custody_account_no: str
    key: str

    @asynccontextmanager
    async def api(self, url: str | None = None) -> AsyncIterator[httpx2.AsyncClient]:
        """Its API with the platform's key, or another that serves at `url`."""
        async with httpx2.AsyncClient(
            base_url=url or self.api_url,
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=_PATIENCE_SECONDS,
            trust_env=False,
        ) as client:
            yield client

    async def fund(self, member_no: str, account_no: str, yuan: str) -> None:
        """Have a company pay in from its bank account; the money arrives later."""
        transfer = ("transfer", self.custody_account_no, yuan, "--from-account", account_no)
        await _run(self.root, self.data, "sandbox", *transfer, "--from-name", f"Company {member_no}")


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


async def seen(api: httpx2.AsyncClient, path: str, **wanted: Any) -> None:
    """Wait until what the API shows has these values.

    Raises:
        TimeoutError: it does not come.
    """
    async with asyncio.timeout(_PATIENCE_SECONDS):
        shown = await asked(api, "GET", path)
        while not wanted.items() <= shown.items():
            await asyncio.sleep(_PAUSE_SECONDS)  # the API of no release tells us by itself
            shown = await asked(api, "GET", path)


async def open_member(api: httpx2.AsyncClient, member_no: str, account_no: str) -> None:
    """Open a company with an account at another bank than the one that keeps custody."""
    name = f"Company {member_no}"
    member = {"member_no": member_no, "kind": "company", "name": name, "mobile": "13900000000"}
    await asked(api, "POST", "/members", member)
    account = {
        "account_id": f"A-{member_no}",
        "account_no": account_no,
        "account_name": name,
        "is_corporate": True,
        "cnaps_code": _ANOTHER_BANK,
    }
    await asked(api, "POST", f"/members/{member_no}/bank-accounts", account)


@asynccontextmanager
async def open_checkout(
    root: Path,
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    also_up: Callable[[], bool] = lambda: True,
) -> AsyncIterator[Checkout]:
    """Start a checkout's stack in an empty folder and open a platform; end it with the block.

    Args:
        environment: variables that its processes inherit.
        also_up: what else must be so before it counts as started.

    Raises:
        StackError: it did not start.
        Refused: it did not let the platform be opened.
    """
    data, ports = folder / "stack", {name: free_port() for name in ("temporal", "temporal-ui", "bank", "api")}

    async def is_up() -> bool:
        # Written at once when all members are up, but not opened and written at once.
        written = data / "environment"
        return written.exists() and written.stat().st_size > 0 and also_up()

    command = Command(
        argv=[*_ESCROW, "up", "--no-links", f"--data={data}", *(f"--{name}-port={at}" for name, at in ports.items())],
        log_path=data.with_suffix(".log"),
        environment=environment or {},
        folder=root,
        stop_seconds=_STOPS_WITHIN_SECONDS,
    )
    async with AsyncExitStack() as opened:
        stack = Member(f"the stack of {root}", command, is_ready=is_up, restart=False)
        await started(opened, stack)
        custody_account_no, key = await _open_platform(root, folder, data)
        yield Checkout(
            root=root,
            data=data,
            api_url=f"http://127.0.0.1:{ports['api']}",
            settings=dict(line.split("=", 1) for line in (data / "environment").read_text().splitlines()),
            stack=stack,
            custody_account_no=custody_account_no,
            key=key,
        )


async def started(opened: AsyncExitStack, member: Member) -> None:
    """Start a process; it ends with the block, also when it does not become ready."""
    opened.push_async_callback(member.stop)
    await member.start()


def revision(root: Path) -> str:
    """What git calls a checkout."""
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.strip()


async def _open_platform(root: Path, folder: Path, data: Path) -> tuple[str, str]:
    """Number of its custody account, and its key."""
    file = folder / "platform.yaml"
    file.write_text(json.dumps(_PLATFORM))  # which is YAML, too
    shown = await _run(root, data, "platform", "open", str(file))
    found = re.search(r"custody account (\w+).*shown this once: (\S+)", shown, re.DOTALL)
    if found is None:
        raise Refused(f"no custody account and key in what `escrow platform open` said: {shown}")
    return found[1], found[2]


async def _run(root: Path, data: Path, *command: str) -> str:
    """What a command of the checkout says."""
    process = await asyncio.create_subprocess_exec(
        *_ESCROW,
        f"--stack={data}",
        *command,
        cwd=root,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode()
    if process.returncode != 0:
        raise Refused(f"`escrow {' '.join(command)}` ended with {process.returncode}: {said}")
    return said
