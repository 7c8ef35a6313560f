"""A checkout whose API and worker are recorded.

What is measured goes through the API that is recorded. Everything else, above all asking how things stand, goes through
a second API process that is not: looking must leave no trail.
"""

import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

from bench.checkout import Checkout, asked, open_checkout, open_member, seen, started
from bench.trails.recorder import Recorder
from escrow.stack.processes import Command, Member, free_port
from escrow.stack.up import answers

OWNER: Final = "O-1"
CONTRACTOR: Final = "C-1"

_OWNERS_ACCOUNT: Final = "110000000000001"
_CONTRACTORS_ACCOUNT: Final = "44250100003400001111"
_FUNDS_YUAN: Final = "1,000,000.00"
_FUNDS_FEN: Final = 1_000_000_00


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
        await seen(self.unseen, path, **wanted)


@asynccontextmanager
async def open_house(root: Path) -> AsyncIterator[House]:
    """Start a checkout's stack in a temporary folder, recorded, with a funded owner; end it with the block.

    Raises:
        StackError: it did not start.
        Refused: it did not let the platform be opened.
    """
    async with AsyncExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="trails-")))
        (folder / "trails").mkdir()
        recorder = Recorder(root, folder / "trails")
        checkout = await opened.enter_async_context(
            open_checkout(
                root,
                folder,
                environment=recorder.environment,
                also_up=lambda: len(recorder.programs()) > 1,
            )
        )
        unseen_port = free_port()
        await started(opened, _unseen_api(checkout, unseen_port))
        recorded = await opened.enter_async_context(checkout.api())
        unseen = await opened.enter_async_context(checkout.api(_url(unseen_port)))
        for member_no, account_no in ((OWNER, _OWNERS_ACCOUNT), (CONTRACTOR, _CONTRACTORS_ACCOUNT)):
            await open_member(unseen, member_no, account_no)
        await checkout.fund(OWNER, _OWNERS_ACCOUNT, _FUNDS_YUAN)
        await seen(unseen, f"/members/{OWNER}/balances", available_fen=_FUNDS_FEN)
        yield House(recorder=recorder, recorded=recorded, unseen=unseen)


def _unseen_api(checkout: Checkout, port: int) -> Member:
    command = Command(
        argv=[sys.executable, "-m", "api"],
        log_path=checkout.data.with_name("unseen-api.log"),
        environment={**checkout.settings, "ESCROW_API_PORT": str(port)},
        folder=checkout.root,
    )
    return Member("the second API", command, is_ready=lambda: answers(f"{_url(port)}/health"), restart=False)


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"
