"""A certificate authority of its own for each test, as a bank runs one for its leased lines."""

import ipaddress
import itertools
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_NUMBERS = itertools.count(1)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, in files."""

    certificate: Path
    key: Path
    sha256: str


class Authority:
    """Signs certificates and writes them into a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        builder = _builder(self._name, self._name, self._key.public_key(), datetime.now(UTC) + _DAY)
        certificate = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(
            self._key, hashes.SHA256()
        )
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def server(self) -> Issued:
        """For a server on the loopback address."""
        loopback = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        return self._issue(ExtendedKeyUsageOID.SERVER_AUTH, datetime.now(UTC) + _DAY, loopback)

    def client(self, *, valid_for: timedelta = _DAY) -> Issued:
        """For a client; a negative time has passed already."""
        return self._issue(ExtendedKeyUsageOID.CLIENT_AUTH, datetime.now(UTC) + valid_for)

    def _issue(
        self, usage: x509.ObjectIdentifier, expires_at: datetime, names: x509.SubjectAlternativeName | None = None
    ) -> Issued:
        number = next(_NUMBERS)
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_named(f"machine {number}"), self._name, key.public_key(), expires_at)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        issued = Issued(
            certificate=self._folder / f"{number}.pem",
            key=self._folder / f"{number}.key",
            sha256=certificate.fingerprint(hashes.SHA256()).hex(),
        )
        issued.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        issued.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return issued


def client_tls(trusted: Path, issued: Issued | None) -> ssl.SSLContext:
    """How a client connects that trusts one authority, with its certificate or without."""
    context = ssl.create_default_context(cafile=trusted)
    if issued is not None:
        context.load_cert_chain(issued.certificate, issued.key)
    return context


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, expires_at: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - 2 * _DAY)
        .not_valid_after(expires_at)
    )
