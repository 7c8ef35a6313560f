"""Whatever is done to a process that looks after a member, the books have it taken up, and it comes to its right end.

One stack, all rows at once, as `test_taken_up_again.py` has it for orders.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from escrow.domain.collections.mandates import REVOKE
from escrow.domain.endings import ENDED_BY_DEADLINES
from escrow.ledger.attention import waiting_for_a_person
from escrow.ledger.books_time import books_now
from escrow.ledger.consents import CONSENT_VALIDITY, NewConsent, record_consent
from escrow.stack.up import Stack
from tests.api.payers import NAME, card_of, mandate_body, open_payer
from tests.api.platforms import card_number, created
from tests.identities import CITIZEN_ID, verify
from tests.terminating import at_rest
from tests.waiting import some_at_a_time, until
from tests.workflows.breaking import BREAKS, runs_as
from tests.workflows.house_of_rounds import House, opened_house
from workflows.messages import PROCESSES

_CONSENT = {"text_version": "t-1", "address": "192.0.2.1"}
_PAID_OUT_FEN = 1_000


@dataclass(frozen=True, kw_only=True)
class Row:
    """What looks after a member, in a state that waits.

    Args:
        prepared: brings it there, under this number; the number of its process.
        stands: how it stands in the books.
        ends: how it stands when ninety days have passed.
        faults: what is done to its run.
    """

    kind: str
    prepared: Callable[[House, str], Awaitable[str]]
    stands: str
    ends: str
    faults: tuple[str, ...] = tuple(BREAKS)


async def _check_that_nobody_answers(house: House, number: str) -> str:
    await created(
        house.platform.post("/members/O-1/identity-checks", request_no=number, id_no=CITIZEN_ID, consent=_CONSENT)
    )
    return number


async def _deposit_that_nobody_confirms(house: House, number: str) -> str:
    account = {"account_id": f"A-{number}", "account_no": card_number(), "account_name": NAME, "is_corporate": False}
    await created(house.platform.post("/members/O-1/bank-accounts", **account, cnaps_code="102100099996"))
    sending = house.platform.post(
        f"/members/O-1/bank-accounts/A-{number}/verify/micro-deposit", request_no=number, consent=_CONSENT
    )
    assert (await created(sending))["status"] in ("asked", "sent")
    await _stands_as(house, "account_verification", number, "sent")
    return number


async def _mandate_in_force(house: House, number: str) -> str:
    last_day = (await books_now(house.books.recorder, house.platform.number) + timedelta(days=20)).date()
    await created(house.platform.post("/members/O-1/mandates", **mandate_body(number, last_day=last_day.isoformat())))
    await _stands_as(house, "mandate", number, "active")
    return number


async def _mandate_whose_end_nobody_heard(house: House, number: str) -> str:
    await _mandate_in_force(house, number)
    # Else a step that is tried again, as on a slow machine, may look once more and hear.
    await at_rest(house.client.get_workflow_handle(PROCESSES["mandate"].workflow_id(house.platform.number, number)))
    consent, _ = await record_consent(
        house.books.recorder,
        NewConsent(
            platform_no=house.platform.number,
            consent_no=f"{number}-revoke",
            object_kind="mandate",
            object_no=number,
            operation=REVOKE,
            given_by="O-1",
            terms={},
            valid_for=CONSENT_VALIDITY,
        ),
    )
    await house.platform.registry.mandates.revoke(consent)
    return number


async def _member_that_was_paid_out_and_closes(house: House, number: str) -> str:
    card, member_no = card_of("622202", 10_000 + int(number[2:])), f"M-{number}"
    await created(house.platform.post("/members", member_no=member_no, kind="person", name=NAME, mobile="13800000003"))
    await verify(house.platform.registry, house.platform.number, member_no)
    account = {"account_id": f"A-{member_no}", "account_no": card, "account_name": NAME, "is_corporate": False}
    await created(house.platform.post(f"/members/{member_no}/bank-accounts", **account))
    await house.platform.bank.transfer(
        custody_account_no=house.platform.custody_account_no,
        amount_fen=_PAID_OUT_FEN,
        account_no=card,
        account_name=NAME,
    )

    async def has_it() -> bool:
        return int((await house.platform.balances(member_no))["available_fen"]) == _PAID_OUT_FEN

    await until(has_it, "the money arrives")
    withdrawal = {"withdrawal_no": f"W-{number}", "member_no": member_no, "principal_fen": _PAID_OUT_FEN}
    await created(house.platform.post("/withdrawals", **withdrawal))
    await _stands_as(house, "withdrawal", f"W-{number}", "paid")
    answer = await house.platform.post(f"/members/{member_no}/close", request_no=f"CL-{number}")
    assert answer.status_code == 200, answer.text
    return f"{member_no}/CL-{number}"


ROWS: dict[str, Row] = {
    "identity check that nobody answers": Row(
        kind="identity_check", prepared=_check_that_nobody_answers, stands="asked", ends="unanswered"
    ),
    "verification that nobody confirms": Row(
        kind="account_verification", prepared=_deposit_that_nobody_confirms, stands="sent", ends="expired"
    ),
    "mandate in force": Row(kind="mandate", prepared=_mandate_in_force, stands="active", ends="expired"),
    "mandate whose end nobody heard": Row(
        kind="mandate", prepared=_mandate_whose_end_nobody_heard, stands="revoked", ends="revoked"
    ),
    "member that closes": Row(
        kind="member_closing", prepared=_member_that_was_paid_out_and_closes, stands="closing", ends="closed"
    ),
}
#: How what is no object of its own stands: a part of its member, found by its number.
_PARTS = {
    "identity_check": "SELECT status FROM identity_check WHERE platform_no = $1 AND check_no = $2",
    "member_closing": "SELECT status FROM business_object WHERE platform_no = $1 AND kind = 'member'"
    " AND object_no = split_part($2, '/', 1)",
}


@dataclass(frozen=True)
class Cell:
    """One row under one fault."""

    name: str
    row: Row
    fault: str
    number: str


@pytest.fixture
async def house(broken_stack: Stack) -> AsyncIterator[House]:
    async with opened_house(broken_stack) as opened:
        await open_payer(opened.platform)
        await opened.platform.own_money_comes(10_000)
        yield opened
        await opened.books_are_sound_and_equal()


async def test_whatever_is_done_to_a_run_what_looks_after_a_member_comes_to_its_right_end(
    house: House, tables: list[str]
) -> None:
    named = [(name, row, fault) for name, row in ROWS.items() for fault in row.faults]
    numbered = list(enumerate(named, start=1))
    # The bank asks the same register who signs a mandate, so those come first.
    others = [(n, item) for n, item in numbered if item[1].kind != "identity_check"]
    checks = [(n, item) for n, item in numbered if item[1].kind == "identity_check"]
    table = await _prepared(house, others)
    await house.platform.bank.set_service_health("REGISTER", "DOWN")
    table += await _prepared(house, checks)
    before = await house.deadlines()
    assert {cell.number for cell in table} <= {number for number, *_ in before}

    await house.nobody_goes_round()
    for cell in table:
        await BREAKS[cell.fault](house.client, _workflow_id(house, cell))
    await house.time_passes_unseen(timedelta(minutes=2))
    assert {cell.number: await _stands(house, cell.row.kind, cell.number) for cell in table} == {
        cell.number: cell.row.stands for cell in table
    }
    await house.rounds_are_made()
    await house.nothing_is_late()
    for cell in table:
        await _goes_on(house, cell)
    now = await house.deadlines()
    assert {item for item in before if item[1] != "bank_told"} <= now
    # The registry's day, a deposit's two, seven working days after a payout, a mandate's last day.
    for span in (timedelta(days=1), timedelta(days=1), timedelta(days=9), timedelta(days=12)):
        await house.time_passes(span + timedelta(minutes=5))

    async def all_have_ended() -> bool:
        return not await _unfinished(house)

    await until(all_have_ended, "nothing is unfinished", seen=lambda: _unfinished(house))
    wrong = {
        cell: stands for cell in table if (stands := await _stands(house, cell.row.kind, cell.number)) != cell.row.ends
    }
    tables.append("\n".join(f"{cell.name:40} {cell.fault:40} {wrong.get(cell, 'right')}" for cell in table))
    assert not wrong

    async def nobody_waits() -> bool:
        return not await waiting_for_a_person(house.books.recorder, house.platform.number, limit=1)

    await until(nobody_waits, "whoever was called for a stranger is not needed when it has ended")


async def test_an_operator_takes_them_up_by_number(house: House) -> None:
    await _mandate_in_force(house, "M-1")
    await house.platform.bank.set_service_health("REGISTER", "DOWN")
    await _check_that_nobody_answers(house, "IC-1")
    closing = await _member_that_was_paid_out_and_closes(house, "X-900")
    await house.a_round_is_made()
    mine = ("--platform", house.platform.number)
    assert "identity_check IC-1" in await house.escrow("resume", "IC-1", *mine)
    assert "runs, and was told to look" in await house.escrow("resume", "M-1", *mine)
    assert f"member_closing {closing}" in await house.escrow("resume", "M-X-900", *mine)

    said = await house.escrow("resume", "--all", *mine)
    assert all(number in said for number in ("IC-1", "M-1", closing))


def test_every_kind_that_ends_by_its_deadlines_has_rows() -> None:
    assert {row.kind for row in ROWS.values()} == set(ENDED_BY_DEADLINES)


async def _prepared(house: House, numbered: list[tuple[int, tuple[str, Row, str]]]) -> list[Cell]:
    numbers = await some_at_a_time(row.prepared(house, f"X-{n}") for n, (_, row, _) in numbered)
    return [Cell(*item, number=number) for (_, item), number in zip(numbered, numbers, strict=True)]


def _workflow_id(house: House, cell: Cell) -> str:
    return PROCESSES[cell.row.kind].workflow_id(house.platform.number, cell.number)


async def _goes_on(house: House, cell: Cell) -> None:
    """It runs again, or has come to its end."""
    process, workflow_id = PROCESSES[cell.row.kind], _workflow_id(house, cell)

    async def goes_on() -> bool:
        if cell.number not in {number for number, *_ in await house.deadlines()}:
            return True
        reference = process.reference(house.platform.number, cell.number)
        return await runs_as(house.client, workflow_id, process.workflow, process.task_queue, reference)

    await until(goes_on, f"{workflow_id} ({cell.name}, {cell.fault}) runs again, or has come to its end")


async def _unfinished(house: House) -> list[Any]:
    rows = await house.books.recorder.rows(
        "SELECT object_kind, object_no, name, due_at FROM deadline WHERE platform_no = $1 AND object_kind = ANY($2)",
        house.platform.number,
        list(ENDED_BY_DEADLINES),
    )
    return [tuple(row) for row in rows]


async def _stands(house: House, kind: str, number: str) -> str | None:
    whole = f"SELECT status FROM business_object WHERE platform_no = $1 AND kind = '{kind}' AND object_no = $2"
    row = await house.books.recorder.row(_PARTS.get(kind, whole), house.platform.number, number)
    return None if row is None else str(row["status"])


async def _stands_as(house: House, kind: str, number: str, status: str) -> None:
    async def does() -> bool:
        return await _stands(house, kind, number) == status

    await until(does, f"{kind} {number} is {status}", seen=lambda: _stands(house, kind, number))
