"""What the API answers while something it stands on is away, and that it recovers by itself."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx2
import pytest

from escrow.stack.processes import Command, Member, free_port
from escrow.stack.up import ROOT, Stack, answers
from tests.api.documented import check_documented
from tests.api.platforms import PRICE_FEN, Platform
from tests.postgres import new_database
from tests.waiting import PATIENCE_SECONDS, until


@asynccontextmanager
async def another_api(stack: Stack, folder: Path, **environment: str) -> AsyncIterator[tuple[Member, str]]:
    """One more API process on the stack with other settings; the process and its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = Command(
        argv=[sys.executable, "-m", "api"],
        log_path=folder / "api.log",
        environment={**stack.environment, "ESCROW_API_PORT": str(port), **environment},
        folder=ROOT,
    )
    member = Member("another api", command, is_ready=lambda: answers(f"{url}/health"))
    await member.start()
    try:
        yield member, url
    finally:
        await member.stop()


def caller_of(platform: Platform, url: str) -> httpx2.AsyncClient:
    """A client of another API process with the platform's key."""
    return httpx2.AsyncClient(
        base_url=url,
        headers={"Authorization": platform.http.headers["Authorization"]},
        timeout=PATIENCE_SECONDS,
        trust_env=False,
        event_hooks={"response": [check_documented]},
    )


def assert_away(answer: httpx2.Response, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (503, code), answer.text
    assert int(answer.headers["retry-after"]) > 0


async def test_it_starts_and_tells_what_is_away_when_everything_is_away(
    platform: Platform, stack: Stack, tmp_path: Path
) -> None:
    nowhere = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "TEMPORAL_ADDRESS": "127.0.0.1:1"}
    async with another_api(stack, tmp_path, **nowhere) as (_, url), caller_of(platform, url) as http:
        assert (await http.get("/health")).json() == {"status": "ok"}
        assert_away(await http.get("/ready"), "ledger_unavailable")
        assert_away(await http.get("/v1/orders"), "ledger_unavailable")
        assert_away(await http.post("/v1/members", json={"member_no": "M"}), "ledger_unavailable")


async def test_a_fault_of_ours_is_a_problem_that_tells_nothing(
    platform: Platform, stack: Stack, tmp_path: Path
) -> None:
    """A database without our tables is such a fault."""
    bare = await new_database(stack.postgres, migrated=False)
    async with (
        another_api(stack, tmp_path, DATABASE_URL=bare.dsn) as (_, url),
        caller_of(platform, url) as http,
    ):
        answer = await http.get("/v1/orders")
        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
        assert "platform_key" not in answer.text
    assert "platform_key" in (tmp_path / "api.log").read_text()


async def test_while_temporal_is_away_reads_go_on_and_commands_are_told_to_repeat(
    platform: Platform, stack: Stack, tmp_path: Path
) -> None:
    await platform.paid_order()
    async with (
        another_api(stack, tmp_path, ESCROW_COMMAND_ANSWER_SECONDS="2") as (_, url),
        caller_of(platform, url) as http,
    ):
        assert (await http.get("/ready")).status_code == 200
        await stack.temporal.kill()
        try:
            assert_away(await http.get("/ready"), "temporal_unavailable")
            assert (await http.get("/v1/orders/D-1001")).status_code == 200
            start = {"request_no": "R-1", "by": "C-1"}
            assert_away(await http.post("/v1/orders/D-1001/start", json=start), "temporal_unavailable")
            withdrawal = {"withdrawal_no": "W-1", "member_no": "O-1", "principal_fen": 1}
            assert_away(await http.post("/v1/withdrawals", json=withdrawal), "temporal_unavailable")
        finally:
            await stack.temporal.start()

        async def started() -> bool:
            return (await http.post("/v1/orders/D-1001/start", json=start)).status_code == 200

        await until(started, "the command is carried out")
        assert (await http.get("/v1/orders/D-1001")).json()["released_fen"] == PRICE_FEN * 30 // 100 * 95 // 100


async def test_servers_keep_an_idle_connection_longer_than_clients_do(stack: Stack) -> None:
    """Else a call now and then meets the end of its connection, and nobody knows whether it was carried out."""
    kept_by_clients = httpx2.Limits().keepalive_expiry
    assert kept_by_clients is not None

    async def asked_twice(port: int, path: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for pause in (kept_by_clients + 1.0, 0.0):
            writer.write(f"HEAD {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 ")
            await asyncio.sleep(pause)
        writer.close()

    await asyncio.gather(asked_twice(stack.ports.api, "/health"), asked_twice(stack.ports.bank, "/sandbox/health"))


async def test_while_the_database_is_away_calls_are_told_to_repeat(platform: Platform, stack: Stack) -> None:
    await platform.paid_order()
    start = {"request_no": "R-1", "by": "C-1"}
    await stack.postgres.kill()
    try:
        assert_away(await platform.get("/orders/D-1001"), "ledger_unavailable")
        assert_away(await platform.post("/orders/D-1001/start", **start), "ledger_unavailable")
        assert (await platform.http.get("/health")).status_code == 200
    finally:
        await stack.postgres.start()

    async def started() -> bool:
        return (await platform.post("/orders/D-1001/start", **start)).status_code == 200

    await until(started, "the command is carried out")
    assert (await platform.get("/orders/D-1001")).json()["sequence_no"] == 3


async def test_without_a_worker_a_command_is_busy_and_its_repeat_goes_on(
    platform: Platform, stack: Stack, tmp_path: Path
) -> None:
    await platform.paid_order()
    start = {"request_no": "R-1", "by": "C-1"}
    async with (
        another_api(stack, tmp_path, ESCROW_COMMAND_ANSWER_SECONDS="3") as (_, url),
        caller_of(platform, url) as http,
    ):
        await stack.worker.kill()
        try:
            assert_away(await http.post("/v1/orders/D-1001/start", json=start), "order_busy")
            opening = {"withdrawal_no": "W-1", "member_no": "C-1", "principal_fen": 1}
            assert_away(await http.post("/v1/withdrawals", json=opening), "order_busy")
        finally:
            await stack.worker.start()
    answer = await platform.command("D-1001/start", "R-1", "C-1")
    assert answer["result"]["operation"] == "start"
    assert answer["order"]["sequence_no"] == 3


@pytest.mark.parametrize("seconds", [0.02, 0.06, 0.15])
async def test_an_api_killed_in_the_middle_of_a_call_loses_and_doubles_nothing(
    platform: Platform, stack: Stack, tmp_path: Path, seconds: float
) -> None:
    await platform.paid_order()
    start = {"request_no": "R-1", "by": "C-1"}
    async with another_api(stack, tmp_path) as (process, url), caller_of(platform, url) as http:
        call = asyncio.create_task(http.post("/v1/orders/D-1001/start", json=start))
        await asyncio.sleep(seconds)
        await process.kill()
        await asyncio.gather(call, return_exceptions=True)
    first = await platform.command("D-1001/start", "R-1", "C-1")
    again = await platform.command("D-1001/start", "R-1", "C-1")
    assert first["result"] == again["result"]
    assert first["result"]["released_fen"] == PRICE_FEN * 30 // 100 * 95 // 100
    balances = await platform.balances("C-1")
    assert balances["withdrawable_fen"] == first["result"]["released_fen"]


async def test_an_api_killed_while_the_last_command_of_an_order_runs_tells_the_repeat_what_it_did(
    platform: Platform, stack: Stack, tmp_path: Path
) -> None:
    """The workflow has ended by the time of the repeat; Temporal still knows the update, the ledger the consent."""
    await platform.paid_order()
    cancel = {"request_no": "R-1", "by": "O-1"}
    async with another_api(stack, tmp_path) as (process, url), caller_of(platform, url) as http:
        await stack.worker.kill()
        call = asyncio.create_task(http.post("/v1/orders/D-1001/cancel", json=cancel))
        await asyncio.sleep(0.5)
        await process.kill()
        await asyncio.gather(call, return_exceptions=True)
        await stack.worker.start()
    answer = await platform.command("D-1001/cancel", "R-1", "O-1")
    assert answer["order"]["status"] == "cancelled"
    assert answer["result"]["refunded_fen"] == PRICE_FEN


async def test_the_outcome_of_an_ended_orders_last_command_is_known_without_the_kept_answer(
    platform: Platform, stack: Stack
) -> None:
    """As if the API had died after the order ended and before it kept the answer."""
    await platform.paid_order()
    first = await platform.command("D-1001/cancel", "R-1", "O-1")
    await forget_outcome(stack, platform.number, "R-1")
    again = await platform.command("D-1001/cancel", "R-1", "O-1")
    assert again == first


async def forget_outcome(stack: Stack, platform_no: str, consent_no: str) -> None:
    connection = await asyncpg.connect(stack.postgres.dsn)
    await connection.execute(
        "UPDATE consent SET outcome = NULL WHERE platform_no = $1 AND consent_no = $2", platform_no, consent_no
    )
    await connection.close()
