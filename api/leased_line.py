"""The API's second listener, for platforms on a leased line: TLS that asks every client for a certificate.

Who the client is comes from the TLS connection itself, never from a header: TLS therefore ends here and not in a proxy
before us. A certificate that the configured authorities did not sign, or that has expired, gets no connection; whether
a good one belongs to the platform whose key is sent is looked up with every call.
"""

import asyncio
import hashlib
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from escrow.domain.platforms.access import PlatformAccess, PresentedCertificate, require_line_open
from escrow.settings import Settings, SettingsError, variable_of

log = structlog.get_logger(__name__)

#: Where the protocol leaves the certificate for the application: in the scope's state, which no client can write.
_STATE = "presented_certificate"
_HANDSHAKE_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedLineListener:
    """A socket that listens already, and the TLS that is spoken on it."""

    listening: socket.socket
    tls: ssl.SSLContext


def leased_line_listener(settings: Settings) -> LeasedLineListener | None:
    """The listener that the settings ask for, None when they ask for none.

    Raises:
        SettingsError: a variable is missing, or names a file that cannot be used.
        OSError: the port is taken, or the address is not ours.
    """
    if settings.leased_line_port is None:
        return None
    tls = _tls(settings)
    family = socket.AF_INET6 if ":" in settings.leased_line_host else socket.AF_INET
    address = (settings.leased_line_host, settings.leased_line_port)
    return LeasedLineListener(listening=socket.create_server(address, family=family), tls=tls)


def _tls(settings: Settings) -> ssl.SSLContext:
    certificate, key, client_ca = (
        _required(settings, f"leased_line_{name}_file") for name in ("certificate", "key", "client_ca")
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except (OSError, ValueError) as error:
        names = f"{variable_of('leased_line_certificate_file')}, {variable_of('leased_line_key_file')}"
        raise SettingsError(f"{names}: no certificate with its key: {error}") from error
    try:
        context.load_verify_locations(client_ca)
    except OSError as error:
        raise SettingsError(f"{variable_of('leased_line_client_ca_file')}: no certificates: {error}") from error
    return context


def _required(settings: Settings, field_name: str) -> Path:
    path: Path | None = getattr(settings, field_name)
    if path is None:
        port = variable_of("leased_line_port")
        raise SettingsError(f"{variable_of(field_name)}: not set; {port} asks for a leased line, which needs it")
    return path


def _no_passphrase() -> str:
    # Without this, OpenSSL would ask on the terminal and wait.
    raise ValueError("the key is protected by a passphrase")


class LeasedLineProtocol(HttpToolsProtocol):
    """HTTP on a connection whose client has shown a certificate; each request carries it to the application."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Take note of the certificate; the handshake is over and TLS has checked it."""
        super().connection_made(transport)
        shown: ssl.SSLObject = transport.get_extra_info("ssl_object")
        der, fields = shown.getpeercert(binary_form=True), shown.getpeercert()
        if der is None or fields is None:
            raise RuntimeError("a client without a certificate has passed the handshake")
        self._presented = PresentedCertificate(
            sha256=hashlib.sha256(der).hexdigest(),
            expires_at=datetime.fromtimestamp(ssl.cert_time_to_seconds(str(fields["notAfter"])), UTC),
        )

    def on_message_begin(self) -> None:
        """Begin a request, and let it carry the certificate."""
        super().on_message_begin()
        self.scope["state"][_STATE] = self._presented


def require_line_open_to(access: PlatformAccess, scope: Mapping[str, Any]) -> None:
    """Check that a request with a key of the platform came over a line that is open to it.

    Raises:
        Refused: `public_internet_closed`, `certificate_not_registered` or `certificate_expired`.
    """
    require_line_open(access, scope.get("state", {}).get(_STATE), now=datetime.now(UTC))


class ApiServer(uvicorn.Server):
    """One application, one lifespan, on one or two listeners; both are closed in order.

    Args:
        config: the application and its first listener.
        leased_line: the second listener, None for none.
    """

    def __init__(self, config: uvicorn.Config, leased_line: LeasedLineListener | None) -> None:
        super().__init__(config)
        self._leased_line = leased_line

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application and both listeners."""
        await super().startup(sockets)
        if self._leased_line is None:
            return

        def protocol() -> LeasedLineProtocol:
            return LeasedLineProtocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

        self.servers.append(
            await asyncio.get_running_loop().create_server(
                protocol,
                sock=self._leased_line.listening,
                ssl=self._leased_line.tls,
                ssl_handshake_timeout=_HANDSHAKE_SECONDS,
            )
        )
        host, port, *_ = self._leased_line.listening.getsockname()
        log.info("listening for leased lines", host=host, port=port)
