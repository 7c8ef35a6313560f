"""The stage of the demo: a whole stack in a folder of its own, the platform open on it, and a hand on each part."""

import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from temporalio.client import Client

from escrow.channels.sandbox_bank.client import SandboxBank
from escrow.channels.sandbox_bank.steering import SandboxSteering
from escrow.commands.books import Books, opened_books
from escrow.commands.contract_file import ContractFile
from escrow.commands.demo.narrator import Narrator
from escrow.commands.demo.owner import Owner, Visitor
from escrow.commands.demo.pages import visitor_for
from escrow.commands.demo.platform_api import PlatformApi
from escrow.domain.platforms.authorisations import Authorisation, AuthorisationMethod
from escrow.domain.platforms.config import PlatformConfig
from escrow.ledger.posting import LedgerWriter
from escrow.registry.platforms.file import OwnBankAccount, PlatformFile
from escrow.sandbox.skipping import PlatformSkip, platform_skip
from escrow.stack.temporal_client import connect_temporal
from escrow.stack.up import Ports, Stack

#: The platform's own bank account, from which it may pay in for the bank's charges.
OWN_BANK_ACCOUNT = OwnBankAccount(
    account_id="OWN-1", account_no="755900001234567890", cnaps_code="307584007998", bank_name="平安银行"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything the story needs.

    Args:
        api: the platform's server speaking to us; all business goes through it.
        sandbox: what happens outside the bank, and the bank's clock.
        bank: the bank as we are connected to it, for its own balance and lines.
        books, writer: what an operator's commands use.
        temporal: to show what a workflow did.
        visitor: who acts for the owner at the hosted pages.
    """

    stack: Stack
    contract: ContractFile
    narrator: Narrator
    api: PlatformApi
    sandbox: SandboxSteering
    bank: SandboxBank
    books: Books
    writer: LedgerWriter
    temporal: Client
    visitor: Visitor
    custody_account_no: str

    def skipping(self) -> AbstractAsyncContextManager[PlatformSkip]:
        """Lets time pass for the platform, as `escrow skip` does."""
        return platform_skip(
            self.books.settings, self.books.recorder, self.temporal, self.platform_no, tell=self.narrator.aside
        )

    @property
    def platform_no(self) -> str:
        """The platform's number."""
        return self.contract.platform.platform_no

    @property
    def order_no(self) -> str:
        """The order's number."""
        return self.contract.order.order_no


@asynccontextmanager
async def stack_in(folder: Path) -> AsyncIterator[Stack]:
    """A stack on free ports, with its settings in this process's environment."""
    async with Stack(folder, ports=Ports()) as stack:
        os.environ.update(stack.environment)
        yield stack


@asynccontextmanager
async def stage_on(
    stack: Stack, contract: ContractFile, narrator: Narrator, *, begin_at: datetime | None, by_hand: bool
) -> AsyncIterator[Stage]:
    """Open the platform on a running stack, as an operator does once, and connect to everything.

    Args:
        begin_at: what all clocks of the platform show at first; None for now.
        by_hand: whether a person plays the owner at the hosted pages.
    """
    async with AsyncExitStack() as opened:
        books = await opened.enter_async_context(opened_books())
        settings = books.settings
        writer = await LedgerWriter.start(settings.database_url, answer_seconds=settings.ledger_answer_seconds)
        opened.push_async_callback(writer.close)
        sandbox = SandboxSteering(settings.bank_url)
        opened.push_async_callback(sandbox.aclose)
        bank = SandboxBank(
            settings.bank_url,
            settings.bank_key.get_secret_value(),
            connect_timeout_seconds=settings.bank_connect_seconds,
            read_timeout_seconds=settings.bank_answer_seconds,
        )
        opened.push_async_callback(bank.aclose)
        custody_account_no, key = await _open_platform(contract, books, sandbox, begin_at)
        api = PlatformApi(stack.api_url, key)
        opened.push_async_callback(api.aclose)
        temporal = await connect_temporal()
        owner = Owner(contract.owner.mobile, sandbox)
        visitor = await opened.enter_async_context(visitor_for(owner, narrator.line, by_hand=by_hand))
        yield Stage(
            stack=stack,
            contract=contract,
            narrator=narrator,
            api=api,
            sandbox=sandbox,
            bank=bank,
            books=books,
            writer=writer,
            temporal=temporal,
            visitor=visitor,
            custody_account_no=custody_account_no,
        )


async def _open_platform(
    contract: ContractFile, books: Books, sandbox: SandboxSteering, begin_at: datetime | None
) -> tuple[str, str]:
    terms = contract.platform
    custody_account_no = await sandbox.open_custody_account(
        reference=terms.platform_no, title=terms.name, start_at=begin_at
    )
    file = PlatformFile(
        platform_no=terms.platform_no,
        name=terms.name,
        own_bank_account=OWN_BANK_ACCOUNT,
        # A contract file names its parties; their identity numbers are nothing to write into a file.
        config=PlatformConfig(
            commission_basis_points=terms.commission_basis_points,
            identity_required_for_withdrawal=False,
            authorisation=Authorisation(accept=AuthorisationMethod.PAYMENT_PASSWORD),
        ),
    )
    await books.registry.open_platform(file, custody_account_no=custody_account_no, begin_at=begin_at)
    issued = await books.registry.platforms.issue_key(terms.platform_no)
    return custody_account_no, issued.key
