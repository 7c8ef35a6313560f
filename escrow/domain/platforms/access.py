"""Over which lines a platform may call: the public internet, or a leased line by certificates registered for it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from escrow.domain.errors import Refused

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
#: Enough for several machines, each with the certificate of this year and that of the next.
_MOST_CERTIFICATES = 20


def fingerprint(text: str) -> str:
    """SHA-256 fingerprint of a certificate as 64 lower-case hexadecimal digits; colons and capitals may be given.

    Raises:
        ValueError: it is none.
    """
    digits = text.replace(":", "").strip().lower()
    if not _SHA256.fullmatch(digits):
        raise ValueError("must be the SHA-256 fingerprint of a certificate: 64 hexadecimal digits, with or without ':'")
    return digits


class ClientCertificate(BaseModel):
    """A certificate with which a platform may call over the leased line; `note` is for people."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    sha256: Annotated[str, AfterValidator(fingerprint)] = Field(description="SHA-256 over the certificate's DER form.")
    note: Annotated[str, Field(max_length=120, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""


class LeasedLine(BaseModel):
    """Certificates registered for the leased line; none, and the platform cannot use it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_certificates: Annotated[tuple[ClientCertificate, ...], Field(max_length=_MOST_CERTIFICATES)] = ()

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        if len({certificate.sha256 for certificate in self.client_certificates}) < len(self.client_certificates):
            raise ValueError("client_certificates must name each certificate once")
        return self


class PlatformAccess(BaseModel):
    """Over which lines a platform's keys work. By default over the public internet alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    public_internet: Annotated[bool, Field(strict=True)] = True
    leased_line: LeasedLine = LeasedLine()

    @property
    def is_open(self) -> bool:
        """Whether there is any line over which the platform can call."""
        return self.public_internet or bool(self.leased_line.client_certificates)

    def with_certificate(self, certificate: ClientCertificate) -> "PlatformAccess":
        """The same with one more certificate, or with another note for one that is there.

        Raises:
            Refused: `too_many_certificates`.
        """
        others = self._certificates_but(certificate.sha256)
        if len(others) >= _MOST_CERTIFICATES:
            raise Refused("too_many_certificates", f"A platform has at most {_MOST_CERTIFICATES}; remove an old one.")
        return self.model_copy(update={"leased_line": LeasedLine(client_certificates=(*others, certificate))})

    def without_certificate(self, sha256: str) -> "PlatformAccess":
        """The same without one certificate.

        Raises:
            Refused: `not_found`, it is not registered.
        """
        others = self._certificates_but(sha256)
        if len(others) == len(self.leased_line.client_certificates):
            raise Refused("not_found", f"There is no certificate {sha256} of this platform.")
        return self.model_copy(update={"leased_line": LeasedLine(client_certificates=others)})

    def _certificates_but(self, sha256: str) -> tuple[ClientCertificate, ...]:
        return tuple(known for known in self.leased_line.client_certificates if known.sha256 != sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedCertificate:
    """The certificate of the other end of a TLS connection, as TLS itself has proven it; `expires_at` is aware."""

    sha256: str
    expires_at: datetime


def access_of(platform_body: Mapping[str, Any]) -> PlatformAccess:
    """Access of a platform as its object carries it; the default for one that was opened before there was a choice."""
    return PlatformAccess.model_validate(platform_body.get("access", {}))


def require_line_open(access: PlatformAccess, presented: PresentedCertificate | None, *, now: datetime) -> None:
    """Check that a call with a key of the platform may come over this line.

    Args:
        presented: the certificate shown on the leased line; None for a call over the public internet.

    Raises:
        Refused: `public_internet_closed`, `certificate_not_registered` or `certificate_expired`.
    """
    if presented is None:
        if not access.public_internet:
            raise Refused(
                "public_internet_closed",
                "This platform is not open to the public internet; call over the leased line, with a certificate that "
                "is registered for it.",
            )
    elif presented.sha256 not in {known.sha256 for known in access.leased_line.client_certificates}:
        raise Refused(
            "certificate_not_registered",
            "The certificate of this connection is not registered for the platform whose key was sent.",
            {"sha256": presented.sha256},
        )
    elif now >= presented.expires_at:
        raise Refused(
            "certificate_expired",
            "The certificate of this connection has expired since the connection was made; connect with another one.",
            {"sha256": presented.sha256},
        )
