"""Over which lines a platform may call."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from escrow.domain.errors import Refused
from escrow.domain.platforms.access import (
    ClientCertificate,
    LeasedLine,
    PlatformAccess,
    PresentedCertificate,
    access_of,
    fingerprint,
    require_line_open,
)

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
A, B = "ab" * 32, "0c" * 32


def access(*sha256: str, public_internet: bool) -> PlatformAccess:
    certificates = tuple(ClientCertificate(sha256=one) for one in sha256)
    return PlatformAccess(public_internet=public_internet, leased_line=LeasedLine(client_certificates=certificates))


def shown(sha256: str, *, for_seconds: int = 1) -> PresentedCertificate:
    return PresentedCertificate(sha256=sha256, expires_at=NOW + timedelta(seconds=for_seconds))


@pytest.mark.parametrize("text", [A, A.upper(), ":".join(["AB"] * 32), f" {A}\n"])
def test_a_fingerprint_is_read_as_people_and_programs_print_it(text: str) -> None:
    assert fingerprint(text) == A


@pytest.mark.parametrize("text", ["", "ab" * 20, "ab" * 33, "xy" * 32, "٣" * 64])
def test_what_is_no_sha256_is_no_fingerprint(text: str) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        fingerprint(text)


@pytest.mark.parametrize(
    ("given", "presented", "code"),
    [
        (access(public_internet=True), None, ""),
        (access(A, public_internet=False), None, "public_internet_closed"),
        (access(A, public_internet=True), None, ""),
        (access(A, B, public_internet=False), shown(B), ""),
        (access(A, public_internet=True), shown(B), "certificate_not_registered"),
        (access(public_internet=True), shown(A), "certificate_not_registered"),
        (access(A, public_internet=False), shown(A, for_seconds=0), "certificate_expired"),
        (access(public_internet=False), None, "public_internet_closed"),
    ],
)
def test_a_call_comes_over_an_open_line_or_is_refused(
    given: PlatformAccess, presented: PresentedCertificate | None, code: str
) -> None:
    try:
        require_line_open(given, presented, now=NOW)
        refused = ""
    except Refused as refusal:
        refused = refusal.code
    assert refused == code


def test_a_platform_that_was_opened_before_there_was_a_choice_is_on_the_public_internet() -> None:
    assert access_of({"config": {}}) == access(public_internet=True)


def test_certificates_come_and_go_one_by_one() -> None:
    both = access(A, public_internet=True).with_certificate(ClientCertificate(sha256=B, note="next year"))
    assert both.with_certificate(ClientCertificate(sha256=B, note="next year")) == both
    assert both.without_certificate(A) == PlatformAccess(
        leased_line=LeasedLine(client_certificates=(ClientCertificate(sha256=B, note="next year"),))
    )
    with pytest.raises(Refused, match="There is no certificate"):
        both.without_certificate("12" * 32)
    full = access(*(f"{number:064x}" for number in range(20)), public_internet=False)
    with pytest.raises(Refused, match="at most 20"):
        full.with_certificate(ClientCertificate(sha256=A))


def test_a_certificate_is_named_once() -> None:
    with pytest.raises(ValidationError, match="each certificate once"):
        access(A, A.upper(), public_internet=True)
