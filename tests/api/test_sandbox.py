"""What only a sandbox stack has: time that is let pass for one platform, its text messages, platforms for tests."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from api.main import create_app
from escrow.ledger.days import accounting_day
from escrow.ledger.engine import Recorder
from escrow.ledger.personal_data import PersonalDataBox
from escrow.migrations.migrate import migrate
from escrow.registry.platforms.file import PlatformFile
from escrow.registry.registry import Registry
from escrow.settings import Settings
from escrow.stack.postgres import PostgresServer
from escrow.stack.up import Stack
from tests.api.conftest import DATA_KEY, INDEX_KEY
from tests.api.documented import OPERATIONS
from tests.api.platforms import Platform, PlatformMaker
from tests.pages.member import Visitor
from tests.postgres import new_database

_MOMENT = timedelta(minutes=2)
#: A Sunday at dawn, long ago.
_SUNDAY_DAWN = "2025-10-12T06:15:00+08:00"


async def time_of(platform: Platform) -> datetime:
    return datetime.fromisoformat((await platform.get("/sandbox/clock")).json()["now"])


async def skip(platform: Platform, **how: Any) -> datetime:
    answer = await platform.post("/sandbox/skip", **{"request_no": f"skip-{uuid4().hex}", **how})
    assert answer.status_code == 200, answer.text
    return datetime.fromisoformat(answer.json()["now"])


async def test_time_passes_for_one_platform_its_day_and_its_bank_account_and_for_no_other(
    platform: Platform, platforms: PlatformMaker
) -> None:
    other = await platforms.open()
    before, before_of_other = await time_of(platform), await time_of(other)

    after = await skip(platform, days=7, hours=1)

    assert timedelta(days=7, hours=1) <= after - before < timedelta(days=7, hours=1) + _MOMENT
    assert await time_of(platform) - after < _MOMENT
    assert abs(await platform.bank.clock(platform.custody_account_no) - after) < _MOMENT
    assert await accounting_day(platform.registry.recorder, platform.number) == after.date()
    assert await time_of(other) - before_of_other < _MOMENT
    assert abs(await other.bank.clock(other.custody_account_no) - await time_of(other)) < _MOMENT


async def test_a_repeated_skip_lets_no_more_time_pass_and_its_number_means_nothing_else(platform: Platform) -> None:
    first = await skip(platform, request_no="S-1", days=3)
    assert await skip(platform, request_no="S-1", days=3) - first < _MOMENT
    other = await platform.post("/sandbox/skip", request_no="S-1", days=4)
    assert (other.status_code, other.json()["code"]) == (409, "request_no_reused")
    assert await skip(platform, until=first.isoformat()) - first < _MOMENT, "a moment that is past changes nothing"


@pytest.mark.parametrize("how", [{}, {"days": 0}, {"days": 1, "order_no": "D-1"}, {"days": -1}, {"until": "tomorrow"}])
async def test_it_must_be_said_how_far(platform: Platform, how: dict[str, Any]) -> None:
    answer = await platform.post("/sandbox/skip", request_no="S-1", **how)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_nothing_is_skipped_for_what_does_not_wait(platform: Platform) -> None:
    answer = await platform.post("/sandbox/skip", request_no="S-1", order_no="D-404")
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_due")


async def test_a_platform_for_tests_begins_at_any_moment_and_is_opened_once(stack: Stack) -> None:
    file = {"platform_no": f"T-{uuid4().hex[:8]}", "name": "试验平台"}
    opening = {"platform_file": file, "begin_at": _SUNDAY_DAWN}
    async with httpx2.AsyncClient(base_url=stack.api_url, trust_env=False, timeout=60) as http:
        opened = await http.post("/v1/sandbox/platforms", json=opening)
        again = await http.post("/v1/sandbox/platforms", json=opening)
        other = await http.post("/v1/sandbox/platforms", json={"platform_file": {**file, "name": "别的平台"}})
        assert (opened.status_code, again.status_code) == (201, 200), again.text
        assert (other.status_code, other.json()["code"]) == (409, "request_no_reused")
        for key in (opened.json()["key"], again.json()["key"]):
            clock = await http.get("/v1/sandbox/clock", headers={"Authorization": f"Bearer {key}"})
            shown = datetime.fromisoformat(clock.json()["now"])
            assert timedelta() <= shown - datetime.fromisoformat(_SUNDAY_DAWN) < _MOMENT


async def test_nobody_gets_a_key_to_a_platform_that_an_operator_opened(platform: Platform, stack: Stack) -> None:
    async with httpx2.AsyncClient(base_url=stack.api_url, trust_env=False, timeout=60) as http:
        file = {"platform_no": platform.number, "name": "好家装修平台有限公司"}
        answer = await http.post("/v1/sandbox/platforms", json={"platform_file": file})
    assert (answer.status_code, answer.json()["code"]) == (409, "object_exists")


async def test_a_platform_reads_its_own_text_messages(platform: Platform, platforms: PlatformMaker) -> None:
    other = await platforms.open()
    await platform.open_owner()
    link = await platform.post("/members/O-1/payment-password-links", request_no="PL-1", purpose="set")
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as browser:
        await Visitor(browser).fill_in(link.json()["url"], action="send")
    sent = (await platform.get("/sandbox/sms")).json()["items"]
    assert [message["mobile"] for message in sent] == ["13800000001"]
    assert (await other.get("/sandbox/sms")).json()["items"] == []


@pytest.fixture
async def real_money(server: PostgresServer) -> AsyncIterator[tuple[httpx2.AsyncClient, str]]:
    """The API over books that nobody marked as a sandbox's, and a key."""
    database = await new_database(server, migrated=False)
    await migrate(database.dsn)
    settings = Settings.model_validate(
        {
            "DATABASE_URL": database.dsn,
            "bank_url": "http://127.0.0.1:1",
            "bank_key": "k",
            "data_key": DATA_KEY,
            "index_key": INDEX_KEY,
        }
    )
    recorder = Recorder(database.dsn)
    registry = Registry(recorder, PersonalDataBox.from_hex(data_key=DATA_KEY, index_key=INDEX_KEY))
    await registry.open_platform(PlatformFile(platform_no="HOME", name="好家"), custody_account_no="1")
    issued = await registry.platforms.issue_key("HOME")
    await recorder.close()
    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://api") as http,
    ):
        yield http, issued.key


async def test_elsewhere_none_of_this_exists(real_money: tuple[httpx2.AsyncClient, str]) -> None:
    http, key = real_money
    bodies: dict[str, dict[str, Any]] = {
        "/v1/sandbox/skip": {"request_no": "S-1", "days": 1},
        "/v1/sandbox/platforms": {"platform_file": {"platform_no": "T-1", "name": "试验平台"}},
    }
    operations = [(method, path) for method, path in OPERATIONS if path.startswith("/v1/sandbox/")]
    assert len(operations) == 4
    for method, path in operations:
        headers = {"Authorization": f"Bearer {key}"}
        answer = await http.request(method, path, json=bodies.get(path), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
