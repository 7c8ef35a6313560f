"""`escrow platform …` and `escrow migrate`: what an operator does once."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from escrow.channels.sandbox_bank.steering import SandboxSteering
from escrow.commands import platform_access
from escrow.commands.books import opened_books
from escrow.commands.platform_access import tell_access
from escrow.commands.running import out, run
from escrow.domain.errors import LedgerUnavailable
from escrow.domain.money.sub_accounts import FUNCTIONAL_SUB_ACCOUNTS
from escrow.ledger.engine import CONNECTION_LOST
from escrow.migrations.migrate import migrate as migrate_database
from escrow.registry.platforms.file import PlatformFile, read_platform_file
from escrow.registry.registry import Registry
from escrow.settings import load_settings

app = typer.Typer(help="Open platforms, issue their keys, open lines to them.")
app.add_typer(platform_access.app, name="access")


@app.command("open")
def open_platform(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="YAML; see examples/platform.yaml.")],
) -> None:
    """Open a platform from a file, or bring an open one to the file's configuration.

    A new platform gets its first key, which is shown this once. Without a custody account in the file, one is opened
    at the bank sandbox.
    """
    run(_open(file))


async def _open(path: Path) -> None:
    file = read_platform_file(path)
    custody_account_no = file.custody_account_no or await _custody_account_at_sandbox(file)

    async def open_and_show(registry: Registry) -> None:
        platform, created = await registry.open_platform(file, custody_account_no=custody_account_no)
        out.print(f"platform {platform.platform_no} {'opened' if created else 'is open'}: {platform.name}")
        out.print(f"custody account {platform.custody_account_no}, configuration version {platform.config_version}")
        out.print(f"sub-accounts {', '.join(item.number for item in FUNCTIONAL_SUB_ACCOUNTS)}")
        tell_access(platform.platform_no, await registry.accesses.get(platform.platform_no))
        if created:
            issued = await registry.platforms.issue_key(platform.platform_no)
            out.print(f"key {issued.key_id}, shown this once: {issued.key}")

    await _with_registry(open_and_show)


async def _with_registry(act: Callable[[Registry], Awaitable[None]]) -> None:
    async with opened_books() as books:
        await act(books.registry)


async def _custody_account_at_sandbox(file: PlatformFile) -> str:
    settings = load_settings()
    steering = SandboxSteering(settings.bank_url, timeout_seconds=settings.bank_answer_seconds)
    try:
        return await steering.open_custody_account(reference=file.platform_no, title=file.name)
    finally:
        await steering.aclose()


@app.command()
def issue_key(
    platform_no: Annotated[str, typer.Argument(help="The platform's number.")],
) -> None:
    """Make one more key for a platform; it is shown this once."""

    async def issue(registry: Registry) -> None:
        issued = await registry.platforms.issue_key(platform_no)
        out.print(f"key {issued.key_id}, shown this once: {issued.key}")

    run(_with_registry(issue))


@app.command()
def revoke_key(
    platform_no: Annotated[str, typer.Argument(help="The platform's number.")],
    key_id: Annotated[str, typer.Argument(help="Name of the key, as shown when it was issued.")],
) -> None:
    """End a key of a platform at once."""

    async def revoke(registry: Registry) -> None:
        await registry.platforms.revoke_key(platform_no, key_id)
        out.print(f"key {key_id} is revoked")

    run(_with_registry(revoke))


def migrate(
    revision: Annotated[str, typer.Option(help="How far; the newest by default.")] = "head",
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Mark the books as a sandbox's, whose time may be skipped; for ever.")
    ] = False,
    in_use: Annotated[bool, typer.Option("--in-use", help="Mark them even when they hold postings already.")] = False,
) -> None:
    """Create the database's schema or bring it up to date; repeatable."""
    run(_migrate(revision, sandbox, in_use))


async def _migrate(revision: str, sandbox: bool, in_use: bool) -> None:
    try:
        settings = load_settings()
        await migrate_database(
            settings.database_owner_url or settings.database_url, revision=revision, sandbox=sandbox, in_use=in_use
        )
    except CONNECTION_LOST as error:
        raise LedgerUnavailable(
            "ledger_unavailable", "The database cannot be reached; nothing is half done."
        ) from error
    out.print("the schema is up to date" if revision == "head" else f"the schema is at {revision}")
