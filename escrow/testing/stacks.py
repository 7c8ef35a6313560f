"""The stack under test: a whole one for the session in a temporary folder, or one that runs somewhere."""

import asyncio
import shutil
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar
from uuid import uuid4

from escrow.channels.sandbox_bank.client import SandboxBank
from escrow.commands.books import Books
from escrow.commands.verify import broken_invariants, settled_differences
from escrow.commands.verify_channels import channel_differences
from escrow.domain.platforms.config import PlatformConfig
from escrow.ledger.engine import Recorder
from escrow.ledger.personal_data import PersonalDataBox
from escrow.registry.platforms.file import OwnBankAccount, PlatformFile
from escrow.registry.registry import Registry
from escrow.settings import Settings, variable_of
from escrow.stack.up import Ports, Stack
from escrow.testing.connection import Connection
from escrow.testing.members import PlatformUnderTest
from escrow.testing.numbers import Numbers
from escrow.testing.waiting import PATIENCE_SECONDS

Result = TypeVar("Result")

#: What is in flight gets this long to be posted before it counts as a difference.
_SETTLES_WITHIN_SECONDS = 30.0
_SETTINGS = ("bank_url", "bank_key", "data_key", "index_key")
_DEFAULT_FILE = PlatformFile(platform_no="TEST", name="好家装修平台有限公司")


class NoHand(Exception):
    """A stack that is not ours lets nobody do this from here; the message says what."""


class Background:
    """An event loop in a thread of its own, for what must live as long as the session, whatever loops tests have."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # Child processes end with the thread that started them, so this one stays until `close`.
        self._thread = threading.Thread(target=self._loop.run_forever, name="escrow stack", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run something there and wait for it; an interruption here, as by Ctrl-C, ends it there first."""
        has_ended = threading.Event()

        async def watched() -> Result:
            try:
                return await work
            finally:
                has_ended.set()

        future = asyncio.run_coroutine_threadsafe(watched(), self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            has_ended.wait(PATIENCE_SECONDS)
            raise

    async def awaited(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The same for who waits in another loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def close(self) -> None:
        """End the thread; everything in it must have ended."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class StackUnderTest(ABC):
    """A stack on which platforms are opened for tests.

    Args:
        background: where its parts live.
        api_url, bank_url: base URLs.
    """

    def __init__(self, background: Background, *, api_url: str, bank_url: str) -> None:
        self.background = background
        self.api_url = api_url
        self.bank_url = bank_url

    async def open_platform(
        self, file: PlatformFile | None, begin_at: datetime, *, config: Mapping[str, Any] = MappingProxyType({})
    ) -> PlatformUnderTest:
        """Open a platform of its own for one test; its number, mobile and own account are made unique.

        Args:
            file: what it is like; None for one with every default.
            begin_at: what all of its clocks show.
            config: fields of the configuration that are otherwise than in the file.
        """
        template = file or _DEFAULT_FILE
        number = f"{template.platform_no[:40]}-{uuid4().hex[:12]}"
        numbers = Numbers(f"{number}/own")
        own = template.own_bank_account or OwnBankAccount(account_id="OWN-1", account_no="", cnaps_code="307584007998")
        unique = template.model_copy(
            update={
                "platform_no": number,
                "config": PlatformConfig.model_validate({**template.config.model_dump(mode="json"), **config}),
                "custody_account_no": None,
                "contact_mobile": numbers.mobile(),
                "own_bank_account": own.model_copy(update={"account_no": numbers.account()}),
            }
        )
        key, custody_account_no = await self._opened(unique, begin_at)
        return PlatformUnderTest(
            platform_no=number,
            name=unique.name,
            key=key,
            custody_account_no=custody_account_no,
            contact_mobile=unique.contact_mobile or "",
            own_account_no=unique.own_bank_account.account_no if unique.own_bank_account else "",
            begins_at=begin_at,
            api_url=self.api_url,
            bank_url=self.bank_url,
        )

    async def _opened(self, file: PlatformFile, begin_at: datetime) -> tuple[str, str]:
        """Open it over HTTP, as on any sandbox stack; its key and custody account."""
        connection = Connection(self.api_url)
        try:
            body = {"platform_file": file.model_dump(mode="json"), "begin_at": begin_at.isoformat()}
            opened = (await connection.ask("POST", "/v1/sandbox/platforms", body=body)).json()
        finally:
            await connection.aclose()
        return opened["key"], opened["custody_account_no"]

    @abstractmethod
    async def what_is_wrong(self, platform: PlatformUnderTest) -> list[str]:
        """What does not hold in a platform's books, or differs from what its bank says; one sentence each."""

    @abstractmethod
    async def kill_worker(self) -> None:
        """SIGKILL the worker, as a crash would; it stays away.

        Raises:
            NoHand: the stack is not ours.
        """

    @abstractmethod
    async def start_worker(self) -> None:
        """Start the worker again.

        Raises:
            NoHand: the stack is not ours.
        """


class OwnStack(StackUnderTest):
    """A stack of real processes that was started here."""

    def __init__(self, background: Background, stack: Stack, books: Books, bank: SandboxBank) -> None:
        super().__init__(background, api_url=stack.api_url, bank_url=stack.bank_url)
        self.stack = stack
        self._books = books
        self._bank = bank

    async def what_is_wrong(self, platform: PlatformUnderTest) -> list[str]:
        """The checks of `escrow verify`."""
        return await self.background.awaited(self._wrong(platform))

    async def _wrong(self, platform: PlatformUnderTest) -> list[str]:
        number = platform.platform_no
        return [
            *await broken_invariants(self._books, number),
            *await settled_differences(
                self._books,
                self._bank,
                number,
                platform.custody_account_no,
                wait_seconds=_SETTLES_WITHIN_SECONDS,
            ),
            *await channel_differences(self._books.recorder, self._bank.collections, number),
        ]

    async def kill_worker(self) -> None:
        """SIGKILL the worker."""
        await self.background.awaited(self.stack.worker.kill())

    async def start_worker(self) -> None:
        """Start the worker again."""
        await self.background.awaited(self.stack.worker.start())


class RunningStack(StackUnderTest):
    """A sandbox stack that somebody else runs, reached over HTTP alone."""

    async def what_is_wrong(self, platform: PlatformUnderTest) -> list[str]:
        """Whether what is held for somebody is what the bank should have; the bank's own word is not to be had here."""
        from escrow.testing.client import Escrow

        client = Escrow(platform)
        try:
            tree = await client.sub_accounts()
        finally:
            await client.aclose()
        held_elsewhere_fen = tree.custody_fen + tree.channels_owe_fen + tree.bank_charges_fen
        if tree.sub_accounts_fen == held_elsewhere_fen:
            return []
        return [f"sub-accounts hold {tree.sub_accounts_fen} fen, custody, channels and charges {held_elsewhere_fen}"]

    async def kill_worker(self) -> None:
        """Nobody may."""
        raise NoHand("the worker of a stack that runs elsewhere is not ours to kill")

    async def start_worker(self) -> None:
        """Nobody may."""
        raise NoHand("the worker of a stack that runs elsewhere is not ours to start")


@asynccontextmanager
async def own_stack(background: Background) -> AsyncIterator[OwnStack]:
    """Run a whole stack on free ports in a temporary folder, which goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="escrow-testing-"))
    try:
        async with Stack(folder, ports=Ports()) as stack:
            names = {name: stack.environment[variable_of(name)] for name in _SETTINGS}
            settings = Settings.model_validate({"DATABASE_URL": stack.environment["DATABASE_URL"], **names})
            box = PersonalDataBox.from_hex(
                data_key=settings.data_key.get_secret_value(), index_key=settings.index_key.get_secret_value()
            )
            recorder = Recorder(settings.database_url)
            bank = SandboxBank(settings.bank_url, settings.bank_key.get_secret_value(), read_timeout_seconds=30)
            books = Books(settings=settings, recorder=recorder, registry=Registry(recorder, box))
            try:
                yield OwnStack(background, stack, books, bank)
            finally:
                await bank.aclose()
                await recorder.close()
    finally:
        await asyncio.to_thread(shutil.rmtree, folder)
