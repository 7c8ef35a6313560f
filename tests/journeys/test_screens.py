"""What operators see in the Temporal UI, looked at with a real browser; SCREENS_FOLDER keeps the pictures."""

import json
import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.async_api import Error, Page, async_playwright

from tests.api.platforms import PRICE_FEN
from tests.chromium import chromium_path
from tests.journeys.conftest import Journey
from tests.waiting import PATIENCE_MILLISECONDS, until
from workflows.messages import order_workflow_id

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: Columns of the list as an operator chooses them once in the UI, which keeps them in the browser.
_COLUMNS = json.dumps(
    {
        "default": [
            {"label": label}
            for label in ("Status", "Workflow ID", "OrderStatus", "Stage", "Owner", "Contractor", "AmountFen")
        ]
    }
)
_BYTES_AT_MOST = 300_000
_WIDTH = 1440
_DRAWN_MILLISECONDS = 1_500


@pytest.fixture(scope="module")
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=_FLAGS)
        page = await browser.new_page(color_scheme="light")
        await page.add_init_script(f"localStorage.setItem('namespace-workflow-table-columns', '{_COLUMNS}')")
        page.set_default_timeout(PATIENCE_MILLISECONDS)
        yield page
        await browser.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(os.environ.get("SCREENS_FOLDER", tmp_path))


async def look_at(page: Page, url: str, *, height: int) -> None:
    """Open a page in a window so high: the UI draws only what the window shows."""
    await page.set_viewport_size({"width": _WIDTH, "height": height})
    await page.goto(url)


async def is_told(page: Page, text: str) -> bool:
    """Whether a text stands on the page or in one of its frames, in which the UI shows what workflows say."""
    for frame in page.frames:
        try:
            if await frame.get_by_text(text).count():
                return True
        except Error:
            if not frame.is_detached():  # the UI replaces its frames whenever it refreshes
                raise
    return False


async def picture(page: Page, path: Path) -> None:
    """Take a picture of the window, of a size that suits a README."""
    await page.wait_for_timeout(_DRAWN_MILLISECONDS)
    await page.screenshot(path=path)
    assert 10_000 < path.stat().st_size < _BYTES_AT_MOST


async def test_an_operator_sees_orders_filtered_their_timeline_and_their_details(
    journey: Journey, page: Page, folder: Path
) -> None:
    workflow_id, query = await _orders_in_every_state(journey)
    run_id = (await journey.client.get_workflow_handle(workflow_id).describe()).run_id
    workflows = f"{journey.stack.temporal.ui_url}/namespaces/default/workflows"

    await look_at(page, f"{workflows}?query={quote(query)}", height=560)
    await page.get_by_role("link", name=workflow_id, exact=True).first.wait_for()
    assert await page.get_by_text("D-1004").count() == 0
    await picture(page, folder / "workflow-list.png")

    of_order = f"{workflows}/{quote(workflow_id, safe='')}/{run_id}"
    await look_at(page, f"{of_order}/timeline", height=1500)
    for summary in (
        "payment by the owner",
        "M3: remind the owner",
        "acceptance of M3 竣工验收 by the owner or by silence",
    ):
        await page.get_by_text(summary).first.wait_for()
    await picture(page, folder / "order-timeline.png")

    await look_at(page, f"{of_order}/history", height=2500)
    await page.get_by_text("O-1: accept M2").first.wait_for()

    await look_at(page, f"{of_order}/user-metadata", height=960)
    for text in (
        "186,000.00 yuan in 4 milestones",
        "D-1001: in progress",
        "acceptance of M3 竣工验收 by the owner or by silence, until",
        "in escrow 74,400.00",
        "M2 水电验收",
        "This has no basis that holds",
    ):
        await until(partial(is_told, page, text), f"the page tells {text!r}")
    await picture(page, folder / "order-details.png")


async def _orders_in_every_state(journey: Journey) -> tuple[str, str]:
    """Four orders of one platform; answers the workflow id of the most eventful, and a query that lists three."""
    platform = journey.platform
    card = await platform.open_owner()
    await platform.open_contractor()
    await platform.top_up(card, 3 * PRICE_FEN)
    for number in ("D-1001", "D-1002", "D-1003", "D-1004"):
        await platform.open_order(number)
    for number in ("D-1001", "D-1002", "D-1003"):
        await platform.command(f"{number}/pay", f"{number}-pay", "O-1")
        await platform.command(f"{number}/start", f"{number}-start", "C-1")
    await platform.command("D-1001/milestones/2/complete", "R-1", "C-1")
    await platform.command("D-1001/milestones/2/rectify", "R-2", "O-1")
    await platform.command("D-1001/milestones/2/complete", "R-3", "C-1")
    await platform.command("D-1001/milestones/2/accept", "R-4", "O-1")
    await journey.days_pass(12)
    await platform.command("D-1001/milestones/3/complete", "R-5", "C-1")
    await journey.days_pass(6.2)
    await journey.signal("accept", '{"request_no": "R-none", "by": "O-1", "milestone": 3}')
    await platform.command("D-1002/milestones/2/complete", "R-6", "C-1")
    query = f'Platform="{platform.number}" AND OrderStatus="in_progress"'

    async def listed() -> bool:
        return len(await journey.orders_found(query)) == 3

    await until(listed, "the server lists it")
    return order_workflow_id(platform.number, "D-1001"), query
