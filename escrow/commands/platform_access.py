"""`escrow platform access …`: over which lines a platform may call."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from escrow.commands.books import opened_books
from escrow.commands.running import out, run
from escrow.domain.errors import Refused
from escrow.domain.platforms.access import ClientCertificate, PlatformAccess, fingerprint

app = typer.Typer(help="Over which lines a platform may call: the public internet, a leased line with certificates.")

PlatformNo = Annotated[str, typer.Argument(help="The platform's number.")]


@app.command()
def show(platform_no: PlatformNo) -> None:
    """Show the lines that are open to a platform."""
    run(_show(platform_no))


async def _show(platform_no: str) -> None:
    async with opened_books() as books:
        tell_access(platform_no, await books.registry.accesses.get(platform_no))


@app.command()
def add_certificate(
    platform_no: PlatformNo,
    certificate: Annotated[str, typer.Argument(help="File with the certificate (PEM), or its SHA-256 fingerprint.")],
    note: Annotated[str, typer.Option(help="For people: whose machine, which year.")] = "",
) -> None:
    """Let a platform call over the leased line with this certificate too."""

    async def add() -> None:
        registered = ClientCertificate(sha256=_sha256_of(certificate), note=note)
        await _change(platform_no, lambda access: access.with_certificate(registered))

    run(add())


@app.command()
def remove_certificate(
    platform_no: PlatformNo,
    certificate: Annotated[str, typer.Argument(help="Its SHA-256 fingerprint, or the file.")],
) -> None:
    """End a certificate within a second, also on connections that are open."""

    async def remove() -> None:
        sha256 = _sha256_of(certificate)
        await _change(platform_no, lambda access: access.without_certificate(sha256))

    run(remove())


@app.command()
def public_internet(
    platform_no: PlatformNo,
    state: Annotated[Literal["open", "closed"], typer.Argument(help="Whether keys work without a certificate.")],
) -> None:
    """Open a platform to the public internet, or close it within a second."""
    run(_change(platform_no, lambda access: access.model_copy(update={"public_internet": state == "open"})))


async def _change(platform_no: str, to_what: Callable[[PlatformAccess], PlatformAccess]) -> None:
    async with opened_books() as books:
        access, changed = await books.registry.accesses.change(platform_no, to_what)
    out.print("changed" if changed else "was so already")
    tell_access(platform_no, access)


def tell_access(platform_no: str, access: PlatformAccess) -> None:
    """Say which lines are open to a platform."""
    out.print(f"platform {platform_no}: public internet {'open' if access.public_internet else 'closed'}")
    certificates = access.leased_line.client_certificates
    out.print(f"leased line: {len(certificates)} certificates" if certificates else "leased line: closed")
    for certificate in certificates:
        out.print(f"  {certificate.sha256}  {certificate.note}".rstrip(), markup=False)
    if not access.is_open:
        out.print(f"[red]No line is open: platform {platform_no} cannot call at all.[/]")


def _sha256_of(given: str) -> str:
    path = Path(given)
    if not path.is_file():
        try:
            return fingerprint(given)
        except ValueError as error:
            raise Refused("certificate_invalid", f"{given} is no file, and {error}.") from error
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError as error:
        raise Refused("certificate_invalid", f"{given} holds no certificate in PEM form.") from error
    if certificate.not_valid_after_utc <= datetime.now(UTC):
        out.print(f"[yellow]This certificate expired on {certificate.not_valid_after_utc:%Y-%m-%d}.[/]")
    return certificate.fingerprint(SHA256()).hex()
