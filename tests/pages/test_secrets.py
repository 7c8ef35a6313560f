"""After a run with a password and codes, neither stands in any log, row, history, event or answer."""

from pathlib import Path

import asyncpg
import pytest
from temporalio.client import Client

from escrow.stack.up import Stack
from tests.api.platforms import Platform, PlatformMaker
from tests.pages.member import PASSWORD, Visitor, ask_acceptance, newest_code, order_to_accept

#: Planted where each search must find it, so that a search that finds nothing is known to have looked.
CANARY = "canary-planted-3f9c"
_ROWS = """
SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
"""


async def found_in_rows(stack: Stack, needle: str) -> list[str]:
    """Tables in which some column of some row carries the text."""
    connection = await asyncpg.connect(stack.postgres.dsn)
    try:
        found = []
        for (table,) in await connection.fetch(_ROWS):
            query = f'SELECT count(*) FROM "{table}" t WHERE position($1 in t::text) > 0 OR position($2 in t::text) > 0'
            if await connection.fetchval(query, needle, needle.encode().hex()):
                found.append(table)
        return found
    finally:
        await connection.close()


def found_in_files(folder: Path, needle: str) -> list[str]:
    """Logs of our own processes that carry the text."""
    names = ("api.log", "worker-1.log")
    return [name for name in names if needle.encode() in (folder / name).read_bytes()]


async def found_in_histories(stack: Stack, needle: str) -> list[str]:
    """Workflows whose history carries the text, in plain or as it stands in JSON."""
    client = await Client.connect(stack.temporal.address)
    found = []
    async for workflow in client.list_workflows():
        handle = client.get_workflow_handle(workflow.id, run_id=workflow.run_id)
        async for event in handle.fetch_history_events():
            if needle.encode() in event.SerializeToString():
                found.append(workflow.id)
                break
    return found


async def everywhere(stack: Stack, platform: Platform, needle: str) -> dict[str, list[str]]:
    """Where the text stands."""
    events = (await platform.get("/events", limit=200)).text
    return {
        "rows": await found_in_rows(stack, needle),
        "files": found_in_files(stack.folder, needle),
        "histories": await found_in_histories(stack, needle),
        "events": ["events"] if needle in events else [],
    }


@pytest.mark.parametrize("method", ["payment_password", "sms_code"])
async def test_neither_password_nor_code_is_left_behind(
    platforms: PlatformMaker, visitor: Visitor, stack: Stack, method: str
) -> None:
    platform = await order_to_accept(platforms, visitor, method=method)
    asked = await ask_acceptance(platform, f"R-{CANARY}")
    if method == "sms_code":
        await visitor.fill_in(asked["url"], action="send")
        secret = await newest_code(platform.bank)
        await visitor.fill_in(asked["url"], action="confirm", code="x" + secret)
        page = await visitor.fill_in(asked["url"], action="confirm", code=secret)
    else:
        secret = PASSWORD
        await visitor.fill_in(asked["url"], action="confirm", password="wrong-one")
        page = await visitor.fill_in(asked["url"], action="confirm", password=secret)
    assert "已完成" in page.text
    with (stack.folder / "api.log").open("a") as log:
        log.write(f"{CANARY}\n")

    planted = await everywhere(stack, platform, CANARY)
    assert {"consent", "page_link", "basis_use"} <= set(planted["rows"])
    assert planted["files"] == ["api.log"]
    assert f"order/{platform.number}/D-1001" in planted["histories"]

    token = asked["url"].rsplit("/", 1)[-1]
    for text in (token,) if method == "sms_code" else (token, secret):
        assert await everywhere(stack, platform, text) == {"rows": [], "files": [], "histories": [], "events": []}
    if method == "sms_code":
        await _no_code_left(stack, platform, secret)
    assert not [answer for answer in visitor.answers if secret in answer.text + str(answer.headers)]


async def _no_code_left(stack: Stack, platform: Platform, code: str) -> None:
    """Six digits also stand by chance in digests and times, so only whole words count."""
    connection = await asyncpg.connect(stack.postgres.dsn)
    for (table,) in await connection.fetch(_ROWS):
        query = f"""SELECT count(*) FROM "{table}" t WHERE t::text ~ ('[^0-9a-f.]' || $1 || '[^0-9a-f]')"""
        assert await connection.fetchval(query, code) == 0, table
    await connection.close()
