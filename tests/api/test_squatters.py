"""Somebody sits at the ids of our processes and answers what these are asked, as it likes: the books answer, or nobody.

Every update that the API sends, and every process that it starts, meets every answer of a squatter: lies that look
like ours, refusals that nobody made, what is of another shape, and what is not even JSON.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from temporalio.client import Client

from escrow.domain.platforms.config import PlatformConfig
from escrow.stack.payloads import data_converter
from escrow.stack.up import Stack
from tests.api.payers import card_of, mandate_body, open_payer
from tests.api.platforms import PRICE_FEN, Platform, PlatformMaker, created, order_body
from tests.api.test_account_verifications import CONSENT, own_money
from tests.api.test_away import another_api, caller_of
from tests.api.test_thief import end_by_hand, start_by_hand
from tests.servers import ROUNDS_ARE_RARE, making_platforms, running_stack
from tests.squatters import ANSWERS, MARK, squatters
from tests.waiting import until
from workflows.messages import PROCESSES

_CARD = card_of("622202", 1)
_ACCOUNTS = "/members/O-1/bank-accounts"
#: Every update that the API sends: kind and number of the object, path and body of the call, and what the call is
#: answered, in part, when the process itself is asked again.
UPDATES: Mapping[str, tuple[str, str, str, dict[str, Any], str]] = {
    "order": (
        "order", "D-1001", "/orders/D-1001/start", {"request_no": "R-1", "by": "C-1"}, '"operation":"start"'
    ),
    "send_code": ("pay_in", "T-1", "/top-ups/T-1/sms-codes", {"request_no": "S-1"}, '"status":"awaiting_payer"'),
    "compare_code": (
        "pay_in", "T-2", "/top-ups/T-2/confirm", {"request_no": "R-2", "code": "000000"}, '"outcome":"wrong"'
    ),
    "send_again": (
        "account_verification", "V-1", f"{_ACCOUNTS}/A-1/verify/V-1/resend", {"request_no": "S-2"},
        "",  # sent, or too soon after this one: whichever the process did first
    ),
    "confirm": (
        "account_verification", "V-2", f"{_ACCOUNTS}/A-2/verify/V-2/confirm-amount",
        {"request_no": "R-3", "amount_fen": 99, "reference": "AAAAA"}, '"outcome":"wrong"',
    ),
}  # fmt: skip
#: What begins a process, at whose id somebody sits already.
STARTS: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "order": ("D-2", "/orders", order_body("D-2")),
    "withdrawal": ("W-1", "/withdrawals", {"withdrawal_no": "W-1", "member_no": "O-1", "principal_fen": 100}),
    "pay_in": (
        "T-3",
        "/top-ups",
        {"top_up_no": "T-3", "member_no": "O-1", "method": "qr_wechat", "amount_fen": 100},
    ),
    "payment": ("P-1", "/payments", {"payment_no": "P-1", "payer_no": "O-1", "payee_no": "C-1", "amount_fen": 100}),
    "batch_payment": (
        "B-1",
        "/batch-payments",
        {"batch_no": "B-1", "payer_no": "O-1", "orders": [{"order_no": "D-3", "amount_fen": 1_000_000}]},
    ),
    "mandate": ("M-1", "/members/O-1/mandates", mandate_body("M-1")),
    "identity_check": (
        "IC-1",
        "/members/O-2/identity-checks",
        {"request_no": "IC-1", "id_no": "11010119900307555X", "consent": CONSENT},
    ),
    "account_verification": ("V-3", f"{_ACCOUNTS}/A-3/verify/micro-deposit", {"request_no": "V-3", "consent": CONSENT}),
    "member_closing": ("O-3/CL-1", "/members/O-3/close", {"request_no": "CL-1"}),
}


async def scene(platforms: PlatformMaker) -> Platform:
    """A platform on which everything can be asked for, and has not been yet."""
    config = {"sms_codes_by_api": True, "top_up_settlement": "T+0"}
    platform = await platforms.open(PlatformConfig.model_validate(config))
    await open_payer(platform)
    await platform.open_contractor()
    for member_no in ("O-2", "O-3"):
        await created(
            platform.post("/members", member_no=member_no, kind="person", name="王小明", mobile="13800000001")
        )
    for number in (1, 2, 3):
        await created(
            platform.post(
                _ACCOUNTS,
                account_id=f"A-{number}",
                account_no=card_of("622202", 7_000 + number),
                account_name="全渠道",
                is_corporate=False,
                cnaps_code="102100099996",
            )
        )
    await own_money(platform)
    await platform.bank.transfer(
        custody_account_no=platform.custody_account_no,
        amount_fen=PRICE_FEN * 2,
        account_no=_CARD,
        account_name="全渠道",
    )
    await platform.open_order()
    await platform.open_order("D-3", total_fen=1_000_000)
    for top_up_no in ("T-1", "T-2"):
        quick = {"member_no": "O-1", "method": "quick", "account_id": "A-O-1", "amount_fen": 10_000}
        await created(platform.post("/top-ups", top_up_no=top_up_no, **quick))
    await platform.command("D-1001/pay", "R-0", "O-1")
    await created(platform.post(f"{_ACCOUNTS}/A-2/verify/micro-deposit", request_no="V-2", consent=CONSENT))
    return platform


def is_busy(answer: httpx2.Response) -> bool:
    """Whether nobody is said to have answered."""
    return answer.status_code == 503 and bool(answer.json()["code"] == "order_busy")


@pytest_asyncio.fixture(scope="module")
async def stack() -> AsyncIterator[Stack]:
    """A stack in which nobody goes round and ends those who sit there."""
    async with running_stack(of_worker=ROUNDS_ARE_RARE) as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def platforms(stack: Stack) -> AsyncIterator[PlatformMaker]:
    async with making_platforms(stack) as maker:
        yield maker


@pytest.fixture
async def client(stack: Stack) -> Client:
    return await Client.connect(stack.temporal.address, data_converter=data_converter)


async def test_what_somebody_else_answers_to_an_update_is_not_even_read(
    stack: Stack, platforms: PlatformMaker, client: Client, tmp_path: Path
) -> None:
    platform = await scene(platforms)
    told: list[tuple[str, httpx2.Response]] = []
    async with (
        another_api(stack, tmp_path, ESCROW_COMMAND_ANSWER_SECONDS="2") as (_, url),
        caller_of(platform, url) as http,
    ):
        async with squatters(client) as them:
            handles = [
                await them.sit_at(PROCESSES[kind].workflow_id(platform.number, number))
                for kind, number, *_ in UPDATES.values()
            ]
            await http.post(f"/v1{_ACCOUNTS}/A-1/verify/micro-deposit", json={"request_no": "V-1", "consent": CONSENT})
            calls = [(path, body) for _, _, path, body, _ in UPDATES.values() for _ in ANSWERS]
            # Until each has given every answer: a slow machine's API gives up before some are heard.
            while min([await handle.query("answered", result_type=int) for handle in handles]) < len(ANSWERS):
                answers = await asyncio.gather(*(http.post(f"/v1{path}", json=body) for path, body in calls))
                told += zip([path for path, _ in calls], answers, strict=True)
        assert [(path, answer.text) for path, answer in told if not is_busy(answer)] == []
        assert not any(MARK in answer.text for _, answer in told)
    for name, (_, _, path, body, part) in UPDATES.items():
        now = await platform.post(path, **body)
        assert not is_busy(now), (name, now.text)
        assert part in now.text, (name, now.text)


async def test_who_sits_where_a_process_is_to_begin_says_nothing(
    stack: Stack, platforms: PlatformMaker, client: Client, tmp_path: Path
) -> None:
    assert STARTS.keys() | {"refund", "assignment", "reversal"} == PROCESSES.keys(), "a kind that is new is thought of"
    platform = await scene(platforms)
    async with (
        another_api(stack, tmp_path, ESCROW_COMMAND_ANSWER_SECONDS="2") as (_, url),
        caller_of(platform, url) as http,
        squatters(client) as them,
    ):
        for kind, (number, *_) in STARTS.items():
            await them.sit_at(PROCESSES[kind].workflow_id(platform.number, number))
        calls = list(STARTS.values())
        told = await asyncio.gather(*(http.post(f"/v1{path}", json=body) for _, path, body in calls))
        for (_, path, _), answer in zip(calls, told, strict=True):
            assert is_busy(answer) or answer.status_code in (200, 201, 202), (path, answer.text)
            assert MARK not in answer.text
        assert (await platform.balances("C-1"))["available_fen"] == 0, "nothing was paid"
    for number, path, begun in STARTS.values():
        now = await platform.post(path, **begun)
        assert now.status_code in (200, 201, 202), (number, now.text)


async def test_who_sits_at_the_id_of_an_order_delays_it_and_no_more(stack: Stack, platform: Platform) -> None:
    await platform.open_owner()
    await platform.open_contractor()
    await start_by_hand(stack, platform, "D-1001", {"contract": "nonsense"})

    busy = await platform.post("/orders", **order_body("D-1001"))
    await end_by_hand(stack, platform, "D-1001")
    answer = await platform.post("/orders", **order_body("D-1001"))

    assert (busy.status_code, busy.json()["code"]) == (503, "order_busy")
    assert (answer.status_code, answer.json()["contractor_no"]) == (200, "C-1")


async def test_a_workflow_that_cannot_go_on_is_answered_as_busy(stack: Stack, platform: Platform) -> None:
    card = await platform.open_owner()
    await platform.open_contractor()
    await platform.top_up(card, PRICE_FEN)
    await platform.open_order()
    await end_by_hand(stack, platform, "D-1001")
    await start_by_hand(stack, platform, "D-1001", {"contract": "nonsense"})

    async def is_busy(request_no: str) -> bool:
        answer = await platform.post("/orders/D-1001/pay", request_no=request_no, by="O-1")
        assert answer.status_code == 503, answer.text
        return bool(answer.json()["code"] == "order_busy")

    await until(lambda: is_busy("R-1"), "the order is said to be busy, whatever became of a connection meanwhile")
    await until(lambda: is_busy("R-2"), "another request is told the same")
    await end_by_hand(stack, platform, "D-1001")
