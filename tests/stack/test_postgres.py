"""PostgreSQL as our child: it comes back, keeps what was committed, and does not outlive us."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from escrow.stack.postgres import PostgresServer
from escrow.stack.processes import StackError
from tests.waiting import until


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[PostgresServer]:
    running = PostgresServer(tmp_path / "postgres")
    await running.start()
    yield running
    await running.stop()


async def ask(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_the_owner_of_the_database_is_no_superuser(server: PostgresServer) -> None:
    assert await ask(server.dsn, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    assert await ask(server.dsn, "SELECT current_user") == server.owner


async def test_it_does_not_run_as_root_and_listens_on_its_private_socket_only(server: PostgresServer) -> None:
    assert server.pid is not None
    assert Path(f"/proc/{server.pid}").stat().st_uid != 0
    assert await ask(server.dsn, "SHOW listen_addresses") == ""
    assert server.socket_folder.stat().st_mode & 0o077 == 0


async def test_what_was_committed_survives_a_crash_that_nobody_asked_for(server: PostgresServer) -> None:
    connection = await asyncpg.connect(server.dsn)
    await connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    first = server.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: server.pid not in {None, first}, "another server is started")
    await server.start()
    assert server.restarts == 1
    assert await ask(server.dsn, "SELECT number FROM kept") == 7
    await connection.close(timeout=1)


async def test_a_killed_server_stays_down_until_it_is_started(server: PostgresServer) -> None:
    await server.kill()
    await asyncio.sleep(0.3)
    assert server.pid is None
    with pytest.raises(OSError):  # noqa: PT011 - refused or not found, as the socket file is left or not
        await ask(server.dsn, "SELECT 1")
    await server.start()
    assert await ask(server.dsn, "SELECT 1") == 1


async def test_who_is_connected_to_a_killed_server_is_served_no_more(server: PostgresServer) -> None:
    busy, looking = await asyncpg.connect(server.dsn), await asyncpg.connect(server.dsn)
    # Longer than a kill takes on any machine; row by row, so that none is kept.
    counting = asyncio.create_task(busy.fetchval("SELECT count(*) FROM (SELECT generate_series(1, 1000000000))"))

    async def at_work() -> bool:
        pid = busy.get_server_pid()
        state: str = await looking.fetchval("SELECT state FROM pg_stat_activity WHERE pid = $1", pid)
        return state == "active"

    await until(at_work, "it counts")

    await server.kill()

    with pytest.raises(asyncpg.PostgresConnectionError):
        await counting
    await server.start()


async def test_a_second_owner_attaches_and_leaves_the_server_alone(server: PostgresServer) -> None:
    second = PostgresServer(server.folder)
    await second.start()
    assert second.attached
    with pytest.raises(StackError, match="belongs to another process"):
        await second.kill()
    await second.stop()
    assert await ask(server.dsn, "SELECT 1") == 1


async def test_a_half_made_cluster_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "postgres" / "cluster.new").mkdir(parents=True)
    (tmp_path / "postgres" / "cluster.new" / "PG_VERSION").write_text("18\n")
    server = PostgresServer(tmp_path / "postgres")
    await server.start()
    assert await ask(server.dsn, "SELECT 1") == 1
    await server.stop()


async def test_a_long_path_gets_a_short_socket_that_a_second_process_finds(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 25)
    assert PostgresServer(folder).socket_folder == PostgresServer(folder).socket_folder
    server = PostgresServer(folder)
    await server.start()
    assert len(str(server.socket_folder)) < 90
    assert await ask(server.dsn, "SELECT 1") == 1
    await server.stop()
    assert not server.socket_folder.exists()
    await server.start()
    assert await ask(server.dsn, "SELECT 1") == 1
    await server.stop()


async def test_a_socket_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "postgres")
    server.socket_folder.mkdir(parents=True)
    server.socket_folder.chmod(0o777)
    with pytest.raises(StackError, match="open to others"):
        await server.start()
    server.socket_folder.rmdir()


async def test_it_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    script = (
        "import asyncio, pathlib, sys\n"
        "from escrow.stack.postgres import PostgresServer\n"
        "async def main():\n"
        "    server = PostgresServer(pathlib.Path(sys.argv[1]))\n"
        "    await server.start()\n"
        "    print(server.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(tmp_path / "postgres"), stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    pid = int(await owner.stdout.readline())
    owner.kill()
    await owner.wait()
    await until(lambda: not psutil.pid_exists(pid), "the server ends")
    if (left := PostgresServer(tmp_path / "postgres").socket_folder).exists():
        left.rmdir()
