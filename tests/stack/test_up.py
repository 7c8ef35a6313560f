"""The whole stack on one machine: up in order, down in order, one per folder, nothing left behind."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx2
import psutil
import pytest

from escrow.stack.processes import StackError
from escrow.stack.up import Ports, Stack, answers, environment_of_running_stack
from tests.waiting import PATIENCE_SECONDS, until, within_reason

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with Stack(tmp_path_factory.mktemp("stack"), ports=Ports(), workers=2) as running:
        yield running


async def test_every_member_is_ready_once_the_stack_is_up(stack: Stack) -> None:
    await until(lambda: answers(f"{stack.api_url}/ready"), "it answers")
    await until(lambda: answers(stack.temporal.ui_url), "it answers")
    await until(lambda: answers(f"{stack.bank_url}/sandbox/health"), "it answers")
    assert len({worker.pid for worker in stack.workers}) == 2
    assert None not in {worker.pid for worker in stack.workers}


async def test_other_commands_find_the_running_stack(stack: Stack) -> None:
    found = environment_of_running_stack(stack.folder)
    assert found["DATABASE_URL"] == stack.postgres.dsn_as("escrow_app")
    assert found["DATABASE_OWNER_URL"] == stack.postgres.dsn
    assert found["TEMPORAL_ADDRESS"] == stack.temporal.address
    assert (stack.folder / "environment").stat().st_mode & 0o077 == 0


async def test_a_killed_worker_stays_down_and_its_fellow_stays_up(stack: Stack) -> None:
    fellow = stack.workers[1].pid
    await stack.worker.kill()
    assert stack.worker.pid is None
    assert stack.workers[1].pid == fellow
    await stack.worker.start()
    assert stack.worker.running


async def test_what_dies_by_itself_is_started_again(stack: Stack) -> None:
    first = stack.api.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: stack.api.pid not in {None, first}, "another API is started")
    await stack.api.start()
    await until(lambda: answers(f"{stack.api_url}/ready"), "it answers")


async def test_a_second_stack_on_the_same_folder_is_refused(stack: Stack) -> None:
    with pytest.raises(StackError, match="already"):
        await Stack(stack.folder, ports=Ports()).start()


async def test_links_to_hosted_pages_lead_to_what_they_say_and_can_be_made_again(stack: Stack) -> None:
    first, second = await links_of(stack), await links_of(stack)
    assert len(first | second) == 8
    async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as http:
        pages = [(await http.get(link, params={"lang": "en"})).raise_for_status().text for link in sorted(second)]
    for sign in ("<svg", 'id="pay"', "Set your payment password", "Accept the stage"):
        assert sum(sign in page for page in pages) == 1, sign
    assert "every invariant of the books holds" in await said_by(stack, "verify", "TRY")


async def links_of(stack: Stack) -> set[str]:
    """The links that `escrow links` shows."""
    return set(re.findall(r"http://\S+", await said_by(stack, "links")))


async def said_by(stack: Stack, *arguments: str) -> str:
    """What a command says that must succeed."""
    command = ["-c", "from escrow.cli import main; main()", "--stack", str(stack.folder), *arguments]
    ours = {name: value for name, value in os.environ.items() if not name.startswith("ESCROW_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=ROOT, env=ours, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await within_reason(process.communicate(), f"{arguments} ends")
    assert process.returncode == 0, said.decode()
    return said.decode()


async def test_no_log_shows_a_key(stack: Stack) -> None:
    keys = [path.read_text() for path in (stack.folder / "keys").iterdir()]
    logs = [path.read_text(errors="replace") for path in stack.folder.rglob("*.log")]
    assert len(keys) >= 3
    assert len(logs) >= 6
    assert not any(key in log for key in keys for log in logs)


async def up(folder: Path) -> tuple[asyncio.subprocess.Process, list[psutil.Process]]:
    """`escrow up` on free ports, once it says that it is up, and all its children."""
    ports = Ports()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from escrow.cli import main; main()",
        "up",
        *("--data", str(folder), "--api-port", str(ports.api), "--bank-port", str(ports.bank)),
        *("--temporal-port", str(ports.temporal), "--temporal-ui-port", str(ports.temporal_ui)),
        cwd="/",
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    while line := await within_reason(process.stdout.readline(), "the stack is up"):
        if b"Ctrl-C" in line:
            return process, psutil.Process(process.pid).children(recursive=True)
    raise AssertionError("escrow up ended before it was up")


async def test_sigterm_ends_everything_in_order_with_code_0(tmp_path: Path) -> None:
    process, children = await up(tmp_path / "data")
    assert len(children) >= 5
    assert process.stdout is not None
    while b"/pages/cashier/" not in (line := await within_reason(process.stdout.readline(), "links are shown")):
        assert line, "no links to hosted pages were shown"
    process.terminate()
    assert await within_reason(process.wait(), "escrow up ends") == 0
    assert not [child for child in children if child.is_running()]
    assert environment_of_running_stack(tmp_path / "data") == {}


async def test_a_killed_stack_leaves_nothing_behind_and_comes_up_again(tmp_path: Path) -> None:
    process, children = await up(tmp_path / "data")
    process.kill()
    await process.wait()
    _, left = await asyncio.to_thread(psutil.wait_procs, children, timeout=PATIENCE_SECONDS)
    assert left == []
    process, _ = await up(tmp_path / "data")
    process.send_signal(signal.SIGINT)
    assert await within_reason(process.wait(), "escrow up ends") == 0


async def test_no_statement_of_the_application_can_become_the_owner_of_the_tables(stack: Stack) -> None:
    connection = await asyncpg.connect(stack.environment["DATABASE_URL"])
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("SET ROLE escrow_owner")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM entry_line")
    finally:
        await connection.close()
