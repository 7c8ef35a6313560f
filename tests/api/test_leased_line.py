"""Calls over a leased line: real certificates, real TLS, the API as a process with both listeners."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from api.leased_line import leased_line_listener
from escrow.domain.platforms.access import ClientCertificate, LeasedLine, PlatformAccess
from escrow.settings import Settings, SettingsError
from escrow.stack.processes import StackError, free_port
from escrow.stack.up import ROOT, Stack
from tests.api.certificates import Authority, Issued, client_tls
from tests.api.documented import check_documented
from tests.api.platforms import Platform, PlatformMaker
from tests.api.test_away import another_api
from tests.waiting import PATIENCE_SECONDS

#: How long what was found good is taken for good, and a little.
_FORGOTTEN_SECONDS = 1.1

#: Each start of the command line takes a second; typer gives the code with which it would have ended.
_COMMANDS = """
import json, sys
from escrow.cli import app
from escrow.leave import leave
from tests.waiting import PATIENCE_SECONDS
for arguments in json.loads(sys.argv[1]):
    code = app(arguments, standalone_mode=False) or 0
    print(f"exit code {code}\\0", end="", flush=True)
leave(0)
"""


@dataclass(frozen=True)
class Lines:
    """One API process: its public listener, its leased-line listener, and the authority of the latter."""

    stack: Stack
    authority: Authority
    public_url: str
    leased_url: str
    log: Path

    @asynccontextmanager
    async def caller(self, platform: Platform, *, over: Issued | None) -> AsyncIterator[httpx2.AsyncClient]:
        """A client with the platform's key: on the leased line with its certificate, or on the public internet."""
        leased = over is not None
        async with httpx2.AsyncClient(
            base_url=self.leased_url if leased else self.public_url,
            headers={"Authorization": platform.http.headers["Authorization"]},
            verify=client_tls(self.authority.file, over) if leased else False,
            timeout=PATIENCE_SECONDS,
            trust_env=False,
            event_hooks={"response": [check_documented]},
        ) as client:
            yield client

    async def answer(self, platform: Platform, *, over: Issued | None, **headers: str) -> tuple[int, str]:
        """Status and problem code of a call on a connection of its own."""
        async with self.caller(platform, over=over) as client:
            return told(await client.get("/v1/platform", headers=headers))

    async def escrow(self, *commands: list[str]) -> list[tuple[int, str]]:
        """Commands of an operator, one after the other in one process: exit code and everything said of each."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _COMMANDS,
            json.dumps(commands),
            env={**self.stack.environment, "COLUMNS": "200"},
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        answers = [part.rpartition("exit code ") for part in said.decode().split("\0")[:-1]]
        assert len(answers) == len(commands), said.decode()
        return [(int(code), text) for text, _, code in answers]


def told(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, "" if answer.is_success else answer.json()["code"]


def settings_of(authority: Authority, port: int) -> dict[str, str]:
    server = authority.server()
    return {
        "ESCROW_LEASED_LINE_PORT": str(port),
        "ESCROW_LEASED_LINE_CERTIFICATE_FILE": str(server.certificate),
        "ESCROW_LEASED_LINE_KEY_FILE": str(server.key),
        "ESCROW_LEASED_LINE_CLIENT_CA_FILE": str(authority.file),
    }


@pytest_asyncio.fixture(scope="module")
async def lines(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lines]:
    folder, port = tmp_path_factory.mktemp("lines"), free_port()
    authority = Authority(folder, "bank")
    async with another_api(stack, folder, **settings_of(authority, port)) as (_, public_url):
        yield Lines(stack, authority, public_url, f"https://127.0.0.1:{port}", folder / "api.log")


async def open_lines(platform: Platform, *certificates: Issued, public_internet: bool = False) -> None:
    registered = tuple(ClientCertificate(sha256=issued.sha256) for issued in certificates)
    access = PlatformAccess(public_internet=public_internet, leased_line=LeasedLine(client_certificates=registered))
    await platform.registry.accesses.change(platform.number, lambda _: access)


async def test_a_registered_certificate_with_the_platforms_key_is_let_in(lines: Lines, platform: Platform) -> None:
    this_year, next_year = lines.authority.client(), lines.authority.client()
    await open_lines(platform, this_year, next_year)
    assert await lines.answer(platform, over=this_year) == (200, "")
    assert await lines.answer(platform, over=next_year) == (200, "")
    async with lines.caller(platform, over=this_year) as client:
        seen = (await client.get("/v1/platform")).json()["access"]
        assert (await client.get("/v1/platform", headers={"Authorization": "Bearer nonsense"})).status_code == 401
    assert seen["public_internet"] is False
    assert [item["sha256"] for item in seen["leased_line"]["client_certificates"]] == [
        this_year.sha256,
        next_year.sha256,
    ]


async def test_a_platform_without_public_internet_is_refused_there_whatever_its_headers_say(
    lines: Lines, platform: Platform
) -> None:
    certificate = lines.authority.client()
    await open_lines(platform, certificate)
    forged = {
        "X-Client-Cert": certificate.certificate.read_text().replace("\n", ""),
        "X-SSL-Client-SHA256": certificate.sha256,
        "Presented-Certificate": certificate.sha256,
    }
    assert await lines.answer(platform, over=None) == (403, "public_internet_closed")
    assert await lines.answer(platform, over=None, **forged) == (403, "public_internet_closed")


async def test_a_platform_on_the_public_internet_has_no_leased_line_until_it_is_given_one(
    lines: Lines, platform: Platform
) -> None:
    certificate = lines.authority.client()
    assert await lines.answer(platform, over=None) == (200, "")
    assert await lines.answer(platform, over=certificate) == (403, "certificate_not_registered")
    await open_lines(platform, certificate, public_internet=True)
    await asyncio.sleep(_FORGOTTEN_SECONDS)
    assert await lines.answer(platform, over=None) == (200, "")
    assert await lines.answer(platform, over=certificate) == (200, "")


async def test_the_certificate_of_one_platform_with_the_key_of_another_is_refused(
    lines: Lines, platforms: PlatformMaker
) -> None:
    a, b = await platforms.open(), await platforms.open()
    of_a, of_b = lines.authority.client(), lines.authority.client()
    await open_lines(a, of_a)
    await open_lines(b, of_b)
    assert await lines.answer(a, over=of_a) == (200, "")
    assert await lines.answer(a, over=of_b) == (403, "certificate_not_registered")
    assert await lines.answer(b, over=of_a) == (403, "certificate_not_registered")


async def test_a_removed_certificate_ends_within_a_second_also_on_an_open_connection(
    lines: Lines, platform: Platform
) -> None:
    old, new = lines.authority.client(), lines.authority.client()
    await open_lines(platform, old, new)
    async with lines.caller(platform, over=old) as client:
        assert told(await client.get("/v1/platform")) == (200, "")
        [(code, said)] = await lines.escrow(["platform", "access", "remove-certificate", platform.number, old.sha256])
        assert code == 0, said
        await asyncio.sleep(_FORGOTTEN_SECONDS)
        assert told(await client.get("/v1/platform")) == (403, "certificate_not_registered")
    assert await lines.answer(platform, over=new) == (200, "")


@asynccontextmanager
async def soon_expiring(lines: Lines, platform: Platform) -> AsyncIterator[tuple[httpx2.AsyncClient, datetime]]:
    """A client on an open connection, and when its certificate expires: as soon as this machine is in time for."""
    for seconds in (6, 20, 60, 180):
        expires_at = (datetime.now(UTC) + timedelta(seconds=seconds)).replace(microsecond=0)
        short = lines.authority.client(valid_for=expires_at - datetime.now(UTC))
        await open_lines(platform, short)
        async with lines.caller(platform, over=short) as client:
            first: tuple[int, str] | None = None
            with suppress(httpx2.TransportError):  # it expired before the handshake
                first = told(await client.get("/v1/platform"))
            if first == (200, ""):
                yield client, expires_at
                return
    raise AssertionError(f"no certificate was good for one call; the last was answered {first}")


async def test_a_certificate_that_expires_on_an_open_connection_ends_there(lines: Lines, platform: Platform) -> None:
    async with soon_expiring(lines, platform) as (client, expires_at):
        answer = (200, "")
        while answer == (200, ""):  # an idle connection would be closed
            await asyncio.sleep(0.2)
            asked_at = datetime.now(UTC)
            answer = told(await client.get("/v1/platform"))
    assert answer == (403, "certificate_expired")
    assert asked_at > expires_at - timedelta(seconds=1)


async def test_without_a_certificate_of_the_authority_there_is_no_connection(
    lines: Lines, platform: Platform, tmp_path: Path
) -> None:
    expired = lines.authority.client(valid_for=-timedelta(minutes=1))
    of_another_authority = Authority(tmp_path, "another").client()
    meant_for_servers = lines.authority.server()
    await open_lines(platform, expired, of_another_authority, meant_for_servers)
    for issued in (expired, of_another_authority, meant_for_servers, None):
        context = client_tls(lines.authority.file, issued)
        async with httpx2.AsyncClient(verify=context, trust_env=False) as client:
            with pytest.raises(httpx2.TransportError):
                await client.get(f"{lines.leased_url}/health")
    with pytest.raises(httpx2.TransportError):
        async with httpx2.AsyncClient(trust_env=False) as client:
            await client.get(f"{lines.leased_url.replace('https', 'http')}/health")
    good = lines.authority.client()
    await open_lines(platform, good)
    assert await lines.answer(platform, over=good) == (200, ""), "after all that the listener still works"


async def test_an_operator_changes_the_lines_and_each_change_is_an_event(lines: Lines, platform: Platform) -> None:
    first, second = lines.authority.client(), lines.authority.client()
    printed_by_openssl = ":".join(second.sha256[at : at + 2] for at in range(0, 64, 2)).upper()
    number = platform.number
    steps = [
        (["add-certificate", number, str(first.certificate), "--note", "机房 [A] 2026"], 0, first.sha256),
        (["add-certificate", number, printed_by_openssl], 0, second.sha256),
        (["public-internet", number, "closed"], 0, "public internet closed"),
        (["public-internet", number, "closed"], 0, "was so already"),
        (["remove-certificate", number, str(first.certificate)], 0, second.sha256),
        (["show", number], 0, "leased line: 1 certificates"),
        (["remove-certificate", number, second.sha256], 0, "cannot call at all"),
        (["remove-certificate", number, first.sha256], 1, "not_found"),
        (["add-certificate", number, "12:34"], 1, "64 hexadecimal digits"),
        (["show", "NOBODY"], 1, "not_found"),
        (["public-internet", number, "open"], 0, "public internet open"),
    ]
    answers = await lines.escrow(*(["platform", "access", *arguments] for arguments, _, _ in steps))
    for (arguments, code, expected), (ended_with, said) in zip(steps, answers, strict=True):
        assert (ended_with, expected in said) == (code, True), f"{arguments}: {said}"

    events = (await platform.get("/events", kind="platform", object_no=platform.number)).json()["events"]
    changes = [event["body"]["access"] for event in events if event["event_type"] == "platform.access_changed"]
    numbers = [len(change["leased_line"]["client_certificates"]) for change in changes]
    assert numbers == [1, 2, 2, 1, 0, 0]
    assert [change["public_internet"] for change in changes] == [True, True, False, False, False, True]
    assert changes[0]["leased_line"]["client_certificates"][0]["note"] == "机房 [A] 2026"


async def test_the_file_that_opens_a_platform_opens_its_lines(lines: Lines, tmp_path: Path) -> None:
    certificate = lines.authority.client()
    file = tmp_path / "platform.yaml"
    opening = "platform_no: LEASED\nname: 专线平台\n"
    file.write_text(
        f"{opening}access:\n  public_internet: false\n  leased_line:\n    client_certificates:\n"
        f'      - sha256: "{certificate.sha256}"\n        note: 2026\n'.replace("note: 2026", 'note: "2026"')
    )
    [(code, said)] = await lines.escrow(["platform", "open", str(file)])
    assert code == 0, said
    assert "public internet closed" in said
    headers = {"Authorization": f"Bearer {said.split('shown this once: ')[1].strip()}"}
    context = client_tls(lines.authority.file, certificate)
    async with httpx2.AsyncClient(verify=context, headers=headers, trust_env=False) as client:
        assert told(await client.get(f"{lines.leased_url}/v1/platform")) == (200, "")
        assert told(await client.get(f"{lines.public_url}/v1/platform")) == (403, "public_internet_closed")

    file.write_text(opening)
    [(code, said)] = await lines.escrow(["platform", "open", str(file)])
    assert code == 0, said
    assert "public internet closed" in said, "a file that says nothing of access leaves it"


def asked_for(given: dict[str, str]) -> Settings:
    """Settings of an API with these variables."""
    documents = {name.removeprefix("ESCROW_").lower(): value for name, value in given.items()}
    keys = {"bank_key": "k", "data_key": "11" * 32, "index_key": "22" * 32}
    return Settings.model_validate({"DATABASE_URL": "postgresql://", "bank_url": "http://", **keys, **documents})


@pytest.mark.parametrize("missing", ["CERTIFICATE", "KEY", "CLIENT_CA"])
def test_a_leased_line_that_is_not_whole_is_told_at_the_start(tmp_path: Path, missing: str) -> None:
    given = settings_of(Authority(tmp_path, "bank"), free_port())
    del given[f"ESCROW_LEASED_LINE_{missing}_FILE"]
    with pytest.raises(SettingsError, match=f"ESCROW_LEASED_LINE_{missing}_FILE: not set"):
        leased_line_listener(asked_for(given))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("CERTIFICATE", "no certificate with its key"),
        ("KEY", "no certificate with its key"),
        ("CLIENT_CA", "no certif"),
    ],
)
@pytest.mark.parametrize("content", ["nonsense", None], ids=["nonsense", "no file"])
def test_a_file_that_cannot_be_used_is_told_at_the_start(
    tmp_path: Path, name: str, said: str, content: str | None
) -> None:
    wrong = tmp_path / "wrong.pem"
    if content is not None:
        wrong.write_text(content)
    given = settings_of(Authority(tmp_path, "bank"), free_port())
    with pytest.raises(SettingsError, match=rf"ESCROW_LEASED_LINE_{name}_FILE.*: {said}"):
        leased_line_listener(asked_for({**given, f"ESCROW_LEASED_LINE_{name}_FILE": str(wrong)}))


def test_a_key_with_a_passphrase_is_told_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    given = settings_of(Authority(tmp_path, "bank"), free_port())
    key = Path(given["ESCROW_LEASED_LINE_KEY_FILE"])
    unlocked = load_pem_private_key(key.read_bytes(), password=None)
    locked = BestAvailableEncryption(b"secret")
    key.write_bytes(unlocked.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    with pytest.raises(SettingsError, match="passphrase"):
        leased_line_listener(asked_for(given))


async def test_an_api_whose_leased_line_has_no_port_does_not_start(stack: Stack, tmp_path: Path) -> None:
    taken = stack.ports.api
    with pytest.raises(StackError, match=r"(?s)ended with code 2.*ESCROW_LEASED_LINE_PORT: .*in use"):
        async with another_api(stack, tmp_path, **settings_of(Authority(tmp_path, "bank"), taken)):
            pass
